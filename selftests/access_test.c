// SPDX-License-Identifier: GPL-2.0-only
/*
 * ACCESS: what operations do to memory, TLB, and accessed and dirty bits.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "kselftest_harness.h"
#include "util.h"

#define GUEST_PAGES	16UL

FIXTURE(access)
{
	struct guest g;
	uint8_t expected[GUEST_PAGES * PAGE];
};

FIXTURE_SETUP(access)
{
	ASSERT_EQ(0, guest_create(&self->g, GUEST_PAGES, 0));
	srandom(1);
	for (size_t i = 0; i < sizeof(self->expected); i++)
		self->expected[i] = random();
	memcpy(self->g.mem, self->expected, sizeof(self->expected));
}

/* No test writes more, or less, than it says in expected. */
FIXTURE_TEARDOWN(access)
{
	EXPECT_EQ(0, memcmp(self->expected, self->g.mem,
			    sizeof(self->expected)));
	EXPECT_TRUE(guest_quiet(&self->g));
	guest_destroy(&self->g);
}

/* The len bytes at p, as a number. */
static uint64_t number(const uint8_t *p, uint32_t len)
{
	uint64_t value = 0;

	memcpy(&value, p, len);
	return value;
}

TEST_F(access, every_width_and_place)
{
	const struct guest *g = &self->g;

	for (uint32_t len = 1; len <= 8; len *= 2) {
		for (uint64_t gpa = PAGE - 16; gpa < PAGE + 16; gpa += len) {
			uint8_t *p = self->expected + gpa;
			uint64_t value, old = number(p, len);
			uint64_t stored = 0x8877665544332211 * (gpa + len);

			ASSERT_EQ(0, umbra_load(g->vcpu, gpa, len, &value));
			EXPECT_EQ(old, value);
			ASSERT_EQ(0, umbra_fetch(g->vcpu, gpa, len, &value));
			EXPECT_EQ(old, value);

			ASSERT_EQ(0, umbra_store(g->vcpu, gpa, len, stored));
			memcpy(p, &stored, len);
			EXPECT_EQ(0, memcmp(p - 8, g->mem + gpa - 8, 24));

			/* A mismatch changes nothing, a match exchanges. */
			ASSERT_EQ(0, umbra_cmpxchg(g->vcpu, gpa, len,
						   number(p, len) ^ 1, 0,
						   &value));
			EXPECT_EQ(number(p, len), value);
			EXPECT_EQ(0, memcmp(p - 8, g->mem + gpa - 8, 24));
			ASSERT_EQ(0, umbra_cmpxchg(g->vcpu, gpa, len,
						   number(p, len), old,
						   &value));
			EXPECT_EQ(number(p, len), value);
			memcpy(p, &old, len);
			EXPECT_EQ(0, memcmp(p - 8, g->mem + gpa - 8, 24));
		}
	}
}

TEST_F(access, copies_cross_pages)
{
	static const struct {
		uint64_t gpa;
		uint32_t len;
	} ranges[] = {
		{ 0, 1 }, { PAGE - 1, 1 }, { PAGE - 1, 2 }, { 3, PAGE },
		{ PAGE - 7, PAGE + 14 }, { 2 * PAGE, 3 * PAGE },
		{ 123, 9 * PAGE + 77 }, { 0, GUEST_PAGES * PAGE },
	};
	static uint8_t buffer[GUEST_PAGES * PAGE + 1];
	const struct guest *g = &self->g;

	for (size_t i = 0; i < sizeof(ranges) / sizeof(*ranges); i++) {
		uint64_t gpa = ranges[i].gpa;
		uint32_t len = ranges[i].len;
		uint8_t guard = ~self->expected[gpa + len - 1];

		buffer[len] = guard;
		ASSERT_EQ(0, umbra_read(g->vcpu, gpa, buffer, len));
		EXPECT_EQ(0, memcmp(buffer, self->expected + gpa, len));
		EXPECT_EQ(guard, buffer[len]);

		for (uint32_t j = 0; j < len; j++)
			buffer[j] = random();
		ASSERT_EQ(0, umbra_write(g->vcpu, gpa, buffer, len));
		memcpy(self->expected + gpa, buffer, len);
		EXPECT_EQ(0, memcmp(self->expected, g->mem,
				    sizeof(self->expected)));
	}
}

/* The buffer is memory of the guest, and is not there yet either. */
TEST_F(access, copies_within_the_guest)
{
	const struct guest *g = &self->g;

	ASSERT_EQ(0, umbra_read(g->vcpu, 100, g->mem + 5 * PAGE - 50, PAGE));
	memcpy(self->expected + 5 * PAGE - 50, self->expected + 100, PAGE);
	ASSERT_EQ(0, umbra_write(g->vcpu, 8 * PAGE, g->mem, PAGE));
	memcpy(self->expected + 8 * PAGE, self->expected, PAGE);
}

TEST_F(access, batch_stops_at_the_failure)
{
	const struct guest *g = &self->g;
	struct umbra_access_op ops[5] = {
		{ .op = UMBRA_OP_STORE, .len = 1, .gpa = 0, .value = 1 },
		{ .op = UMBRA_OP_LOAD, .len = 8, .gpa = PAGE, .value = ~0ULL },
		{ .op = UMBRA_OP_STORE, .len = 1, .gpa = 1, .value = 2 },
		{ .op = UMBRA_OP_STORE, .len = 1, .gpa = GUEST_PAGES * PAGE },
		{ .op = UMBRA_OP_STORE, .len = 1, .gpa = 2, .value = 3 },
	};
	struct umbra_access arg = {
		.size = sizeof(arg), .ops = (uintptr_t)ops, .nr_ops = 5,
	};

	ASSERT_EQ(0, ioctl(g->vcpu, UMBRA_ACCESS, &arg));
	EXPECT_EQ(3, arg.done);
	EXPECT_EQ(number(self->expected + PAGE, 8), ops[1].value);
	self->expected[0] = 1;
	self->expected[1] = 2;

	arg.ops = (uintptr_t)(ops + 3);
	arg.nr_ops = 2;
	EXPECT_EQ(-1, ioctl(g->vcpu, UMBRA_ACCESS, &arg));
	EXPECT_EQ(ENOENT, errno);
}

TEST_F(access, tlb_answers_the_second_access)
{
	const struct guest *g = &self->g;
	struct umbra_get_stats before, after;
	uint64_t value;

	ASSERT_EQ(0, umbra_load(g->vcpu, 0, 8, &value));
	before = guest_stats(g);
	ASSERT_EQ(0, umbra_load(g->vcpu, PAGE - 8, 8, &value));
	after = guest_stats(g);
	EXPECT_EQ(before.tlb_hits + 1, after.tlb_hits);
	EXPECT_EQ(before.tlb_misses, after.tlb_misses);
	EXPECT_EQ(before.accesses + 1, after.accesses);
	before = after;
	ASSERT_EQ(0, umbra_fetch(g->vcpu, PAGE - 8, 8, &value));
	after = guest_stats(g);
	EXPECT_EQ(before.tlb_hits + 1, after.tlb_hits);

	/* The first store has to set the dirty bit in the table. */
	before = guest_stats(g);
	ASSERT_EQ(0, umbra_store(g->vcpu, 0, 1, self->expected[0]));
	after = guest_stats(g);
	EXPECT_EQ(before.tlb_hits, after.tlb_hits);
	EXPECT_EQ(before.tlb_misses + 1, after.tlb_misses);
	before = after;
	ASSERT_EQ(0, umbra_store(g->vcpu, 0, 1, self->expected[0]));
	after = guest_stats(g);
	EXPECT_EQ(before.tlb_hits + 1, after.tlb_hits);

	/* What is unmapped is in no TLB. */
	ASSERT_EQ(0, umbra_unmap(g->vm, 0, PAGE));
	before = guest_stats(g);
	ASSERT_EQ(0, umbra_load(g->vcpu, 0, 8, &value));
	after = guest_stats(g);
	EXPECT_EQ(before.tlb_hits, after.tlb_hits);
	EXPECT_EQ(before.mapped + 1, after.mapped);
}

TEST_F(access, accessed_and_dirty_bits)
{
	const uint32_t both = UMBRA_PTE_YOUNG | UMBRA_PTE_DIRTY;
	const struct guest *g = &self->g;
	uint64_t value;

	ASSERT_EQ(0, umbra_fault(g->vcpu, UMBRA_FAULT_WRITE, 0, 6 * PAGE,
				 &value));
	ASSERT_EQ(0, umbra_load(g->vcpu, 0, 8, &value));
	ASSERT_EQ(0, umbra_store(g->vcpu, PAGE, 1, self->expected[PAGE]));
	/* Hardware sets the dirty bit whether or not they are equal. */
	ASSERT_EQ(0, umbra_cmpxchg(g->vcpu, 2 * PAGE, 1,
				   self->expected[2 * PAGE] ^ 1, 0, &value));
	ASSERT_EQ(0, umbra_write(g->vcpu, 3 * PAGE, self->expected + 3 * PAGE,
				 1));
	EXPECT_EQ(UMBRA_PTE_YOUNG, guest_pte(g, 0) & both);
	EXPECT_EQ(both, guest_pte(g, PAGE) & both);
	EXPECT_EQ(both, guest_pte(g, 2 * PAGE) & both);
	EXPECT_EQ(both, guest_pte(g, 3 * PAGE) & both);
	EXPECT_EQ(0, guest_pte(g, 4 * PAGE) & both);
	ASSERT_EQ(0, umbra_fetch(g->vcpu, 5 * PAGE, 8, &value));
	EXPECT_EQ(UMBRA_PTE_YOUNG, guest_pte(g, 5 * PAGE) & both);
}

#define INCREMENTS	2000
#define COUNTER		(3 * PAGE + 8)

/* Count to INCREMENTS by an own vCPU; arg is the guest. */
static long increment(void *arg)
{
	const struct guest *g = arg;
	int vcpu = umbra_create_vcpu(g->vm), ret = vcpu < 0 ? vcpu : 0;
	uint64_t seen = 0, old;

	for (int i = 0; i < INCREMENTS && !ret;) {
		ret = umbra_cmpxchg(vcpu, COUNTER, 8, seen, seen + 1, &old);
		i += old == seen;
		seen = old;
	}
	return ret;
}

TEST_F(access, increments_from_two_vcpus)
{
	struct guest *g = &self->g;
	uint64_t total = 2 * INCREMENTS;
	struct task tasks[2];

	memset(g->mem + COUNTER, 0, 8);
	task_start(&tasks[0], increment, g);
	task_start(&tasks[1], increment, g);
	EXPECT_EQ(0, task_join(&tasks[0]));
	EXPECT_EQ(0, task_join(&tasks[1]));
	memcpy(self->expected + COUNTER, &total, 8);
}

TEST_HARNESS_MAIN
