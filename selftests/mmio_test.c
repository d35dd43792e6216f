// SPDX-License-Identifier: GPL-2.0-only
/*
 * Accesses to gpas without a memslot: exits for an emulator, and what is
 * remembered of the memslots to tell them at once (U7).
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "util.h"

#define MIB	0x100000UL
#define GIB	0x40000000UL

#define GUEST_PAGES	16UL
/* In a table with pages that have a memslot, and far from any. */
#define NEAR		(GUEST_PAGES * PAGE)
#define FAR		(3 * GIB)

/* A generation has 20 bits in an MMIO entry and grows by two. */
#define TAGS		(1UL << 20)

FIXTURE(mmio)
{
	struct guest g;
	int vcpu;	/* another one, which has seen nothing */
};

FIXTURE_VARIANT(mmio)
{
	uint32_t format;
	uint32_t flags;
};

FIXTURE_VARIANT_ADD(mmio, x86_npt)
{
	.format = UMBRA_FMT_X86_NPT,
};

FIXTURE_VARIANT_ADD(mmio, x86_npt_soft)
{
	.format = UMBRA_FMT_X86_NPT,
	.flags = UMBRA_VM_SOFT_AD,
};

FIXTURE_VARIANT_ADD(mmio, x86_ept)
{
	.format = UMBRA_FMT_X86_EPT,
};

FIXTURE_VARIANT_ADD(mmio, arm64_s2)
{
	.format = UMBRA_FMT_ARM64_S2,
};

FIXTURE_VARIANT_ADD(mmio, riscv_g)
{
	.format = UMBRA_FMT_RISCV_G,
};

FIXTURE_VARIANT_ADD(mmio, power_radix)
{
	.format = UMBRA_FMT_POWER_RADIX,
};

FIXTURE_VARIANT_ADD(mmio, mips_vz)
{
	.format = UMBRA_FMT_MIPS_VZ,
	.flags = UMBRA_VM_SOFT_AD,
};

FIXTURE_SETUP(mmio)
{
	struct guest *g = &self->g;

	g->format = variant->format;
	g->pages = GUEST_PAGES;
	g->mem = mmap(NULL, GUEST_PAGES * PAGE, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, g->mem);
	g->dev = umbra_open();
	ASSERT_LE(0, g->dev);
	g->vm = umbra_create_vm(g->dev, variant->flags, variant->format, 0);
	ASSERT_LE(0, g->vm);
	g->vcpu = umbra_create_vcpu(g->vm);
	ASSERT_LE(0, g->vcpu);
	self->vcpu = umbra_create_vcpu(g->vm);
	ASSERT_LE(0, self->vcpu);
	ASSERT_EQ(0, umbra_set_memslot(g->vm, 0, 0, 0, GUEST_PAGES * PAGE,
				       g->mem));
}

FIXTURE_TEARDOWN(mmio)
{
	int i;

	for (i = 0; i < UMBRA_NR_POINTS; i++)
		hold_release(self->g.vm, i);
	EXPECT_TRUE(guest_quiet(&self->g));
	close(self->vcpu);
	guest_destroy(&self->g);
}

/* Perform one operation; what it comes back with is in *exit. */
static int perform(int vcpu, struct umbra_access_op op, struct umbra_exit *exit)
{
	uint32_t done;

	return umbra_access_exits(vcpu, UMBRA_ACCESS_EXITS, &op, 1, &done,
				  exit);
}

static int load(int vcpu, uint64_t gpa)
{
	uint64_t value;

	return umbra_load(vcpu, gpa, 8, &value);
}

/* A second memslot, of one page. */
static int add_slot(struct guest *g, uint64_t gpa)
{
	return umbra_set_memslot(g->vm, 1, 0, gpa, PAGE, g->mem);
}

/* ------------------------------------------------------------------- exits */

TEST_F(mmio, exit_of_each_operation)
{
	uint64_t gpa, data = 0x8877665544332211;
	struct umbra_access_op op = { .value = data };
	struct umbra_exit exit;
	int i;

	static const uint32_t ops[] = {
		UMBRA_OP_LOAD, UMBRA_OP_FETCH, UMBRA_OP_STORE, UMBRA_OP_CMPXCHG,
	};

	for (i = 0; i < 16; i++) {
		gpa = (i & 4 ? FAR : NEAR) + 64;
		op.op = ops[i / 4];
		op.len = 1 << i % 4;
		op.gpa = gpa;
		memset(&exit, 0xff, sizeof(exit));
		ASSERT_EQ(0, perform(self->g.vcpu, op, &exit));
		EXPECT_EQ(UMBRA_EXIT_MMIO, exit.reason);
		EXPECT_EQ(gpa, exit.gpa);
		EXPECT_EQ(op.len, exit.len);
		EXPECT_EQ(i < 8 ? 0 :
			  data & (~0UL >> (64 - 8 * op.len)), exit.data);
	}
}

TEST_F(mmio, exit_amid_a_copy)
{
	uint8_t buf[2 * PAGE];
	struct umbra_access_op op = {
		.op = UMBRA_OP_WRITE, .gpa = NEAR - 8, .len = 8 + 5,
		.value = (uintptr_t)buf,
	};
	struct umbra_exit exit;

	memcpy(buf, "remember hello", 14);
	ASSERT_EQ(0, perform(self->g.vcpu, op, &exit));
	EXPECT_EQ(UMBRA_EXIT_MMIO, exit.reason);
	EXPECT_EQ(NEAR, exit.gpa);
	EXPECT_EQ(5, exit.len);
	EXPECT_EQ(0, memcmp(" hell", &exit.data, 5));
	EXPECT_EQ(0, memcmp("remember", self->g.mem + NEAR - 8, 8));

	op.op = UMBRA_OP_READ;
	op.len = sizeof(buf);
	memset(buf, 0, sizeof(buf));
	ASSERT_EQ(0, perform(self->g.vcpu, op, &exit));
	EXPECT_EQ(UMBRA_EXIT_MMIO, exit.reason);
	EXPECT_EQ(NEAR, exit.gpa);
	EXPECT_EQ(PAGE, exit.len);
	EXPECT_EQ(0, exit.data);
	EXPECT_EQ(0, memcmp("remember\0", buf, 9));
}

TEST_F(mmio, exit_amid_a_batch)
{
	struct umbra_access_op ops[3] = {
		{ .op = UMBRA_OP_STORE, .len = 8, .gpa = 0, .value = 7 },
		{ .op = UMBRA_OP_STORE, .len = 2, .gpa = FAR, .value = 8 },
		{ .op = UMBRA_OP_LOAD, .len = 8, .gpa = 0 },
	};
	struct umbra_exit exit;
	uint32_t done;

	ASSERT_EQ(0, umbra_access_exits(self->g.vcpu, UMBRA_ACCESS_EXITS, ops,
					3, &done, &exit));
	EXPECT_EQ(1, done);
	EXPECT_EQ(UMBRA_EXIT_MMIO, exit.reason);
	EXPECT_EQ(8, exit.data);
	ASSERT_EQ(0, umbra_access_exits(self->g.vcpu, UMBRA_ACCESS_EXITS,
					ops + 2, 1, &done, &exit));
	EXPECT_EQ(1, done);
	EXPECT_EQ(UMBRA_EXIT_NONE, exit.reason);
	EXPECT_EQ(0, exit.gpa | exit.len | exit.data);
	EXPECT_EQ(7, ops[2].value);
}

/* Not asked for, it is an error. */
TEST_F(mmio, error_without_the_flag)
{
	EXPECT_EQ(-ENOENT, load(self->g.vcpu, FAR));
	EXPECT_EQ(-ENOENT, load(self->g.vcpu, FAR));
	EXPECT_EQ(-ENOENT, umbra_store(self->g.vcpu, NEAR, 4, 1));
}

/* -------------------------------------------------------- what is remembered */

TEST_F(mmio, remembered)
{
	struct umbra_get_stats before, after;
	struct umbra_translate t;

	/* The tables above both it and the memslot. */
	ASSERT_EQ(0, load(self->g.vcpu, 0));
	before = guest_stats(&self->g);
	ASSERT_EQ(-ENOENT, load(self->g.vcpu, FAR));	/* the memslots */
	ASSERT_EQ(-ENOENT, load(self->g.vcpu, FAR));	/* the MMIO entry */
	ASSERT_EQ(-ENOENT, load(self->g.vcpu, FAR));	/* the vCPU */
	ASSERT_EQ(-ENOENT, load(self->vcpu, FAR + PAGE)); /* the same entry */
	after = guest_stats(&self->g);
	EXPECT_EQ(before.mmio + 4, after.mmio);
	EXPECT_EQ(before.mmio_cached + 3, after.mmio_cached);
	EXPECT_EQ(before.leaves, after.leaves);
	/* Far from all memslots it takes no table of its own. */
	EXPECT_EQ(before.table_pages, after.table_pages);

	ASSERT_EQ(0, umbra_translate(self->g.vm, 0, FAR, &t));
	EXPECT_EQ(0, t.pte);
}

/* FAULT is no access: there is nothing to remember. */
TEST_F(mmio, fault_does_not_remember)
{
	struct umbra_get_stats before = guest_stats(&self->g), after;
	uint64_t done;

	EXPECT_EQ(-ENOENT, umbra_fault(self->g.vcpu, 0, NEAR, PAGE, &done));
	EXPECT_EQ(-ENOENT, umbra_fault(self->g.vcpu, 0, FAR, PAGE, &done));
	after = guest_stats(&self->g);
	EXPECT_EQ(before.table_pages, after.table_pages);
	EXPECT_EQ(before.mmio, after.mmio);
}

TEST_F(mmio, forgotten_when_a_memslot_comes)
{
	struct guest *g = &self->g;
	uint64_t gpa[] = { NEAR, FAR, FAR + 2 * MIB };
	unsigned int i, again;

	for (i = 0; i < 3; i++) {
		for (again = 0; again < 3; again++)
			ASSERT_EQ(-ENOENT, load(g->vcpu, gpa[i]));
		ASSERT_EQ(0, add_slot(g, gpa[i]));
		EXPECT_EQ(0, load(g->vcpu, gpa[i]));
		EXPECT_EQ(0, load(self->vcpu, gpa[i]));
		EXPECT_EQ(-ENOENT, load(g->vcpu, gpa[i] + PAGE));
		ASSERT_EQ(0, umbra_delete_memslot(g->vm, 1));
		EXPECT_EQ(-ENOENT, load(g->vcpu, gpa[i]));
	}
}

/* A memslot that is moved away leaves nothing, and what comes is found. */
TEST_F(mmio, forgotten_when_a_memslot_moves)
{
	struct guest *g = &self->g;
	int i;

	ASSERT_EQ(0, add_slot(g, FAR));
	for (i = 0; i < 4; i++) {
		uint64_t from = FAR + (i & 1) * GIB, to = FAR + !(i & 1) * GIB;

		ASSERT_EQ(0, load(g->vcpu, from));
		ASSERT_EQ(-ENOENT, load(g->vcpu, to));
		ASSERT_EQ(-ENOENT, load(g->vcpu, to));
		ASSERT_EQ(0, add_slot(g, to));
		EXPECT_EQ(0, load(g->vcpu, to));
		EXPECT_EQ(-ENOENT, load(g->vcpu, from));
	}
}

/* What a hole made the table grow by goes with the memslot beside it. */
TEST_F(mmio, tables_go)
{
	struct guest *g = &self->g;
	uint64_t before = guest_stats(g).table_pages;

	ASSERT_EQ(0, add_slot(g, FAR));
	ASSERT_EQ(0, load(g->vcpu, FAR));
	ASSERT_EQ(-ENOENT, load(g->vcpu, FAR + PAGE));
	EXPECT_LT(before, guest_stats(g).table_pages);
	ASSERT_EQ(0, umbra_delete_memslot(g->vm, 1));
	EXPECT_EQ(before, guest_stats(g).table_pages);
}

/* ---------------------------------------------------------------------- U7 */

static int set_generation(int vm, uint64_t generation)
{
	struct umbra_test cmd = {
		.size = sizeof(cmd), .op = UMBRA_TEST_GENERATION,
		.generation = generation,
	};

	return ioctl(vm, UMBRA_TEST, &cmd) ? -errno : 0;
}

struct access {
	struct guest *g;
	uint64_t gpa;
};

static long do_load(void *arg)
{
	struct access *a = arg;

	return load(a->g->vcpu, a->gpa);
}

static long do_add(void *arg)
{
	struct access *a = arg;

	return add_slot(a->g, a->gpa);
}

/*
 * A fault found no memslot and is held before it remembers that; meanwhile one
 * comes.
 */
TEST_F(mmio, u7_memslot_comes_before_it_is_remembered)
{
	struct access a = { &self->g, FAR };
	struct task loads, adds;
	int vm = self->g.vm;

	if (hold_arm(vm, UMBRA_POINT_MMIO_REMEMBER, 1) == -ENOTTY)
		SKIP(return, "module built without CONFIG_UMBRA_TEST");
	task_start(&loads, do_load, &a);
	ASSERT_EQ(0, hold_wait(vm, UMBRA_POINT_MMIO_REMEMBER, 1));
	ASSERT_EQ(0, hold_arm(vm, UMBRA_POINT_SLOTS_PUBLISHED, 1));
	task_start(&adds, do_add, &a);
	ASSERT_EQ(0, hold_wait(vm, UMBRA_POINT_SLOTS_PUBLISHED, 1));

	/* In use, though a reader of the old set is left: it remembers now. */
	ASSERT_EQ(0, hold_release(vm, UMBRA_POINT_MMIO_REMEMBER));
	EXPECT_EQ(-ENOENT, task_join(&loads));
	EXPECT_FALSE(task_done(&adds, 0));
	ASSERT_EQ(0, hold_release(vm, UMBRA_POINT_SLOTS_PUBLISHED));
	EXPECT_EQ(0, task_join(&adds));
	EXPECT_EQ(0, load(self->g.vcpu, FAR));
	EXPECT_EQ(0, load(self->vcpu, FAR));
}

/* While memslots change, what was remembered does not count, nor is anything. */
TEST_F(mmio, u7_nothing_counts_during_an_update)
{
	struct access a = { &self->g, FAR };
	struct umbra_get_stats before;
	struct guest *g = &self->g;
	struct task adds;
	int i;

	if (hold_arm(g->vm, UMBRA_POINT_SLOTS_PUBLISHED, 1) == -ENOTTY)
		SKIP(return, "module built without CONFIG_UMBRA_TEST");
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(-ENOENT, load(g->vcpu, FAR));
		ASSERT_EQ(-ENOENT, load(self->vcpu, NEAR));
	}
	task_start(&adds, do_add, &a);
	ASSERT_EQ(0, hold_wait(g->vm, UMBRA_POINT_SLOTS_PUBLISHED, 1));

	EXPECT_EQ(0, load(g->vcpu, FAR));
	EXPECT_EQ(0, load(self->vcpu, FAR));
	before = guest_stats(g);
	EXPECT_EQ(1, before.generation % 2);
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(-ENOENT, load(self->vcpu, NEAR));
		EXPECT_EQ(-ENOENT, load(g->vcpu, FAR + GIB));
	}
	EXPECT_EQ(before.mmio_cached, guest_stats(g).mmio_cached);
	EXPECT_EQ(before.mmio + 6, guest_stats(g).mmio);

	ASSERT_EQ(0, hold_release(g->vm, UMBRA_POINT_SLOTS_PUBLISHED));
	EXPECT_EQ(0, task_join(&adds));
	EXPECT_EQ(0, guest_stats(g).generation % 2);
	EXPECT_EQ(-ENOENT, load(g->vcpu, NEAR));
	EXPECT_EQ(-ENOENT, load(g->vcpu, NEAR));
	EXPECT_LT(before.mmio_cached, guest_stats(g).mmio_cached);
}

/* A tag comes again after 2^20 updates: all entries have gone by then. */
TEST_F(mmio, u7_wrap_around)
{
	struct guest *g = &self->g;
	uint64_t generation;

	/* The last tag but one: two updates to tag 0. */
	generation = 2 * (TAGS - 2);
	if (set_generation(g->vm, generation) == -ENOTTY)
		SKIP(return, "module built without CONFIG_UMBRA_TEST");
	ASSERT_EQ(-ENOENT, load(g->vcpu, FAR));
	ASSERT_EQ(-ENOENT, load(g->vcpu, FAR));
	ASSERT_EQ(-ENOENT, load(g->vcpu, NEAR));
	ASSERT_EQ(0, add_slot(g, FAR));
	ASSERT_EQ(0, umbra_delete_memslot(g->vm, 1));
	ASSERT_LE(2 * TAGS, guest_stats(g).generation);

	/* As many updates later it is the same tag, and there is a memslot. */
	ASSERT_EQ(0, set_generation(g->vm, generation + 2 * TAGS - 2));
	ASSERT_EQ(0, add_slot(g, FAR));
	ASSERT_EQ(generation + 2 * TAGS, guest_stats(g).generation);
	EXPECT_EQ(0, load(g->vcpu, FAR));
	EXPECT_EQ(0, load(self->vcpu, FAR));
}

/* The generation itself has 64 bits, which a vCPU remembers. */
TEST_F(mmio, u7_vcpu_is_not_fooled_by_a_tag)
{
	struct guest *g = &self->g;
	uint64_t generation = guest_stats(g).generation;
	int i;

	for (i = 0; i < 3; i++)
		ASSERT_EQ(-ENOENT, load(g->vcpu, FAR));
	/* Its MMIO entry would count, but is dropped. */
	ASSERT_EQ(0, add_slot(g, FAR));
	ASSERT_EQ(0, load(self->vcpu, FAR));
	if (set_generation(g->vm, generation + 2 * TAGS) == -ENOTTY)
		SKIP(return, "module built without CONFIG_UMBRA_TEST");
	EXPECT_EQ(0, load(g->vcpu, FAR));
}

TEST_F(mmio, u7_bad_generation)
{
	int ret = set_generation(self->g.vm, 7);

	if (ret == -ENOTTY)
		SKIP(return, "module built without CONFIG_UMBRA_TEST");
	EXPECT_EQ(-EINVAL, ret);
}

TEST_HARNESS_MAIN
