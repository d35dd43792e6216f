// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM of the same kernel. Its vCPU runs a loop of a few instructions when pages
 * have to be touched.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "bench.h"

#ifndef KVM_PRE_FAULT_MEMORY /* Linux 6.11 */
struct kvm_pre_fault_memory {
	__u64 gpa;
	__u64 size;
	__u64 flags;
	__u64 padding[5];
};

#define KVM_PRE_FAULT_MEMORY _IOWR(KVMIO, 0xd5, struct kvm_pre_fault_memory)
#endif

static int call(int fd, unsigned long request, void *arg, const char *what)
{
	int ret = ioctl(fd, request, arg);

	if (ret < 0)
		err(1, "KVM: %s", what);
	return ret;
}

/* The vCPU's addresses are as wide as the processor's. */
static void set_cpuid(int kvm, int vcpu)
{
	struct kvm_cpuid2 *cpuid;
	unsigned int nr = 256;

	cpuid = calloc(1, sizeof(*cpuid) + nr * sizeof(cpuid->entries[0]));
	if (!cpuid)
		err(1, "calloc");
	cpuid->nent = nr;
	call(kvm, KVM_GET_SUPPORTED_CPUID, cpuid, "GET_SUPPORTED_CPUID");
	call(vcpu, KVM_SET_CPUID2, cpuid, "SET_CPUID2");
	free(cpuid);
}

/* 32-bit protected mode, no paging. */
static void set_segments(int vcpu)
{
	struct kvm_segment flat = {
		.limit = 0xffffffff, .present = 1, .s = 1, .g = 1, .db = 1,
		.type = 3, .selector = 16,
	};
	struct kvm_sregs sregs;

	call(vcpu, KVM_GET_SREGS, &sregs, "GET_SREGS");
	sregs.ds = flat;
	sregs.es = flat;
	sregs.ss = flat;
	sregs.cs = flat;
	sregs.cs.type = 11;
	sregs.cs.selector = 8;
	sregs.cr0 |= 1;
	call(vcpu, KVM_SET_SREGS, &sregs, "SET_SREGS");
}

static void create(struct guest *g)
{
	g->dev = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (g->dev < 0)
		err(1, "/dev/kvm");
	g->vm = call(g->dev, KVM_CREATE_VM, NULL, "CREATE_VM");
}

static int create_vcpu(struct guest *g)
{
	int vcpu = call(g->vm, KVM_CREATE_VCPU, (void *)(long)g->nr_vcpus,
			"CREATE_VCPU");

	set_cpuid(g->dev, vcpu);
	set_segments(vcpu);
	return vcpu;
}

/*
 * After a memslot is deleted PRE_FAULT_MEMORY of Linux 6.12 retries for ever with
 * roots that only running the vCPU replaces. There is no memory at this address,
 * so that it comes back at once.
 */
static void free_obsolete_roots(struct guest *g)
{
	struct kvm_regs regs = { .rip = 0xf0000000, .rflags = 2 };
	unsigned int i;

	for (i = 0; i < g->nr_vcpus; i++) {
		call(g->vcpu[i], KVM_SET_REGS, &regs, "SET_REGS");
		call(g->vcpu[i], KVM_RUN, NULL, "RUN");
	}
}

/* A log that begins with all pages is a property of the VM. */
static void begin_all_set(struct guest *g)
{
	struct kvm_enable_cap cap = {
		.cap = KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2,
		.args = { KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE |
			  KVM_DIRTY_LOG_INITIALLY_SET },
	};

	call(g->vm, KVM_ENABLE_CAP, &cap, "ENABLE_CAP");
}

static void set_slot(struct guest *g, unsigned int id, enum log log,
		     uint64_t gpa, uint64_t size, void *hva)
{
	struct kvm_userspace_memory_region region = {
		.slot = id,
		.flags = log ? KVM_MEM_LOG_DIRTY_PAGES : 0,
		.guest_phys_addr = gpa,
		.memory_size = size,
		.userspace_addr = (uintptr_t)hva,
	};

	if (log == LOG_ALL_SET)
		begin_all_set(g);
	if (size && g->has_obsolete_roots)
		free_obsolete_roots(g);
	call(g->vm, KVM_SET_USER_MEMORY_REGION, &region,
	     "SET_USER_MEMORY_REGION");
	g->has_obsolete_roots = !size && g->has_roots;
}

static void populate(struct guest *g, unsigned int vcpu, uint64_t gpa,
		     uint64_t size)
{
	struct kvm_pre_fault_memory range = { .gpa = gpa, .size = size };

	g->has_roots = true;
	while (range.size)
		call(g->vcpu[vcpu], KVM_PRE_FAULT_MEMORY, &range,
		     "PRE_FAULT_MEMORY");
}

/* The loop lies at the start of what it touches. */
static void touch(struct guest *g, uint64_t gpa, uint64_t size, bool write)
{
	static const unsigned char loop[] = {
		0x8a, 0x06,				/* mov (%esi), %al */
		0x81, 0xc6, 0x00, 0x10, 0x00, 0x00,	/* add $4096, %esi */
		0x49,					/* dec %ecx */
		0x75, 0xf5,				/* jnz loop */
		0xf4,					/* hlt */
	};
	struct kvm_regs regs = {
		.rip = gpa + 16,
		.rsi = gpa,
		.rcx = size / PAGE_SIZE,
		.rflags = 2,
	};
	struct kvm_run *run = mmap(NULL, PAGE_SIZE, PROT_READ, MAP_SHARED,
				   g->vcpu[0], 0);

	if (run == MAP_FAILED)
		err(1, "KVM: mmap");
	memcpy(g->mem + gpa + 16, loop, sizeof(loop));
	if (write)
		g->mem[gpa + 16] = 0x88;		/* mov %al, (%esi) */
	call(g->vcpu[0], KVM_SET_REGS, &regs, "SET_REGS");
	call(g->vcpu[0], KVM_RUN, NULL, "RUN");
	if (run->exit_reason != KVM_EXIT_HLT)
		errx(1, "KVM: exit %u", run->exit_reason);
	munmap(run, PAGE_SIZE);
}

/* There is no other way to it than by the primary MMU. */
static void age(struct guest *g, uint64_t gpa, uint64_t size)
{
	(void)g;
	(void)gpa;
	(void)size;
	make_all_idle();
}

static void clear_log(struct guest *g, unsigned int id, uint64_t size)
{
	struct kvm_clear_dirty_log log = {
		.slot = id,
		.num_pages = size / PAGE_SIZE,
		.dirty_bitmap = g->bitmap,
	};

	call(g->vm, KVM_CLEAR_DIRTY_LOG, &log, "CLEAR_DIRTY_LOG");
}

static void harvest_log(struct guest *g, unsigned int id, uint64_t size)
{
	struct kvm_dirty_log log = { .slot = id, .dirty_bitmap = g->bitmap };
	uint64_t i;

	call(g->vm, KVM_GET_DIRTY_LOG, &log, "GET_DIRTY_LOG");
	for (i = 0; i < size / PAGE_SIZE / 64; i++)
		if (~g->bitmap[i])
			errx(1, "KVM: not all pages are dirty");
}

static uint64_t table_bytes(struct guest *g)
{
	(void)g;
	return memory_line("SecPageTables:");
}

const struct mmu kvm = {
	.create		= create,
	.create_vcpu	= create_vcpu,
	.set_slot	= set_slot,
	.populate	= populate,
	.touch		= touch,
	.age		= age,
	.clear_log	= clear_log,
	.harvest_log	= harvest_log,
	.table_bytes	= table_bytes,
};
