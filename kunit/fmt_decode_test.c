// SPDX-License-Identifier: GPL-2.0-only
/*
 * Formats that no processor at hand walks, read by decoders of their own.
 *
 * They are written from the field tables of the manuals and share nothing with
 * src/fmt/. What the hardware would not take is FLAWED: a reserved bit that is
 * set, a combination that is no configuration. Software bits are skipped.
 */
#include <asm/byteorder.h>

#include "attrs.h"
#include "rng.h"
#include "table.h"

enum kind { ABSENT, TABLE, LEAF, FLAWED };

/* struct decoded - what an entry means to the hardware */
struct decoded {
	enum kind kind;
	u64 pa;
	unsigned int width;	/* TABLE: log2 of its entries */
	umbra_leaf_t attrs;	/* LEAF: R, W, X, A, D */
};

/* Bits @high to @low, numbered from the least significant one. */
static u64 bits(u64 entry, unsigned int high, unsigned int low)
{
	return entry << (63 - high) >> (63 - high + low);
}

/* The same numbered from the most significant one, as IBM does. */
static u64 ibm_bits(u64 entry, unsigned int first, unsigned int last)
{
	return bits(entry, 63 - first, 63 - last);
}

/* The address bits below a leaf's size have to be 0. */
static bool aligned(u64 pa, int level)
{
	return !(pa % (4096ULL << 9 * level));
}

/*
 * Intel Software Developer's Manual, volume 3C, "EPT Translation Mechanism" and
 * "EPT Misconfigurations"; the tables are named by their titles. 52 bits of
 * physical address.
 */
static struct decoded decode_ept(u64 e, int level)
{
	struct decoded d = { .kind = FLAWED };

	/* Not present if bits 2:0 are all 0; the other bits are ignored. */
	if (!bits(e, 2, 0))
		return (struct decoded){ .kind = ABSENT };
	/* Misconfigured: bit 0 (read) clear, bit 1 (write) or 2 (fetch) set. */
	if (!bits(e, 0, 0))
		return d;
	d.pa = bits(e, 51, 12) << 12;

	/* "EPT PML5E", "PML4E", and "PDPTE", "PDE that References ...". */
	if (level && !bits(e, 7, 7)) {
		/* 6:3 reserved; 8 accessed; 9, 11 and 63:52 ignored. */
		if (bits(e, 6, 3))
			return d;
		/* All that is below can be written and executed. */
		if (bits(e, 2, 0) != 7)
			return d;
		d.kind = TABLE;
		d.width = 9;
		return d;
	}

	/*
	 * "EPT PTE that Maps a 4-KByte Page", "PDE ... 2-MByte", "PDPTE ...
	 * 1-GByte": 7 is 1 but in a PTE, where it is ignored; reserved above.
	 */
	if (level > 2)
		return d;
	/* 5:3 memory type, 6 being write-back; 6 ignore PAT; 29:12 reserved. */
	if (bits(e, 5, 3) != 6 || bits(e, 6, 6) || !aligned(d.pa, level))
		return d;
	d.kind = LEAF;
	d.attrs = R |
		  (bits(e, 1, 1) ? W : 0) |	/* 1: write access */
		  (bits(e, 2, 2) ? X : 0) |	/* 2: execute access */
		  (bits(e, 8, 8) ? A : 0) |	/* 8: accessed */
		  (bits(e, 9, 9) ? D : 0);	/* 9: dirty */
	return d;
}

/* Power ISA 3.0B, book III, sections 5.7.10.1 (PDE) and 5.7.10.2 (PTE). */
static struct decoded decode_power(u64 e, int level)
{
	struct decoded d = { .kind = FLAWED };

	/* 0: valid. */
	if (!ibm_bits(e, 0, 0))
		return (struct decoded){ .kind = ABSENT };

	/* 1: leaf. */
	if (!ibm_bits(e, 1, 1)) {
		/* 2:3 and 56:58 reserved; 4:55 next level base, 59:63 size. */
		if (!level || ibm_bits(e, 2, 3) || ibm_bits(e, 56, 58))
			return d;
		d.width = ibm_bits(e, 59, 63);
		d.pa = ibm_bits(e, 4, 55) << 8;
		/* At least 5, and the base is aligned to the size. */
		if (d.width < 5 || d.pa % (8ULL << d.width))
			return d;
		d.kind = TABLE;
		return d;
	}

	/* 2 and 52:54 software; 3:6 and 57 reserved; 7:51 RPN. */
	d.pa = ibm_bits(e, 7, 51) << 12;
	if (ibm_bits(e, 3, 6) || ibm_bits(e, 57, 57) || !aligned(d.pa, level))
		return d;
	/* 58:59 attributes: 0 is normal memory. */
	if (ibm_bits(e, 58, 59))
		return d;
	/* 60:63 encoded access authority: 60 privileged only, 61 read. */
	if (ibm_bits(e, 60, 60) || !ibm_bits(e, 61, 61))
		return d;
	d.kind = LEAF;
	d.attrs = R |
		  (ibm_bits(e, 62, 62) ? W : 0) |	/* 62: read and write */
		  (ibm_bits(e, 63, 63) ? X : 0) |	/* 63: execute */
		  (ibm_bits(e, 55, 55) ? A : 0) |	/* 55: reference */
		  (ibm_bits(e, 56, 56) ? D : 0);	/* 56: change */
	return d;
}

/*
 * MIPS64 Architecture for Programmers, volume III, "EntryLo0, EntryLo1", with
 * read and execute inhibit and large physical addresses.
 */
static struct decoded decode_mips(u64 e, int level)
{
	struct decoded d = { .kind = FLAWED };

	/* 1 V: else the access raises TLB Invalid. */
	if (!bits(e, 1, 1))
		return (struct decoded){ .kind = ABSENT };
	/* 63 RI: a load raises an exception. 0 G: of no address space. */
	if (bits(e, 63, 63) || !bits(e, 0, 0))
		return d;
	/* 5:3 C: 3 is cacheable. 29:6 PFN, with PFNX above. 61:54 not written. */
	d.pa = bits(e, 53, 6) << 12;
	if (bits(e, 5, 3) != 3 || !aligned(d.pa, level))
		return d;
	d.kind = LEAF;
	d.attrs = R |
		  (bits(e, 2, 2) ? W : 0) |	/* 2 D: else TLB Modified */
		  (bits(e, 62, 62) ? 0 : X);	/* 62 XI: a fetch is inhibited */
	return d;
}

/* struct manual - a format as its manual has it */
static const struct manual {
	const struct umbra_fmt *fmt;
	enum umbra_ad ad;
	struct decoded (*decode)(u64 entry, int level);
	unsigned int gpa_bits;
	unsigned int levels;		/* of tables; 0: software walks them */
	unsigned int root_width;	/* log2 of the root's entries */
	bool big_endian;
	u64 last_pa;			/* the last page that an entry can map */
} manuals[] = {
	{ &umbra_fmt_x86_ept, UMBRA_AD_HW, decode_ept, 48, 4, 9, false,
	  0x000ffffffffff000 },
	{ &umbra_fmt_x86_ept, UMBRA_AD_HW, decode_ept, 52, 5, 9, false,
	  0x000ffffffffff000 },
	{ &umbra_fmt_x86_ept, UMBRA_AD_SW, decode_ept, 48, 4, 9, false,
	  0x000ffffffffff000 },
	{ &umbra_fmt_power_radix, UMBRA_AD_HW, decode_power, 52, 4, 13, true,
	  0x01fffffffffff000 },
	{ &umbra_fmt_power_radix, UMBRA_AD_SW, decode_power, 52, 4, 13, true,
	  0x01fffffffffff000 },
	{ &umbra_fmt_mips_vz, UMBRA_AD_SW, decode_mips, 48, 0, 0, false,
	  0x0ffffffffffff000 },
};

static void manual_desc(const struct manual *m, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s, %u bits, %s A/D",
		 m->fmt->name, m->gpa_bits,
		 m->ad == UMBRA_AD_HW ? "hardware" : "software");
}

KUNIT_ARRAY_PARAM(manual, manuals, manual_desc);

static struct umbra_layout manual_layout(struct kunit *test)
{
	const struct manual *m = test->param_value;
	struct umbra_layout l;

	KUNIT_ASSERT_EQ(test, 0, umbra_layout_init(&l, m->fmt, m->gpa_bits,
						   m->ad));
	return l;
}

/* Does the hardware see of an entry what umbra meant by @leaf? */
static bool means(const struct manual *m, const struct decoded *d,
		  umbra_leaf_t leaf)
{
	umbra_leaf_t attrs = leaf & UMBRA_LEAF_ATTRS, compared = ~0ULL;

	if (m->ad == UMBRA_AD_SW) {
		if (!(attrs & A))
			return d->kind == ABSENT;
		if (!(attrs & D))
			attrs &= ~(umbra_leaf_t)W;
		compared = R | W | X;
	}
	return d->kind == LEAF && d->pa == umbra_leaf_pa(leaf) &&
	       !((d->attrs ^ attrs) & compared);
}

static void leaves_mean_what_they_should(struct kunit *test)
{
	const struct manual *m = test->param_value;
	struct umbra_layout l = manual_layout(test);
	umbra_leaf_t attrs;
	unsigned int i;
	int level;

	for (level = 0; level < 3; level++) {
		u64 size = 4096ULL << 9 * level;
		u64 pa[] = { 0, size, m->last_pa & -size };

		if (!(l.fmt->leaf_levels & BIT(level)))
			continue;
		for (i = 0; i < ARRAY_SIZE(pa); i++)
			for (attrs = 0; attrs <= ATTRS; attrs += W) {
				umbra_leaf_t leaf = pa[i] | attrs | R;
				u64 entry = umbra_make_leaf(&l, leaf, level);
				struct decoded d = m->decode(entry, level);

				KUNIT_EXPECT_TRUE_MSG(test, means(m, &d, leaf),
						      "level %d, leaf %#llx, entry %#llx",
						      level, leaf, entry);
			}
	}
	for (level = 0; level < l.levels; level++)
		KUNIT_EXPECT_EQ(test, ABSENT, m->decode(0, level).kind);
}

/* Walk to @gpa in memory as the hardware would. *@level is where it ended. */
static struct decoded hardware_walk(const struct manual *m, const void *root,
				    u64 gpa, int *level)
{
	struct decoded d = { .pa = __pa(root), .width = m->root_width };
	unsigned int shift = 12 + 9 * (m->levels - 1);	/* of the root's index */

	for (*level = m->levels - 1; ; (*level)--) {
		const u64 *table = __va(d.pa);
		u64 index = gpa >> shift & (BIT_ULL(d.width) - 1);
		u64 entry = m->big_endian ?
			    be64_to_cpu(((const __be64 *)table)[index]) :
			    le64_to_cpu(((const __le64 *)table)[index]);

		d = m->decode(entry, *level);
		if (d.kind != TABLE)
			return d;
		shift -= d.width;
	}
}

/* The first page that a random leaf of @level maps, in one of few places. */
static gfn_t random_gfn(const struct manual *m, struct rnd_state *rnd, int level)
{
	gfn_t gfn = (u64)umbra_test_below(rnd, 4) << (m->gpa_bits - 14);

	return (gfn + umbra_test_below(rnd, 1 << 20)) & -umbra_level_span(level);
}

#define WALKS	2000

static void walks_end_where_they_should(struct kunit *test)
{
	const struct manual *m = test->param_value;
	struct umbra_layout l = manual_layout(test);
	struct umbra_test_table t;
	struct rnd_state rnd;
	unsigned int i;

	if (!m->levels)
		return;		/* only leaves reach a register */
	KUNIT_ASSERT_EQ(test, 0, umbra_test_table_init(&t, &l));
	umbra_test_seed(test, &rnd);
	for (i = 0; i < WALKS; i++) {
		int level = umbra_test_below(&rnd, 3), at;
		gfn_t gfn = random_gfn(m, &rnd, level);
		umbra_leaf_t leaf = umbra_test_leaf(gfn, umbra_test_below(&rnd, 16) << 1);
		struct decoded d;

		/* Some find another size there, and change nothing. */
		umbra_test_map_one(test, &t, gfn, level, leaf);
		gfn = random_gfn(m, &rnd, level % 2 ? 0 : level);
		leaf = umbra_pgtable_lookup(&t.pgt, gfn, &at);
		d = hardware_walk(m, t.pgt.root, gfn << 12, &level);
		KUNIT_ASSERT_EQ(test, level, at);
		if (leaf)
			KUNIT_ASSERT_TRUE(test, means(m, &d, leaf));
		else
			KUNIT_ASSERT_EQ(test, ABSENT, d.kind);
	}
	umbra_test_table_exit(test, &t);
}

static struct kunit_case fmt_decode_cases[] = {
	KUNIT_CASE_PARAM(leaves_mean_what_they_should, manual_gen_params),
	KUNIT_CASE_PARAM(walks_end_where_they_should, manual_gen_params),
	{}
};

static struct kunit_suite fmt_decode_suite = {
	.name		= "umbra_fmt_decode",
	.test_cases	= fmt_decode_cases,
};

kunit_test_suite(fmt_decode_suite);
