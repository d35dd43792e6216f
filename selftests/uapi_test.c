// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every field of every ioctl, rejected with its error, after which the VM is as
 * it was before.
 *
 * A new ioctl is one FIXTURE_VARIANT_ADD(): an argument that is accepted, and
 * values of its fields that are not. NOWAIT, and calls that stop half-way, are
 * in fault_test; limits, and what the host's memory does not allow, in
 * limits_test.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "machine.h"

/* One value that one field must not have. */
struct reject {
	const char *what;
	size_t offset;
	size_t width;
	uint64_t value;
	int error;
};

#define REJECT(_type, _field, _value, _error)				\
	{ .what = #_field " = " #_value,				\
	  .offset = offsetof(struct umbra_##_type, _field),		\
	  .width = sizeof(((struct umbra_##_type *)0)->_field),		\
	  .value = _value, .error = _error }

static void set_field(void *arg, const struct reject *reject)
{
	if (reject->width == sizeof(uint32_t))
		*(uint32_t *)(arg + reject->offset) = reject->value;
	else
		*(uint64_t *)(arg + reject->offset) = reject->value;
}

/* ------------------------------------------------------------- the ioctls */

/* More than any structure and its tail. */
#define ROOM	512

union arg {
	struct {
		uint32_t size;
		uint32_t flags;
	};
	struct umbra_get_caps get_caps;
	struct umbra_create_vm create_vm;
	struct umbra_set_memslot set_memslot;
	struct umbra_create_vcpu create_vcpu;
	struct umbra_unmap unmap;
	struct umbra_age age;
	struct umbra_get_dirty_log get_dirty_log;
	struct umbra_clear_dirty_log clear_dirty_log;
	struct umbra_reset_dirty_rings reset_dirty_rings;
	struct umbra_scan_idle scan_idle;
	struct umbra_translate translate;
	struct umbra_verify verify;
	struct umbra_split split;
	struct umbra_collapse collapse;
	struct umbra_get_stats get_stats;
	struct umbra_create_nested create_nested;
	struct umbra_destroy_nested destroy_nested;
	struct umbra_invalidate_nested invalidate_nested;
	struct umbra_fault fault;
	struct umbra_access access;
	uint8_t bytes[ROOM];
};

FIXTURE(ioctl)
{
	struct machine m;
	union arg arg;
};

/*
 * @first_size: of the structure when it was first published
 * @flags: the flags that are known
 * @arg: an argument that is accepted, but for its size
 * @rejects: what is not
 */
FIXTURE_VARIANT(ioctl)
{
	enum kind kind;
	unsigned long cmd;
	uint32_t size;
	uint32_t first_size;
	uint32_t flags;
	union arg arg;
	const struct reject *rejects[2];
};

FIXTURE_SETUP(ioctl)
{
	ASSERT_EQ(0, machine_create(&self->m));
}

FIXTURE_TEARDOWN(ioctl)
{
	guest_destroy(&self->m.g);
}

#define IOCTL(_kind, _cmd, _type, _last_field)				\
	.kind = _kind, .cmd = _cmd, .size = sizeof(struct _type),	\
	.first_size = offsetof(struct _type, _last_field) +		\
		      sizeof(((struct _type *)0)->_last_field)

/* Of any structure that begins with size, flags, gpa, length. */
static const struct reject bad_range[] = {
	REJECT(unmap, gpa, 2 * PAGE + 1, EINVAL),
	REJECT(unmap, gpa, LIMIT, EINVAL),
	REJECT(unmap, gpa, LIMIT - 2 * PAGE, EINVAL),
	REJECT(unmap, gpa, -4 * PAGE, EINVAL),
	REJECT(unmap, length, 0, EINVAL),
	REJECT(unmap, length, 4 * PAGE + 1, EINVAL),
	REJECT(unmap, length, LIMIT, EINVAL),
	REJECT(unmap, length, -2 * PAGE, EINVAL),
	{}
};

/* Of GET_DIRTY_LOG and CLEAR_DIRTY_LOG. */
static const struct reject bad_log[] = {
	REJECT(get_dirty_log, slot, 0, ENOENT),
	REJECT(get_dirty_log, slot, NO_SLOT, ENOENT),
	REJECT(get_dirty_log, slot, ~0u, ENOENT),
	REJECT(get_dirty_log, reader, 1, ENOENT),
	REJECT(get_dirty_log, reader, ~0u, ENOENT),
	REJECT(get_dirty_log, first_page, 65, EINVAL),
	REJECT(get_dirty_log, first_page, 128, EINVAL),
	REJECT(get_dirty_log, first_page, -64UL, EINVAL),
	REJECT(get_dirty_log, nr_pages, 0, EINVAL),
	REJECT(get_dirty_log, nr_pages, 35, EINVAL),
	REJECT(get_dirty_log, nr_pages, 64, EINVAL),
	REJECT(get_dirty_log, nr_pages, -64UL, EINVAL),
	REJECT(get_dirty_log, bitmap, NO_POINTER, EFAULT),
	{}
};

static uint64_t bitmap[LOG_WORDS];

FIXTURE_VARIANT_ADD(ioctl, get_caps)
{
	IOCTL(DEV, UMBRA_GET_CAPS, umbra_get_caps, max_slot_pages),
	.rejects[0] = (const struct reject[]){
		REJECT(get_caps, format, 1000, EOPNOTSUPP),
		REJECT(get_caps, format, ~0u, EOPNOTSUPP),
		{}
	},
};

FIXTURE_VARIANT_ADD(ioctl, create_vm)
{
	IOCTL(DEV, UMBRA_CREATE_VM, umbra_create_vm, pad),
	.flags = UMBRA_VM_SOFT_AD,
	.rejects[0] = (const struct reject[]){
		REJECT(create_vm, format, 1000, EOPNOTSUPP),
		REJECT(create_vm, format, ~0u, EOPNOTSUPP),
		REJECT(create_vm, format, UMBRA_FMT_MIPS_VZ, EOPNOTSUPP),
		REJECT(create_vm, gpa_bits, 1, EINVAL),
		REJECT(create_vm, gpa_bits, 64, EINVAL),
		REJECT(create_vm, gpa_bits, ~0u, EINVAL),
		REJECT(create_vm, pad, 1, EINVAL),
		{}
	},
};

#define MEM_FLAGS	(UMBRA_MEM_READONLY | UMBRA_MEM_LOG_DIRTY | \
			 UMBRA_MEM_LOG_D_BITS | UMBRA_MEM_NOEXEC | \
			 UMBRA_MEM_LOG_PROTECT | UMBRA_MEM_LOG_ALL_SET | \
			 UMBRA_MEM_LOG_SPLIT | UMBRA_MEM_IDLE_AGES)

FIXTURE_VARIANT_ADD(ioctl, create_memslot)
{
	IOCTL(VM, UMBRA_SET_MEMSLOT, umbra_set_memslot, hva),
	.flags = MEM_FLAGS,
	.arg.set_memslot = {
		.slot = NO_SLOT,
		.gpa = NO_GPA,
		.length = 2 * PAGE,
		.hva = SPARE,
	},
	.rejects[0] = (const struct reject[]){
		REJECT(set_memslot, flags, UMBRA_MEM_LOG_D_BITS, EINVAL),
		REJECT(set_memslot, flags, UMBRA_MEM_LOG_PROTECT, EINVAL),
		REJECT(set_memslot, flags, UMBRA_MEM_LOG_ALL_SET, EINVAL),
		REJECT(set_memslot, flags, UMBRA_MEM_LOG_SPLIT, EINVAL),
		REJECT(set_memslot, slot, ~0u, EINVAL),
		REJECT(set_memslot, log_readers, 1, EINVAL),
		REJECT(set_memslot, gpa, NO_GPA + 1, EINVAL),
		REJECT(set_memslot, gpa, LIMIT, EINVAL),
		REJECT(set_memslot, gpa, LIMIT - PAGE, EINVAL),
		REJECT(set_memslot, gpa, -2 * PAGE, EINVAL),
		REJECT(set_memslot, gpa, 0, EEXIST),
		REJECT(set_memslot, gpa, RO_GPA - PAGE, EEXIST),
		REJECT(set_memslot, gpa, LOG_GPA + (LOG_PAGES - 1) * PAGE,
		       EEXIST),
		REJECT(set_memslot, length, 1, EINVAL),
		REJECT(set_memslot, length, 2 * PAGE + 1, EINVAL),
		REJECT(set_memslot, length, LIMIT, EINVAL),
		REJECT(set_memslot, length, -NO_GPA, EINVAL),
		REJECT(set_memslot, hva, SPARE + 1, EINVAL),
		REJECT(set_memslot, hva, 1UL << 63, EINVAL),
		REJECT(set_memslot, hva, -2 * PAGE, EINVAL),
		{}
	},
};

FIXTURE_VARIANT_ADD(ioctl, move_memslot)
{
	IOCTL(VM, UMBRA_SET_MEMSLOT, umbra_set_memslot, hva),
	.flags = MEM_FLAGS,
	.arg.set_memslot = {
		.flags = RO_FLAGS,
		.slot = RO_SLOT,
		.gpa = NO_GPA,
		.length = 2 * PAGE,
		.hva = SPARE,
	},
	.rejects[0] = (const struct reject[]){
		REJECT(set_memslot, flags, UMBRA_MEM_READONLY, EINVAL),
		REJECT(set_memslot, flags, UMBRA_MEM_NOEXEC, EINVAL),
		REJECT(set_memslot, gpa, NO_GPA + 1, EINVAL),
		REJECT(set_memslot, gpa, LIMIT, EINVAL),
		REJECT(set_memslot, gpa, LIMIT - PAGE, EINVAL),
		REJECT(set_memslot, gpa, -2 * PAGE, EINVAL),
		REJECT(set_memslot, gpa, 0, EEXIST),
		REJECT(set_memslot, gpa, RO_GPA - PAGE, EEXIST),
		REJECT(set_memslot, gpa, RO_GPA + PAGE, EEXIST),
		REJECT(set_memslot, length, PAGE, EINVAL),
		REJECT(set_memslot, length, 4 * PAGE, EINVAL),
		REJECT(set_memslot, hva, SPARE + PAGE, EINVAL),
		{}
	},
};

FIXTURE_VARIANT_ADD(ioctl, change_memslot)
{
	IOCTL(VM, UMBRA_SET_MEMSLOT, umbra_set_memslot, hva),
	.flags = MEM_FLAGS,
	.arg.set_memslot = {
		.flags = UMBRA_MEM_LOG_DIRTY,
		.slot = RW_SLOT,
		.gpa = RW_GPA,
		.length = 2 * PAGE,
		.hva = SPARE,
	},
	.rejects[0] = (const struct reject[]){
		REJECT(set_memslot, flags, UMBRA_MEM_READONLY, EINVAL),
		REJECT(set_memslot, flags, UMBRA_MEM_NOEXEC, EINVAL),
		REJECT(set_memslot, flags, UMBRA_MEM_LOG_D_BITS, EINVAL),
		REJECT(set_memslot, log_readers, 1u << 4, EINVAL),
		REJECT(set_memslot, log_readers, ~0u, EINVAL),
		REJECT(set_memslot, length, PAGE, EINVAL),
		REJECT(set_memslot, hva, SPARE + PAGE, EINVAL),
		{}
	},
};

/* Fields that do not matter hold what would not be accepted elsewhere. */
FIXTURE_VARIANT_ADD(ioctl, delete_memslot)
{
	IOCTL(VM, UMBRA_SET_MEMSLOT, umbra_set_memslot, hva),
	.flags = MEM_FLAGS,
	.arg.set_memslot = { .slot = RW_SLOT, .gpa = LIMIT + 1, .hva = -1UL },
	.rejects[0] = (const struct reject[]){
		REJECT(set_memslot, slot, NO_SLOT, ENOENT),
		REJECT(set_memslot, slot, ~0u, EINVAL),
		REJECT(set_memslot, log_readers, 1, EINVAL),
		{}
	},
};

FIXTURE_VARIANT_ADD(ioctl, create_vcpu)
{
	IOCTL(VM, UMBRA_CREATE_VCPU, umbra_create_vcpu, ring_size),
	.rejects[0] = (const struct reject[]){
		REJECT(create_vcpu, ring_size, 1, EINVAL),
		REJECT(create_vcpu, ring_size, 4, EINVAL),
		REJECT(create_vcpu, ring_size, 100, EINVAL),
		REJECT(create_vcpu, ring_size, 1u << 17, EINVAL),
		REJECT(create_vcpu, ring_size, ~0u, EINVAL),
		{}
	},
};

FIXTURE_VARIANT_ADD(ioctl, unmap)
{
	IOCTL(VM, UMBRA_UNMAP, umbra_unmap, done),
	.arg.unmap = { .gpa = 2 * PAGE, .length = 4 * PAGE },
	.rejects[0] = bad_range,
};

FIXTURE_VARIANT_ADD(ioctl, age)
{
	IOCTL(VM, UMBRA_AGE, umbra_age, young),
	.flags = UMBRA_AGE_CLEAR,
	.arg.age = {
		.gpa = 2 * PAGE,
		.length = 4 * PAGE,
		.granule = 2 * PAGE,
		.bitmap = (uintptr_t)bitmap,
	},
	.rejects[0] = bad_range,
	.rejects[1] = (const struct reject[]){
		REJECT(age, gpa, 3 * PAGE, EINVAL),
		REJECT(age, length, 3 * PAGE, EINVAL),
		REJECT(age, context, 1, ENOENT),
		REJECT(age, pad, 1, EINVAL),
		REJECT(age, granule, 0, EINVAL),
		REJECT(age, granule, 1, EINVAL),
		REJECT(age, granule, PAGE / 2, EINVAL),
		REJECT(age, granule, -PAGE, EINVAL),
		REJECT(age, bitmap, NO_POINTER, EFAULT),
		{}
	},
};

/* Only their size is wrong with these granules. */
FIXTURE_VARIANT_ADD(ioctl, age_widely)
{
	IOCTL(VM, UMBRA_AGE, umbra_age, young),
	.flags = UMBRA_AGE_CLEAR,
	.arg.age = { .length = 6UL << 30, .granule = 1UL << 30 },
	.rejects[0] = (const struct reject[]){
		REJECT(age, granule, 1UL << 31, EINVAL),
		REJECT(age, granule, 3UL << 29, EINVAL),
		{}
	},
};

FIXTURE_VARIANT_ADD(ioctl, get_dirty_log)
{
	IOCTL(VM, UMBRA_GET_DIRTY_LOG, umbra_get_dirty_log, dirty),
	.flags = UMBRA_DIRTY_LOG_KEEP,
	.arg.get_dirty_log = {
		.slot = LOG_SLOT,
		.first_page = 64,
		.nr_pages = LOG_PAGES - 64,
		.bitmap = (uintptr_t)bitmap,
	},
	.rejects[0] = bad_log,
};

FIXTURE_VARIANT_ADD(ioctl, clear_dirty_log)
{
	IOCTL(VM, UMBRA_CLEAR_DIRTY_LOG, umbra_clear_dirty_log, bitmap),
	.arg.clear_dirty_log = {
		.slot = LOG_SLOT,
		.first_page = 64,
		.nr_pages = LOG_PAGES - 64,
		.bitmap = (uintptr_t)bitmap,
	},
	.rejects[0] = bad_log,
};

FIXTURE_VARIANT_ADD(ioctl, reset_dirty_rings)
{
	IOCTL(VM, UMBRA_RESET_DIRTY_RINGS, umbra_reset_dirty_rings, done),
};

FIXTURE_VARIANT_ADD(ioctl, scan_idle)
{
	IOCTL(VM, UMBRA_SCAN_IDLE, umbra_scan_idle, pages),
	.arg.scan_idle = { .slot = RO_SLOT },
	.rejects[0] = (const struct reject[]){
		REJECT(scan_idle, slot, RW_SLOT, ENOENT),
		REJECT(scan_idle, slot, NO_SLOT, ENOENT),
		REJECT(scan_idle, slot, ~0u, ENOENT),
		REJECT(scan_idle, pad, 1, EINVAL),
		{}
	},
};

FIXTURE_VARIANT_ADD(ioctl, translate)
{
	IOCTL(VM, UMBRA_TRANSLATE, umbra_translate, hpa),
	.flags = UMBRA_TRANSLATE_HPA,
	.arg.translate = { .gpa = 1 },
	.rejects[0] = (const struct reject[]){
		REJECT(translate, gpa, LIMIT, EINVAL),
		REJECT(translate, gpa, -1UL, EINVAL),
		REJECT(translate, context, 1, ENOENT),
		REJECT(translate, context, CONTEXT + 64, ENOENT),
		REJECT(translate, pad, 1, EINVAL),
		{}
	},
};

FIXTURE_VARIANT_ADD(ioctl, verify)
{
	IOCTL(VM, UMBRA_VERIFY, umbra_verify, first_bad),
	.arg.verify = { .gpa = 2 * PAGE, .length = 4 * PAGE },
	.rejects[0] = bad_range,
};

FIXTURE_VARIANT_ADD(ioctl, split)
{
	IOCTL(VM, UMBRA_SPLIT, umbra_split, done),
	.arg.split = {
		.gpa = 2 * PAGE,
		.length = 4 * PAGE,
		.leaf_shift = 12,
	},
	.rejects[0] = bad_range,
	.rejects[1] = (const struct reject[]){
		REJECT(split, leaf_shift, 0, EINVAL),
		REJECT(split, leaf_shift, 11, EINVAL),
		REJECT(split, leaf_shift, 13, EINVAL),
		REJECT(split, leaf_shift, 39, EINVAL),
		REJECT(split, leaf_shift, ~0u, EINVAL),
		REJECT(split, pad, 1, EINVAL),
		{}
	},
};

FIXTURE_VARIANT_ADD(ioctl, collapse)
{
	IOCTL(VM, UMBRA_COLLAPSE, umbra_collapse, done),
	.arg.collapse = { .gpa = 2 * PAGE, .length = 4 * PAGE },
	.rejects[0] = bad_range,
};

FIXTURE_VARIANT_ADD(ioctl, get_stats)
{
	IOCTL(VM, UMBRA_GET_STATS, umbra_get_stats, accesses),
};

FIXTURE_VARIANT_ADD(ioctl, create_nested)
{
	IOCTL(VM, UMBRA_CREATE_NESTED, umbra_create_nested, context),
	.flags = UMBRA_NESTED_USER | UMBRA_NESTED_SOFT_AD,
	.arg.create_nested = {
		.format = UMBRA_FMT_X86_EPT,
		.addr_bits = 48,
		.root = TABLE_GPA,
		.vmid = 1,
	},
	.rejects[0] = (const struct reject[]){
		REJECT(create_nested, format, 7, EOPNOTSUPP),
		REJECT(create_nested, format, ~0u, EOPNOTSUPP),
		REJECT(create_nested, format, UMBRA_FMT_MIPS_VZ, EOPNOTSUPP),
		REJECT(create_nested, addr_bits, 0, EINVAL),
		REJECT(create_nested, addr_bits, 31, EINVAL),
		REJECT(create_nested, addr_bits, 53, EINVAL),
		REJECT(create_nested, root, TABLE_GPA + 8, EINVAL),
		REJECT(create_nested, root, LIMIT, EINVAL),
		REJECT(create_nested, root, -PAGE, EINVAL),
		{}
	},
};

FIXTURE_VARIANT_ADD(ioctl, destroy_nested)
{
	IOCTL(VM, UMBRA_DESTROY_NESTED, umbra_destroy_nested, pad),
	.arg.destroy_nested = { .context = CONTEXT },
	.rejects[0] = (const struct reject[]){
		REJECT(destroy_nested, context, 0, ENOENT),
		REJECT(destroy_nested, context, 1, ENOENT),
		REJECT(destroy_nested, context, CONTEXT + 64, ENOENT),
		REJECT(destroy_nested, pad, 1, EINVAL),
		{}
	},
};

FIXTURE_VARIANT_ADD(ioctl, invalidate_nested)
{
	IOCTL(VM, UMBRA_INVALIDATE_NESTED, umbra_invalidate_nested, pad),
	.flags = UMBRA_INVALIDATE_VMID,
	.arg.invalidate_nested = {
		.context = CONTEXT,
		.gpa = 2 * PAGE,
		.length = 4 * PAGE,
	},
	.rejects[0] = (const struct reject[]){
		REJECT(invalidate_nested, context, 0, ENOENT),
		REJECT(invalidate_nested, context, CONTEXT + 64, ENOENT),
		REJECT(invalidate_nested, flags, UMBRA_INVALIDATE_VMID, EINVAL),
		REJECT(invalidate_nested, vmid, 1, EINVAL),
		REJECT(invalidate_nested, gpa, 2 * PAGE + 1, EINVAL),
		REJECT(invalidate_nested, gpa, 1UL << 48, EINVAL),
		REJECT(invalidate_nested, gpa, -4 * PAGE, EINVAL),
		REJECT(invalidate_nested, length, 0, EINVAL),
		REJECT(invalidate_nested, length, PAGE + 1, EINVAL),
		REJECT(invalidate_nested, length, 1UL << 48, EINVAL),
		REJECT(invalidate_nested, leaf_shift, 11, EINVAL),
		REJECT(invalidate_nested, leaf_shift, 13, EINVAL),
		REJECT(invalidate_nested, leaf_shift, 57, EINVAL),
		REJECT(invalidate_nested, pad, 1, EINVAL),
		{}
	},
};

FIXTURE_VARIANT_ADD(ioctl, fault)
{
	IOCTL(VCPU, UMBRA_FAULT, umbra_fault, done),
	.flags = UMBRA_FAULT_WRITE | UMBRA_FAULT_EXEC | UMBRA_FAULT_NOWAIT,
	.arg.fault = { .gpa = 2 * PAGE, .length = 4 * PAGE },
	.rejects[0] = bad_range,
	.rejects[1] = (const struct reject[]){
		REJECT(fault, gpa, NO_GPA, ENOENT),
		REJECT(fault, context, 1, ENOENT),
		REJECT(fault, pad, 1, EINVAL),
		{}
	},
};

FIXTURE_VARIANT_ADD(ioctl, fault_readonly)
{
	IOCTL(VCPU, UMBRA_FAULT, umbra_fault, done),
	.flags = UMBRA_FAULT_WRITE | UMBRA_FAULT_EXEC | UMBRA_FAULT_NOWAIT,
	.arg.fault = { .gpa = RO_GPA, .length = PAGE },
	.rejects[0] = (const struct reject[]){
		REJECT(fault, flags, UMBRA_FAULT_WRITE, EACCES),
		REJECT(fault, flags, UMBRA_FAULT_EXEC, EACCES),
		{}
	},
};

static struct umbra_access_op load_op = { .op = UMBRA_OP_LOAD, .len = 8 };

FIXTURE_VARIANT_ADD(ioctl, access)
{
	IOCTL(VCPU, UMBRA_ACCESS, umbra_access, done),
	.flags = UMBRA_ACCESS_NOWAIT | UMBRA_ACCESS_EXITS,
	.arg.access = { .ops = (uintptr_t)&load_op, .nr_ops = 1 },
	.rejects[0] = (const struct reject[]){
		REJECT(access, ops, NO_POINTER, EFAULT),
		REJECT(access, nr_ops, 0, EINVAL),
		REJECT(access, context, 1, ENOENT),
		REJECT(access, pad, 1, EINVAL),
		{}
	},
};

/* Make @arg the @valid one, of @known bytes, and let it say that it has @size. */
static void fill(union arg *arg, const union arg *valid, uint32_t known,
		 uint32_t size)
{
	memset(arg, 0, sizeof(*arg));
	memcpy(arg, valid, known);
	arg->size = size;
}

TEST_F(ioctl, fields)
{
	int fd = self->m.fd[variant->kind];
	const struct reject *reject;
	union arg sent;
	int i;

	for (i = 0; i < ARRAY_SIZE(variant->rejects); i++) {
		reject = variant->rejects[i];
		for (; reject && reject->what; reject++) {
			fill(&sent, &variant->arg, variant->size,
			     variant->size);
			set_field(&sent, reject);
			self->arg = sent;
			EXPECT_EQ(-reject->error,
				  call(fd, variant->cmd, &self->arg))
				TH_LOG("with %s", reject->what);
			EXPECT_EQ(0, memcmp(&self->arg, &sent, sizeof(sent)));
			EXPECT_STREQ("", damage(&self->m))
				TH_LOG("after %s", reject->what);
		}
	}
}

TEST_F(ioctl, unknown_flags)
{
	int fd = self->m.fd[variant->kind];
	uint64_t flag;

	for (flag = 1; flag >> 32 == 0; flag <<= 1) {
		if (flag & variant->flags)
			continue;
		fill(&self->arg, &variant->arg, variant->size, variant->size);
		self->arg.flags |= flag;
		EXPECT_EQ(-EOPNOTSUPP, call(fd, variant->cmd, &self->arg))
			TH_LOG("with flag %#llx", (unsigned long long)flag);
	}
	EXPECT_STREQ("", damage(&self->m));
}

TEST_F(ioctl, size_too_small)
{
	int fd = self->m.fd[variant->kind];
	uint32_t size;

	for (size = 0; size < variant->first_size; size++) {
		fill(&self->arg, &variant->arg, variant->size, size);
		EXPECT_EQ(-EINVAL, call(fd, variant->cmd, &self->arg))
			TH_LOG("with size %u", size);
	}
	EXPECT_STREQ("", damage(&self->m));
}

TEST_F(ioctl, tail_not_zero)
{
	int fd = self->m.fd[variant->kind];
	uint32_t at;

	for (at = variant->size; at < ROOM; at += 61) {
		fill(&self->arg, &variant->arg, variant->size, ROOM);
		self->arg.bytes[at] = 1;
		EXPECT_EQ(-E2BIG, call(fd, variant->cmd, &self->arg))
			TH_LOG("with byte %u", at);
	}
	EXPECT_STREQ("", damage(&self->m));
}

TEST_F(ioctl, tail_zero)
{
	fill(&self->arg, &variant->arg, variant->size, ROOM);
	EXPECT_EQ(0, call(self->m.fd[variant->kind], variant->cmd, &self->arg));
	EXPECT_EQ(ROOM, self->arg.size);
}

TEST_F(ioctl, first_size)
{
	fill(&self->arg, &variant->arg, variant->size, variant->first_size);
	EXPECT_EQ(0, call(self->m.fd[variant->kind], variant->cmd, &self->arg));
	EXPECT_EQ(variant->first_size, self->arg.size);
}

TEST_F(ioctl, bad_pointer)
{
	int fd = self->m.fd[variant->kind];
	void *end = edge();

	EXPECT_EQ(-EFAULT, call(fd, variant->cmd, NULL));
	EXPECT_EQ(-EFAULT, call(fd, variant->cmd, (void *)-PAGE));
	EXPECT_EQ(-EFAULT, call(fd, variant->cmd, end));

	fill(&self->arg, &variant->arg, variant->size, variant->size);
	memcpy(end - 8, &self->arg, 8);
	EXPECT_EQ(-EFAULT, call(fd, variant->cmd, end - 8));

	fill(&self->arg, &variant->arg, variant->size, ROOM);
	memcpy(end - variant->size, &self->arg, variant->size);
	EXPECT_EQ(-EFAULT, call(fd, variant->cmd, end - variant->size));
	EXPECT_STREQ("", damage(&self->m));
}

TEST_F(ioctl, wrong_descriptor)
{
	int kind;

	fill(&self->arg, &variant->arg, variant->size, variant->size);
	for (kind = 0; kind < NR_KINDS; kind++)
		if (kind != variant->kind)
			EXPECT_EQ(-ENOTTY, call(self->m.fd[kind], variant->cmd,
						&self->arg));
	EXPECT_STREQ("", damage(&self->m));
}

TEST_F(ioctl, wrong_number)
{
	int fd = self->m.fd[variant->kind];
	const unsigned long wrong[] = {
		_IO(UMBRA_IOC_TYPE + 1, _IOC_NR(variant->cmd)),
		_IO(UMBRA_IOC_TYPE, 0xff),
		_IOWR(UMBRA_IOC_TYPE, _IOC_NR(variant->cmd), int),
	};
	int i;

	fill(&self->arg, &variant->arg, variant->size, variant->size);
	for (i = 0; i < ARRAY_SIZE(wrong); i++)
		EXPECT_EQ(-ENOTTY, call(fd, wrong[i], &self->arg));
	EXPECT_STREQ("", damage(&self->m));
}

/* The device belongs to nobody. */
static int unless_dev(enum kind kind, int error)
{
	return kind == DEV ? 0 : error;
}

TEST_F(ioctl, other_process)
{
	int status;
	pid_t pid;

	/* So that fork() itself leaves the translations alone. */
	ASSERT_EQ(0, madvise(self->m.g.mem, GUEST_PAGES * PAGE, MADV_DONTFORK));
	fill(&self->arg, &variant->arg, variant->size, variant->size);
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(-call(self->m.fd[variant->kind], variant->cmd,
			    &self->arg));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_TRUE(WIFEXITED(status));
	EXPECT_EQ(unless_dev(variant->kind, EIO), WEXITSTATUS(status));
	EXPECT_STREQ("", damage(&self->m));
}

/*
 * Start a process that has our descriptors but its own memory, and a machine.
 * When continued, it executes @program, or exits if that is NULL.
 */
static pid_t start_owner(struct machine *m, const char *program)
{
	pid_t pid = syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
	int status;

	if (pid) {
		waitpid(pid, &status, WUNTRACED);
		return WIFSTOPPED(status) ? pid : -1;
	}
	if (!machine_create(m))
		kill(getpid(), SIGSTOP);
	if (program)
		execl(program, program, "1000", NULL);
	_exit(0);
}

/* As the last reference to an mm may be dropped late, wait for @error. */
static int call_until(int error, int fd, unsigned long cmd, void *arg)
{
	int ret, tries;

	for (tries = 0; tries < 1000; tries++) {
		ret = call(fd, cmd, arg);
		if (ret == error)
			break;
		usleep(10000);
	}
	return ret;
}

static void test_owner(struct __test_metadata *_metadata,
		       const char *program, enum kind kind, unsigned long cmd,
		       const union arg *valid)
{
	struct machine *m = mmap(NULL, sizeof(*m), PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	union arg arg = *valid;
	pid_t pid;

	ASSERT_NE(MAP_FAILED, (void *)m);
	pid = start_owner(m, program);
	ASSERT_LT(0, pid);
	EXPECT_EQ(unless_dev(kind, -EIO), call(m->fd[kind], cmd, &arg));

	arg = *valid;
	ASSERT_EQ(0, kill(pid, SIGCONT));
	EXPECT_EQ(unless_dev(kind, -ESRCH),
		  call_until(unless_dev(kind, -ESRCH), m->fd[kind], cmd, &arg));
	EXPECT_EQ(0, close(m->fd[VCPU]));
	EXPECT_EQ(0, close(m->fd[VM]));
	EXPECT_EQ(0, close(m->fd[DEV]));
	if (program) {
		EXPECT_EQ(0, waitpid(pid, NULL, WNOHANG));
		EXPECT_EQ(0, kill(pid, SIGKILL));
	}
	EXPECT_EQ(pid, waitpid(pid, NULL, 0));
}

TEST_F(ioctl, owner_exits)
{
	fill(&self->arg, &variant->arg, variant->size, variant->size);
	test_owner(_metadata, NULL, variant->kind, variant->cmd, &self->arg);
}

TEST_F(ioctl, owner_executes)
{
	fill(&self->arg, &variant->arg, variant->size, variant->size);
	test_owner(_metadata, "/bin/sleep", variant->kind, variant->cmd,
		   &self->arg);
}

/* --------------------------------------------- the operations of ACCESS */

FIXTURE(op)
{
	struct machine m;
};

FIXTURE_VARIANT(op)
{
	struct umbra_access_op op;
	const struct reject *rejects[4];
};

FIXTURE_SETUP(op)
{
	ASSERT_EQ(0, machine_create(&self->m));
}

FIXTURE_TEARDOWN(op)
{
	guest_destroy(&self->m.g);
}

/* For any operation. */
static const struct reject bad_op[] = {
	REJECT(access_op, op, 1000, EOPNOTSUPP),
	REJECT(access_op, op, ~0u, EOPNOTSUPP),
	REJECT(access_op, len, 0, EINVAL),
	REJECT(access_op, gpa, LIMIT, EINVAL),
	REJECT(access_op, gpa, -8UL, EINVAL),
	REJECT(access_op, gpa, NO_GPA, ENOENT),
	{}
};

static const struct reject bad_atomic[] = {
	REJECT(access_op, len, 3, EINVAL),
	REJECT(access_op, len, 16, EINVAL),
	REJECT(access_op, len, ~0u, EINVAL),
	REJECT(access_op, gpa, 9, EINVAL),
	REJECT(access_op, gpa, 12, EINVAL),
	{}
};

static const struct reject bad_copy[] = {
	REJECT(access_op, gpa, LIMIT - 4, EINVAL),
	REJECT(access_op, value, NO_POINTER, EFAULT),
	REJECT(access_op, value, 1UL << 63, EFAULT),
	{}
};

/* For what RO_SLOT denies. */
static const struct reject bad_right[] = {
	REJECT(access_op, gpa, RO_GPA, EACCES),
	{}
};

static const struct reject bad_without_compare[] = {
	REJECT(access_op, compare, 1, EINVAL),
	REJECT(access_op, compare, 1UL << 63, EINVAL),
	{}
};

static uint64_t copied;

FIXTURE_VARIANT_ADD(op, load)
{
	.op = { .op = UMBRA_OP_LOAD, .len = 8, .gpa = 8 },
	.rejects = { bad_op, bad_atomic, bad_without_compare },
};

FIXTURE_VARIANT_ADD(op, fetch)
{
	.op = { .op = UMBRA_OP_FETCH, .len = 8, .gpa = 8 },
	.rejects = { bad_op, bad_atomic, bad_without_compare, bad_right },
};

FIXTURE_VARIANT_ADD(op, store)
{
	.op = { .op = UMBRA_OP_STORE, .len = 8, .gpa = 8 },
	.rejects = { bad_op, bad_atomic, bad_without_compare, bad_right },
};

FIXTURE_VARIANT_ADD(op, cmpxchg)
{
	.op = { .op = UMBRA_OP_CMPXCHG, .len = 8, .gpa = 8 },
	.rejects = { bad_op, bad_atomic, bad_right },
};

FIXTURE_VARIANT_ADD(op, read)
{
	.op = {
		.op = UMBRA_OP_READ,
		.len = 8,
		.gpa = 8,
		.value = (uintptr_t)&copied,
	},
	.rejects = { bad_op, bad_copy, bad_without_compare },
};

FIXTURE_VARIANT_ADD(op, write)
{
	.op = {
		.op = UMBRA_OP_WRITE,
		.len = 8,
		.gpa = 8,
		.value = (uintptr_t)&copied,
	},
	.rejects = { bad_op, bad_copy, bad_without_compare, bad_right },
};

static int access_ops(const struct machine *m, struct umbra_access_op *ops,
		      uint32_t nr_ops, uint32_t *done)
{
	struct umbra_access arg = {
		.size = sizeof(arg), .ops = (uintptr_t)ops, .nr_ops = nr_ops,
	};
	int ret = call(m->fd[VCPU], UMBRA_ACCESS, &arg);

	*done = arg.done;
	return ret;
}

TEST_F(op, fields)
{
	uint64_t *memory = (uint64_t *)self->m.g.mem;
	struct umbra_access_op ops[2];
	const struct reject *reject;
	uint32_t done;
	int i;

	for (i = 0; i < ARRAY_SIZE(variant->rejects); i++) {
		reject = variant->rejects[i];
		for (; reject && reject->what; reject++) {
			memory[1] = 42;
			ops[0] = load_op;
			ops[1] = variant->op;
			set_field(&ops[1], reject);
			EXPECT_EQ(-reject->error,
				  access_ops(&self->m, &ops[1], 1, &done))
				TH_LOG("with %s", reject->what);
			EXPECT_EQ(0, access_ops(&self->m, ops, 2, &done));
			EXPECT_EQ(1, done)
				TH_LOG("with %s", reject->what);
			EXPECT_EQ(42, memory[1]);
			EXPECT_STREQ("", damage(&self->m))
				TH_LOG("after %s", reject->what);
		}
	}
}

TEST_F(op, accepted)
{
	struct umbra_access_op op = variant->op;
	uint32_t done;

	EXPECT_EQ(0, access_ops(&self->m, &op, 1, &done));
	EXPECT_EQ(1, done);
	EXPECT_STREQ("", damage(&self->m));
}

TEST_F(op, array_ends_early)
{
	struct umbra_access_op *end = edge();
	uint32_t done;

	end[-1] = variant->op;
	EXPECT_EQ(0, access_ops(&self->m, end - 1, 2, &done));
	EXPECT_EQ(1, done);
	EXPECT_EQ(-EFAULT, access_ops(&self->m, end, 1, &done));
	EXPECT_STREQ("", damage(&self->m));
}

/* Only LOAD, FETCH and CMPXCHG write to the array. */
TEST_F(op, array_read_only)
{
	bool writes = variant->op.op == UMBRA_OP_LOAD ||
		      variant->op.op == UMBRA_OP_FETCH ||
		      variant->op.op == UMBRA_OP_CMPXCHG;
	struct umbra_access_op *end = edge();
	uint32_t done;

	end[-1] = variant->op;
	ASSERT_EQ(0, mprotect((void *)end - PAGE, PAGE, PROT_READ));
	EXPECT_EQ(writes ? -EFAULT : 0,
		  access_ops(&self->m, end - 1, 1, &done));
	EXPECT_STREQ("", damage(&self->m));
}

TEST_HARNESS_MAIN
