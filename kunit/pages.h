/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Table pages that are counted, and that can be made to run out.
 */
#ifndef UMBRA_KUNIT_PAGES_H
#define UMBRA_KUNIT_PAGES_H

#include "memcache.h"

extern const struct umbra_table_ops umbra_test_page_ops;

/** umbra_test_pages() - how many are allocated and not freed */
long umbra_test_pages(void);

/** umbra_test_fail_alloc() - make the @n-th allocation from now on fail */
void umbra_test_fail_alloc(unsigned int n);

#endif /* UMBRA_KUNIT_PAGES_H */
