/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What an architecture provides: one file each.
 */
#ifndef WALKER_H
#define WALKER_H

#include "umbra_walk.h"

/* Called once. Returns 0 even if the hardware has no walker. */
int walker_init(void);
void walker_exit(void);

/* Fill the fields of @w marked out. One call at a time. */
int walker_walk(struct umbra_walk *w);

#endif /* WALKER_H */
