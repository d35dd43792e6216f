/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a leaf allows and remembers, in short.
 */
#ifndef UMBRA_KUNIT_ATTRS_H
#define UMBRA_KUNIT_ATTRS_H

#include <uapi/linux/umbra.h>

enum {
	R	= UMBRA_PTE_READ,
	W	= UMBRA_PTE_WRITE,
	X	= UMBRA_PTE_EXEC,
	A	= UMBRA_PTE_YOUNG,
	D	= UMBRA_PTE_DIRTY,
	/* What a leaf can do without, in steps of W. */
	ATTRS	= W | X | A | D,
};

#endif /* UMBRA_KUNIT_ATTRS_H */
