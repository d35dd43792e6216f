// SPDX-License-Identifier: GPL-2.0-only
/*
 * Walking a table that a guest has written into its own memory.
 */
#include "guest_walk.h"

int umbra_guest_table_init(struct umbra_guest_table *t,
			   const struct umbra_fmt *fmt, gpa_t root,
			   unsigned int addr_bits, unsigned int gpa_bits,
			   enum umbra_ad ad, bool user)
{
	const struct umbra_guest_bits *b = &fmt->guest;
	u64 size;

	umbra_layout_size(&t->layout, fmt, addr_bits);
	t->layout.bits = NULL;
	t->root = root;
	t->limit = BIT_ULL(gpa_bits);
	t->user = b->user_optional && !user ? 0 : b->user;
	t->ad = b->ad[ad];
	if (!t->ad)
		return -EOPNOTSUPP;
	size = umbra_table_entries(&t->layout, t->layout.levels - 1) *
	       sizeof(u64);
	if (size < PAGE_SIZE && !fmt->root_varies)
		size = PAGE_SIZE;
	return root % size || root >= t->limit ? -EINVAL : 0;
}

/* An error of the memory that the table lies in, at the level of @w. */
static int no_access(struct umbra_guest_walk *w, int error)
{
	if (error != -ENOENT && error != -EFAULT && error != -EACCES)
		return error;
	w->fault = UMBRA_NESTED_NO_MEMORY;
	return -EACCES;
}

static bool is_table(const struct umbra_guest_bits *b, u64 entry, int level)
{
	return level && (entry & b->table_mask) == b->table;
}

static bool may_be_leaf(const struct umbra_guest_bits *b, u64 entry, int level)
{
	return b->leaf_levels & BIT(level) &&
	       (level || !b->page || entry & b->page);
}

/* Is the present entry in order? Returns UMBRA_NESTED_* or 0. */
static u32 check(const struct umbra_guest_table *t, u64 entry, int level,
		 bool table)
{
	const struct umbra_guest_bits *b = &t->layout.fmt->guest;
	gpa_t pa = umbra_entry_pa(&t->layout, entry);
	unsigned int i;

	if (!table && !may_be_leaf(b, entry, level))
		return b->misplaced;
	if (entry & b->reserved[table])
		return UMBRA_NESTED_RESERVED;
	if (table && (entry & b->table_need_mask) != b->table_need)
		return UMBRA_NESTED_RESERVED;
	for (i = 0; i < ARRAY_SIZE(b->bad) && b->bad[i].mask; i++)
		if ((entry & b->bad[i].mask) == b->bad[i].value)
			return UMBRA_NESTED_RESERVED;
	if (!table && pa % PFN_PHYS(umbra_level_span(level)) &
		      ~b->block_ignored)
		return UMBRA_NESTED_RESERVED;
	return pa < t->limit ? 0 : b->too_high;
}

/* The rights that one entry gives. */
static u32 rights(const struct umbra_guest_table *t, u64 entry)
{
	const struct umbra_guest_bits *b = &t->layout.fmt->guest;
	unsigned int i;
	u32 given = 0;

	if ((entry & t->user) != t->user)
		return 0;
	for (i = 0; i < ARRAY_SIZE(b->right); i++)
		if (!(entry & b->right[i].mask) == b->right[i].clear)
			given |= BIT(i);
	return given;
}

/*
 * May the leaf be used? Old comes before rights, as on Arm and MIPS; on RISC-V,
 * where it comes after, both are the same exception.
 */
static u32 judge(const struct umbra_guest_table *t, u32 pte, u32 access)
{
	bool fault = t->ad == UMBRA_GUEST_AD_FAULT;

	if (fault && !(pte & UMBRA_PTE_YOUNG))
		return UMBRA_NESTED_ACCESS_FLAG;
	if (!(pte & access))
		return UMBRA_NESTED_RIGHTS;
	if (fault && access == UMBRA_PTE_WRITE && !(pte & UMBRA_PTE_DIRTY))
		return UMBRA_NESTED_ACCESS_FLAG;
	return 0;
}

/* A and D of the leaf @entry. */
static u32 state(const struct umbra_guest_table *t, u64 entry)
{
	const struct umbra_guest_bits *b = &t->layout.fmt->guest;
	bool any = t->ad == UMBRA_GUEST_AD_IGNORE;

	return (any || entry & b->young ? UMBRA_PTE_YOUNG : 0) |
	       (any || entry & b->dirty ? UMBRA_PTE_DIRTY : 0);
}

int umbra_guest_walk(const struct umbra_guest_table *t, gfn_t gfn, u32 access,
		     const struct umbra_guest_mem *mem, void *ctx,
		     struct umbra_guest_walk *w)
{
	const struct umbra_layout *l = &t->layout;
	const struct umbra_guest_bits *b = &l->fmt->guest;
	u32 given = UMBRA_PTE_READ | UMBRA_PTE_WRITE | UMBRA_PTE_EXEC;
	gpa_t base = t->root;
	bool table = true;
	u64 word, entry;
	int ret;

	w->fault = 0;
	for (w->level = l->levels; table; base = umbra_entry_pa(l, entry)) {
		gpa_t at;

		w->level--;
		at = base + umbra_table_index(l, gfn, w->level) * sizeof(u64);
		w->gpa[w->level] = at;
		ret = mem->read(ctx, at, &word);
		if (ret)
			return no_access(w, ret);
		entry = umbra_entry_swap(l, word);
		w->entry[w->level] = entry;

		table = is_table(b, entry, w->level);
		if (!(entry & b->present))
			w->fault = UMBRA_NESTED_NOT_PRESENT;
		else
			w->fault = check(t, entry, w->level, table);
		if (w->fault)
			return -EACCES;
		if (!table || b->hierarchical)
			given &= rights(t, entry);
	}
	w->gfn = ALIGN_DOWN(PHYS_PFN(base), umbra_level_span(w->level)) +
		 (gfn & (umbra_level_span(w->level) - 1));
	w->pte = given | state(t, entry);
	w->fault = judge(t, w->pte, access);
	return w->fault ? -EACCES : 0;
}

int umbra_guest_mark(const struct umbra_guest_table *t, u32 access,
		     const struct umbra_guest_mem *mem, void *ctx,
		     struct umbra_guest_walk *w)
{
	const struct umbra_layout *l = &t->layout;
	const struct umbra_guest_bits *b = &l->fmt->guest;
	int level, ret;

	if (t->ad != UMBRA_GUEST_AD_SET)
		return 0;
	for (level = l->levels - 1; level >= w->level; level--) {
		u64 old = w->entry[level], new = old;

		if (level > w->level)
			new |= b->table_young;
		else
			new |= b->young |
			       (access == UMBRA_PTE_WRITE ? b->dirty : 0);
		if (new == old)
			continue;
		ret = mem->exchange(ctx, w->gpa[level],
				   umbra_entry_swap(l, old),
				   umbra_entry_swap(l, new));
		if (ret && ret != -ESTALE) {
			w->level = level;
			return no_access(w, ret);
		}
		if (ret)
			return ret;
		w->entry[level] = new;
	}
	w->pte |= state(t, w->entry[w->level]);
	return 0;
}
