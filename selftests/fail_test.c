// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whatever memory an operation asks for, it may be refused: each allocation of
 * each operation fails once. That is an error with its number, all is as it was,
 * and the next time it works.
 */
#include <unistd.h>

#include "kselftest_harness.h"
#include "machine.h"

#define BLOCK	(512 * PAGE)
#define BIG_SLOT	5
#define BIG_GPA		(PAGE << 21)

FIXTURE(fail)
{
	struct machine m;
	uint8_t *area;
};

FIXTURE_SETUP(fail)
{
	ASSERT_EQ(0, machine_create(&self->m));
	if (hold_release(self->m.g.vm, 0) == -ENOTTY)
		SKIP(return, "module built without CONFIG_UMBRA_TEST");
}

FIXTURE_TEARDOWN(fail)
{
	EXPECT_TRUE(guest_quiet(&self->m.g));
	guest_destroy(&self->m.g);
	if (self->area)
		munmap(self->area, 2 * BLOCK);
}

/* ------------------------------------------- operations, and what undoes them */

static int create_slot(struct machine *m)
{
	return umbra_set_memslot(m->g.vm, NO_SLOT, UMBRA_MEM_LOG_DIRTY, NO_GPA,
				 2 * PAGE, spare);
}

static int delete_new_slot(struct machine *m)
{
	return umbra_delete_memslot(m->g.vm, NO_SLOT);
}

static int delete_slot(struct machine *m)
{
	return umbra_delete_memslot(m->g.vm, RW_SLOT);
}

static int put_slot(struct machine *m, uint64_t gpa, uint32_t flags)
{
	return umbra_set_memslot(m->g.vm, RW_SLOT, flags, gpa, 2 * PAGE, spare);
}

static int restore_slot(struct machine *m)
{
	return put_slot(m, RW_GPA, 0);
}

static int move_slot(struct machine *m)
{
	return put_slot(m, NO_GPA, UMBRA_MEM_LOG_DIRTY);
}

static int log_slot(struct machine *m)
{
	return put_slot(m, RW_GPA, UMBRA_MEM_LOG_DIRTY);
}

static int create_vcpu(struct machine *m)
{
	int fd = umbra_create_vcpu(m->g.vm);

	return fd < 0 ? fd : close(fd);
}

/* By a new vCPU, which has no tables in stock. */
static int fault(struct machine *m)
{
	int ret, vcpu = umbra_create_vcpu(m->g.vm);
	uint64_t done;

	if (vcpu < 0)
		return vcpu;
	ret = umbra_fault(vcpu, 0, 9 * PAGE, PAGE, &done);
	close(vcpu);
	return ret;
}

static int load(struct machine *m)
{
	int ret, vcpu = umbra_create_vcpu(m->g.vm);
	uint64_t value;

	if (vcpu < 0)
		return vcpu;
	ret = umbra_load(vcpu, 9 * PAGE, 8, &value);
	close(vcpu);
	return ret;
}

static int unmap(struct machine *m)
{
	return umbra_unmap(m->g.vm, 9 * PAGE, PAGE);
}

static int get_log(struct machine *m)
{
	uint64_t bits[LOG_WORDS], dirty;

	return umbra_get_dirty_log(m->g.vm, 0, LOG_SLOT, 0, LOG_PAGES, bits,
				   &dirty);
}

static int clear_log(struct machine *m)
{
	uint64_t bits[LOG_WORDS] = { 0, 1 << 6 };

	return umbra_clear_dirty_log(m->g.vm, LOG_SLOT, 0, LOG_PAGES, bits);
}

static int dirty_log(struct machine *m)
{
	return umbra_store(m->g.vcpu, LOG_GPA + 70 * PAGE, 8, 0);
}

static int age(struct machine *m)
{
	uint64_t young;

	return umbra_age(m->g.vm, 0, 0, LIMIT, PAGE << 18, NULL, &young);
}

static int split(struct machine *m)
{
	return umbra_split(m->g.vm, BIG_GPA, BLOCK, 12);
}

static int collapse(struct machine *m)
{
	return umbra_collapse(m->g.vm, BIG_GPA, BLOCK);
}

/* Have the next allocations of fn fail, one at a time, until it needs no more. */
static void fail_each(struct __test_metadata *_metadata, struct machine *m,
		      int (*fn)(struct machine *m),
		      int (*undo)(struct machine *m))
{
	int n, ret, vm = m->g.vm;

	for (n = 1; n < 100; n++) {
		ASSERT_EQ(0, hold_ctl(vm, UMBRA_TEST_FAIL, UMBRA_POINT_ALLOC, n,
				      0, NULL));
		ret = fn(m);
		ASSERT_EQ(0, hold_release(vm, UMBRA_POINT_ALLOC));
		if (!ret)
			break;
		EXPECT_EQ(-ENOMEM, ret);
		EXPECT_STREQ("", damage(m)) TH_LOG("allocation %d", n);
	}
	/* It has some, and has worked once none of them failed. */
	EXPECT_LT(1, n);
	EXPECT_GT(100, n);
	if (undo)
		ASSERT_EQ(0, undo(m));
	ASSERT_EQ(0, machine_settle(m));
}

TEST_F(fail, slots)
{
	struct machine *m = &self->m;

	fail_each(_metadata, m, create_slot, delete_new_slot);
	fail_each(_metadata, m, delete_slot, restore_slot);
	fail_each(_metadata, m, move_slot, delete_slot);
	ASSERT_EQ(0, restore_slot(m));
	ASSERT_EQ(0, machine_settle(m));
	fail_each(_metadata, m, log_slot, restore_slot);
}

TEST_F(fail, vcpu)
{
	fail_each(_metadata, &self->m, create_vcpu, NULL);
}

TEST_F(fail, fault_and_access)
{
	fail_each(_metadata, &self->m, fault, unmap);
	fail_each(_metadata, &self->m, load, unmap);
}

TEST_F(fail, log_and_age)
{
	fail_each(_metadata, &self->m, get_log, dirty_log);
	fail_each(_metadata, &self->m, clear_log, dirty_log);
	fail_each(_metadata, &self->m, age, NULL);
}

/* A block of 2 MiB, if the kernel gives one. */
TEST_F(fail, split_and_collapse)
{
	struct machine *m = &self->m;
	struct umbra_translate t;
	uint8_t *block;
	uint64_t done;

	self->area = mmap(NULL, 2 * BLOCK, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->area);
	block = (uint8_t *)(((uintptr_t)self->area + BLOCK - 1) & -BLOCK);
	ASSERT_EQ(0, madvise(block, BLOCK, MADV_HUGEPAGE));
	memset(block, 1, BLOCK);
	ASSERT_EQ(0, umbra_set_memslot(m->g.vm, BIG_SLOT, 0, BIG_GPA, BLOCK,
				       block));
	ASSERT_EQ(0, umbra_fault(m->g.vcpu, UMBRA_FAULT_WRITE, BIG_GPA, BLOCK,
				 &done));
	ASSERT_EQ(0, umbra_translate(m->g.vm, 0, BIG_GPA, &t));
	if (t.leaf_shift != 21)
		SKIP(return, "no huge page");
	ASSERT_EQ(0, machine_settle(m));
	fail_each(_metadata, m, split, NULL);
	fail_each(_metadata, m, collapse, NULL);
}

/* What is not found the first time is faulted in, and looked up again. */
TEST_F(fail, look_up)
{
	struct machine *m = &self->m;
	struct umbra_get_stats before, after;

	ASSERT_EQ(0, load(m));
	ASSERT_EQ(0, unmap(m));
	before = guest_stats(&m->g);
	ASSERT_EQ(0, hold_ctl(m->g.vm, UMBRA_TEST_FAIL, UMBRA_POINT_LOOK_UP, 1,
			      0, NULL));
	ASSERT_EQ(0, load(m));
	after = guest_stats(&m->g);
	EXPECT_EQ(before.faultins + 1, after.faultins);
	EXPECT_EQ(before.mapped + 1, after.mapped);
}

TEST_HARNESS_MAIN
