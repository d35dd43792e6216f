// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memslots: create, delete, change, move.
 */
#include <errno.h>

#include "kselftest_harness.h"
#include "util.h"

FIXTURE(memslot)
{
	struct guest g;
};

FIXTURE_SETUP(memslot)
{
	ASSERT_EQ(0, guest_create(&self->g, 64, 0));
}

FIXTURE_TEARDOWN(memslot)
{
	EXPECT_TRUE(guest_quiet(&self->g));
	guest_destroy(&self->g);
}

TEST_F(memslot, delete_removes_translations)
{
	struct umbra_translate t;
	uint64_t value;

	self->g.mem[5 * PAGE] = 42;
	ASSERT_EQ(0, umbra_load(self->g.vcpu, 5 * PAGE, 1, &value));
	EXPECT_EQ(42, value);
	ASSERT_EQ(0, umbra_delete_memslot(self->g.vm, 0));
	ASSERT_EQ(0, umbra_translate(self->g.vm, 0, 5 * PAGE, &t));
	EXPECT_EQ(0, t.pte);
	EXPECT_EQ(-ENOENT, umbra_load(self->g.vcpu, 5 * PAGE, 1, &value));
	EXPECT_EQ(-ENOENT, umbra_delete_memslot(self->g.vm, 0));
}

TEST_HARNESS_MAIN
