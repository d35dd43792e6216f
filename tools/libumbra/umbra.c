// SPDX-License-Identifier: GPL-2.0-only
/*
 * libumbra: the ioctls of /dev/umbra as functions. Nothing is kept between
 * calls. A call that stopped half-way is repeated for the rest until nothing
 * is left or it fails.
 */
#include "umbra.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#define BITS_PER_WORD 64

static int call(int fd, unsigned long request, void *arg)
{
	int ret = ioctl(fd, request, arg);

	return ret < 0 ? -errno : ret;
}

static uint64_t pointer(const void *p)
{
	return (uintptr_t)p;
}

/*
 * Repeat a call that takes a range and says in *done how far it came, until
 * nothing of the range is left.
 */
static int call_range(int fd, unsigned long request, void *arg, __u64 *gpa,
		      __u64 *length, const __u64 *done)
{
	int ret;

	do {
		ret = call(fd, request, arg);
		if (ret)
			return ret;
		*gpa += *done;
		*length -= *done;
	} while (*length);
	return 0;
}

int umbra_open(void)
{
	int fd = open("/dev/umbra", O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int umbra_get_caps(int dev, uint32_t format, struct umbra_get_caps *caps)
{
	*caps = (struct umbra_get_caps){
		.size = sizeof(*caps),
		.format = format,
	};
	return call(dev, UMBRA_GET_CAPS, caps);
}

int umbra_create_vm(int dev, uint32_t flags, uint32_t format,
		    uint32_t gpa_bits)
{
	struct umbra_create_vm arg = {
		.size = sizeof(arg),
		.flags = flags,
		.format = format,
		.gpa_bits = gpa_bits,
	};
	int ret = call(dev, UMBRA_CREATE_VM, &arg);

	return ret ? ret : arg.fd;
}

int umbra_set_logged(int vm, uint32_t slot, uint32_t flags, uint32_t readers,
		     uint64_t gpa, uint64_t length, void *hva)
{
	struct umbra_set_memslot arg = {
		.size = sizeof(arg),
		.flags = flags,
		.slot = slot,
		.log_readers = readers,
		.gpa = gpa,
		.length = length,
		.hva = pointer(hva),
	};

	return call(vm, UMBRA_SET_MEMSLOT, &arg);
}

int umbra_set_memslot(int vm, uint32_t slot, uint32_t flags, uint64_t gpa,
		      uint64_t length, void *hva)
{
	return umbra_set_logged(vm, slot, flags, 0, gpa, length, hva);
}

int umbra_delete_memslot(int vm, uint32_t slot)
{
	return umbra_set_memslot(vm, slot, 0, 0, 0, NULL);
}

int umbra_create_vcpu_with_ring(int vm, uint32_t ring_size)
{
	struct umbra_create_vcpu arg = {
		.size = sizeof(arg),
		.ring_size = ring_size,
	};
	int ret = call(vm, UMBRA_CREATE_VCPU, &arg);

	return ret ? ret : arg.fd;
}

int umbra_create_vcpu(int vm)
{
	return umbra_create_vcpu_with_ring(vm, 0);
}

int umbra_unmap(int vm, uint64_t gpa, uint64_t length)
{
	struct umbra_unmap arg = {
		.size = sizeof(arg),
		.gpa = gpa,
		.length = length,
	};

	return call_range(vm, UMBRA_UNMAP, &arg, &arg.gpa, &arg.length,
			  &arg.done);
}

/*
 * Age what one call can, and add to *young. A call that starts inside a word
 * of the bitmap, after one that stopped there, goes no further than its end.
 */
static int age_part(int vm, struct umbra_age *arg, uint64_t *bitmap,
		    uint64_t first, uint64_t *young)
{
	unsigned int shift = first % BITS_PER_WORD;
	uint64_t length = arg->length, word = 0;
	int ret;

	if (bitmap)
		arg->bitmap = pointer(bitmap + first / BITS_PER_WORD);
	if (bitmap && shift) {
		uint64_t room = (BITS_PER_WORD - shift) * arg->granule;

		arg->bitmap = pointer(&word);
		if (room < length)
			arg->length = room;
	}

	ret = call(vm, UMBRA_AGE, arg);
	if (ret)
		return ret;
	if (bitmap && shift)
		bitmap[first / BITS_PER_WORD] |= word << shift;
	arg->gpa += arg->done;
	arg->length = length - arg->done;
	*young += arg->young;
	return 0;
}

int umbra_age(int vm, uint32_t flags, uint64_t gpa, uint64_t length,
	      uint64_t granule, uint64_t *bitmap, uint64_t *young)
{
	struct umbra_age arg = {
		.size = sizeof(arg),
		.flags = flags,
		.gpa = gpa,
		.length = length,
		.granule = granule,
	};
	uint64_t first = 0;
	int ret;

	*young = 0;
	do {
		ret = age_part(vm, &arg, bitmap, first, young);
		if (ret)
			return ret;
		first = (arg.gpa - gpa) / granule;
	} while (arg.length);
	return 0;
}

int umbra_get_reader_log(int vm, uint32_t flags, uint32_t slot,
			 uint32_t reader, uint64_t first_page,
			 uint64_t nr_pages, uint64_t *bitmap, uint64_t *dirty)
{
	struct umbra_get_dirty_log arg = {
		.size = sizeof(arg),
		.flags = flags,
		.slot = slot,
		.reader = reader,
		.first_page = first_page,
		.nr_pages = nr_pages,
		.bitmap = pointer(bitmap),
	};
	int ret = call(vm, UMBRA_GET_DIRTY_LOG, &arg);

	*dirty = arg.dirty;
	return ret;
}

int umbra_clear_reader_log(int vm, uint32_t slot, uint32_t reader,
			   uint64_t first_page, uint64_t nr_pages,
			   const uint64_t *bitmap)
{
	struct umbra_clear_dirty_log arg = {
		.size = sizeof(arg),
		.slot = slot,
		.reader = reader,
		.first_page = first_page,
		.nr_pages = nr_pages,
		.bitmap = pointer(bitmap),
	};

	return call(vm, UMBRA_CLEAR_DIRTY_LOG, &arg);
}

int umbra_get_dirty_log(int vm, uint32_t flags, uint32_t slot,
			uint64_t first_page, uint64_t nr_pages,
			uint64_t *bitmap, uint64_t *dirty)
{
	return umbra_get_reader_log(vm, flags, slot, 0, first_page, nr_pages,
				    bitmap, dirty);
}

int umbra_clear_dirty_log(int vm, uint32_t slot, uint64_t first_page,
			  uint64_t nr_pages, const uint64_t *bitmap)
{
	return umbra_clear_reader_log(vm, slot, 0, first_page, nr_pages,
				      bitmap);
}

int umbra_reset_dirty_rings(int vm, uint64_t *done)
{
	struct umbra_reset_dirty_rings arg = { .size = sizeof(arg) };
	int ret = call(vm, UMBRA_RESET_DIRTY_RINGS, &arg);

	*done = arg.done;
	return ret;
}

int umbra_scan_idle(int vm, uint32_t slot, uint64_t pages[UMBRA_IDLE_BUCKETS])
{
	struct umbra_scan_idle arg = { .size = sizeof(arg), .slot = slot };
	int ret = call(vm, UMBRA_SCAN_IDLE, &arg);

	for (int i = 0; i < UMBRA_IDLE_BUCKETS; i++)
		pages[i] = arg.pages[i];
	return ret;
}

int umbra_translate(int vm, uint32_t flags, uint64_t gpa,
		    struct umbra_translate *out)
{
	*out = (struct umbra_translate){
		.size = sizeof(*out),
		.flags = flags,
		.gpa = gpa,
	};
	return call(vm, UMBRA_TRANSLATE, out);
}

int umbra_verify(int vm, uint64_t gpa, uint64_t length,
		 struct umbra_verify *out)
{
	struct umbra_verify arg = {
		.size = sizeof(arg),
		.gpa = gpa,
		.length = length,
	};
	int ret;

	*out = arg;
	do {
		ret = call(vm, UMBRA_VERIFY, &arg);
		if (ret)
			return ret;
		if (!out->mismatches)
			out->first_bad = arg.first_bad;
		out->done += arg.done;
		out->leaves += arg.leaves;
		out->mismatches += arg.mismatches;
		arg.gpa += arg.done;
		arg.length -= arg.done;
	} while (arg.length);
	return 0;
}

int umbra_get_stats(int vm, struct umbra_get_stats *out)
{
	*out = (struct umbra_get_stats){ .size = sizeof(*out) };
	return call(vm, UMBRA_GET_STATS, out);
}

int umbra_split(int vm, uint64_t gpa, uint64_t length, uint32_t leaf_shift)
{
	struct umbra_split arg = {
		.size = sizeof(arg),
		.gpa = gpa,
		.length = length,
		.leaf_shift = leaf_shift,
	};

	return call_range(vm, UMBRA_SPLIT, &arg, &arg.gpa, &arg.length,
			  &arg.done);
}

int umbra_collapse(int vm, uint64_t gpa, uint64_t length)
{
	struct umbra_collapse arg = {
		.size = sizeof(arg),
		.gpa = gpa,
		.length = length,
	};

	return call_range(vm, UMBRA_COLLAPSE, &arg, &arg.gpa, &arg.length,
			  &arg.done);
}

int umbra_fault(int vcpu, uint32_t flags, uint64_t gpa, uint64_t length,
		uint64_t *done)
{
	struct umbra_fault arg = {
		.size = sizeof(arg),
		.flags = flags,
		.gpa = gpa,
		.length = length,
	};
	int ret;

	ret = call_range(vcpu, UMBRA_FAULT, &arg, &arg.gpa, &arg.length,
			 &arg.done);
	*done = arg.gpa - gpa;
	return ret;
}

int umbra_access_exits(int vcpu, uint32_t flags, struct umbra_access_op *ops,
		       uint32_t nr_ops, uint32_t *done, struct umbra_exit *exit)
{
	struct umbra_access arg = {
		.size = sizeof(arg),
		.flags = flags,
		.ops = pointer(ops),
		.nr_ops = nr_ops,
	};
	int ret;

	*done = 0;
	do {
		ret = call(vcpu, UMBRA_ACCESS, &arg);
		if (ret)
			return ret;
		*done += arg.done;
		arg.ops = pointer(ops + *done);
		arg.nr_ops -= arg.done;
		*exit = arg.exit;
	} while (arg.nr_ops && exit->reason == UMBRA_EXIT_NONE);
	return 0;
}

int umbra_access(int vcpu, uint32_t flags, struct umbra_access_op *ops,
		 uint32_t nr_ops, uint32_t *done)
{
	struct umbra_exit none;

	return umbra_access_exits(vcpu, flags, ops, nr_ops, done, &none);
}

static int access_one(int vcpu, struct umbra_access_op *op)
{
	uint32_t done;

	return umbra_access(vcpu, 0, op, 1, &done);
}

int umbra_load(int vcpu, uint64_t gpa, uint32_t len, uint64_t *value)
{
	struct umbra_access_op op = {
		.op = UMBRA_OP_LOAD,
		.len = len,
		.gpa = gpa,
	};
	int ret = access_one(vcpu, &op);

	*value = op.value;
	return ret;
}

int umbra_fetch(int vcpu, uint64_t gpa, uint32_t len, uint64_t *value)
{
	struct umbra_access_op op = {
		.op = UMBRA_OP_FETCH,
		.len = len,
		.gpa = gpa,
	};
	int ret = access_one(vcpu, &op);

	*value = op.value;
	return ret;
}

int umbra_store(int vcpu, uint64_t gpa, uint32_t len, uint64_t value)
{
	struct umbra_access_op op = {
		.op = UMBRA_OP_STORE,
		.len = len,
		.gpa = gpa,
		.value = value,
	};

	return access_one(vcpu, &op);
}

int umbra_cmpxchg(int vcpu, uint64_t gpa, uint32_t len, uint64_t compare,
		  uint64_t value, uint64_t *old)
{
	struct umbra_access_op op = {
		.op = UMBRA_OP_CMPXCHG,
		.len = len,
		.gpa = gpa,
		.value = value,
		.compare = compare,
	};
	int ret = access_one(vcpu, &op);

	*old = op.value;
	return ret;
}

int umbra_read(int vcpu, uint64_t gpa, void *buf, uint32_t len)
{
	struct umbra_access_op op = {
		.op = UMBRA_OP_READ,
		.len = len,
		.gpa = gpa,
		.value = pointer(buf),
	};

	return access_one(vcpu, &op);
}

int umbra_write(int vcpu, uint64_t gpa, const void *buf, uint32_t len)
{
	struct umbra_access_op op = {
		.op = UMBRA_OP_WRITE,
		.len = len,
		.gpa = gpa,
		.value = pointer(buf),
	};

	return access_one(vcpu, &op);
}

int umbra_map_ring(int vcpu, uint32_t size, struct umbra_ring *ring)
{
	void *p = mmap(NULL, size * sizeof(*ring->gfns),
		       PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);

	if (p == MAP_FAILED)
		return -errno;
	*ring = (struct umbra_ring){ .gfns = p, .size = size };
	return 0;
}

void umbra_unmap_ring(struct umbra_ring *ring)
{
	munmap(ring->gfns, ring->size * sizeof(*ring->gfns));
}

int umbra_collect(struct umbra_ring *ring, uint32_t *slot, uint64_t *offset)
{
	struct umbra_dirty_gfn *gfn = &ring->gfns[ring->next % ring->size];

	if (__atomic_load_n(&gfn->flags, __ATOMIC_ACQUIRE) !=
	    UMBRA_DIRTY_GFN_DIRTY)
		return 0;
	*slot = gfn->slot;
	*offset = gfn->offset;
	__atomic_store_n(&gfn->flags,
			 UMBRA_DIRTY_GFN_DIRTY | UMBRA_DIRTY_GFN_RESET,
			 __ATOMIC_RELEASE);
	ring->next++;
	return 1;
}

int umbra_create_nested(int vm, uint32_t flags, uint32_t format,
			uint32_t addr_bits, uint64_t root, uint32_t vmid,
			uint32_t *context)
{
	struct umbra_create_nested arg = {
		.size = sizeof(arg),
		.flags = flags,
		.format = format,
		.addr_bits = addr_bits,
		.root = root,
		.vmid = vmid,
	};
	int ret = call(vm, UMBRA_CREATE_NESTED, &arg);

	*context = arg.context;
	return ret;
}

int umbra_destroy_nested(int vm, uint32_t context)
{
	struct umbra_destroy_nested arg = {
		.size = sizeof(arg),
		.context = context,
	};

	return call(vm, UMBRA_DESTROY_NESTED, &arg);
}

int umbra_invalidate_nested(int vm, uint32_t context, uint64_t gpa,
			    uint64_t length, uint32_t leaf_shift)
{
	struct umbra_invalidate_nested arg = {
		.size = sizeof(arg),
		.context = context,
		.gpa = gpa,
		.length = length,
		.leaf_shift = leaf_shift,
	};

	return call(vm, UMBRA_INVALIDATE_NESTED, &arg);
}

int umbra_invalidate_vmid(int vm, uint32_t vmid, uint64_t gpa, uint64_t length,
			  uint32_t leaf_shift)
{
	struct umbra_invalidate_nested arg = {
		.size = sizeof(arg),
		.flags = UMBRA_INVALIDATE_VMID,
		.vmid = vmid,
		.gpa = gpa,
		.length = length,
		.leaf_shift = leaf_shift,
	};

	return call(vm, UMBRA_INVALIDATE_NESTED, &arg);
}

int umbra_translate_nested(int vm, uint32_t context, uint32_t flags,
			   uint64_t gpa, struct umbra_translate *out)
{
	*out = (struct umbra_translate){
		.size = sizeof(*out),
		.flags = flags,
		.gpa = gpa,
		.context = context,
	};
	return call(vm, UMBRA_TRANSLATE, out);
}

int umbra_fault_nested(int vcpu, uint32_t context, uint32_t flags, uint64_t gpa,
		       uint64_t length, uint64_t *done)
{
	struct umbra_fault arg = {
		.size = sizeof(arg),
		.flags = flags,
		.gpa = gpa,
		.length = length,
		.context = context,
	};
	int ret;

	ret = call_range(vcpu, UMBRA_FAULT, &arg, &arg.gpa, &arg.length,
			 &arg.done);
	*done = arg.gpa - gpa;
	return ret;
}

int umbra_access_nested(int vcpu, uint32_t context, uint32_t flags,
			struct umbra_access_op *op, struct umbra_exit *exit)
{
	struct umbra_access arg = {
		.size = sizeof(arg),
		.flags = flags,
		.ops = pointer(op),
		.nr_ops = 1,
		.context = context,
	};
	int ret = call(vcpu, UMBRA_ACCESS, &arg);

	*exit = arg.exit;
	return ret;
}

int umbra_load_nested(int vcpu, uint32_t context, uint64_t gpa, uint32_t len,
		      uint64_t *value)
{
	struct umbra_access_op op = {
		.op = UMBRA_OP_LOAD,
		.len = len,
		.gpa = gpa,
	};
	struct umbra_exit none;
	int ret = umbra_access_nested(vcpu, context, 0, &op, &none);

	*value = op.value;
	return ret;
}

int umbra_store_nested(int vcpu, uint32_t context, uint64_t gpa, uint32_t len,
		       uint64_t value)
{
	struct umbra_access_op op = {
		.op = UMBRA_OP_STORE,
		.len = len,
		.gpa = gpa,
		.value = value,
	};
	struct umbra_exit none;

	return umbra_access_nested(vcpu, context, 0, &op, &none);
}
