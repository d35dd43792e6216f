/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * libumbra: one function for each ioctl of /dev/umbra.
 *
 * Every function returns 0 or a descriptor, or a negative errno. Those that
 * can stop half-way (fault, unmap, split, collapse, age, verify, access) go on
 * until all is done, an error occurs, or a signal arrives (-EINTR); *done, where
 * there is one, says how far they came in either case.
 */
#ifndef LIBUMBRA_H
#define LIBUMBRA_H

#include <stddef.h>
#include <stdint.h>

#include <linux/umbra.h>

/* The device. */
int umbra_open(void);
int umbra_get_caps(int dev, uint32_t format, struct umbra_get_caps *caps);
int umbra_create_vm(int dev, uint32_t flags, uint32_t format,
		    uint32_t gpa_bits);

/* A VM. */
int umbra_set_memslot(int vm, uint32_t slot, uint32_t flags, uint64_t gpa,
		      uint64_t length, void *hva);
/* With log_readers, a bit for each. */
int umbra_set_logged(int vm, uint32_t slot, uint32_t flags, uint32_t readers,
		     uint64_t gpa, uint64_t length, void *hva);
int umbra_delete_memslot(int vm, uint32_t slot);
int umbra_create_vcpu(int vm);
int umbra_create_vcpu_with_ring(int vm, uint32_t ring_size);
int umbra_unmap(int vm, uint64_t gpa, uint64_t length);
/* bitmap may be NULL; *young counts young granules. */
int umbra_age(int vm, uint32_t flags, uint64_t gpa, uint64_t length,
	      uint64_t granule, uint64_t *bitmap, uint64_t *young);
int umbra_get_dirty_log(int vm, uint32_t flags, uint32_t slot,
			uint64_t first_page, uint64_t nr_pages,
			uint64_t *bitmap, uint64_t *dirty);
int umbra_clear_dirty_log(int vm, uint32_t slot, uint64_t first_page,
			  uint64_t nr_pages, const uint64_t *bitmap);
/* The same for any reader; the two above are for reader 0. */
int umbra_get_reader_log(int vm, uint32_t flags, uint32_t slot,
			 uint32_t reader, uint64_t first_page,
			 uint64_t nr_pages, uint64_t *bitmap, uint64_t *dirty);
int umbra_clear_reader_log(int vm, uint32_t slot, uint32_t reader,
			   uint64_t first_page, uint64_t nr_pages,
			   const uint64_t *bitmap);
/* *done counts entries. */
int umbra_reset_dirty_rings(int vm, uint64_t *done);
int umbra_translate(int vm, uint32_t flags, uint64_t gpa,
		    struct umbra_translate *out);
/* Sums of all parts; first_bad is the first one of all. */
int umbra_verify(int vm, uint64_t gpa, uint64_t length,
		 struct umbra_verify *out);
int umbra_get_stats(int vm, struct umbra_get_stats *out);
int umbra_scan_idle(int vm, uint32_t slot, uint64_t pages[UMBRA_IDLE_BUCKETS]);
int umbra_split(int vm, uint64_t gpa, uint64_t length, uint32_t leaf_shift);
int umbra_collapse(int vm, uint64_t gpa, uint64_t length);

/* A vCPU. */
int umbra_fault(int vcpu, uint32_t flags, uint64_t gpa, uint64_t length,
		uint64_t *done);
int umbra_access(int vcpu, uint32_t flags, struct umbra_access_op *ops,
		 uint32_t nr_ops, uint32_t *done);
/* With UMBRA_ACCESS_EXITS: 0 with exit->reason set, if ops[*done] is for you. */
int umbra_access_exits(int vcpu, uint32_t flags, struct umbra_access_op *ops,
		       uint32_t nr_ops, uint32_t *done, struct umbra_exit *exit);
int umbra_load(int vcpu, uint64_t gpa, uint32_t len, uint64_t *value);
/* As an instruction: needs the right to execute. */
int umbra_fetch(int vcpu, uint64_t gpa, uint32_t len, uint64_t *value);
int umbra_store(int vcpu, uint64_t gpa, uint32_t len, uint64_t value);
/* *old is what was there; the exchange happened if it equals compare. */
int umbra_cmpxchg(int vcpu, uint64_t gpa, uint32_t len, uint64_t compare,
		  uint64_t value, uint64_t *old);
int umbra_read(int vcpu, uint64_t gpa, void *buf, uint32_t len);
int umbra_write(int vcpu, uint64_t gpa, const void *buf, uint32_t len);

/* The dirty ring of a vCPU, mapped. */
struct umbra_ring {
	struct umbra_dirty_gfn *gfns;
	uint32_t size;
	uint32_t next;	/* entry to be collected next */
};

int umbra_map_ring(int vcpu, uint32_t size, struct umbra_ring *ring);
void umbra_unmap_ring(struct umbra_ring *ring);
/* Collect one entry. Returns 1, or 0 if there is none. */
int umbra_collect(struct umbra_ring *ring, uint32_t *slot, uint64_t *offset);

/* Nested contexts: addresses are those of the context. */
int umbra_create_nested(int vm, uint32_t flags, uint32_t format,
			uint32_t addr_bits, uint64_t root, uint32_t vmid,
			uint32_t *context);
int umbra_destroy_nested(int vm, uint32_t context);
/* length 0: all; leaf_shift 0: unknown. */
int umbra_invalidate_nested(int vm, uint32_t context, uint64_t gpa,
			    uint64_t length, uint32_t leaf_shift);
int umbra_invalidate_vmid(int vm, uint32_t vmid, uint64_t gpa, uint64_t length,
			  uint32_t leaf_shift);
int umbra_translate_nested(int vm, uint32_t context, uint32_t flags,
			   uint64_t gpa, struct umbra_translate *out);
int umbra_fault_nested(int vcpu, uint32_t context, uint32_t flags, uint64_t gpa,
		       uint64_t length, uint64_t *done);
/* One operation; *exit says what it needs if flags has UMBRA_ACCESS_EXITS. */
int umbra_access_nested(int vcpu, uint32_t context, uint32_t flags,
			struct umbra_access_op *op, struct umbra_exit *exit);
int umbra_load_nested(int vcpu, uint32_t context, uint64_t gpa, uint32_t len,
		      uint64_t *value);
int umbra_store_nested(int vcpu, uint32_t context, uint64_t gpa, uint32_t len,
		       uint64_t value);

#endif /* LIBUMBRA_H */
