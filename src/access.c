// SPDX-License-Identifier: GPL-2.0-only
/*
 * Loads, stores and atomics as the hardware behind a vCPU would perform them.
 *
 * From looking a translation up until the memory has been touched the vCPU
 * holds the lock of its TLB. Nothing else keeps the page from being freed: an
 * invalidation flushes, a flush takes that lock, and so waits (U15).
 */
#include "access.h"
#include "fault.h"
#include "mmio.h"
#include "nested_fault.h"

/* What is done to the memory at @p, under the lock of the TLB. */
typedef void (*touch_fn)(void *p, void *ctx);

/* The TLB does not know @gfn: walk the table, and fill the TLB. */
static int walk(struct umbra_vcpu *vcpu, struct umbra_nested *n, gfn_t gfn,
		u32 access, umbra_leaf_t *page)
{
	umbra_leaf_t leaf;
	int level, ret;

	umbra_stat_inc(vcpu->vm, tlb_misses);
	if (!n && umbra_mmio_cached(vcpu, gfn))
		return -ENXIO;
	ret = umbra_pgtable_translate(n ? &n->pgt : &vcpu->vm->pgt, gfn, access,
				      &leaf, &level);
	if (ret == -ENXIO && !umbra_mmio_holds(vcpu, gfn, leaf))
		ret = -ENOENT;
	if (ret)
		return ret;
	umbra_tlb_fill(&vcpu->tlb, n ? n->id : 0, gfn, level, leaf);
	*page = leaf + PFN_PHYS(gfn & (umbra_level_span(level) - 1));
	return 0;
}

/*
 * Returns -ENOENT or -EACCES if there is no good enough translation, -ENXIO if
 * there can be none, -ENOTUNIQ if there are two.
 */
static int try_touch(struct umbra_vcpu *vcpu, struct umbra_nested *n, gpa_t gpa,
		     u32 access, touch_fn touch, void *ctx)
{
	gfn_t gfn = PHYS_PFN(gpa);
	umbra_leaf_t page;
	int ret;

	spin_lock(&vcpu->tlb.lock);
	ret = umbra_tlb_lookup(&vcpu->tlb, n ? n->id : 0, gfn, access, &page);
	if (!ret)
		umbra_stat_inc(vcpu->vm, tlb_hits);
	else if (ret == -ENOENT)
		ret = walk(vcpu, n, gfn, access, &page);
	else
		umbra_stat_inc(vcpu->vm, tlb_conflicts);
	if (!ret) {
		umbra_hold(&vcpu->vm->hold, UMBRA_POINT_ACCESS_TRANSLATED,
			   false);
		touch(__va(umbra_leaf_pa(page)) + offset_in_page(gpa), ctx);
	}
	spin_unlock(&vcpu->tlb.lock);
	return ret;
}

static int touch(struct umbra_vcpu *vcpu, struct umbra_nested *n, gpa_t gpa,
		 u32 access, u32 flags, touch_fn fn, void *ctx);

/* ------------------------------------------------------- tables of the guest */

/* A walker's own accesses, which are to guest physical addresses. */
struct walker {
	struct umbra_vcpu *vcpu;
	u32 flags;
};

static void read_word(void *p, void *ctx)
{
	*(u64 *)ctx = READ_ONCE(*(u64 *)p);
}

/* A table in a gpa without a memslot is for no emulator. */
static int no_memory(int ret)
{
	return ret == -ENXIO ? -ENOENT : ret;
}

static int walker_read(void *ctx, gpa_t gpa, u64 *word)
{
	const struct walker *w = ctx;

	return no_memory(touch(w->vcpu, NULL, gpa, UMBRA_PTE_READ, w->flags,
			       read_word, word));
}

struct word {
	u64 old;
	u64 new;
	bool done;
};

static void exchange_word(void *p, void *ctx)
{
	struct word *word = ctx;

	word->done = try_cmpxchg64((u64 *)p, &word->old, word->new);
}

static int walker_exchange(void *ctx, gpa_t gpa, u64 old, u64 new)
{
	const struct walker *w = ctx;
	struct word word = { .old = old, .new = new };
	int ret = touch(w->vcpu, NULL, gpa, UMBRA_PTE_WRITE, w->flags,
			exchange_word, &word);

	return ret || word.done ? no_memory(ret) : -ESTALE;
}

static const struct umbra_guest_mem walker_mem = {
	.read = walker_read, .exchange = walker_exchange,
};

static int fault_nested(struct umbra_vcpu *vcpu, struct umbra_nested *n,
			gfn_t *gfn, u32 access, u32 flags)
{
	struct walker walker = { .vcpu = vcpu, .flags = flags };
	struct umbra_guest_walk w;
	int ret;

	ret = umbra_nested_fault(vcpu, n, gfn, access,
				 flags & UMBRA_ACCESS_NOWAIT, &walker_mem,
				 &walker, &w);
	if (ret)
		vcpu->guest_fault = (struct umbra_guest_fault){
			.kind = w.fault, .level = w.level,
			.entry = w.gpa[w.level], .gfn = w.gfn,
		};
	return ret;
}

int umbra_access_fault(struct umbra_vcpu *vcpu, struct umbra_nested *n,
		       gfn_t *gfn, gfn_t end, u32 flags)
{
	u32 access = flags & UMBRA_FAULT_WRITE ? UMBRA_PTE_WRITE :
						 UMBRA_PTE_READ;
	u32 how = flags & UMBRA_FAULT_NOWAIT ? UMBRA_ACCESS_NOWAIT : 0;
	int ret = 0;

	while (!ret && *gfn < end) {
		gfn_t next = *gfn;

		ret = fault_nested(vcpu, n, &next, access, how);
		if (!ret && flags & UMBRA_FAULT_EXEC) {
			next = *gfn;
			ret = fault_nested(vcpu, n, &next, UMBRA_PTE_EXEC, how);
		}
		if (!ret)
			*gfn = min(next, end);
	}
	return ret;
}

/* ------------------------------------------------------------------ accesses */

static int fault_in(struct umbra_vcpu *vcpu, struct umbra_nested *n, gfn_t gfn,
		    u32 access, u32 flags)
{
	u32 fault_flags = UMBRA_FAULT_ACCESS;

	if (n)
		return fault_nested(vcpu, n, &gfn, access, flags);
	if (access == UMBRA_PTE_WRITE)
		fault_flags |= UMBRA_FAULT_WRITE;
	if (access == UMBRA_PTE_EXEC)
		fault_flags |= UMBRA_FAULT_EXEC;
	if (flags & UMBRA_ACCESS_NOWAIT)
		fault_flags |= UMBRA_FAULT_NOWAIT;
	return umbra_fault(vcpu->vm, &vcpu->supplies, &gfn, gfn + 1,
			   fault_flags);
}

/* As try_touch(), but what is missing is faulted in. */
static int touch(struct umbra_vcpu *vcpu, struct umbra_nested *n, gpa_t gpa,
		 u32 access, u32 flags, touch_fn fn, void *ctx)
{
	int ret;

	do {
		ret = try_touch(vcpu, n, gpa, access, fn, ctx);
		if (ret == -ENXIO)
			umbra_stat_inc(vcpu->vm, mmio_cached);
		if (ret != -ENOENT && ret != -EACCES)
			break;
		ret = fault_in(vcpu, n, PHYS_PFN(gpa), access, flags);
		if (ret == -ENOENT)
			ret = -ENXIO;
	} while (!ret);
	if (!ret)
		umbra_stat_inc(vcpu->vm, accesses);
	else if (ret == -ENXIO)
		umbra_stat_inc(vcpu->vm, mmio);
	return ret;
}

static u64 load(const void *p, unsigned int len)
{
	switch (len) {
	case 1:
		return READ_ONCE(*(u8 *)p);
	case 2:
		return READ_ONCE(*(u16 *)p);
	case 4:
		return READ_ONCE(*(u32 *)p);
	default:
		return READ_ONCE(*(u64 *)p);
	}
}

static void store(void *p, unsigned int len, u64 value)
{
	switch (len) {
	case 1:
		WRITE_ONCE(*(u8 *)p, value);
		break;
	case 2:
		WRITE_ONCE(*(u16 *)p, value);
		break;
	case 4:
		WRITE_ONCE(*(u32 *)p, value);
		break;
	default:
		WRITE_ONCE(*(u64 *)p, value);
	}
}

static u64 exchange(void *p, unsigned int len, u64 compare, u64 value)
{
	switch (len) {
	case 1:
		return cmpxchg((u8 *)p, compare, value);
	case 2:
		return cmpxchg((u16 *)p, compare, value);
	case 4:
		return cmpxchg((u32 *)p, compare, value);
	default:
		return cmpxchg((u64 *)p, compare, value);
	}
}

static void touch_atomic(void *p, void *ctx)
{
	struct umbra_access_op *op = ctx;

	switch (op->op) {
	case UMBRA_OP_LOAD:
	case UMBRA_OP_FETCH:
		op->value = load(p, op->len);
		break;
	case UMBRA_OP_STORE:
		store(p, op->len, op->value);
		break;
	case UMBRA_OP_CMPXCHG:
		op->value = exchange(p, op->len, op->compare, op->value);
		break;
	}
}

int umbra_access_atomic(struct umbra_vcpu *vcpu, struct umbra_nested *n,
			struct umbra_access_op *op, u32 flags)
{
	u32 access = UMBRA_PTE_WRITE;

	if (op->op == UMBRA_OP_LOAD)
		access = UMBRA_PTE_READ;
	else if (op->op == UMBRA_OP_FETCH)
		access = UMBRA_PTE_EXEC;
	return touch(vcpu, n, op->gpa, access, flags, touch_atomic, op);
}

struct copy {
	void *buf;
	unsigned int len;
};

static void touch_read(void *p, void *ctx)
{
	const struct copy *copy = ctx;

	memcpy(copy->buf, p, copy->len);
}

static void touch_write(void *p, void *ctx)
{
	const struct copy *copy = ctx;

	memcpy(p, copy->buf, copy->len);
}

int umbra_access_copy(struct umbra_vcpu *vcpu, struct umbra_nested *n,
		      gpa_t gpa, unsigned int len, bool write, u32 flags)
{
	struct copy copy = { .buf = vcpu->bounce, .len = len };

	if (write)
		return touch(vcpu, n, gpa, UMBRA_PTE_WRITE, flags, touch_write,
			     &copy);
	return touch(vcpu, n, gpa, UMBRA_PTE_READ, flags, touch_read, &copy);
}
