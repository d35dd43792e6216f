// SPDX-License-Identifier: GPL-2.0-only
/*
 * Nested contexts while they are in use.
 */
#include <linux/log2.h>
#include <linux/overflow.h>
#include <linux/sched.h>

#include "nested_update.h"

/* ------------------------------------------------------ who comes and goes */

static struct umbra_nested *find(struct umbra_vm *vm, u32 id)
{
	struct umbra_nested *n = vm->nested[id % UMBRA_MAX_NESTED];

	lockdep_assert_held(&vm->nested_lock);
	return n && n->id == id ? n : NULL;
}

static struct umbra_nested *find_same(struct umbra_vm *vm,
				      const struct umbra_nested *like)
{
	struct umbra_nested *n;

	list_for_each_entry(n, &vm->nested_lru, lru)
		if (n->guest.root == like->guest.root &&
		    n->guest.layout.fmt == like->guest.layout.fmt &&
		    n->gfn_limit == like->gfn_limit &&
		    n->vmid == like->vmid && n->flags == like->flags)
			return n;
	return NULL;
}

/* Nobody is inside, and nobody can enter any more. */
static void drop(struct umbra_vm *vm, struct umbra_nested *n)
{
	lockdep_assert_held(&vm->nested_lock);

	list_del(&n->lru);
	spin_lock(&vm->zap_lock);
	umbra_gather_range(&n->gather, 0, n->gfn_limit, ~0UL);
	umbra_flush(vm, &n->gather);
	/* From here on items of the reverse map that mean it are stale. */
	vm->nested[n->id % UMBRA_MAX_NESTED] = NULL;
	spin_unlock(&vm->zap_lock);
	WRITE_ONCE(vm->nr_nested, vm->nr_nested - 1);
	umbra_nested_free(n);
}

/* Give @n a place, for which another may have to go, and a number. */
static int settle(struct umbra_vm *vm, struct umbra_nested *n)
{
	struct umbra_nested *old;
	unsigned int place;

	for (place = 0; place < UMBRA_MAX_NESTED; place++)
		if (!vm->nested[place])
			break;
	if (place == UMBRA_MAX_NESTED) {
		list_for_each_entry(old, &vm->nested_lru, lru)
			if (!old->users)
				break;
		if (list_entry_is_head(old, &vm->nested_lru, lru))
			return -EBUSY;
		place = old->id % UMBRA_MAX_NESTED;
		drop(vm, old);
	}

	do {
		vm->nested_ids += UMBRA_MAX_NESTED;
		n->id = vm->nested_ids + place;
	} while (!n->id);
	umbra_gather_init_tag(&n->gather, n->id);
	spin_lock(&vm->zap_lock);
	vm->nested[place] = n;
	spin_unlock(&vm->zap_lock);
	list_add_tail(&n->lru, &vm->nested_lru);
	WRITE_ONCE(vm->nr_nested, vm->nr_nested + 1);
	/* Whoever did not see it, and so did not publish a change, has done. */
	if (vm->nr_nested == 1)
		synchronize_srcu_expedited(&vm->srcu);
	return 0;
}

/* Describe the guest's table, if there can be such a table. */
static int describe(struct umbra_vm *vm, const struct umbra_create_nested *cmd,
		    struct umbra_guest_table *guest)
{
	const struct umbra_fmt *fmt = umbra_fmt_get_guest(cmd->format);
	u32 bits = cmd->addr_bits;

	if (!fmt)
		return -EOPNOTSUPP;
	if (bits < fmt->gpa_bits_min || bits > fmt->gpa_bits_max ||
	    bits > vm->pgt.layout.fmt->gpa_bits_max)
		return -EINVAL;
	return umbra_guest_table_init(guest, fmt, cmd->root, bits,
				      PAGE_SHIFT + ilog2(vm->gfn_limit),
				      cmd->flags & UMBRA_NESTED_SOFT_AD ?
				      UMBRA_AD_SW : UMBRA_AD_HW,
				      cmd->flags & UMBRA_NESTED_USER);
}

int umbra_nested_create(struct umbra_vm *vm, struct umbra_create_nested *cmd)
{
	struct umbra_guest_table guest;
	struct umbra_nested *n, *same;
	int ret = describe(vm, cmd, &guest);

	if (ret)
		return ret;
	n = umbra_fail(&vm->hold, UMBRA_POINT_ALLOC) ? NULL :
	    umbra_nested_alloc(&guest, cmd->addr_bits, vm->pgt.layout.fmt);
	if (!n)
		return -ENOMEM;
	n->vmid = cmd->vmid;
	n->flags = cmd->flags;

	if (mutex_lock_interruptible(&vm->nested_lock)) {
		umbra_nested_free(n);
		return -EINTR;
	}
	same = find_same(vm, n);
	if (same)
		list_move_tail(&same->lru, &vm->nested_lru);
	else
		ret = settle(vm, n);
	if (!ret)
		cmd->context = same ? same->id : n->id;
	mutex_unlock(&vm->nested_lock);
	if (same || ret)
		umbra_nested_free(n);
	return ret;
}

int umbra_nested_destroy(struct umbra_vm *vm, u32 id)
{
	struct umbra_nested *n;
	int ret = 0;

	if (mutex_lock_interruptible(&vm->nested_lock))
		return -EINTR;
	n = find(vm, id);
	if (!n)
		ret = -ENOENT;
	else if (n->users)
		ret = -EBUSY;
	else
		drop(vm, n);
	mutex_unlock(&vm->nested_lock);
	return ret;
}

struct umbra_nested *umbra_nested_enter(struct umbra_vm *vm, u32 id)
{
	struct umbra_nested *n;

	if (mutex_lock_interruptible(&vm->nested_lock))
		return ERR_PTR(-EINTR);
	n = find(vm, id);
	if (n) {
		n->users++;
		list_move_tail(&n->lru, &vm->nested_lru);
	}
	mutex_unlock(&vm->nested_lock);
	return n ?: ERR_PTR(-ENOENT);
}

void umbra_nested_leave(struct umbra_vm *vm, struct umbra_nested *n)
{
	if (!n)
		return;
	mutex_lock(&vm->nested_lock);
	n->users--;
	mutex_unlock(&vm->nested_lock);
}

void umbra_nested_count(struct umbra_vm *vm, u64 *contexts, u64 *leaves)
{
	struct umbra_nested *n;
	u64 sum = 0;

	mutex_lock(&vm->nested_lock);
	*contexts = vm->nr_nested;
	list_for_each_entry(n, &vm->nested_lru, lru)
		sum += atomic_long_read(&n->pgt.nr_leaves);
	mutex_unlock(&vm->nested_lock);
	*leaves = sum;
}

/* --------------------------------------------------- what the guest demands */

static void nested_leaf_gone(void *ctx, gfn_t gfn, u64 nr, umbra_leaf_t old,
			     umbra_leaf_t new)
{
	struct umbra_vm *vm = ctx;

	umbra_stat_inc(vm, nested_unmapped);
}

static bool should_yield(void *ctx)
{
	struct umbra_vm *vm = ctx;

	return need_resched() || spin_needbreak(&vm->zap_lock);
}

static const struct umbra_leaf_ops zap_ops = {
	.leaf = nested_leaf_gone, .stop = should_yield,
};

static void unmap(struct umbra_vm *vm, struct umbra_nested *n, gfn_t start,
		  gfn_t end)
{
	gfn_t next = start;
	bool done;

	do {
		spin_lock(&vm->zap_lock);
		done = umbra_pgtable_unmap(&n->pgt, start, end, &next,
					   &n->gather, &zap_ops, vm);
		umbra_flush(vm, &n->gather);
		spin_unlock(&vm->zap_lock);
		cond_resched();
	} while (!done);
}

/* First page of the largest leaf of the guest's table that @gfn came from. */
static gfn_t block_base(struct umbra_nested *n, gfn_t gfn, int *level)
{
	gfn_t base;

	for (*level = n->guest.layout.levels - 1; *level; (*level)--) {
		base = ALIGN_DOWN(gfn, umbra_level_span(*level));
		if (xa_load(&n->blocks, base | *level))
			return base;
	}
	return gfn;
}

/*
 * The guest names an address. What it means is the leaf of its table that is
 * there, which may have taken many leaves of the shadow.
 */
static void widen(struct umbra_nested *n, gfn_t *start, gfn_t *end, int level)
{
	gfn_t base;

	if (level >= 0) {
		*start = ALIGN_DOWN(*start, umbra_level_span(level));
		*end = ALIGN(*end, umbra_level_span(level));
		return;
	}
	base = block_base(n, *end - 1, &level);
	*end = max(*end, base + umbra_level_span(level));
	*start = block_base(n, *start, &level);
}

static void forget_blocks(struct umbra_nested *n, gfn_t start, gfn_t end)
{
	unsigned long index;
	void *entry;

	xa_for_each_range(&n->blocks, index, entry, start, end - 1)
		xa_erase(&n->blocks, index);
}

void umbra_nested_zap(struct umbra_vm *vm, struct umbra_nested *n, gfn_t start,
		      gfn_t end, int level)
{
	/*
	 * From here on nobody installs what was read before, nor anything in a
	 * table that is being taken out.
	 */
	write_lock(&vm->mmu_lock);
	n->zapping++;
	write_unlock(&vm->mmu_lock);

	end = min(end, n->gfn_limit);
	widen(n, &start, &end, level);
	end = min(end, n->gfn_limit);
	forget_blocks(n, start, end);
	unmap(vm, n, start, end);

	write_lock(&vm->mmu_lock);
	n->zapping--;
	/*
	 * What the guest has written is visible to whoever reads the new number.
	 * Pairs with try_run() in nested_fault.c.
	 */
	smp_store_release(&n->seq, n->seq + 1);
	write_unlock(&vm->mmu_lock);
	wake_up_all(&vm->inv.wq);
}

/* The parts of @cmd in pages. Returns false if a field is wrong. */
static bool range_of(const struct umbra_invalidate_nested *cmd,
		     struct umbra_range *range, int *level)
{
	u32 shift = cmd->leaf_shift;
	u64 end;

	if (cmd->pad || !PAGE_ALIGNED(cmd->gpa) || !PAGE_ALIGNED(cmd->length) ||
	    (!cmd->length && (cmd->gpa || shift)) ||
	    check_add_overflow(cmd->gpa, cmd->length, &end))
		return false;
	range->start = PHYS_PFN(cmd->gpa);
	range->end = cmd->length ? PHYS_PFN(end) : ~0ULL;
	*level = -1;
	if (!shift)
		return true;
	if (shift < PAGE_SHIFT || (shift - PAGE_SHIFT) % UMBRA_TABLE_BITS)
		return false;
	*level = (shift - PAGE_SHIFT) / UMBRA_TABLE_BITS;
	return *level < UMBRA_MAX_LEVELS;
}

int umbra_nested_invalidate(struct umbra_vm *vm,
			    const struct umbra_invalidate_nested *cmd)
{
	bool by_vmid = cmd->flags & UMBRA_INVALIDATE_VMID;
	struct umbra_range range;
	struct umbra_nested *n;
	int level, ret = 0;

	if (!range_of(cmd, &range, &level) ||
	    (by_vmid ? cmd->context : cmd->vmid))
		return -EINVAL;
	if (mutex_lock_interruptible(&vm->nested_lock))
		return -EINTR;
	if (!by_vmid) {
		n = find(vm, cmd->context);
		if (!n)
			ret = -ENOENT;
		else if (range.start >= n->gfn_limit ||
			 (cmd->length && range.end > n->gfn_limit))
			ret = -EINVAL;
		else
			umbra_nested_zap(vm, n, range.start, range.end, level);
	} else {
		list_for_each_entry(n, &vm->nested_lru, lru)
			if (n->vmid == cmd->vmid && range.start < n->gfn_limit)
				umbra_nested_zap(vm, n, range.start, range.end,
						 level);
	}
	mutex_unlock(&vm->nested_lock);
	return ret;
}

/* ----------------------------------------------------- what stage 2 demands */

struct follow {
	struct umbra_vm *vm;
	gfn_t gfn;
	umbra_leaf_t old;
	umbra_leaf_t new;
};

static void nested_leaf_changed(void *ctx, gfn_t gfn, u64 nr, umbra_leaf_t old,
				umbra_leaf_t new)
{
	const struct follow *f = ctx;

	if (!new)
		umbra_stat_inc(f->vm, nested_unmapped);
}

static const struct umbra_leaf_ops follow_ops = { .leaf = nested_leaf_changed };

/*
 * The context of an item, if its leaf is there and maps the page at @pa. It
 * stays so under zap_lock: a leaf goes only under it, and is never replaced.
 */
static struct umbra_nested *item_leaf(struct umbra_vm *vm, u64 item, int level,
				      phys_addr_t pa)
{
	struct umbra_nested *n = vm->nested[umbra_rmap_slot(item)];
	umbra_leaf_t leaf;
	int at;

	lockdep_assert_held(&vm->zap_lock);

	if (!n || umbra_rmap_gfn(item) >= n->gfn_limit)
		return NULL;
	leaf = umbra_pgtable_lookup(&n->pgt, umbra_rmap_gfn(item), &at);
	return leaf && at == level && umbra_leaf_pa(leaf) == pa ? n : NULL;
}

static bool follow_item(void *ctx, gfn_t gfn, int level, u64 item)
{
	struct follow *f = ctx;
	phys_addr_t pa = umbra_leaf_pa(f->old) + PFN_PHYS(gfn - f->gfn);
	struct umbra_nested *n = item_leaf(f->vm, item, level, pa);
	gfn_t start = umbra_rmap_gfn(item), next = start;
	gfn_t end = start + umbra_level_span(level);

	if (!n)
		return false;
	if (f->new)
		umbra_pgtable_clear(&n->pgt, start, end,
				    f->old & ~f->new & UMBRA_LEAF_ATTRS,
				    &n->gather, &follow_ops, f);
	else
		umbra_pgtable_unmap(&n->pgt, start, end, &next, &n->gather,
				    &follow_ops, f);
	if (list_empty(&n->unflushed))
		list_add(&n->unflushed, &f->vm->nested_unflushed);
	return f->new;
}

void umbra_nested_follow(struct umbra_vm *vm, gfn_t gfn, u64 nr,
			 umbra_leaf_t old, umbra_leaf_t new)
{
	struct follow f = { .vm = vm, .old = old, .new = new };
	int level;

	if (!umbra_nested_any(vm))
		return;
	lockdep_assert_held(&vm->zap_lock);

	f.gfn = gfn;
	if (new && umbra_pgtable_lookup(&vm->pgt, gfn, &level)) {
		/* A block changes as a whole, whatever range was asked for. */
		f.gfn = ALIGN_DOWN(gfn, umbra_level_span(level));
		f.old -= PFN_PHYS(gfn - f.gfn);
		nr = umbra_level_span(level);
	}
	umbra_rmap_walk(&vm->rmap, f.gfn, f.gfn + nr, follow_item, &f);
}

void umbra_nested_flush(struct umbra_vm *vm)
{
	struct umbra_nested *n, *next;

	lockdep_assert_held(&vm->zap_lock);

	list_for_each_entry_safe(n, next, &vm->nested_unflushed, unflushed) {
		umbra_flush(vm, &n->gather);
		list_del_init(&n->unflushed);
	}
}

static bool keep_live_item(void *ctx, gfn_t gfn, int level, u64 item)
{
	struct umbra_vm *vm = ctx;
	int at;
	umbra_leaf_t leaf = umbra_pgtable_lookup(&vm->pgt, gfn, &at);

	leaf += PFN_PHYS(gfn & (umbra_level_span(at) - 1));
	return item_leaf(vm, item, level, umbra_leaf_pa(leaf));
}

void umbra_nested_purge(struct umbra_vm *vm, gfn_t gfn, int level)
{
	umbra_rmap_walk(&vm->rmap, gfn, gfn + umbra_level_span(level),
			keep_live_item, vm);
}
