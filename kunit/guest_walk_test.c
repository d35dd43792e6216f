// SPDX-License-Identifier: GPL-2.0-only
/*
 * Walking tables of guests: right ones, wrong ones and rubbish.
 *
 * The tables are written by encode(), which knows each format by the numbers
 * in its manual and shares nothing with what it tests.
 */
#include <kunit/test.h>
#include <linux/swab.h>

#include "attrs.h"
#include "guest_walk.h"
#include "rng.h"

/* Guest memory: the root at 0, then a table for each level, up to MEMORY. */
#define ROOT_PAGES	16
#define TABLE(level)	PFN_PHYS(ROOT_PAGES + (level))
#define MEMORY		TABLE(UMBRA_MAX_LEVELS)
#define GPA_BITS	46

struct guest {
	struct umbra_guest_table t;
	u64 *memory;
	int error;		/* of the memory, if not 0 */
	bool changes;		/* an entry changes before it is exchanged */
	unsigned int reads;
};

struct param {
	const struct umbra_fmt *fmt;
	unsigned int bits;
	enum umbra_ad ad;
	bool user;
};

static const struct param params[] = {
	{ &umbra_fmt_x86_64, 48, UMBRA_AD_HW, true },
	{ &umbra_fmt_x86_64, 57, UMBRA_AD_HW, false },
	{ &umbra_fmt_x86_npt, 48, UMBRA_AD_HW },
	{ &umbra_fmt_x86_npt, 52, UMBRA_AD_HW },
	{ &umbra_fmt_x86_ept, 48, UMBRA_AD_HW },
	{ &umbra_fmt_x86_ept, 52, UMBRA_AD_SW },
	{ &umbra_fmt_arm64_s2, 32, UMBRA_AD_HW },
	{ &umbra_fmt_arm64_s2, 40, UMBRA_AD_SW },
	{ &umbra_fmt_arm64_s2, 48, UMBRA_AD_HW },
	{ &umbra_fmt_riscv_g, 41, UMBRA_AD_HW },
	{ &umbra_fmt_riscv_g, 50, UMBRA_AD_SW },
	{ &umbra_fmt_riscv_g, 59, UMBRA_AD_HW },
	{ &umbra_fmt_power_radix, 52, UMBRA_AD_HW },
	{ &umbra_fmt_power_radix, 52, UMBRA_AD_SW },
	{ &umbra_fmt_mips_vz, 39, UMBRA_AD_SW },
	{ &umbra_fmt_mips_vz, 48, UMBRA_AD_SW },
};

static void param_desc(const struct param *p, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s, %u bits, %s A/D%s",
		 p->fmt->name, p->bits,
		 p->ad == UMBRA_AD_HW ? "hardware" : "software",
		 p->user ? ", user" : "");
}

KUNIT_ARRAY_PARAM(guest, params, param_desc);

/* ---------------------------------------------------------------- memory */

static int mem_read(void *ctx, gpa_t gpa, u64 *word)
{
	struct guest *g = ctx;

	g->reads++;
	if (g->error)
		return g->error;
	if (gpa >= MEMORY)
		return -ENOENT;
	*word = g->memory[gpa / sizeof(u64)];
	return 0;
}

static int mem_exchange(void *ctx, gpa_t gpa, u64 old, u64 new)
{
	struct guest *g = ctx;
	u64 *word = &g->memory[gpa / sizeof(u64)];

	if (g->error)
		return g->error;
	if (g->changes)
		*word ^= 1;
	if (*word != old)
		return -ESTALE;
	*word = new;
	return 0;
}

static const struct umbra_guest_mem guest_mem = {
	.read = mem_read, .exchange = mem_exchange,
};

static int walk(struct guest *g, gfn_t gfn, u32 access,
		struct umbra_guest_walk *w)
{
	memset(w, 0xff, sizeof(*w));
	g->reads = 0;
	return umbra_guest_walk(&g->t, gfn, access, &guest_mem, g, w);
}

static int guest_init(struct kunit *test)
{
	const struct param *p = test->param_value;
	struct guest *g = kunit_kzalloc(test, sizeof(*g), GFP_KERNEL);

	if (!g)
		return -ENOMEM;
	test->priv = g;
	g->memory = kunit_kzalloc(test, MEMORY, GFP_KERNEL);
	if (!g->memory)
		return -ENOMEM;
	return umbra_guest_table_init(&g->t, p->fmt, 0, p->bits, GPA_BITS,
				      p->ad, p->user);
}

/* ------------------------------------------------------ entries, by manual */

struct entry {
	bool leaf;
	int level;
	u64 pa;
	bool r, w, x, u, a, d;
};

static bool is_x86(u32 id)
{
	return id == UMBRA_FMT_X86_64 || id == UMBRA_FMT_X86_NPT;
}

static bool has_levels_of_rights(u32 id)
{
	return is_x86(id) || id == UMBRA_FMT_X86_EPT;
}

#define B(n)	BIT_ULL(n)

static u64 encode(u32 id, const struct entry *e)
{
	bool up = e->leaf && e->level;
	u64 leaf = 0;

	switch (id) {
	case UMBRA_FMT_X86_64:
	case UMBRA_FMT_X86_NPT:
		return e->pa | B(0) | e->w * B(1) | e->u * B(2) | e->a * B(5) |
		       (e->leaf && e->d) * B(6) | up * B(7) | !e->x * B(63);
	case UMBRA_FMT_X86_EPT:
		if (e->leaf)
			leaf = (6 << 3) | e->d * B(9);
		return e->pa | e->r * B(0) | e->w * B(1) | e->x * B(2) |
		       e->a * B(8) | up * B(7) | leaf;
	case UMBRA_FMT_ARM64_S2:
		if (e->leaf)
			leaf = e->r * B(6) | (e->w && e->d) * B(7) |
			       e->a * B(10) | e->w * B(51) | !e->x * B(54);
		return e->pa | B(0) | !up * B(1) | leaf;
	case UMBRA_FMT_RISCV_G:
		if (e->leaf)
			leaf = e->r * B(1) | e->w * B(2) | e->x * B(3) |
			       e->u * B(4) | e->a * B(6) | e->d * B(7);
		return e->pa >> 2 | B(0) | leaf;
	case UMBRA_FMT_POWER_RADIX:
		if (e->leaf)
			leaf = B(62) | e->a * B(8) | e->d * B(7) | e->r * B(2) |
			       e->w * B(1) | e->x * B(0);
		else
			leaf = 9;
		return e->pa | B(63) | leaf;
	case UMBRA_FMT_MIPS_VZ:
		if (e->leaf)
			leaf = B(60) | !e->r * B(63) | !e->x * B(62) |
			       e->w * B(58) | (e->w && e->d) * B(2) |
			       e->a * B(1);
		else
			leaf = B(61);
		return e->pa >> 6 | leaf;
	}
	return 0;
}

/* What a format cannot say, made so that it can. */
static void canonical(const struct umbra_guest_table *t, struct entry *e)
{
	u32 id = t->layout.fmt->id;

	if (is_x86(id))
		e->r = true;
	if (id == UMBRA_FMT_X86_EPT || id == UMBRA_FMT_RISCV_G) {
		e->w &= e->r;
		e->x |= !e->r;		/* else absent, or a table */
	}
	if (id == UMBRA_FMT_ARM64_S2 || id == UMBRA_FMT_MIPS_VZ)
		e->d &= e->w;
}

static u64 *entry_at(struct guest *g, gfn_t gfn, int level)
{
	const struct umbra_layout *l = &g->t.layout;
	bool root = level == l->levels - 1;
	u64 i = gfn >> (9 * level) & (BIT_ULL(root ? l->root_bits : 9) - 1);

	return g->memory + ((root ? 0 : TABLE(level)) / sizeof(u64)) + i;
}

static void write_entry(struct guest *g, gfn_t gfn, int level, u64 entry)
{
	*entry_at(g, gfn, level) = g->t.layout.fmt->big_endian ?
				   swab64(entry) : entry;
}

static u64 read_entry(struct guest *g, gfn_t gfn, int level)
{
	u64 word = *entry_at(g, gfn, level);

	return g->t.layout.fmt->big_endian ? swab64(word) : word;
}

/* ------------------------------------------------------------ right tables */

/* A way from the root to a leaf, and what it is to mean. */
struct way {
	gfn_t gfn;
	int level;
	struct entry e[UMBRA_MAX_LEVELS];
	u32 pte;
	gfn_t to;
};

static int random_leaf_level(struct guest *g, struct rnd_state *rnd)
{
	int level;

	do {
		level = umbra_test_below(rnd, g->t.layout.levels);
	} while (!(g->t.layout.fmt->guest.leaf_levels & BIT(level)));
	return level;
}

static gfn_t random_gfn(struct kunit *test, struct rnd_state *rnd)
{
	const struct param *p = test->param_value;
	u64 r = (u64)prandom_u32_state(rnd) << 32 | prandom_u32_state(rnd);

	return r & (BIT_ULL(p->bits - PAGE_SHIFT) - 1);
}

/* Most bits are as an access wants them, so that none hides the others. */
static bool mostly(struct rnd_state *rnd)
{
	return umbra_test_below(rnd, 8);
}

static void make_way(struct kunit *test, struct rnd_state *rnd,
		     struct way *way)
{
	struct guest *g = test->priv;
	u32 id = g->t.layout.fmt->id;
	bool user = true;
	int level;

	way->gfn = random_gfn(test, rnd);
	way->level = random_leaf_level(g, rnd);
	way->pte = R | W | X;
	for (level = g->t.layout.levels - 1; level >= way->level; level--) {
		struct entry *e = &way->e[level];
		u64 r = (u64)prandom_u32_state(rnd) << 32 |
			prandom_u32_state(rnd);

		*e = (struct entry){
			.leaf = level == way->level, .level = level,
			.r = mostly(rnd), .w = mostly(rnd), .x = mostly(rnd),
			.u = mostly(rnd), .a = r & 1, .d = r & 2,
		};
		if (e->leaf)
			e->pa = r % B(GPA_BITS) & -B(PAGE_SHIFT + 9 * level);
		else
			e->pa = TABLE(level - 1);
		canonical(&g->t, e);
		write_entry(g, way->gfn, level, encode(id, e));

		if (!e->leaf && !has_levels_of_rights(id))
			continue;
		way->pte &= e->r * R | e->w * W | e->x * X;
		user &= e->u;
	}
	if (!user && (id == UMBRA_FMT_X86_NPT || id == UMBRA_FMT_RISCV_G ||
		      (id == UMBRA_FMT_X86_64 && g->t.user)))
		way->pte = 0;
	way->pte |= way->e[way->level].a * A | way->e[way->level].d * D;
	if (g->t.ad == UMBRA_GUEST_AD_IGNORE)
		way->pte |= A | D;
	way->to = PHYS_PFN(way->e[way->level].pa) +
		   way->gfn % B(9 * way->level);
}

static u32 expected_fault(const struct guest *g, const struct way *way,
			  u32 access)
{
	bool soft = g->t.ad == UMBRA_GUEST_AD_FAULT;

	if (soft && !(way->pte & A))
		return UMBRA_NESTED_ACCESS_FLAG;
	if (!(way->pte & access))
		return UMBRA_NESTED_RIGHTS;
	if (soft && access == W && !(way->pte & D))
		return UMBRA_NESTED_ACCESS_FLAG;
	return 0;
}

static void walks_agree(struct kunit *test)
{
	struct guest *g = test->priv;
	struct umbra_guest_walk w;
	struct rnd_state rnd;
	struct way way;
	unsigned int i;
	u32 access, fault;
	int level;

	umbra_test_seed(test, &rnd);
	for (i = 0; i < 500; i++) {
		make_way(test, &rnd, &way);
		for (access = R; access <= X; access <<= 1) {
			fault = expected_fault(g, &way, access);
			KUNIT_ASSERT_EQ(test, walk(g, way.gfn, access, &w),
					fault ? -EACCES : 0);
			KUNIT_ASSERT_EQ(test, w.fault, fault);
			KUNIT_ASSERT_EQ(test, w.pte, way.pte);
			KUNIT_ASSERT_EQ(test, w.gfn, way.to);
			KUNIT_ASSERT_EQ(test, w.level, way.level);
			KUNIT_ASSERT_EQ(test, g->reads,
					g->t.layout.levels - way.level);
			for (level = w.level; level < g->t.layout.levels;
			     level++)
				KUNIT_ASSERT_PTR_EQ(test,
						    g->memory + w.gpa[level] / 8,
						    entry_at(g, way.gfn,
							     level));
		}
	}
}

/* An access sets what the manual says, and nothing else. */
static void accesses_mark(struct kunit *test)
{
	struct guest *g = test->priv;
	bool sets = g->t.ad == UMBRA_GUEST_AD_SET;
	u32 access, id = g->t.layout.fmt->id;
	struct umbra_guest_walk w;
	struct rnd_state rnd;
	struct way way;
	unsigned int i;
	int level;

	umbra_test_seed(test, &rnd);
	for (i = 0; i < 500; i++) {
		make_way(test, &rnd, &way);
		access = BIT(i % 3);
		if (walk(g, way.gfn, access, &w))
			continue;
		KUNIT_ASSERT_EQ(test, 0, umbra_guest_mark(&g->t, access,
							  &guest_mem, g, &w));
		for (level = way.level; level < g->t.layout.levels; level++) {
			struct entry e = way.e[level];

			e.a |= sets && (e.leaf || has_levels_of_rights(id));
			e.d |= sets && e.leaf && access == W;
			KUNIT_ASSERT_EQ(test, encode(id, &e),
					read_entry(g, way.gfn, level));
		}
		KUNIT_ASSERT_EQ(test, w.pte, way.pte | (sets ? A : 0) |
					     (sets && access == W ? D : 0));
	}
}

static void changed_entries_are_not_marked(struct kunit *test)
{
	struct guest *g = test->priv;
	struct umbra_guest_walk w;
	struct rnd_state rnd;
	struct way way;

	if (g->t.ad != UMBRA_GUEST_AD_SET)
		return;
	umbra_test_seed(test, &rnd);
	do {
		make_way(test, &rnd, &way);
	} while (way.pte & A || walk(g, way.gfn, R, &w));
	g->changes = true;
	KUNIT_EXPECT_EQ(test, -ESTALE,
			umbra_guest_mark(&g->t, R, &guest_mem, g, &w));
	g->error = -EACCES;
	KUNIT_EXPECT_EQ(test, -EACCES,
			umbra_guest_mark(&g->t, R, &guest_mem, g, &w));
	KUNIT_EXPECT_EQ(test, w.fault, UMBRA_NESTED_NO_MEMORY);
	g->error = -EINTR;
	KUNIT_EXPECT_EQ(test, -EINTR,
			umbra_guest_mark(&g->t, R, &guest_mem, g, &w));
}

/* ------------------------------------------------------------ wrong tables */

/* A leaf at @level that allows all, at 0. */
static void full_way(struct guest *g, int leaf)
{
	int level;

	for (level = g->t.layout.levels - 1; level >= leaf; level--) {
		struct entry e = {
			.leaf = level == leaf, .level = level,
			.pa = level == leaf ? 0 : TABLE(level - 1),
			.r = true, .w = true, .x = true, .u = true,
			.a = true, .d = true,
		};

		write_entry(g, 0, level, encode(g->t.layout.fmt->id, &e));
	}
}

static void expect_fault(struct kunit *test, u32 fault, int level)
{
	struct guest *g = test->priv;
	struct umbra_guest_walk w;

	KUNIT_EXPECT_EQ(test, walk(g, 0, R, &w), -EACCES);
	KUNIT_EXPECT_EQ(test, w.fault, fault);
	KUNIT_EXPECT_EQ(test, w.level, level);
	KUNIT_EXPECT_EQ(test, g->reads, g->t.layout.levels - level);
}

static void absent(struct kunit *test)
{
	struct guest *g = test->priv;
	struct umbra_guest_walk w;
	int level;

	for (level = 0; level < g->t.layout.levels; level++) {
		full_way(g, 0);
		KUNIT_EXPECT_EQ(test, walk(g, 0, W, &w), 0);
		write_entry(g, 0, level, 0);
		expect_fault(test, UMBRA_NESTED_NOT_PRESENT, level);
	}
}

static void no_memory(struct kunit *test)
{
	struct guest *g = test->priv;
	struct entry e = {
		.pa = MEMORY, .r = true, .w = true, .x = true, .u = true,
	};
	int level, top = g->t.layout.levels - 1;

	for (level = 0; level < top; level++) {
		full_way(g, 0);
		write_entry(g, 0, level + 1, encode(g->t.layout.fmt->id, &e));
		expect_fault(test, UMBRA_NESTED_NO_MEMORY, level);
	}
	g->t.root = MEMORY;
	expect_fault(test, UMBRA_NESTED_NO_MEMORY, top);
	g->t.root = 0;
	g->error = -EFAULT;
	expect_fault(test, UMBRA_NESTED_NO_MEMORY, top);
	g->error = -EACCES;
	expect_fault(test, UMBRA_NESTED_NO_MEMORY, top);
}

static void other_errors_pass(struct kunit *test)
{
	static const int errors[] = { -EINTR, -ENOMEM, -EHWPOISON, -EAGAIN };
	struct guest *g = test->priv;
	struct umbra_guest_walk w;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(errors); i++) {
		g->error = errors[i];
		KUNIT_EXPECT_EQ(test, walk(g, 0, R, &w), errors[i]);
		KUNIT_EXPECT_EQ(test, w.fault, 0);
	}
}

static void addresses_past_the_limit(struct kunit *test)
{
	struct guest *g = test->priv;
	u32 fault = has_levels_of_rights(g->t.layout.fmt->id) ?
		    UMBRA_NESTED_RESERVED : UMBRA_NESTED_ADDRESS_SIZE;
	u64 high = B(GPA_BITS) >> g->t.layout.fmt->addr_shift;
	int leaf, level;

	for (leaf = 0; leaf < 2; leaf++)
		for (level = leaf; level < g->t.layout.levels; level++) {
			full_way(g, leaf);
			write_entry(g, 0, level,
				    read_entry(g, 0, level) | high);
			expect_fault(test, fault, level);
		}
}

/* An entry that is in order but for some bits. */
struct flaw {
	u32 id;
	int level;
	bool leaf;
	u64 clear;
	u64 set;
	u32 fault;
};

#define RESERVED	UMBRA_NESTED_RESERVED
#define NOT_PRESENT	UMBRA_NESTED_NOT_PRESENT
#define OK		0

static const struct flaw flaws[] = {
	{ UMBRA_FMT_X86_64, 3, false, 0, B(7), RESERVED },
	{ UMBRA_FMT_X86_64, 2, true, 0, B(13), RESERVED },
	{ UMBRA_FMT_X86_64, 1, true, 0, B(20), RESERVED },
	{ UMBRA_FMT_X86_64, 1, true, 0, B(12), OK },		/* PAT */
	{ UMBRA_FMT_X86_64, 0, true, 0, B(7), OK },		/* PAT */
	{ UMBRA_FMT_X86_64, 0, true, 0, B(8) | GENMASK_ULL(62, 52), OK },
	{ UMBRA_FMT_X86_NPT, 3, false, 0, B(7), RESERVED },
	{ UMBRA_FMT_X86_NPT, 1, true, 0, B(13), RESERVED },
	{ UMBRA_FMT_X86_EPT, 3, false, 0, B(7), RESERVED },
	{ UMBRA_FMT_X86_EPT, 2, false, 0, B(3), RESERVED },
	{ UMBRA_FMT_X86_EPT, 1, false, 0, B(6), RESERVED },
	{ UMBRA_FMT_X86_EPT, 1, false, B(0), 0, RESERVED },	/* W, not R */
	{ UMBRA_FMT_X86_EPT, 0, true, B(0), 0, RESERVED },
	{ UMBRA_FMT_X86_EPT, 0, true, B(5), 0, RESERVED },	/* type 2 */
	{ UMBRA_FMT_X86_EPT, 0, true, B(5), B(3), RESERVED },	/* 3 */
	{ UMBRA_FMT_X86_EPT, 0, true, 0, B(3), RESERVED },	/* 7 */
	{ UMBRA_FMT_X86_EPT, 0, true, B(4), B(3), OK },		/* 5 */
	{ UMBRA_FMT_X86_EPT, 1, true, 0, B(12), RESERVED },
	{ UMBRA_FMT_ARM64_S2, 0, true, B(1), 0, NOT_PRESENT },
	{ UMBRA_FMT_ARM64_S2, 3, false, B(1), 0, NOT_PRESENT },
	{ UMBRA_FMT_ARM64_S2, 1, true, 0, B(12) | B(20), OK },
	{ UMBRA_FMT_RISCV_G, 0, true, GENMASK_ULL(3, 1), 0, NOT_PRESENT },
	{ UMBRA_FMT_RISCV_G, 0, true, B(1), 0, RESERVED },	/* W, not R */
	{ UMBRA_FMT_RISCV_G, 0, true, 0, B(54), RESERVED },
	{ UMBRA_FMT_RISCV_G, 0, true, 0, B(63), RESERVED },
	{ UMBRA_FMT_RISCV_G, 1, true, 0, B(10), RESERVED },
	{ UMBRA_FMT_RISCV_G, 1, false, 0, B(4), RESERVED },
	{ UMBRA_FMT_RISCV_G, 2, false, 0, B(6), RESERVED },
	{ UMBRA_FMT_RISCV_G, 1, false, 0, B(61), RESERVED },
	{ UMBRA_FMT_POWER_RADIX, 0, true, B(62), 0, RESERVED },
	{ UMBRA_FMT_POWER_RADIX, 3, false, 0, B(62), RESERVED },
	{ UMBRA_FMT_POWER_RADIX, 2, false, 0, B(2), RESERVED },	/* size 13 */
	{ UMBRA_FMT_POWER_RADIX, 1, false, B(0), 0, RESERVED },	/* size 8 */
	{ UMBRA_FMT_POWER_RADIX, 1, true, 0, B(12), RESERVED },
	{ UMBRA_FMT_MIPS_VZ, 0, true, B(60), B(61), RESERVED },
	{ UMBRA_FMT_MIPS_VZ, 2, false, B(61), B(60), RESERVED },
	{ UMBRA_FMT_MIPS_VZ, 1, true, 0, B(6), RESERVED },
};

static void flawed_entries(struct kunit *test)
{
	struct guest *g = test->priv;
	struct umbra_guest_walk w;
	unsigned int i, nr = 0;
	const struct flaw *f;

	for (i = 0; i < ARRAY_SIZE(flaws); i++) {
		f = &flaws[i];
		if (f->id != g->t.layout.fmt->id ||
		    f->level >= g->t.layout.levels)
			continue;
		nr++;
		full_way(g, f->leaf ? f->level : 0);
		write_entry(g, 0, f->level,
			    (read_entry(g, 0, f->level) & ~f->clear) | f->set);
		if (f->fault)
			expect_fault(test, f->fault, f->level);
		else
			KUNIT_EXPECT_EQ(test, walk(g, 0, R, &w), 0);
	}
	KUNIT_EXPECT_GT(test, nr, 0);
}

/* Tables that are their own tables. */
static void loops_end(struct kunit *test)
{
	struct guest *g = test->priv;
	struct umbra_guest_walk w;
	int level;

	full_way(g, 0);
	for (level = 1; level < g->t.layout.levels; level++) {
		struct entry e = {
			.pa = 0, .r = true, .w = true, .x = true, .u = true,
		};

		write_entry(g, 0, level, encode(g->t.layout.fmt->id, &e));
	}
	walk(g, 0, R, &w);
	KUNIT_EXPECT_EQ(test, g->reads, g->t.layout.levels);
	KUNIT_EXPECT_EQ(test, w.level, 0);
}

static void rubbish(struct kunit *test)
{
	struct guest *g = test->priv;
	struct umbra_guest_walk w;
	struct rnd_state rnd;
	unsigned int i;
	int ret;

	umbra_test_seed(test, &rnd);
	for (i = 0; i < 2000; i++) {
		prandom_bytes_state(&rnd, g->memory, PAGE_SIZE);
		ret = walk(g, random_gfn(test, &rnd), BIT(i % 3), &w);
		KUNIT_ASSERT_EQ(test, ret, w.fault ? -EACCES : 0);
		KUNIT_ASSERT_LE(test, w.fault, UMBRA_NESTED_NO_MEMORY);
		KUNIT_ASSERT_GE(test, w.level, 0);
		KUNIT_ASSERT_LE(test, g->reads, g->t.layout.levels);
		KUNIT_ASSERT_TRUE(test, ret || PFN_PHYS(w.gfn) < B(GPA_BITS));
	}
}

static void roots_are_checked(struct kunit *test)
{
	const struct param *p = test->param_value;
	struct guest *g = test->priv;
	u64 size = max_t(u64, BIT_ULL(g->t.layout.root_bits) * sizeof(u64),
			 p->fmt->root_varies ? 0 : PAGE_SIZE);
	struct umbra_guest_table t;

	KUNIT_EXPECT_EQ(test, 0,
			umbra_guest_table_init(&t, p->fmt, size, p->bits,
					       GPA_BITS, p->ad, p->user));
	KUNIT_EXPECT_EQ(test, -EINVAL,
			umbra_guest_table_init(&t, p->fmt, size / 2, p->bits,
					       GPA_BITS, p->ad, p->user));
	KUNIT_EXPECT_EQ(test, -EINVAL,
			umbra_guest_table_init(&t, p->fmt, B(GPA_BITS), p->bits,
					       GPA_BITS, p->ad, p->user));
	if (is_x86(p->fmt->id))
		KUNIT_EXPECT_EQ(test, -EOPNOTSUPP,
				umbra_guest_table_init(&t, p->fmt, 0, p->bits,
						       GPA_BITS, UMBRA_AD_SW,
						       p->user));
	if (p->fmt->id == UMBRA_FMT_MIPS_VZ)
		KUNIT_EXPECT_EQ(test, -EOPNOTSUPP,
				umbra_guest_table_init(&t, p->fmt, 0, p->bits,
						       GPA_BITS, UMBRA_AD_HW,
						       p->user));
}

static struct kunit_case guest_walk_cases[] = {
	KUNIT_CASE_PARAM(walks_agree, guest_gen_params),
	KUNIT_CASE_PARAM(accesses_mark, guest_gen_params),
	KUNIT_CASE_PARAM(changed_entries_are_not_marked, guest_gen_params),
	KUNIT_CASE_PARAM(absent, guest_gen_params),
	KUNIT_CASE_PARAM(no_memory, guest_gen_params),
	KUNIT_CASE_PARAM(other_errors_pass, guest_gen_params),
	KUNIT_CASE_PARAM(addresses_past_the_limit, guest_gen_params),
	KUNIT_CASE_PARAM(flawed_entries, guest_gen_params),
	KUNIT_CASE_PARAM(loops_end, guest_gen_params),
	KUNIT_CASE_PARAM(rubbish, guest_gen_params),
	KUNIT_CASE_PARAM(roots_are_checked, guest_gen_params),
	{}
};

static struct kunit_suite guest_walk_suite = {
	.name		= "umbra_guest_walk",
	.init		= guest_init,
	.test_cases	= guest_walk_cases,
};

kunit_test_suite(guest_walk_suite);
