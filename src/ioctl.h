/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Ioctls as tables: what is common to the descriptors of device, VM and vCPU.
 *
 * Each kind of descriptor has a table of ioctls. umbra_ioctl_run() copies the
 * structure in, rejects unknown flags, calls the operation, and copies the
 * structure out if it succeeds. An operation that came some way returns 0 with
 * done set.
 */
#ifndef UMBRA_IOCTL_H
#define UMBRA_IOCTL_H

#include <linux/fs.h>
#include <uapi/linux/umbra_test.h>

#include "nested_update.h"
#include "vcpu.h"

/* Room for any structure; all begin with size and flags. */
union umbra_arg {
	struct {
		u32 size;
		u32 flags;
	};
	struct umbra_get_caps get_caps;
	struct umbra_create_vm create_vm;
	struct umbra_set_memslot set_memslot;
	struct umbra_create_vcpu create_vcpu;
	struct umbra_unmap unmap;
	struct umbra_age age;
	struct umbra_scan_idle scan_idle;
	struct umbra_get_dirty_log get_dirty_log;
	struct umbra_clear_dirty_log clear_dirty_log;
	struct umbra_reset_dirty_rings reset_dirty_rings;
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
	struct umbra_test test;
};

/**
 * struct umbra_call - one ioctl under way
 * @object: what is behind the descriptor
 * @arg: the structure
 * @file: a file that the operation has made, to be installed at @fd
 * @fd: reserved for it
 */
struct umbra_call {
	void *object;
	union umbra_arg arg;
	struct file *file;
	int fd;
};

/**
 * struct umbra_ioctl - an ioctl of one kind of descriptor
 * @cmd: its number
 * @size: of its structure
 * @min_size: of its structure when it was first published
 * @flags: the flags it knows
 * @in_only: no field is out, the structure may be in read-only memory
 * @any_mm: may be called from any process
 * @fn: the operation
 */
struct umbra_ioctl {
	unsigned int cmd;
	u32 size;
	u32 min_size;
	u32 flags;
	bool in_only;
	bool any_mm;
	int (*fn)(struct umbra_call *call);
};

#define IOCTL(_cmd, _struct, _last, _flags, _in_only, _fn)		\
	{ .cmd = _cmd, .size = sizeof(struct _struct),			\
	  .min_size = offsetofend(struct _struct, _last),		\
	  .flags = _flags, .in_only = _in_only, .fn = _fn }
#define IOCTL_OP(_cmd, _struct, _last, _flags, _fn)			\
	IOCTL(_cmd, _struct, _last, _flags, false, _fn)
#define IOCTL_IN(_cmd, _struct, _last, _flags, _fn)			\
	IOCTL(_cmd, _struct, _last, _flags, true, _fn)

/**
 * umbra_ioctl_run() - perform an ioctl
 * @ops: the table
 * @nr: its length
 * @object: what is behind the descriptor
 * @vm: the VM that @object belongs to, or NULL
 * @cmd: the number of the ioctl
 * @user: the caller's pointer
 *
 * May sleep.
 *
 * Return: 0 or -errno.
 */
long umbra_ioctl_run(const struct umbra_ioctl *ops, unsigned int nr,
		     void *object, struct umbra_vm *vm, unsigned int cmd,
		     unsigned long user);

/**
 * umbra_ioctl_fd() - give the caller a descriptor when all else has succeeded
 * @call: the ioctl that makes it
 * @name: of its file
 * @fops: of its file, which takes @object over
 * @object: what is behind it
 *
 * May sleep.
 *
 * Return: the descriptor's number or -errno.
 */
int umbra_ioctl_fd(struct umbra_call *call, const char *name,
		   const struct file_operations *fops, void *object);

/**
 * umbra_ioctl_enter() - go into the nested context of an operation
 * @vm: the VM
 * @context: its number; 0 is none
 * @pad: has to be 0
 * @n: out: the context, to be left, or NULL
 *
 * Return: 0 or -errno.
 */
int umbra_ioctl_enter(struct umbra_vm *vm, u32 context, u32 pad,
		      struct umbra_nested **n);

/* An operation that stopped with @ret: is it an error, or some progress? */
static inline int umbra_progress(u64 done, int ret)
{
	return done ? 0 : ret;
}

/* The addresses that an operation is about end here: @n's, or else @vm's. */
static inline u64 umbra_limit(const struct umbra_vm *vm,
			      const struct umbra_nested *n)
{
	return (n ? n->gfn_limit : vm->gfn_limit) << PAGE_SHIFT;
}

static inline bool umbra_range_below(u64 limit, u64 gpa, u64 length, u64 align)
{
	return length && !(gpa % align) && !(length % align) &&
	       length <= limit && gpa <= limit - length;
}

static inline bool umbra_range_ok(const struct umbra_vm *vm, u64 gpa,
				  u64 length, u64 align)
{
	return umbra_range_below(umbra_limit(vm, NULL), gpa, length, align);
}

#endif /* UMBRA_IOCTL_H */
