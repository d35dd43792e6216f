// SPDX-License-Identifier: GPL-2.0-only
/*
 * The dirty ring of a vCPU, in memory that it shares with the process.
 *
 * Layout, flags and memory order are those of KVM's ring:
 * Documentation/virt/kvm/api.rst, KVM_CAP_DIRTY_LOG_RING_ACQ_REL.
 */
#include <linux/mm.h>
#include <linux/vmalloc.h>

#include "dirty_ring.h"

int umbra_ring_init(struct umbra_ring *ring, u32 size)
{
	init_waitqueue_head(&ring->wq);
	ring->size = size;
	if (!size)
		return 0;
	ring->gfns = __vmalloc(array_size(size, sizeof(*ring->gfns)),
			       GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	return ring->gfns ? 0 : -ENOMEM;
}

void umbra_ring_destroy(struct umbra_ring *ring)
{
	vfree(ring->gfns);
}

static unsigned long nr_pages(const struct umbra_ring *ring)
{
	return PFN_UP(ring->size * sizeof(*ring->gfns));
}

static vm_fault_t ring_fault(struct vm_fault *vmf)
{
	const struct umbra_ring *ring = vmf->vma->vm_private_data;

	if (vmf->pgoff >= nr_pages(ring))
		return VM_FAULT_SIGBUS;
	vmf->page = vmalloc_to_page((void *)ring->gfns +
				    (vmf->pgoff << PAGE_SHIFT));
	get_page(vmf->page);
	return 0;
}

static const struct vm_operations_struct ring_vm_ops = { .fault = ring_fault };

int umbra_ring_mmap(struct umbra_ring *ring, struct vm_area_struct *vma)
{
	if (!ring->gfns)
		return -ENOENT;
	if (!(vma->vm_flags & VM_SHARED) || vma->vm_flags & VM_EXEC ||
	    vma->vm_pgoff + vma_pages(vma) > nr_pages(ring))
		return -EINVAL;
	vma->vm_private_data = ring;
	vma->vm_ops = &ring_vm_ops;
	return 0;
}

__poll_t umbra_ring_poll(struct umbra_ring *ring, struct file *file,
			 struct poll_table_struct *wait)
{
	if (!ring->gfns)
		return EPOLLERR;
	poll_wait(file, &ring->wq, wait);
	return umbra_ring_nearly_full(ring) ? EPOLLIN | EPOLLRDNORM : 0;
}

static struct umbra_dirty_gfn *at(const struct umbra_ring *ring, u32 position)
{
	return &ring->gfns[position & (ring->size - 1)];
}

void umbra_ring_push(struct umbra_ring *ring, u32 slot, u64 offset, u32 nr)
{
	u32 position = ring->pushed;

	for (; nr--; offset++, position++) {
		struct umbra_dirty_gfn *gfn = at(ring, position);

		WRITE_ONCE(gfn->slot, slot);
		WRITE_ONCE(gfn->offset, offset);
		/* The page is named, and writable, before it is said so. */
		smp_store_release(&gfn->flags, UMBRA_DIRTY_GFN_DIRTY);
	}
	/* Pairs with umbra_ring_collected(). */
	smp_store_release(&ring->pushed, position);
	if (umbra_ring_nearly_full(ring) && wq_has_sleeper(&ring->wq))
		wake_up_all(&ring->wq);
}

u32 umbra_ring_collected(const struct umbra_ring *ring,
			 struct umbra_dirty_gfn *out, u32 max)
{
	/* Entries that were pushed: pairs with umbra_ring_push(). */
	u32 nr = smp_load_acquire(&ring->pushed) - ring->reset;
	u32 i;

	for (i = 0; i < min(nr, max); i++) {
		struct umbra_dirty_gfn *gfn = at(ring, ring->reset + i);

		/* Pairs with the process's release: it has read the entry. */
		out[i].flags = smp_load_acquire(&gfn->flags);
		if (!(out[i].flags & UMBRA_DIRTY_GFN_RESET))
			break;
		out[i].slot = READ_ONCE(gfn->slot);
		out[i].offset = READ_ONCE(gfn->offset);
	}
	return i;
}

void umbra_ring_empty(struct umbra_ring *ring, u32 nr)
{
	u32 i;

	for (i = 0; i < nr; i++)
		WRITE_ONCE(at(ring, ring->reset + i)->flags, 0);
	/* Empty before there is room: pairs with umbra_ring_room(). */
	smp_store_release(&ring->reset, ring->reset + nr);
}
