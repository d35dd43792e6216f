/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Touching memory that may not be there.
 */
#ifndef GUARD_H
#define GUARD_H

#include <stdbool.h>

/* Once, before guarded(). */
void guard_init(void);
/* Returns false if fn(arg) got a SIGSEGV or SIGBUS, which ends it. */
bool guarded(void (*fn)(void *arg), void *arg);

#endif /* GUARD_H */
