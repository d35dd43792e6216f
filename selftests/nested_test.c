// SPDX-License-Identifier: GPL-2.0-only
/*
 * Nested contexts: what a guest's own table and stage 2 make together.
 *
 * The guest's table is an extended page table (EPT), since its entries have a
 * bit for each right; other formats are the business of the unit tests.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "util.h"

/* Guest memory: tables in the first pages, then what they map. */
#define PAGES		4096UL
#define DATA		1024UL		/* first page that is no table */
#define BLOCK_PAGES	512UL
#define BITS		48

#define R	1UL
#define W	2UL
#define X	4UL
#define RWX	7UL
#define WB	(6UL << 3)
#define PS	(1UL << 7)
#define A	(1UL << 8)
#define D	(1UL << 9)
#define ADDR	0x000ffffffffff000UL

static uint64_t leaf(uint64_t page, uint64_t rights)
{
	return page * PAGE | rights | WB;
}

/* What stands behind nested addresses of contexts: a table in guest memory. */
struct table {
	struct guest *g;
	uint64_t root;		/* page */
	uint64_t *next;		/* first page that is free for tables */
	uint32_t context;
};

static uint64_t *entries(const struct table *t, uint64_t page)
{
	return (uint64_t *)(t->g->mem + page * PAGE);
}

/* The entry of a nested page at a level; tables are made on the way. */
static uint64_t *entry(struct table *t, uint64_t page, int level)
{
	uint64_t at = t->root, *e;

	for (int l = 3; ; l--) {
		e = &entries(t, at)[page >> (9 * l) & 511];
		if (l == level)
			return e;
		if (!*e)
			*e = (*t->next)++ * PAGE | RWX;
		at = (*e & ADDR) / PAGE;
	}
}

static void map(struct table *t, uint64_t page, uint64_t value)
{
	__atomic_store_n(entry(t, page, 0), value, __ATOMIC_SEQ_CST);
}

static int table_create(struct table *t, struct guest *g, uint64_t *next,
			uint32_t vmid)
{
	t->g = g;
	t->next = next;
	t->root = (*next)++;
	memset(entries(t, t->root), 0, PAGE);
	return umbra_create_nested(g->vm, 0, UMBRA_FMT_X86_EPT, BITS,
				   t->root * PAGE, vmid, &t->context);
}

static int load(const struct table *t, uint64_t page, uint64_t *value)
{
	return umbra_load_nested(t->g->vcpu, t->context, page * PAGE, 8, value);
}

static int store(const struct table *t, uint64_t page, uint64_t value)
{
	return umbra_store_nested(t->g->vcpu, t->context, page * PAGE, 8,
				  value);
}

static int fetch(const struct table *t, uint64_t page)
{
	struct umbra_access_op op = {
		.op = UMBRA_OP_FETCH, .len = 8, .gpa = page * PAGE,
	};
	struct umbra_exit exit;

	return umbra_access_nested(t->g->vcpu, t->context, 0, &op, &exit);
}

static int invalidate(const struct table *t, uint64_t page, uint64_t nr)
{
	return umbra_invalidate_nested(t->g->vm, t->context, page * PAGE,
				       nr * PAGE, 0);
}

static uint32_t shadow(const struct table *t, uint64_t page)
{
	struct umbra_translate tr;

	if (umbra_translate_nested(t->g->vm, t->context, 0, page * PAGE, &tr))
		abort();
	return tr.pte;
}

static uint32_t shadow_shift(const struct table *t, uint64_t page)
{
	struct umbra_translate tr;

	if (umbra_translate_nested(t->g->vm, t->context, 0, page * PAGE, &tr))
		abort();
	return tr.pte ? tr.leaf_shift : 0;
}

static uint64_t *word(const struct guest *g, uint64_t page)
{
	return (uint64_t *)(g->mem + page * PAGE);
}

FIXTURE(nested)
{
	struct guest g;
	struct table t;
	uint64_t next;
};

FIXTURE_SETUP(nested)
{
	ASSERT_EQ(0, guest_create(&self->g, PAGES, 0));
	self->next = 1;
	ASSERT_EQ(0, table_create(&self->t, &self->g, &self->next, 7));
}

FIXTURE_TEARDOWN(nested)
{
	EXPECT_TRUE(guest_quiet(&self->g));
	EXPECT_EQ(0, guest_stats(&self->g).tlb_conflicts);
	guest_destroy(&self->g);
}

/* ------------------------------------------------------------ both dimensions */

TEST_F(nested, goes_to_where_both_lead)
{
	struct table *t = &self->t;
	uint64_t value;

	map(t, 5, leaf(DATA + 9, RWX));
	*word(&self->g, DATA + 9) = 123;
	EXPECT_EQ(0, load(t, 5, &value));
	EXPECT_EQ(123, value);
	EXPECT_EQ(0, store(t, 5, 456));
	EXPECT_EQ(456, *word(&self->g, DATA + 9));
	/* And again, by the TLB. */
	EXPECT_EQ(0, store(t, 5, 789));
	EXPECT_EQ(789, *word(&self->g, DATA + 9));
	EXPECT_EQ(1, guest_stats(&self->g).nested_leaves);
}

/* A and D: the guest's entries, stage 2, the shadow; no more than used. */
TEST_F(nested, accesses_mark_both)
{
	struct table *t = &self->t;
	uint64_t value;

	map(t, 5, leaf(DATA, RWX));
	ASSERT_EQ(0, load(t, 5, &value));
	EXPECT_EQ(leaf(DATA, RWX) | A, *entry(t, 5, 0));
	for (int level = 1; level < 4; level++)
		EXPECT_EQ(A, *entry(t, 5, level) & (A | D));
	EXPECT_EQ(UMBRA_PTE_YOUNG, guest_pte(&self->g, DATA * PAGE) &
				   (UMBRA_PTE_YOUNG | UMBRA_PTE_DIRTY));
	EXPECT_EQ(UMBRA_PTE_YOUNG, shadow(t, 5) &
				   (UMBRA_PTE_YOUNG | UMBRA_PTE_DIRTY));

	ASSERT_EQ(0, store(t, 5, 1));
	EXPECT_EQ(leaf(DATA, RWX) | A | D, *entry(t, 5, 0));
	EXPECT_EQ(UMBRA_PTE_DIRTY, guest_pte(&self->g, DATA * PAGE) &
				   UMBRA_PTE_DIRTY);
	EXPECT_EQ(UMBRA_PTE_DIRTY, shadow(t, 5) & UMBRA_PTE_DIRTY);
}

/* The guest's D in an entry is a write to guest memory. */
TEST_F(nested, marks_are_logged)
{
	static uint64_t bits[PAGES / 64];
	struct guest *g = &self->g;
	struct table *t = &self->t;
	uint64_t dirty, value, at;

	map(t, 5, leaf(DATA, RWX));
	at = ((uint8_t *)entry(t, 5, 0) - g->mem) / PAGE;
	ASSERT_EQ(0, umbra_set_memslot(g->vm, 0, UMBRA_MEM_LOG_DIRTY, 0,
				       PAGES * PAGE, g->mem));
	ASSERT_EQ(0, load(t, 5, &value));
	ASSERT_EQ(0, umbra_get_dirty_log(g->vm, 0, 0, 0, PAGES, bits, &dirty));
	EXPECT_EQ(4, dirty);		/* A in an entry of each level */
	EXPECT_TRUE(bits[at / 64] >> at % 64 & 1);
	ASSERT_EQ(0, store(t, 5, 1));
	ASSERT_EQ(0, umbra_get_dirty_log(g->vm, 0, 0, 0, PAGES, bits, &dirty));
	EXPECT_EQ(2, dirty);		/* D in one, and what was written */
	EXPECT_TRUE(bits[at / 64] >> at % 64 & 1);
	EXPECT_TRUE(bits[DATA / 64] >> DATA % 64 & 1);
}

TEST_F(nested, needs_the_rights_of_both)
{
	struct guest *g = &self->g;
	struct table *t = &self->t;
	uint64_t value;

	/* The guest's. */
	map(t, 0, leaf(DATA, R | W));
	EXPECT_EQ(0, store(t, 0, 1));
	EXPECT_EQ(-EACCES, fetch(t, 0));
	map(t, 1, leaf(DATA, R | X));
	EXPECT_EQ(0, fetch(t, 1));
	EXPECT_EQ(-EACCES, store(t, 1, 1));
	map(t, 2, leaf(DATA, X));
	EXPECT_EQ(-EACCES, load(t, 2, &value));

	/* A table's on the way there. */
	map(t, BLOCK_PAGES, leaf(DATA, RWX));
	*entry(t, BLOCK_PAGES, 1) &= ~W;
	EXPECT_EQ(0, load(t, BLOCK_PAGES, &value));
	EXPECT_EQ(-EACCES, store(t, BLOCK_PAGES, 1));

	/* The memslot's. */
	ASSERT_EQ(0, umbra_set_memslot(g->vm, 1,
				       UMBRA_MEM_READONLY | UMBRA_MEM_NOEXEC,
				       PAGES * PAGE, PAGE, g->mem));
	map(t, 3, leaf(PAGES, RWX));
	EXPECT_EQ(0, load(t, 3, &value));
	EXPECT_EQ(-EACCES, store(t, 3, 1));
	EXPECT_EQ(-EACCES, fetch(t, 3));
	EXPECT_EQ(UMBRA_PTE_READ, shadow(t, 3) & (UMBRA_PTE_READ |
						  UMBRA_PTE_WRITE |
						  UMBRA_PTE_EXEC));

	/* The process's own. */
	map(t, 4, leaf(DATA + 1, RWX));
	ASSERT_EQ(0, store(t, 4, 1));
	ASSERT_EQ(0, mprotect(word(g, DATA + 1), PAGE, PROT_READ));
	EXPECT_EQ(0, load(t, 4, &value));
	EXPECT_NE(0, store(t, 4, 2));
	EXPECT_EQ(1, *word(g, DATA + 1));
	ASSERT_EQ(0, mprotect(word(g, DATA + 1), PAGE, PROT_READ | PROT_WRITE));
	EXPECT_EQ(0, store(t, 4, 2));
}

TEST_F(nested, faults_are_exits)
{
	struct umbra_access_op op = {
		.op = UMBRA_OP_STORE, .len = 8, .gpa = 5 * PAGE + 16,
	};
	struct table *t = &self->t;
	struct guest *g = &self->g;
	struct umbra_exit exit;
	uint64_t *pte = entry(t, 5, 0);
	struct {
		int level;
		uint64_t value;
		uint32_t kind;
	} bad[] = {
		{ 0, 0, UMBRA_NESTED_NOT_PRESENT },
		{ 2, 0, UMBRA_NESTED_NOT_PRESENT },
		{ 0, leaf(DATA, R), UMBRA_NESTED_RIGHTS },
		{ 0, leaf(DATA, W), UMBRA_NESTED_RESERVED },
		{ 1, DATA * PAGE | RWX | 8, UMBRA_NESTED_RESERVED },
		{ 1, 2 * PAGES * PAGE | RWX, UMBRA_NESTED_NO_MEMORY },
	};

	for (int i = 0; i < ARRAY_SIZE(bad); i++) {
		uint64_t *e = entry(t, 5, bad[i].level), was = *e;
		/* Memory that is not there is found a level further down. */
		int level = bad[i].level -
			    (bad[i].kind == UMBRA_NESTED_NO_MEMORY);
		uint64_t at = level < bad[i].level ? 2 * PAGES * PAGE + 5 * 8 :
			      (uint8_t *)e - g->mem;

		*e = bad[i].value;
		EXPECT_EQ(0, umbra_access_nested(g->vcpu, t->context,
						 UMBRA_ACCESS_EXITS, &op,
						 &exit));
		EXPECT_EQ(UMBRA_EXIT_NESTED, exit.reason);
		EXPECT_EQ(bad[i].kind, exit.kind);
		EXPECT_EQ(level, exit.level);
		EXPECT_EQ(at, exit.entry);
		EXPECT_EQ(5 * PAGE + 16, exit.gpa);
		EXPECT_EQ(8, exit.len);
		EXPECT_EQ(-EACCES, store(t, 5, 1));
		*e = was;
	}
	*pte = leaf(DATA, RWX);
	EXPECT_EQ(0, store(t, 5, 1));

	/* What the guest's table leads to may be for an emulator. */
	map(t, 6, leaf(2 * PAGES, RWX));
	op.gpa = 6 * PAGE + 16;
	op.value = 77;
	EXPECT_EQ(0, umbra_access_nested(g->vcpu, t->context,
					 UMBRA_ACCESS_EXITS, &op, &exit));
	EXPECT_EQ(UMBRA_EXIT_MMIO, exit.reason);
	EXPECT_EQ(2 * PAGES * PAGE + 16, exit.gpa);
	EXPECT_EQ(77, exit.data);
	EXPECT_EQ(-ENOENT, store(t, 6, 1));
}

/* ------------------------------------------------------- stage 2 is followed */

TEST_F(nested, goes_when_stage_2_goes)
{
	struct guest *g = &self->g;
	struct table *t = &self->t;
	uint64_t value, i;

	/* One page of the VM at many nested addresses. */
	for (i = 0; i < 300; i++) {
		map(t, i, leaf(DATA, RWX));
		ASSERT_EQ(0, store(t, i, i));
	}
	ASSERT_EQ(0, store(t, 0, 42));
	ASSERT_EQ(300, guest_stats(g).nested_leaves);
	ASSERT_EQ(0, madvise(word(g, DATA), PAGE, MADV_DONTNEED));
	EXPECT_EQ(0, guest_stats(g).nested_leaves);
	for (i = 0; i < 300; i++) {
		ASSERT_EQ(0, load(t, i, &value));
		EXPECT_EQ(0, value);
	}

	ASSERT_EQ(0, umbra_unmap(g->vm, DATA * PAGE, PAGE));
	EXPECT_EQ(0, guest_stats(g).nested_leaves);

	ASSERT_EQ(0, load(t, 0, &value));
	ASSERT_EQ(0, umbra_delete_memslot(g->vm, 0));
	EXPECT_EQ(0, guest_stats(g).nested_leaves);
	EXPECT_EQ(-EACCES, load(t, 0, &value));
	ASSERT_EQ(0, umbra_set_memslot(g->vm, 0, 0, 0, PAGES * PAGE, g->mem));
	EXPECT_EQ(0, load(t, 0, &value));
}

TEST_F(nested, goes_old_with_stage_2)
{
	struct guest *g = &self->g;
	struct table *t = &self->t;
	uint64_t value, young;

	map(t, 5, leaf(DATA, RWX));
	ASSERT_EQ(0, load(t, 5, &value));
	ASSERT_EQ(0, umbra_age(g->vm, UMBRA_AGE_CLEAR, DATA * PAGE, PAGE, PAGE,
			       NULL, &young));
	EXPECT_EQ(1, young);
	EXPECT_EQ(0, shadow(t, 5) & UMBRA_PTE_YOUNG);
	ASSERT_EQ(0, umbra_age(g->vm, 0, DATA * PAGE, PAGE, PAGE, NULL,
			       &young));
	EXPECT_EQ(0, young);
	/* The next access by the nested address counts. */
	ASSERT_EQ(0, load(t, 5, &value));
	ASSERT_EQ(0, umbra_age(g->vm, 0, DATA * PAGE, PAGE, PAGE, NULL,
			       &young));
	EXPECT_EQ(1, young);
}

TEST_F(nested, writes_are_logged)
{
	const uint32_t methods[] = {
		UMBRA_MEM_LOG_DIRTY, UMBRA_MEM_LOG_DIRTY | UMBRA_MEM_LOG_D_BITS,
	};
	struct guest *g = &self->g;
	struct table *t = &self->t;
	uint64_t bits, dirty;

	map(t, 5, leaf(DATA, RWX));
	for (int i = 0; i < 2; i++) {
		ASSERT_EQ(0, umbra_set_memslot(g->vm, 0, 0, 0, PAGES * PAGE,
					       g->mem));
		ASSERT_EQ(0, store(t, 5, 1));
		ASSERT_EQ(0, umbra_set_memslot(g->vm, 0, methods[i], 0,
					       PAGES * PAGE, g->mem));
		for (int n = 0; n < 3; n++) {
			ASSERT_EQ(0, store(t, 5, n));
			ASSERT_EQ(0, umbra_get_dirty_log(g->vm, 0, 0, DATA, 64,
							 &bits, &dirty));
			EXPECT_EQ(1, bits);
		}
		ASSERT_EQ(0, umbra_get_dirty_log(g->vm, 0, 0, DATA, 64, &bits,
						 &dirty));
		EXPECT_EQ(0, bits);
	}
}

/* After a reset the next write is told again, though a TLB had the right. */
TEST_F(nested, writes_are_pushed)
{
	struct guest *g = &self->g;
	struct table *t = &self->t;
	struct umbra_ring ring;
	uint64_t done, offset;
	uint32_t slot;

	close(g->vcpu);
	g->vcpu = umbra_create_vcpu_with_ring(g->vm, 64);
	ASSERT_LE(0, g->vcpu);
	ASSERT_EQ(0, umbra_map_ring(g->vcpu, 64, &ring));
	map(t, 5, leaf(DATA, RWX));
	ASSERT_EQ(0, store(t, 5, 1));
	ASSERT_EQ(0, umbra_set_memslot(g->vm, 0, UMBRA_MEM_LOG_DIRTY, 0,
				       PAGES * PAGE, g->mem));
	for (int n = 0; n < 3; n++) {
		bool found = false;

		ASSERT_EQ(0, store(t, 5, n));
		while (umbra_collect(&ring, &slot, &offset))
			found |= offset == DATA;
		EXPECT_TRUE(found);
		ASSERT_EQ(0, umbra_reset_dirty_rings(g->vm, &done));
		EXPECT_LE(1, done);
	}
	umbra_unmap_ring(&ring);
}

static long store_5(void *arg)
{
	return store(arg, 5, 99);
}

/*
 * U4. A nested fault has read that stage 2 is dirty and writable, and has not
 * written the shadow. Meanwhile the log is taken, which makes stage 2 clean.
 * What is then written by the nested address must be logged.
 */
static void race_with_log(struct __test_metadata *_metadata, struct guest *g,
			  struct table *t, uint32_t flags, uint32_t point)
{
	struct task task;
	uint64_t bits, dirty;
	bool spins = point == UMBRA_POINT_NESTED_READ;
	int ret;

	map(t, 5, leaf(DATA, RWX));
	ASSERT_EQ(0, umbra_set_memslot(g->vm, 0, flags, 0, PAGES * PAGE,
				       g->mem));
	ASSERT_EQ(0, umbra_store(g->vcpu, DATA * PAGE, 8, 1));
	ret = hold_ctl(g->vm, spins ? UMBRA_TEST_DELAY : UMBRA_TEST_HOLD, point,
		       1, 500000, NULL);
	if (ret == -ENOTTY)
		SKIP(return, "module without hold points");
	task_start(&task, store_5, t);
	if (spins)
		usleep(100000);
	else
		ASSERT_EQ(0, hold_wait(g->vm, point, 1));
	ASSERT_EQ(0, umbra_get_dirty_log(g->vm, 0, 0, DATA, 64, &bits, &dirty));
	hold_release(g->vm, point);
	EXPECT_EQ(0, task_join(&task));

	/* The write may be in either log, another one after it in the second */
	ASSERT_EQ(0, umbra_get_dirty_log(g->vm, 0, 0, DATA, 64, &bits, &dirty));
	ASSERT_EQ(0, store(t, 5, 100));
	ASSERT_EQ(0, umbra_get_dirty_log(g->vm, 0, 0, DATA, 64, &bits, &dirty));
	EXPECT_EQ(1, bits);
}

TEST_F(nested, u4_clean_while_made)
{
	race_with_log(_metadata, &self->g, &self->t, UMBRA_MEM_LOG_DIRTY,
		      UMBRA_POINT_NESTED_READ);
}

TEST_F(nested, u4_clean_before_made)
{
	race_with_log(_metadata, &self->g, &self->t, UMBRA_MEM_LOG_DIRTY,
		      UMBRA_POINT_NESTED_ANNOUNCED);
}

TEST_F(nested, u4_clean_while_made_d_bits)
{
	race_with_log(_metadata, &self->g, &self->t,
		      UMBRA_MEM_LOG_DIRTY | UMBRA_MEM_LOG_D_BITS,
		      UMBRA_POINT_NESTED_READ);
}

static long load_5(void *arg)
{
	uint64_t value;

	return load(arg, 5, &value);
}

/* The same for young. */
TEST_F(nested, u4_old_while_made)
{
	struct guest *g = &self->g;
	struct table *t = &self->t;
	struct task task;
	uint64_t young;
	int ret;

	map(t, 5, leaf(DATA, RWX));
	ret = hold_ctl(g->vm, UMBRA_TEST_DELAY, UMBRA_POINT_NESTED_READ, 1,
		       500000, NULL);
	if (ret == -ENOTTY)
		SKIP(return, "module without hold points");
	task_start(&task, load_5, t);
	usleep(100000);
	ASSERT_EQ(0, umbra_age(g->vm, UMBRA_AGE_CLEAR, DATA * PAGE, PAGE, PAGE,
			       NULL, &young));
	EXPECT_EQ(0, task_join(&task));
	ASSERT_EQ(0, umbra_age(g->vm, UMBRA_AGE_CLEAR, DATA * PAGE, PAGE, PAGE,
			       NULL, &young));
	ASSERT_EQ(0, load_5(t));
	ASSERT_EQ(0, umbra_age(g->vm, 0, DATA * PAGE, PAGE, PAGE, NULL,
			       &young));
	EXPECT_EQ(1, young);
}

/* U1 and U18: the page goes between the announcement and the installation. */
TEST_F(nested, u18_gone_before_made)
{
	struct guest *g = &self->g;
	struct table *t = &self->t;
	struct task task;
	uint64_t value;
	int ret, vcpu = umbra_create_vcpu(g->vm);

	ASSERT_LE(0, vcpu);
	map(t, 5, leaf(DATA, RWX));
	*word(g, DATA) = 1;
	ASSERT_EQ(0, umbra_load(g->vcpu, DATA * PAGE, 8, &value));
	ret = hold_arm(g->vm, UMBRA_POINT_NESTED_ANNOUNCED, 1);
	if (ret == -ENOTTY)
		SKIP(return, "module without hold points");
	task_start(&task, load_5, t);
	ASSERT_EQ(0, hold_wait(g->vm, UMBRA_POINT_NESTED_ANNOUNCED, 1));
	ASSERT_EQ(0, madvise(word(g, DATA), PAGE, MADV_DONTNEED));
	*word(g, DATA) = 2;
	/* Stage 2 has the page again, but the item has gone. */
	ASSERT_EQ(0, umbra_load(vcpu, DATA * PAGE, 8, &value));
	hold_release(g->vm, UMBRA_POINT_NESTED_ANNOUNCED);
	EXPECT_EQ(0, task_join(&task));
	ASSERT_EQ(0, load(t, 5, &value));
	EXPECT_EQ(2, value);
	/* What was made can be found again. */
	ASSERT_EQ(0, madvise(word(g, DATA), PAGE, MADV_DONTNEED));
	EXPECT_EQ(0, guest_stats(g).nested_leaves);
	close(vcpu);
}

/* -------------------------------------------------------- the guest's demands */

TEST_F(nested, follows_the_guest_when_told)
{
	struct guest *g = &self->g;
	struct table *t = &self->t;
	uint64_t value, i;

	for (i = 0; i < 8; i++) {
		map(t, i, leaf(DATA + i, RWX));
		*word(g, DATA + i) = i;
		*word(g, DATA + 8 + i) = 8 + i;
		ASSERT_EQ(0, load(t, i, &value));
		map(t, i, leaf(DATA + 8 + i, RWX));
	}
	ASSERT_EQ(8, guest_stats(g).nested_leaves);
	for (i = 0; i < 8; i++) {
		ASSERT_EQ(0, load(t, i, &value));
		EXPECT_EQ(i, value);
	}
	/* Just what is named. */
	ASSERT_EQ(0, invalidate(t, 2, 1));
	ASSERT_EQ(0, umbra_invalidate_nested(g->vm, t->context, 4 * PAGE, PAGE,
					     12));
	EXPECT_EQ(6, guest_stats(g).nested_leaves);
	for (i = 0; i < 8; i++) {
		ASSERT_EQ(0, load(t, i, &value));
		EXPECT_EQ(i == 2 || i == 4 ? i + 8 : i, value);
	}
	ASSERT_EQ(0, umbra_invalidate_vmid(g->vm, 8, 0, 0, 0));
	ASSERT_EQ(0, load(t, 0, &value));
	EXPECT_EQ(0, value);
	ASSERT_EQ(0, umbra_invalidate_vmid(g->vm, 7, 0, 0, 0));
	EXPECT_EQ(0, guest_stats(g).nested_leaves);
	for (i = 0; i < 8; i++) {
		ASSERT_EQ(0, load(t, i, &value));
		EXPECT_EQ(i + 8, value);
	}
	ASSERT_EQ(0, umbra_invalidate_nested(g->vm, t->context, 0, 0, 0));
	EXPECT_EQ(0, guest_stats(g).nested_leaves);
}

/* A block of the guest's over pages of stage 2: one address means all of it. */
TEST_F(nested, blocks_of_the_guest_go_whole)
{
	struct guest *g = &self->g;
	struct table *t = &self->t;
	uint64_t value, i;

	for (i = 0; i < 2; i++)
		*entry(t, i * BLOCK_PAGES, 1) = leaf(DATA, RWX) | PS;
	for (i = 0; i < 2 * BLOCK_PAGES; i += 64) {
		*word(g, DATA + i % BLOCK_PAGES) = i % BLOCK_PAGES;
		ASSERT_EQ(0, load(t, i, &value));
		EXPECT_EQ(i % BLOCK_PAGES, value);
		EXPECT_EQ(12, shadow_shift(t, i));
	}
	ASSERT_EQ(16, guest_stats(g).nested_leaves);
	ASSERT_EQ(0, invalidate(t, 17, 1));
	EXPECT_EQ(8, guest_stats(g).nested_leaves);
	EXPECT_EQ(0, shadow(t, 64));
	EXPECT_NE(0, shadow(t, BLOCK_PAGES));
	ASSERT_EQ(0, umbra_invalidate_nested(g->vm, t->context,
					     BLOCK_PAGES * PAGE, PAGE, 21));
	EXPECT_EQ(0, guest_stats(g).nested_leaves);
}

/* The invalidation comes while what was read before is about to be installed. */
TEST_F(nested, invalidation_beats_a_fault_under_way)
{
	struct guest *g = &self->g;
	struct table *t = &self->t;
	struct task task;
	uint64_t value;
	int ret;

	map(t, 5, leaf(DATA, RWX));
	*word(g, DATA) = 1;
	*word(g, DATA + 1) = 2;
	ret = hold_arm(g->vm, UMBRA_POINT_NESTED_ANNOUNCED, 1);
	if (ret == -ENOTTY)
		SKIP(return, "module without hold points");
	task_start(&task, load_5, t);
	ASSERT_EQ(0, hold_wait(g->vm, UMBRA_POINT_NESTED_ANNOUNCED, 1));
	map(t, 5, leaf(DATA + 1, RWX));
	ASSERT_EQ(0, invalidate(t, 5, 1));
	hold_release(g->vm, UMBRA_POINT_NESTED_ANNOUNCED);
	EXPECT_EQ(0, task_join(&task));
	ASSERT_EQ(0, load(t, 5, &value));
	EXPECT_EQ(2, value);
}

/* A guest that forgets gets old or new, and harms nobody. */
TEST_F(nested, forgetful_guest)
{
	struct guest *g = &self->g;
	struct table *t = &self->t;
	uint64_t value;

	srandom(1);
	for (int i = 0; i < 5000; i++) {
		uint64_t page = random() % 16;

		switch (random() % 4) {
		case 0:
			map(t, page, leaf(DATA + random() % 16, random() % 8));
			break;
		case 1:
			*entry(t, BLOCK_PAGES, 1) = random() % 2 ? 0 :
				leaf(DATA, RWX) | PS;
			load(t, BLOCK_PAGES + page, &value);
			break;
		case 2:
			load(t, page, &value);
			break;
		default:
			store(t, page, i);
		}
		if (i % 64 == 0)
			madvise(word(g, DATA + page), PAGE, MADV_DONTNEED);
	}
	*entry(t, BLOCK_PAGES, 1) = 0;
	ASSERT_EQ(0, madvise(word(g, DATA), BLOCK_PAGES * PAGE, MADV_DONTNEED));
	EXPECT_EQ(0, guest_stats(g).nested_leaves);
}

/* ------------------------------------------------------------------ contexts */

TEST_F(nested, contexts_are_found_and_recycled)
{
	struct guest *g = &self->g;
	struct umbra_get_caps caps;
	struct table first = self->t, t;
	uint32_t again;
	uint64_t value;

	ASSERT_EQ(0, umbra_get_caps(g->dev, UMBRA_FMT_X86_NPT, &caps));
	map(&first, 0, leaf(DATA, RWX));
	ASSERT_EQ(0, load(&first, 0, &value));
	ASSERT_EQ(0, umbra_create_nested(g->vm, 0, UMBRA_FMT_X86_EPT, BITS,
					 first.root * PAGE, 7, &again));
	EXPECT_EQ(first.context, again);
	ASSERT_EQ(0, umbra_create_nested(g->vm, 0, UMBRA_FMT_X86_EPT, BITS,
					 first.root * PAGE, 8, &again));
	EXPECT_NE(first.context, again);
	ASSERT_EQ(0, umbra_destroy_nested(g->vm, again));
	EXPECT_EQ(-ENOENT, umbra_destroy_nested(g->vm, again));
	EXPECT_EQ(-ENOENT, umbra_invalidate_nested(g->vm, again, 0, 0, 0));

	for (int i = 1; i < caps.max_nested; i++)
		ASSERT_EQ(0, table_create(&t, g, &self->next, 100 + i));
	EXPECT_EQ(caps.max_nested, guest_stats(g).nested);
	EXPECT_EQ(1, guest_stats(g).nested_leaves);
	/* The first one is the one used last now, and so the second goes. */
	ASSERT_EQ(0, load(&first, 0, &value));
	ASSERT_EQ(0, table_create(&t, g, &self->next, 99));
	EXPECT_EQ(caps.max_nested, guest_stats(g).nested);
	EXPECT_EQ(0, load(&first, 0, &value));
	for (int i = 1; i < caps.max_nested; i++)
		ASSERT_EQ(0, table_create(&t, g, &self->next, 200 + i));
	ASSERT_EQ(0, load(&first, 0, &value));
	for (int i = 0; i < caps.max_nested; i++)
		ASSERT_EQ(0, table_create(&t, g, &self->next, 300 + i));
	EXPECT_EQ(-ENOENT, load(&first, 0, &value));
	EXPECT_EQ(0, guest_stats(g).nested_leaves);
}

TEST_F(nested, nobody_is_inside_of_what_goes)
{
	struct guest *g = &self->g;
	struct table t = self->t, other;
	struct umbra_get_caps caps;
	struct task task;
	int ret;

	ASSERT_EQ(0, umbra_get_caps(g->dev, UMBRA_FMT_X86_NPT, &caps));
	map(&t, 5, leaf(DATA, RWX));
	ret = hold_arm(g->vm, UMBRA_POINT_NESTED_ANNOUNCED, 1);
	if (ret == -ENOTTY)
		SKIP(return, "module without hold points");
	task_start(&task, load_5, &t);
	ASSERT_EQ(0, hold_wait(g->vm, UMBRA_POINT_NESTED_ANNOUNCED, 1));
	EXPECT_EQ(-EBUSY, umbra_destroy_nested(g->vm, t.context));
	for (int i = 0; i < 2 * caps.max_nested; i++)
		ASSERT_EQ(0, table_create(&other, g, &self->next, 100 + i));
	hold_release(g->vm, UMBRA_POINT_NESTED_ANNOUNCED);
	EXPECT_EQ(0, task_join(&task));
	EXPECT_EQ(0, load_5(&t));
}

/* ------------------------------------------------------------------- at random */

/* What an access gives, by a walk of both dimensions: the page, or -1. */
static long model(struct table *t, uint64_t page, uint64_t right)
{
	uint64_t at = t->root, e, to;
	int level = 3;

	for (;; level--) {
		e = entries(t, at)[page >> (9 * level) & 511];
		if (!(e & RWX) || !(e & R) || !(e & right))
			return -1;
		if (!level || e & PS)
			break;
		at = (e & ADDR) / PAGE;
	}
	to = (e & ADDR) / PAGE + (page & ((1UL << (9 * level)) - 1));
	return to < PAGES ? to : -1;
}

#define SPREAD	64UL	/* pages of each kind that random tables lead to */

static void random_entry(struct table *t)
{
	uint64_t page = random() % SPREAD;
	uint64_t rights = random() % 8 ? RWX : R | (random() % 8);

	switch (random() % 16) {
	case 0:
		map(t, page, 0);
		break;
	case 1:		/* past the end of memory */
		map(t, page, leaf(PAGES + page, RWX));
		break;
	case 2:		/* a block, or none */
		*entry(t, BLOCK_PAGES, 1) = random() % 2 ? 0 :
			leaf(DATA + random() % 2 * BLOCK_PAGES, rights) | PS;
		invalidate(t, BLOCK_PAGES, BLOCK_PAGES);
		break;
	default:
		map(t, page, leaf(DATA + random() % SPREAD, rights));
	}
	invalidate(t, page, 1);
}

/* Every access agrees with a walk of both tables; what is stored is there. */
TEST_F_TIMEOUT(nested, random_accesses, 120)
{
	struct guest *g = &self->g;
	struct table *t = &self->t;
	uint64_t value;
	int seed = getpid();

	TH_LOG("seed %d", seed);
	srandom(seed);
	for (int i = 0; i < 60000; i++) {
		uint64_t page = random() % SPREAD +
				random() % 2 * BLOCK_PAGES;
		bool write = random() % 2;
		long to;

		if (i % 8 == 0)
			random_entry(t);
		if (i % 512 == 0)
			madvise(word(g, DATA + random() % SPREAD), PAGE,
				MADV_DONTNEED);
		to = model(t, page, write ? W : R);
		if (write) {
			int ret = store(t, page, i);

			ASSERT_EQ(to >= 0, !ret);
			if (!ret)
				ASSERT_EQ(i, *word(g, to));
		} else {
			int ret = load(t, page, &value);

			ASSERT_EQ(to >= 0, !ret);
			if (!ret)
				ASSERT_EQ(*word(g, to), value);
		}
	}
}

/* -------------------------------------------------------------- under load */

#define CHANGING	(~0UL)
#define CHANGES		200

/* A guest that changes its table, and readers of it. */
struct load {
	struct table *t;
	int vcpu;
	uint64_t expected[SPREAD];	/* page of data, or CHANGING */
	bool stop;
	uint64_t wrong;
};

static uint64_t expected(struct load *l, uint64_t page)
{
	return __atomic_load_n(&l->expected[page], __ATOMIC_SEQ_CST);
}

/* Each page of data says which it is; none says another. */
static long read_all(void *arg)
{
	struct load *l = arg;
	uint64_t value, before, i = 0;

	while (!__atomic_load_n(&l->stop, __ATOMIC_RELAXED)) {
		uint64_t page = i++ * 7 % SPREAD;

		before = expected(l, page);
		if (umbra_load_nested(l->vcpu, l->t->context, page * PAGE, 8,
				      &value))
			return -1;
		if (before != CHANGING && before == expected(l, page) &&
		    value != before)
			__atomic_fetch_add(&l->wrong, 1, __ATOMIC_RELAXED);
	}
	return 0;
}

/* The host takes all away again and again, in each way that it has. */
static long disturb(void *arg)
{
	struct load *l = arg;
	struct guest *g = l->t->g;
	uint64_t bits[2], dirty, young;

	while (!__atomic_load_n(&l->stop, __ATOMIC_RELAXED)) {
		umbra_unmap(g->vm, DATA * PAGE, SPREAD * PAGE);
		mprotect(word(g, DATA), SPREAD * PAGE,
			 PROT_READ | PROT_WRITE | PROT_EXEC);
		mprotect(word(g, DATA), SPREAD * PAGE, PROT_READ | PROT_WRITE);
		umbra_age(g->vm, UMBRA_AGE_CLEAR, DATA * PAGE, SPREAD * PAGE,
			  PAGE, NULL, &young);
		umbra_get_dirty_log(g->vm, 0, 0, DATA, SPREAD, bits, &dirty);
	}
	return 0;
}

TEST_F_TIMEOUT(nested, guest_changes_its_table_under_load, 120)
{
	struct guest *g = &self->g;
	struct load l = { .t = &self->t, .vcpu = umbra_create_vcpu(g->vm) };
	struct task reader, host;
	uint64_t i, page, value;

	ASSERT_LE(0, l.vcpu);
	ASSERT_EQ(0, umbra_set_memslot(g->vm, 0, UMBRA_MEM_LOG_DIRTY, 0,
				       PAGES * PAGE, g->mem));
	for (i = 0; i < SPREAD; i++) {
		*word(g, DATA + i) = DATA + i;
		l.expected[i] = DATA + i;
		map(l.t, i, leaf(DATA + i, RWX));
	}
	task_start(&reader, read_all, &l);
	task_start(&host, disturb, &l);
	for (i = 0; i < CHANGES; i++) {
		page = i * 5 % SPREAD;
		value = DATA + i * 11 % SPREAD;
		__atomic_store_n(&l.expected[page], CHANGING, __ATOMIC_SEQ_CST);
		map(l.t, page, leaf(value, RWX));
		ASSERT_EQ(0, invalidate(l.t, page, 1));
		__atomic_store_n(&l.expected[page], value, __ATOMIC_SEQ_CST);
		ASSERT_EQ(0, store(l.t, page, value));
	}
	__atomic_store_n(&l.stop, true, __ATOMIC_RELAXED);
	EXPECT_EQ(0, task_join(&reader));
	EXPECT_EQ(0, task_join(&host));
	EXPECT_EQ(0, l.wrong);
	close(l.vcpu);
}

/* More tables than contexts, from two vCPUs: each finds its own. */
#define TABLES	80

struct crowd {
	struct guest *g;
	int vcpu;
	uint64_t first;		/* page of the first table's root */
	unsigned int step;
	long lost;
};

static long visit_all(void *arg)
{
	struct crowd *c = arg;
	uint64_t value;
	uint32_t id;
	int ret;

	for (unsigned int i = 0; i < 3 * TABLES; i++) {
		unsigned int nr = i * c->step % TABLES;

		if (umbra_create_nested(c->g->vm, 0, UMBRA_FMT_X86_EPT, BITS,
					(c->first + 4 * nr) * PAGE, nr, &id))
			return -1;
		ret = umbra_load_nested(c->vcpu, id, 0, 8, &value);
		if (ret == -ENOENT)
			c->lost++;
		else if (ret || value != nr)
			return -1;
	}
	return 0;
}

TEST_F_TIMEOUT(nested, contexts_recycled_under_load, 120)
{
	struct guest *g = &self->g;
	struct crowd c[2] = {
		{ .g = g, .vcpu = g->vcpu, .first = self->next, .step = 1 },
		{ .g = g, .vcpu = umbra_create_vcpu(g->vm),
		  .first = self->next, .step = 7 },
	};
	struct task task[2];
	struct table t = { .g = g, .next = &self->next };
	unsigned int i;

	for (i = 0; i < TABLES; i++) {
		t.root = self->next++;
		map(&t, 0, leaf(DATA + i, RWX));
		*word(g, DATA + i) = i;
	}
	for (i = 0; i < 2; i++)
		task_start(&task[i], visit_all, &c[i]);
	for (i = 0; i < 2; i++)
		EXPECT_EQ(0, task_join(&task[i]));
	close(c[1].vcpu);
	ASSERT_EQ(0, madvise(word(g, DATA), TABLES * PAGE, MADV_DONTNEED));
	EXPECT_EQ(0, guest_stats(g).nested_leaves);
}

TEST_HARNESS_MAIN
