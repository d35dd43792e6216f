// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memslots: create, delete, change, move.
 */
#include <errno.h>
#include <sched.h>
#include <sys/mman.h>

#include "kselftest_harness.h"
#include "util.h"

#define GUEST_PAGES	64UL
#define LENGTH		(GUEST_PAGES * PAGE)

/* Slot 0 is at gpa 0, and each page of it begins with its number. */
FIXTURE(memslot)
{
	struct guest g;
};

FIXTURE_SETUP(memslot)
{
	ASSERT_EQ(0, guest_create(&self->g, GUEST_PAGES, 0));
	for (uint64_t i = 0; i < GUEST_PAGES; i++)
		self->g.mem[i * PAGE] = i;
}

FIXTURE_TEARDOWN(memslot)
{
	EXPECT_TRUE(guest_quiet(&self->g));
	guest_destroy(&self->g);
}

/* The number of the page that the vCPU finds at gpa, or -errno. */
static int page_at(const struct guest *g, uint64_t gpa)
{
	uint64_t value;
	int ret = umbra_load(g->vcpu, gpa, 1, &value);

	return ret ? ret : value;
}

/* Tables that span more than the memslot that they were made for go, too. */
TEST_F(memslot, deleted_slots_leave_no_tables)
{
	const uint64_t gib = 1UL << 30;
	struct umbra_get_stats before, after;
	uint64_t value;

	ASSERT_EQ(0, umbra_load(self->g.vcpu, 0, 1, &value));
	ASSERT_EQ(0, umbra_get_stats(self->g.vm, &before));
	for (uint64_t i = 1; i <= 8; i++) {
		ASSERT_EQ(0, umbra_set_memslot(self->g.vm, i, 0, i * 600 * gib,
					       PAGE, self->g.mem));
		ASSERT_EQ(0, umbra_load(self->g.vcpu, i * 600 * gib, 1,
					&value));
	}
	for (uint64_t i = 1; i <= 8; i++)
		ASSERT_EQ(0, umbra_delete_memslot(self->g.vm, i));
	ASSERT_EQ(0, umbra_get_stats(self->g.vm, &after));
	EXPECT_EQ(before.table_pages, after.table_pages);
	ASSERT_EQ(0, umbra_load(self->g.vcpu, 0, 1, &value));
}

/* A log, and the memslot itself, go again. */
TEST_F(memslot, footprint)
{
	const uint64_t gpa = 1UL << 30, pages = 32;
	uint64_t before = guest_stats(&self->g).bytes, bare, logged;

	EXPECT_LT(0, before);
	ASSERT_EQ(0, umbra_set_memslot(self->g.vm, 1, 0, gpa, pages * PAGE,
				       self->g.mem));
	bare = guest_stats(&self->g).bytes;
	EXPECT_LT(before, bare);
	ASSERT_EQ(0, umbra_set_memslot(self->g.vm, 1, UMBRA_MEM_LOG_DIRTY, gpa,
				       pages * PAGE, self->g.mem));
	logged = guest_stats(&self->g).bytes;
	EXPECT_EQ(bare + sizeof(uint64_t), logged);
	ASSERT_EQ(0, umbra_delete_memslot(self->g.vm, 1));
	EXPECT_EQ(before, guest_stats(&self->g).bytes);
}

TEST_F(memslot, delete_removes_translations)
{
	const struct guest *g = &self->g;

	EXPECT_EQ(5, page_at(g, 5 * PAGE));
	ASSERT_EQ(0, umbra_delete_memslot(g->vm, 0));
	EXPECT_EQ(0, guest_pte(g, 5 * PAGE));
	EXPECT_EQ(0, guest_stats(g).leaves);
	EXPECT_EQ(0, guest_stats(g).slots);
	EXPECT_EQ(-ENOENT, page_at(g, 5 * PAGE));
	EXPECT_EQ(-ENOENT, umbra_delete_memslot(g->vm, 0));
}

TEST_F(memslot, first_and_last_page)
{
	const struct guest *g = &self->g;

	ASSERT_EQ(0, umbra_set_memslot(g->vm, 1, 0, LENGTH + PAGE, PAGE,
				       g->mem + 9 * PAGE));
	EXPECT_EQ(0, page_at(g, 0));
	EXPECT_EQ(63, page_at(g, LENGTH - PAGE));
	EXPECT_EQ(-ENOENT, page_at(g, LENGTH));
	EXPECT_EQ(9, page_at(g, LENGTH + PAGE));
	EXPECT_EQ(-ENOENT, page_at(g, LENGTH + 2 * PAGE));
}

/* Nothing between them, in gpa; their hvas are in the other order. */
TEST_F(memslot, adjacent)
{
	const struct guest *g = &self->g;
	uint64_t gpa = 1ULL << 40, done;

	for (uint32_t i = 0; i < 4; i++)
		ASSERT_EQ(0, umbra_set_memslot(g->vm, 1 + i, 0,
					       gpa + i * 4 * PAGE, 4 * PAGE,
					       g->mem + (12 - 4 * i) * PAGE));
	ASSERT_EQ(0, umbra_fault(g->vcpu, 0, gpa, 16 * PAGE, &done));
	EXPECT_EQ(16, guest_stats(g).leaves);
	for (uint32_t i = 0; i < 16; i++)
		EXPECT_EQ((12 - i / 4 * 4) + i % 4, page_at(g, gpa + i * PAGE));

	/* Without one in the middle. */
	ASSERT_EQ(0, umbra_delete_memslot(g->vm, 2));
	EXPECT_EQ(12, guest_stats(g).leaves);
	EXPECT_EQ(15, page_at(g, gpa + 3 * PAGE));
	for (uint32_t i = 4; i < 8; i++)
		EXPECT_EQ(-ENOENT, page_at(g, gpa + i * PAGE));
	EXPECT_EQ(4, page_at(g, gpa + 8 * PAGE));
	EXPECT_EQ(12, guest_stats(g).leaves);
}

TEST_F(memslot, overlap_is_refused)
{
	const struct guest *g = &self->g;

	EXPECT_EQ(-EEXIST, umbra_set_memslot(g->vm, 1, 0, LENGTH - PAGE,
					     2 * PAGE, g->mem));
	ASSERT_EQ(0, umbra_set_memslot(g->vm, 1, 0, LENGTH, PAGE, g->mem));
	EXPECT_EQ(-EEXIST, umbra_set_memslot(g->vm, 1, 0, 0, PAGE, g->mem));
	EXPECT_EQ(-EEXIST, umbra_set_memslot(g->vm, 0, 0, PAGE, LENGTH,
					     g->mem));
	EXPECT_EQ(2, guest_stats(g).slots);
	EXPECT_EQ(0, page_at(g, 0));
	EXPECT_EQ(0, page_at(g, LENGTH));
}

TEST_F(memslot, move)
{
	const struct guest *g = &self->g;
	uint64_t far = 1ULL << 39;

	/* The page is in the TLB. */
	EXPECT_EQ(3, page_at(g, 3 * PAGE));
	EXPECT_EQ(3, page_at(g, 3 * PAGE));
	ASSERT_EQ(0, umbra_set_memslot(g->vm, 0, 0, far, LENGTH, g->mem));
	EXPECT_EQ(-ENOENT, page_at(g, 3 * PAGE));
	EXPECT_EQ(0, guest_pte(g, far + 3 * PAGE));
	EXPECT_EQ(3, page_at(g, far + 3 * PAGE));

	/* By one page: now the old and the new place overlap. */
	ASSERT_EQ(0, umbra_set_memslot(g->vm, 0, 0, far + PAGE, LENGTH,
				       g->mem));
	EXPECT_EQ(-ENOENT, page_at(g, far));
	EXPECT_EQ(2, page_at(g, far + 3 * PAGE));
	EXPECT_EQ(63, page_at(g, far + LENGTH));
	EXPECT_EQ(2, guest_stats(g).leaves);
	EXPECT_EQ(1, guest_stats(g).slots);
}

TEST_F(memslot, readonly)
{
	const struct guest *g = &self->g;
	uint64_t gpa = LENGTH, old;

	ASSERT_EQ(0, umbra_set_memslot(g->vm, 1, UMBRA_MEM_READONLY, gpa,
				       LENGTH, g->mem));
	EXPECT_EQ(5, page_at(g, gpa + 5 * PAGE));
	EXPECT_EQ(-EACCES, umbra_store(g->vcpu, gpa + 5 * PAGE, 1, 0));
	EXPECT_EQ(-EACCES, umbra_cmpxchg(g->vcpu, gpa + 5 * PAGE, 1, 5, 0,
					 &old));
	EXPECT_EQ(-EACCES, umbra_write(g->vcpu, gpa + 6 * PAGE, "", 1));
	EXPECT_EQ(5, g->mem[5 * PAGE]);
	EXPECT_EQ(6, g->mem[6 * PAGE]);
	EXPECT_EQ(UMBRA_PTE_READ | UMBRA_PTE_EXEC | UMBRA_PTE_YOUNG,
		  guest_pte(g, gpa + 5 * PAGE));

	/* The same memory through the other memslot. */
	ASSERT_EQ(0, umbra_store(g->vcpu, 5 * PAGE, 1, 99));
	EXPECT_EQ(99, page_at(g, gpa + 5 * PAGE));
	EXPECT_EQ(-EACCES, umbra_store(g->vcpu, gpa + 5 * PAGE, 1, 0));
}

TEST_F(memslot, noexec)
{
	const struct guest *g = &self->g;
	uint64_t gpa = LENGTH, value, done;

	ASSERT_EQ(0, umbra_set_memslot(g->vm, 1, UMBRA_MEM_NOEXEC, gpa, LENGTH,
				       g->mem));
	EXPECT_EQ(-EACCES, umbra_fetch(g->vcpu, gpa + 5 * PAGE, 1, &value));
	EXPECT_EQ(-EACCES, umbra_fault(g->vcpu, UMBRA_FAULT_EXEC,
				       gpa + 5 * PAGE, PAGE, &done));
	EXPECT_EQ(0, guest_pte(g, gpa + 5 * PAGE));
	EXPECT_EQ(5, page_at(g, gpa + 5 * PAGE));
	ASSERT_EQ(0, umbra_store(g->vcpu, gpa + 5 * PAGE, 1, 55));
	EXPECT_EQ(UMBRA_PTE_READ | UMBRA_PTE_WRITE | UMBRA_PTE_YOUNG |
		  UMBRA_PTE_DIRTY, guest_pte(g, gpa + 5 * PAGE));
	/* Neither the table nor the TLB, which now has it, lets a fetch pass. */
	EXPECT_EQ(-EACCES, umbra_fetch(g->vcpu, gpa + 5 * PAGE, 1, &value));

	/* The same memory through the other memslot. */
	ASSERT_EQ(0, umbra_fetch(g->vcpu, 5 * PAGE, 1, &value));
	EXPECT_EQ(55, value);
	EXPECT_EQ(-EACCES, umbra_fetch(g->vcpu, gpa + 5 * PAGE, 1, &value));

	/* It stays so when the memslot moves. */
	ASSERT_EQ(0, umbra_set_memslot(g->vm, 1, UMBRA_MEM_NOEXEC, 3 * LENGTH,
				       LENGTH, g->mem));
	EXPECT_EQ(-EACCES, umbra_fetch(g->vcpu, 3 * LENGTH, 1, &value));
}

TEST_F(memslot, what_cannot_change)
{
	const struct guest *g = &self->g;

	EXPECT_EQ(-EINVAL, umbra_set_memslot(g->vm, 0, 0, 0, LENGTH - PAGE,
					     g->mem));
	EXPECT_EQ(-EINVAL, umbra_set_memslot(g->vm, 0, 0, 0, LENGTH,
					     g->mem + PAGE));
	EXPECT_EQ(-EINVAL, umbra_set_memslot(g->vm, 0, UMBRA_MEM_READONLY, 0,
					     LENGTH, g->mem));
	EXPECT_EQ(-EINVAL, umbra_set_memslot(g->vm, 0, UMBRA_MEM_NOEXEC, 0,
					     LENGTH, g->mem));
	EXPECT_EQ(7, page_at(g, 7 * PAGE));
}

TEST_F(memslot, log_on_and_off)
{
	const struct guest *g = &self->g;
	uint64_t bits, dirty;

	ASSERT_EQ(0, umbra_store(g->vcpu, 0, 1, 1));
	EXPECT_EQ(-ENOENT, umbra_get_dirty_log(g->vm, 0, 0, 0, 64, &bits,
					       &dirty));
	ASSERT_EQ(0, umbra_set_memslot(g->vm, 0, UMBRA_MEM_LOG_DIRTY, 0,
				       LENGTH, g->mem));
	ASSERT_EQ(0, umbra_store(g->vcpu, PAGE, 1, 1));
	ASSERT_EQ(0, umbra_get_dirty_log(g->vm, UMBRA_DIRTY_LOG_KEEP, 0, 0, 64,
					 &bits, &dirty));
	EXPECT_EQ(1 << 1, bits);

	ASSERT_EQ(0, umbra_set_memslot(g->vm, 0, 0, 0, LENGTH, g->mem));
	EXPECT_EQ(-ENOENT, umbra_get_dirty_log(g->vm, 0, 0, 0, 64, &bits,
					       &dirty));
	ASSERT_EQ(0, umbra_store(g->vcpu, 2 * PAGE, 1, 1));
	ASSERT_EQ(0, umbra_set_memslot(g->vm, 0, UMBRA_MEM_LOG_DIRTY, 0,
				       LENGTH, g->mem));
	ASSERT_EQ(0, umbra_get_dirty_log(g->vm, 0, 0, 0, 64, &bits, &dirty));
	EXPECT_EQ(0, bits);
}

TEST_F(memslot, shadow_survives_changes_of_others)
{
	const struct guest *g = &self->g;
	struct umbra_get_stats before, after;
	uint64_t done;

	ASSERT_EQ(0, umbra_fault(g->vcpu, UMBRA_FAULT_WRITE, 0, LENGTH,
				 &done));
	before = guest_stats(g);
	ASSERT_EQ(0, umbra_set_memslot(g->vm, 1, 0, LENGTH, LENGTH, g->mem));
	ASSERT_EQ(0, umbra_set_memslot(g->vm, 1, 0, 2 * LENGTH, LENGTH,
				       g->mem));
	ASSERT_EQ(0, umbra_set_memslot(g->vm, 1, UMBRA_MEM_LOG_DIRTY,
				       2 * LENGTH, LENGTH, g->mem));
	ASSERT_EQ(0, umbra_delete_memslot(g->vm, 1));
	after = guest_stats(g);
	EXPECT_EQ(GUEST_PAGES, after.leaves);
	EXPECT_EQ(before.unmapped, after.unmapped);
	EXPECT_EQ(before.protected, after.protected);
	EXPECT_LE(before.generation + 4, after.generation);
}

/* Three aliases, one of them of a part. */
TEST_F(memslot, notifier_reaches_all_aliases)
{
	const struct guest *g = &self->g;
	const uint64_t gpas[] = { 3 * PAGE, LENGTH + 3 * PAGE, 2 * LENGTH };
	uint64_t done;

	ASSERT_EQ(0, umbra_set_memslot(g->vm, 1, 0, LENGTH, LENGTH, g->mem));
	ASSERT_EQ(0, umbra_set_memslot(g->vm, 2, 0, 2 * LENGTH, 4 * PAGE,
				       g->mem + 3 * PAGE));
	ASSERT_EQ(0, umbra_fault(g->vcpu, UMBRA_FAULT_WRITE, 0,
				 2 * LENGTH + 4 * PAGE, &done));
	EXPECT_EQ(2 * GUEST_PAGES + 4, guest_stats(g).leaves);

	ASSERT_EQ(0, madvise(g->mem + 3 * PAGE, PAGE, MADV_DONTNEED));
	EXPECT_EQ(2 * GUEST_PAGES + 1, guest_stats(g).leaves);
	for (int i = 0; i < 3; i++) {
		EXPECT_EQ(0, guest_pte(g, gpas[i]));
		EXPECT_NE(0, guest_pte(g, gpas[i] + PAGE));
	}
	ASSERT_EQ(0, umbra_store(g->vcpu, gpas[2], 1, 33));
	for (int i = 0; i < 3; i++)
		EXPECT_EQ(33, page_at(g, gpas[i]));
}

/*
 * As many memslots as there can be, of one page, with one page between them.
 * Their hvas are in another order than their gpas (5 is prime to their number),
 * so that a search by the wrong one cannot succeed.
 */
#define FULL_GPA(slot)	((1ULL << 30) + (slot) * 2 * PAGE)
#define SAMPLES		64

TEST_F_TIMEOUT(memslot, as_many_as_there_can_be, 240)
{
	const struct guest *g = &self->g;
	uint32_t value, last, *hva[SAMPLES];
	uint64_t gpa[SAMPLES];
	struct umbra_get_caps caps;
	cpu_set_t one_cpu;
	uint8_t *mem;

	/* Waiting for readers costs less where nobody has to be woken. */
	CPU_ZERO(&one_cpu);
	CPU_SET(0, &one_cpu);
	ASSERT_EQ(0, sched_setaffinity(0, sizeof(one_cpu), &one_cpu));

	ASSERT_EQ(0, umbra_get_caps(g->dev, UMBRA_FMT_X86_NPT, &caps));
	last = caps.max_slots - 1;
	ASSERT_NE(0, last % 5);
	mem = mmap(NULL, last * PAGE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, mem);
	ASSERT_EQ(0, madvise(mem, last * PAGE, MADV_NOHUGEPAGE));

	for (uint64_t slot = 1; slot <= last; slot++)
		ASSERT_EQ(0, umbra_set_memslot(g->vm, slot, 0, FULL_GPA(slot),
					       PAGE,
					       mem + slot * 5 % last * PAGE));
	EXPECT_EQ(caps.max_slots, guest_stats(g).slots);
	EXPECT_EQ(-EINVAL, umbra_set_memslot(g->vm, caps.max_slots, 0,
					     FULL_GPA(caps.max_slots), PAGE,
					     mem));

	for (uint64_t i = 0; i < SAMPLES; i++) {
		uint64_t slot = 1 + i * (last - 1) / (SAMPLES - 1);

		gpa[i] = FULL_GPA(slot);
		hva[i] = (void *)(mem + slot * 5 % last * PAGE);
		*hva[i] = slot;
		ASSERT_EQ(0, umbra_read(g->vcpu, gpa[i], &value, 4));
		EXPECT_EQ(slot, value);
		EXPECT_EQ(-ENOENT,
			  umbra_read(g->vcpu, gpa[i] + PAGE, &value, 4));
	}
	EXPECT_EQ(SAMPLES, guest_stats(g).leaves);

	/* The notifier takes the one that is meant, and no other. */
	for (int i = 0; i < SAMPLES; i++) {
		EXPECT_NE(0, guest_pte(g, gpa[i]));
		ASSERT_EQ(0, madvise(hva[i], PAGE, MADV_DONTNEED));
		EXPECT_EQ(0, guest_pte(g, gpa[i]));
		EXPECT_EQ(SAMPLES - 1 - i, guest_stats(g).leaves);
	}

	/* One in the middle goes. */
	ASSERT_EQ(0, umbra_delete_memslot(g->vm, last / 2));
	EXPECT_EQ(0, umbra_read(g->vcpu, FULL_GPA(last / 2 - 1), &value, 4));
	EXPECT_EQ(-ENOENT, umbra_read(g->vcpu, FULL_GPA(last / 2), &value, 4));
	EXPECT_EQ(0, umbra_read(g->vcpu, FULL_GPA(last / 2 + 1), &value, 4));
	munmap(mem, last * PAGE);
}

TEST_HARNESS_MAIN
