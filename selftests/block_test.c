// SPDX-License-Identifier: GPL-2.0-only
/*
 * Blocks: leaves of 2 MiB and 1 GiB, in every format, with and without A and D
 * bits of the hardware.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "util.h"

#define MIB	0x100000UL
#define GIB	0x40000000UL
#define BLOCK	(2 * MIB)
#define BLOCKS	4
#define SIZE	(BLOCKS * BLOCK)

#ifndef MAP_HUGE_1GB
#define MAP_HUGE_1GB	(30 << 26)
#endif

/* Address space for @size bytes, aligned to @align. */
static uint8_t *reserve(size_t size, size_t align)
{
	uint8_t *p = mmap(NULL, size + align, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	return (uint8_t *)(((uintptr_t)p + align - 1) & ~(align - 1));
}

static uint8_t content(uint64_t gpa)
{
	return gpa / PAGE * 7 + 1;
}

static void fill(uint8_t *mem, uint64_t size)
{
	for (uint64_t i = 0; i < size; i += PAGE)
		mem[i] = content(i);
}

FIXTURE(block)
{
	struct guest g;
};

FIXTURE_VARIANT(block)
{
	uint32_t format;
	uint32_t flags;
};

FIXTURE_VARIANT_ADD(block, x86_npt) {
	.format = UMBRA_FMT_X86_NPT,
};

FIXTURE_VARIANT_ADD(block, x86_npt_soft) {
	.format = UMBRA_FMT_X86_NPT,
	.flags = UMBRA_VM_SOFT_AD,
};

FIXTURE_VARIANT_ADD(block, x86_ept) {
	.format = UMBRA_FMT_X86_EPT,
};

FIXTURE_VARIANT_ADD(block, x86_ept_soft) {
	.format = UMBRA_FMT_X86_EPT,
	.flags = UMBRA_VM_SOFT_AD,
};

FIXTURE_VARIANT_ADD(block, arm64_s2) {
	.format = UMBRA_FMT_ARM64_S2,
};

FIXTURE_VARIANT_ADD(block, arm64_s2_soft) {
	.format = UMBRA_FMT_ARM64_S2,
	.flags = UMBRA_VM_SOFT_AD,
};

FIXTURE_VARIANT_ADD(block, riscv_g) {
	.format = UMBRA_FMT_RISCV_G,
};

FIXTURE_VARIANT_ADD(block, riscv_g_soft) {
	.format = UMBRA_FMT_RISCV_G,
	.flags = UMBRA_VM_SOFT_AD,
};

FIXTURE_VARIANT_ADD(block, power_radix) {
	.format = UMBRA_FMT_POWER_RADIX,
};

FIXTURE_VARIANT_ADD(block, power_radix_soft) {
	.format = UMBRA_FMT_POWER_RADIX,
	.flags = UMBRA_VM_SOFT_AD,
};

FIXTURE_VARIANT_ADD(block, mips_vz_soft) {
	.format = UMBRA_FMT_MIPS_VZ,
	.flags = UMBRA_VM_SOFT_AD,
};

/* A memslot of huge pages at gpa 0. */
FIXTURE_SETUP(block)
{
	struct guest *g = &self->g;

	g->pages = SIZE / PAGE;
	g->mem = reserve(SIZE, BLOCK);
	ASSERT_NE(NULL, g->mem);
	ASSERT_EQ(0, madvise(g->mem, SIZE, MADV_HUGEPAGE));
	fill(g->mem, SIZE);

	g->dev = umbra_open();
	ASSERT_LE(0, g->dev);
	g->vm = umbra_create_vm(g->dev, variant->flags, variant->format, 0);
	ASSERT_LE(0, g->vm);
	g->vcpu = umbra_create_vcpu(g->vm);
	ASSERT_LE(0, g->vcpu);
	ASSERT_EQ(0, umbra_set_memslot(g->vm, 0, 0, 0, SIZE, g->mem));
}

FIXTURE_TEARDOWN(block)
{
	struct umbra_verify verify;
	struct umbra_get_stats stats;

	EXPECT_EQ(0, umbra_verify(self->g.vm, 0, 4 * GIB, &verify));
	EXPECT_EQ(0, verify.mismatches);
	EXPECT_EQ(0, umbra_get_stats(self->g.vm, &stats));
	EXPECT_EQ(0, stats.tlb_conflicts);
	guest_destroy(&self->g);
}

static unsigned int leaf_shift(const struct guest *g, uint64_t gpa)
{
	struct umbra_translate t;

	return !umbra_translate(g->vm, 0, gpa, &t) && t.pte ? t.leaf_shift : 0;
}

static uint32_t rights(const struct guest *g, uint64_t gpa)
{
	struct umbra_translate t;

	return umbra_translate(g->vm, 0, gpa, &t) ? 0 : t.pte;
}

static int set_flags(const struct guest *g, uint32_t flags)
{
	return umbra_set_memslot(g->vm, 0, flags, 0, SIZE, g->mem);
}

static int fault(const struct guest *g, uint32_t flags, uint64_t gpa,
		 uint64_t length)
{
	uint64_t done;

	return umbra_fault(g->vcpu, flags, gpa, length, &done);
}

static int fault_all(const struct guest *g, uint32_t flags)
{
	return fault(g, flags, 0, SIZE);
}

/* The number of pages whose content the vCPU does not see. */
static int wrong_pages(const struct guest *g)
{
	uint64_t value;
	int wrong = 0;

	for (uint64_t gpa = 0; gpa < SIZE; gpa += PAGE)
		wrong += umbra_load(g->vcpu, gpa, 1, &value) ||
			 value != g->mem[gpa];
	return wrong;
}

TEST_F(block, huge_page_is_block)
{
	struct umbra_get_stats stats;

	ASSERT_EQ(0, fault_all(&self->g, UMBRA_FAULT_WRITE));
	ASSERT_EQ(0, umbra_get_stats(self->g.vm, &stats));
	EXPECT_EQ(BLOCKS, stats.leaves);
	EXPECT_EQ(SIZE / PAGE, stats.pages);
	EXPECT_EQ(21, leaf_shift(&self->g, SIZE - 1));
	EXPECT_EQ(0, wrong_pages(&self->g));
}

static uint64_t faults(const struct guest *g)
{
	struct umbra_get_stats stats;

	return umbra_get_stats(g->vm, &stats) ? 0 : stats.faults;
}

/* Without hardware for it every change of A or D is a fault, else none is. */
TEST_F(block, who_sets_a_and_d)
{
	const uint64_t cost = variant->flags & UMBRA_VM_SOFT_AD ? 1 : 0;
	uint64_t value, before;

	ASSERT_EQ(0, fault_all(&self->g, UMBRA_FAULT_WRITE));
	before = faults(&self->g);
	ASSERT_EQ(0, umbra_load(self->g.vcpu, PAGE, 1, &value));
	EXPECT_EQ(before + cost, faults(&self->g));
	ASSERT_EQ(0, umbra_store(self->g.vcpu, PAGE, 1, content(PAGE)));
	EXPECT_EQ(before + 2 * cost, faults(&self->g));
	ASSERT_EQ(0, umbra_store(self->g.vcpu, 2 * PAGE, 1, content(2 * PAGE)));
	EXPECT_EQ(before + 2 * cost, faults(&self->g));
}

/* A and D bits: none before, A after a load, both after a store. */
TEST_F(block, accessed_and_dirty)
{
	const uint32_t ad = UMBRA_PTE_YOUNG | UMBRA_PTE_DIRTY;
	uint64_t value, young;

	ASSERT_EQ(0, fault_all(&self->g, UMBRA_FAULT_WRITE));
	EXPECT_EQ(0, rights(&self->g, BLOCK) & ad);
	ASSERT_EQ(0, umbra_load(self->g.vcpu, BLOCK + PAGE, 1, &value));
	EXPECT_EQ(content(BLOCK + PAGE), value);
	EXPECT_EQ(UMBRA_PTE_YOUNG, rights(&self->g, BLOCK) & ad);
	ASSERT_EQ(0, umbra_store(self->g.vcpu, BLOCK + PAGE, 1, 9));
	EXPECT_EQ(9, self->g.mem[BLOCK + PAGE]);
	EXPECT_EQ(ad, rights(&self->g, BLOCK) & ad);

	ASSERT_EQ(0, umbra_age(self->g.vm, UMBRA_AGE_CLEAR, 0, SIZE, BLOCK,
			       NULL, &young));
	EXPECT_EQ(1, young);
	EXPECT_EQ(UMBRA_PTE_DIRTY, rights(&self->g, BLOCK) & ad);
	ASSERT_EQ(0, umbra_load(self->g.vcpu, BLOCK + PAGE, 1, &value));
	EXPECT_EQ(9, value);
	EXPECT_EQ(ad, rights(&self->g, BLOCK) & ad);
}

/*
 * U6: fill the TLB with small translations, then have blocks again. A flush of
 * less than the whole span leaves two translations for an address.
 */
/* All at once, and back when the log ends; young and dirty as they were. */
TEST_F(block, log_splits_at_once)
{
	const struct guest *g = &self->g;
	struct umbra_get_stats stats;

	ASSERT_EQ(0, fault_all(g, UMBRA_FAULT_WRITE));
	stats = guest_stats(g);
	ASSERT_EQ(0, set_flags(g, UMBRA_MEM_LOG_DIRTY | UMBRA_MEM_LOG_SPLIT));
	EXPECT_EQ(stats.splits + BLOCKS, guest_stats(g).splits);
	EXPECT_EQ(SIZE / PAGE, guest_stats(g).leaves);
	for (uint64_t gpa = 0; gpa < SIZE; gpa += BLOCK / 2)
		EXPECT_EQ(12, leaf_shift(g, gpa));
	EXPECT_FALSE(guest_pte(g, BLOCK + 3 * PAGE) & UMBRA_PTE_WRITE);
	ASSERT_EQ(0, umbra_store(g->vcpu, BLOCK + 3 * PAGE, 1,
				 content(BLOCK + 3 * PAGE)));
	EXPECT_EQ(stats.splits + BLOCKS, guest_stats(g).splits);

	ASSERT_EQ(0, set_flags(g, 0));
	EXPECT_EQ(BLOCKS, guest_stats(g).leaves);
	for (uint64_t gpa = 0; gpa < SIZE; gpa += BLOCK)
		EXPECT_EQ(21, leaf_shift(g, gpa));
	EXPECT_TRUE(guest_pte(g, BLOCK) & UMBRA_PTE_DIRTY);
	EXPECT_FALSE(guest_pte(g, 0) & UMBRA_PTE_DIRTY);
	EXPECT_EQ(0, wrong_pages(g));
}

TEST_F(block, log_splits_and_its_end_merges)
{
	uint64_t bits[SIZE / PAGE / 64], dirty;

	ASSERT_EQ(0, fault_all(&self->g, UMBRA_FAULT_WRITE));
	ASSERT_EQ(0, set_flags(&self->g, UMBRA_MEM_LOG_DIRTY));
	ASSERT_EQ(0, umbra_store(self->g.vcpu, BLOCK + 3 * PAGE, 1, 77));
	EXPECT_EQ(12, leaf_shift(&self->g, BLOCK));
	EXPECT_EQ(21, leaf_shift(&self->g, 0));
	ASSERT_EQ(0, umbra_get_dirty_log(self->g.vm, 0, 0, 0, SIZE / PAGE,
					 bits, &dirty));
	EXPECT_EQ(1, dirty);
	EXPECT_EQ(1ULL << 3, bits[BLOCK / PAGE / 64]);

	for (uint64_t gpa = 0; gpa < SIZE; gpa += PAGE)
		ASSERT_EQ(0, umbra_store(self->g.vcpu, gpa, 1, content(gpa)));
	EXPECT_EQ(12, leaf_shift(&self->g, 0));
	EXPECT_EQ(0, wrong_pages(&self->g));

	ASSERT_EQ(0, set_flags(&self->g, 0));
	EXPECT_EQ(21, leaf_shift(&self->g, 0));
	EXPECT_EQ(21, leaf_shift(&self->g, SIZE - PAGE));
	EXPECT_EQ(0, wrong_pages(&self->g));
}

/* With D bits a block has too few of them: every page counts all the same. */
TEST_F(block, log_by_d_bits_is_exact)
{
	uint64_t bits[SIZE / PAGE / 64], dirty;

	ASSERT_EQ(0, fault_all(&self->g, UMBRA_FAULT_WRITE));
	ASSERT_EQ(0, umbra_store(self->g.vcpu, 0, 1, content(0)));
	ASSERT_EQ(0, set_flags(&self->g,
			       UMBRA_MEM_LOG_DIRTY | UMBRA_MEM_LOG_D_BITS));
	for (int round = 0; round < 2; round++) {
		ASSERT_EQ(0, umbra_store(self->g.vcpu, BLOCK + 9 * PAGE, 1, 1));
		ASSERT_EQ(0, umbra_get_dirty_log(self->g.vm, 0, 0, 0,
						 SIZE / PAGE, bits, &dirty));
		EXPECT_EQ(1, dirty);
		EXPECT_EQ(1ULL << 9, bits[BLOCK / PAGE / 64]);
	}
	EXPECT_EQ(0, wrong_pages(&self->g));
}

/* U13: a block goes when a part of it goes. */
TEST_F(block, page_unmapped)
{
	ASSERT_EQ(0, fault_all(&self->g, UMBRA_FAULT_WRITE));
	ASSERT_EQ(0, wrong_pages(&self->g));
	ASSERT_EQ(0, umbra_unmap(self->g.vm, BLOCK + PAGE, PAGE));
	EXPECT_EQ(0, leaf_shift(&self->g, BLOCK + PAGE));
	EXPECT_EQ(21, leaf_shift(&self->g, 0));
	EXPECT_EQ(21, leaf_shift(&self->g, 2 * BLOCK));
	EXPECT_EQ(0, wrong_pages(&self->g));
}

/* U13: what the process dropped is gone, what it kept is still right. */
TEST_F(block, page_punched_out)
{
	uint64_t value;

	ASSERT_EQ(0, fault_all(&self->g, UMBRA_FAULT_WRITE));
	ASSERT_EQ(0, wrong_pages(&self->g));
	ASSERT_EQ(0, madvise(self->g.mem + BLOCK + PAGE, PAGE, MADV_DONTNEED));
	ASSERT_EQ(0, umbra_load(self->g.vcpu, BLOCK + PAGE, 1, &value));
	EXPECT_EQ(0, value);
	EXPECT_EQ(12, leaf_shift(&self->g, BLOCK + PAGE));
	EXPECT_EQ(21, leaf_shift(&self->g, 0));
	EXPECT_EQ(0, wrong_pages(&self->g));
}

/* U11: leaves inherit from the block, and the block from the leaves. */
TEST_F(block, split_and_collapse_keep_bits)
{
	const uint32_t all = UMBRA_PTE_READ | UMBRA_PTE_WRITE |
			     UMBRA_PTE_EXEC | UMBRA_PTE_YOUNG | UMBRA_PTE_DIRTY;
	uint64_t value, young;

	ASSERT_EQ(0, fault_all(&self->g, UMBRA_FAULT_WRITE));
	ASSERT_EQ(0, umbra_store(self->g.vcpu, PAGE, 1, content(PAGE)));
	ASSERT_EQ(all, rights(&self->g, 0));
	ASSERT_EQ(0, umbra_split(self->g.vm, PAGE, PAGE, 12));
	EXPECT_EQ(12, leaf_shift(&self->g, 0));
	EXPECT_EQ(21, leaf_shift(&self->g, BLOCK));
	EXPECT_EQ(all, rights(&self->g, 0));
	EXPECT_EQ(all, rights(&self->g, BLOCK - PAGE));
	EXPECT_EQ(0, wrong_pages(&self->g));

	ASSERT_EQ(0, umbra_split(self->g.vm, 0, SIZE, 12));
	ASSERT_EQ(0, umbra_age(self->g.vm, UMBRA_AGE_CLEAR, 0, SIZE, PAGE, NULL,
			       &young));
	EXPECT_EQ(SIZE / PAGE, young);
	ASSERT_EQ(0, umbra_load(self->g.vcpu, BLOCK + PAGE, 1, &value));
	ASSERT_EQ(0, umbra_collapse(self->g.vm, 0, SIZE));
	for (uint64_t gpa = 0; gpa < SIZE; gpa += BLOCK)
		EXPECT_EQ(21, leaf_shift(&self->g, gpa));
	EXPECT_EQ(all & ~UMBRA_PTE_YOUNG, rights(&self->g, 0));
	EXPECT_EQ(all & ~UMBRA_PTE_DIRTY, rights(&self->g, BLOCK));
	EXPECT_EQ(0, wrong_pages(&self->g));
}

/* The right to execute is inherited as well, where there is none. */
TEST_F(block, noexec_is_inherited)
{
	const uint32_t rights_all = UMBRA_PTE_READ | UMBRA_PTE_WRITE |
				    UMBRA_PTE_EXEC;
	const uint32_t rw = UMBRA_PTE_READ | UMBRA_PTE_WRITE;
	const uint64_t gpa = 64 * BLOCK;
	uint64_t value;

	ASSERT_EQ(0, umbra_set_memslot(self->g.vm, 1, UMBRA_MEM_NOEXEC, gpa,
				       SIZE, self->g.mem));
	ASSERT_EQ(0, fault(&self->g, UMBRA_FAULT_WRITE, gpa, SIZE));
	for (int shift = 21; shift >= 12; shift -= 9) {
		EXPECT_EQ(shift, leaf_shift(&self->g, gpa));
		EXPECT_EQ(rw, rights(&self->g, gpa) & rights_all);
		EXPECT_EQ(rw, rights(&self->g, gpa + SIZE - PAGE) & rights_all);
		ASSERT_EQ(0, umbra_load(self->g.vcpu, gpa + PAGE, 1, &value));
		EXPECT_EQ(-EACCES, umbra_fetch(self->g.vcpu, gpa + PAGE, 1,
					       &value));
		ASSERT_EQ(0, umbra_split(self->g.vm, gpa, SIZE, 12));
	}
	ASSERT_EQ(0, umbra_collapse(self->g.vm, gpa, SIZE));
	EXPECT_EQ(21, leaf_shift(&self->g, gpa));
	EXPECT_EQ(rw, rights(&self->g, gpa) & rights_all);
	EXPECT_EQ(-EACCES, umbra_fetch(self->g.vcpu, gpa + PAGE, 1, &value));
	ASSERT_EQ(0, umbra_fetch(self->g.vcpu, PAGE, 1, &value));
	EXPECT_EQ(content(PAGE), value);
}

/* What is not mapped is not faulted in by COLLAPSE. */
TEST_F(block, collapse_maps_nothing_new)
{
	ASSERT_EQ(0, umbra_collapse(self->g.vm, 0, SIZE));
	EXPECT_EQ(0, leaf_shift(&self->g, 0));
}

/* A slot that is shifted by a page, and one that ends inside a huge page. */
TEST_F(block, slot_bounds)
{
	const uint64_t gpa = 64 * BLOCK;

	ASSERT_EQ(0, umbra_delete_memslot(self->g.vm, 0));
	ASSERT_EQ(0, umbra_set_memslot(self->g.vm, 0, 0, gpa + PAGE, SIZE,
				       self->g.mem));
	ASSERT_EQ(0, fault(&self->g, 0, gpa + PAGE, SIZE));
	for (uint64_t i = PAGE; i <= SIZE; i += BLOCK / 2)
		EXPECT_EQ(12, leaf_shift(&self->g, gpa + i));

	ASSERT_EQ(0, umbra_set_memslot(self->g.vm, 1, 0, 0, BLOCK + BLOCK / 2,
				       self->g.mem));
	ASSERT_EQ(0, fault(&self->g, 0, 0, BLOCK + BLOCK / 2));
	EXPECT_EQ(21, leaf_shift(&self->g, 0));
	EXPECT_EQ(12, leaf_shift(&self->g, BLOCK));
	EXPECT_EQ(0, leaf_shift(&self->g, BLOCK + BLOCK / 2));
}

/* U14: each reason forbids writes by itself. */
TEST_F(block, read_only)
{
	uint64_t value;

	ASSERT_EQ(0, umbra_set_memslot(self->g.vm, 1, UMBRA_MEM_READONLY,
				       64 * BLOCK, SIZE, self->g.mem));
	ASSERT_EQ(0, umbra_load(self->g.vcpu, 64 * BLOCK, 1, &value));
	EXPECT_EQ(21, leaf_shift(&self->g, 64 * BLOCK));
	EXPECT_EQ(-EACCES, umbra_store(self->g.vcpu, 64 * BLOCK, 1, 0));

	ASSERT_EQ(0, mprotect(self->g.mem, BLOCK, PROT_READ));
	ASSERT_EQ(0, umbra_load(self->g.vcpu, PAGE, 1, &value));
	EXPECT_EQ(21, leaf_shift(&self->g, 0));
	EXPECT_EQ(-EACCES, umbra_store(self->g.vcpu, PAGE, 1, 0));
	ASSERT_EQ(0, set_flags(&self->g, UMBRA_MEM_LOG_DIRTY));
	EXPECT_EQ(-EACCES, umbra_store(self->g.vcpu, PAGE, 1, 0));
	ASSERT_EQ(0, mprotect(self->g.mem, BLOCK, PROT_READ | PROT_WRITE));
	ASSERT_EQ(0, umbra_store(self->g.vcpu, PAGE, 1, content(PAGE)));
	EXPECT_EQ(12, leaf_shift(&self->g, PAGE));
	EXPECT_EQ(0, wrong_pages(&self->g));
}

static long load_page(void *arg)
{
	const struct guest *g = arg;
	uint64_t value;

	return umbra_load(g->vcpu, BLOCK + PAGE, 1, &value) ?: (long)value;
}

/* U5: the huge page is split between the look-up and the installation. */
TEST_F(block, host_splits_under_fault)
{
	const uint32_t point = UMBRA_POINT_FAULT_LOOKED_UP;
	struct task task;

	if (hold_arm(self->g.vm, point, 1) == -ENOTTY)
		SKIP(return, "module built without CONFIG_UMBRA_TEST");
	task_start(&task, load_page, &self->g);
	ASSERT_EQ(0, hold_wait(self->g.vm, point, 1));
	ASSERT_EQ(0, madvise(self->g.mem + BLOCK + 8 * PAGE, PAGE,
			     MADV_DONTNEED));
	ASSERT_EQ(0, hold_release(self->g.vm, point));
	EXPECT_EQ(content(BLOCK + PAGE), task_join(&task));
	EXPECT_EQ(12, leaf_shift(&self->g, BLOCK + PAGE));
	EXPECT_EQ(0, wrong_pages(&self->g));
}

static long unmap_page(void *arg)
{
	const struct guest *g = arg;

	return umbra_unmap(g->vm, BLOCK + 8 * PAGE, PAGE);
}

static long split_block(void *arg)
{
	const struct guest *g = arg;

	return umbra_split(g->vm, BLOCK, BLOCK, 12);
}

/* U6: between break and make nobody may put the block back. */
TEST_F(block, fault_beside_a_split)
{
	const uint32_t point = UMBRA_POINT_SPLIT_BROKEN;
	struct umbra_test before, now;
	struct task task;
	uint64_t value;

	ASSERT_EQ(0, fault_all(&self->g, UMBRA_FAULT_WRITE));
	if (hold_ctl(self->g.vm, UMBRA_TEST_DELAY, point, 1, 300000,
		     &before) == -ENOTTY)
		SKIP(return, "module built without CONFIG_UMBRA_TEST");
	task_start(&task, split_block, &self->g);
	do {
		ASSERT_EQ(0, hold_ctl(self->g.vm, UMBRA_TEST_QUERY, point, 0, 0,
				      &now));
	} while (now.hits == before.hits);
	ASSERT_EQ(0, umbra_load(self->g.vcpu, BLOCK + PAGE, 1, &value));
	EXPECT_EQ(content(BLOCK + PAGE), value);
	EXPECT_EQ(0, task_join(&task));
	EXPECT_EQ(0, wrong_pages(&self->g));
}

/*
 * U6: a block that goes since a part of it does is in TLBs until the flush. A
 * store elsewhere in it has to wait, or there are two translations.
 */
TEST_F(block, store_beside_a_partial_unmap)
{
	const uint32_t point = UMBRA_POINT_ZAP_UNFLUSHED;
	struct umbra_test before, now;
	struct task task;
	uint64_t value;

	ASSERT_EQ(0, fault_all(&self->g, UMBRA_FAULT_WRITE));
	ASSERT_EQ(0, umbra_load(self->g.vcpu, BLOCK + PAGE, 1, &value));
	if (hold_ctl(self->g.vm, UMBRA_TEST_DELAY, point, 1, 300000,
		     &before) == -ENOTTY)
		SKIP(return, "module built without CONFIG_UMBRA_TEST");
	task_start(&task, unmap_page, &self->g);
	do {
		ASSERT_EQ(0, hold_ctl(self->g.vm, UMBRA_TEST_QUERY, point, 0, 0,
				      &now));
	} while (now.hits == before.hits);
	ASSERT_EQ(0, umbra_store(self->g.vcpu, BLOCK + PAGE, 1, 5));
	ASSERT_EQ(0, umbra_load(self->g.vcpu, BLOCK + PAGE, 1, &value));
	EXPECT_EQ(5, value);
	EXPECT_EQ(0, task_join(&task));
	EXPECT_EQ(0, wrong_pages(&self->g));
}

/* hugetlbfs pages of @size: blocks, of which a part is then dropped. */
static void check_hugetlb(struct __test_metadata *_metadata, struct guest *g,
			  size_t size, int huge_flag, unsigned int shift)
{
	const uint64_t gpa = 2 * GIB;
	uint64_t value;
	uint8_t *p;

	p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | huge_flag, -1, 0);
	if (p == MAP_FAILED)
		SKIP(return, "the kernel has no hugetlb page of this size");
	p[0] = 3;
	p[size - 1] = 4;
	ASSERT_EQ(0, umbra_set_memslot(g->vm, 2, 0, gpa, size, p));
	ASSERT_EQ(0, fault(g, UMBRA_FAULT_WRITE, gpa, PAGE));
	EXPECT_EQ(shift, leaf_shift(g, gpa));
	ASSERT_EQ(0, umbra_load(g->vcpu, gpa + size - 1, 1, &value));
	EXPECT_EQ(4, value);
	ASSERT_EQ(0, umbra_split(g->vm, gpa, PAGE, 12));
	EXPECT_EQ(12, leaf_shift(g, gpa));
	EXPECT_EQ(size == GIB ? 21 : 12, leaf_shift(g, gpa + size - 1));
	ASSERT_EQ(0, umbra_load(g->vcpu, gpa, 1, &value));
	EXPECT_EQ(3, value);
	ASSERT_EQ(0, umbra_collapse(g->vm, gpa, size));
	EXPECT_EQ(shift, leaf_shift(g, gpa));
	ASSERT_EQ(0, umbra_unmap(g->vm, gpa + PAGE, PAGE));
	EXPECT_EQ(0, leaf_shift(g, gpa));
	ASSERT_EQ(0, umbra_load(g->vcpu, gpa, 1, &value));
	EXPECT_EQ(3, value);
	ASSERT_EQ(0, munmap(p, size));
	EXPECT_EQ(-EFAULT, umbra_load(g->vcpu, gpa, 1, &value));
}

/* A file of @size bytes in a tmpfs that has huge pages, or -errno. */
static int huge_file(size_t size)
{
	char dir[] = "/tmp/umbra-XXXXXX";
	int fd;

	if (!mkdtemp(dir))
		return -errno;
	if (mount("tmpfs", dir, "tmpfs", 0, "huge=always")) {
		fd = -errno;
	} else {
		fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
		if (fd < 0 || ftruncate(fd, size))
			fd = -errno;
		umount2(dir, MNT_DETACH);
	}
	rmdir(dir);
	return fd;
}

/* The page cache has huge pages, too. A hole in the file takes a block away. */
TEST_F(block, huge_page_of_a_file)
{
	const uint64_t gpa = 64 * BLOCK;
	const struct guest *g = &self->g;
	int fd = huge_file(SIZE);
	uint64_t value;
	uint8_t *p;

	if (fd == -EINVAL)
		SKIP(return, "tmpfs of this kernel has no huge pages");
	ASSERT_LE(0, fd);
	p = mmap(reserve(SIZE, BLOCK), SIZE, PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_FIXED, fd, 0);
	ASSERT_NE(MAP_FAILED, p);
	fill(p, SIZE);
	ASSERT_EQ(0, umbra_set_memslot(g->vm, 1, 0, gpa, SIZE, p));
	ASSERT_EQ(0, fault(g, UMBRA_FAULT_WRITE, gpa, SIZE));
	for (uint64_t i = 0; i < SIZE; i += BLOCK)
		EXPECT_EQ(21, leaf_shift(g, gpa + i));

	ASSERT_EQ(0, fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			       BLOCK + PAGE, PAGE));
	ASSERT_EQ(0, umbra_load(g->vcpu, gpa + BLOCK + PAGE, 1, &value));
	EXPECT_EQ(0, value);
	ASSERT_EQ(0, umbra_load(g->vcpu, gpa + BLOCK + 2 * PAGE, 1, &value));
	EXPECT_EQ(content(BLOCK + 2 * PAGE), value);
	EXPECT_EQ(12, leaf_shift(g, gpa + BLOCK + 2 * PAGE));
	EXPECT_EQ(21, leaf_shift(g, gpa));

	/* A store by the vCPU is one to the file. */
	ASSERT_EQ(0, umbra_store(g->vcpu, gpa + PAGE, 1, 99));
	value = 0;
	ASSERT_EQ(1, pread(fd, &value, 1, PAGE));
	EXPECT_EQ(99, value);
}

static int reserve_huge(const char *path)
{
	FILE *file = fopen(path, "w");
	int ret = -1;

	if (file) {
		ret = fputs("1", file);
		ret |= fclose(file);
	}
	return ret;
}

TEST_F(block, hugetlb_2m)
{
	reserve_huge("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages");
	check_hugetlb(_metadata, &self->g, BLOCK, 21 << 26, 21);
}

TEST_F(block, hugetlb_1g)
{
	/* The largest leaf of MIPS, a pair of entries of 1 MiB, maps 2 MiB. */
	bool big = variant->format != UMBRA_FMT_MIPS_VZ;

	reserve_huge("/sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages");
	check_hugetlb(_metadata, &self->g, GIB, MAP_HUGE_1GB, big ? 30 : 21);
}

TEST_HARNESS_MAIN
