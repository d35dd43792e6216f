// SPDX-License-Identifier: GPL-2.0-only
/*
 * The processor walks umbra's tables, and finds what umbra says it put there.
 *
 * A table is made by real means out of real memory, and goes on being changed.
 * In between the hardware is asked to translate random addresses (see
 * walkers/umbra_walk.h), and must agree with TRANSLATE on the address, on what
 * the leaf permits and on the kind of fault, must have set the accessed and
 * dirty bits that the access calls for and no others, and must reach the memory
 * that the memslots say is there.
 *
 * The right to execute is compared where there are fetches: x86_64 and riscv64
 * execute code at the address. arm64's AT does not look at that right.
 *
 * There are some 200,000 probes or more on every architecture: fewer for each
 * variant where there are many, and more. UMBRA_SEED in the environment replays
 * a run.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#ifdef __x86_64__
#include <cpuid.h>
#endif

#include "kselftest_harness.h"
#include "util.h"
#include "walkers/umbra_walk.h"

#define PROBES_A_STEP	128
#define M2		(2UL << 20)
#define G1		(1UL << 30)
#define SCRATCH		NR_AREAS

/* The largest first, or there may be no place left for it. */
enum area_kind {
	HUGE_1G, HUGE_2M, THP, PATCHY, SHIFTED, NOEXEC, LOGGED, READONLY, SMALL,
	NR_AREAS
};

static const struct {
	uint64_t size;
	uint64_t align;		/* of gpa, and of hva */
	uint64_t shift;		/* of gpa against hva */
	uint32_t slot_flags;
	int mmap_flags;
	bool thp;
} kinds[NR_AREAS + 1] = {
	[HUGE_1G]	= { G1, G1, .mmap_flags = MAP_HUGETLB | 30 << MAP_HUGE_SHIFT },
	[HUGE_2M]	= { 4 * M2, M2, .mmap_flags = MAP_HUGETLB | 21 << MAP_HUGE_SHIFT },
	[THP]		= { 8 * M2, M2, .thp = true },
	[PATCHY]	= { 4 * M2, M2, .thp = true },
	[SHIFTED]	= { 2 * M2, M2, .shift = 3 * PAGE, .thp = true },
	[NOEXEC]	= { 2 * M2, M2, .slot_flags = UMBRA_MEM_NOEXEC, .thp = true },
	[LOGGED]	= { M2, M2, .slot_flags = UMBRA_MEM_LOG_DIRTY, .thp = true },
	[READONLY]	= { M2, PAGE, .slot_flags = UMBRA_MEM_READONLY },
	[SMALL]		= { 2 * M2, PAGE },
	[SCRATCH]	= { UMBRA_WALK_SCRATCH * PAGE, PAGE },
};

struct area {
	uint8_t *mem;		/* NULL: this machine has no such memory */
	uint64_t size;
	uint64_t gpa;
};

/*
 * What memory is full of, each unit another one, and each with its id. It can be
 * executed: it loads the id, and calls the hypervisor.
 */
#ifdef __riscv
struct unit {
	uint32_t lui;
	uint32_t addiw;
	uint32_t ecall;
	uint32_t pad;
};
#else
struct unit {
	uint8_t mov[2];
	uint64_t id;
	uint8_t vmmcall[3];
	uint8_t pad[3];
} __attribute__((packed));
#endif

/* No two alike, and none with the sign bit. */
static uint32_t id_at(int area, uint64_t offset)
{
	return (area + 1) << 26 | offset / sizeof(struct unit);
}

static struct unit unit_at(int area, uint64_t offset)
{
	uint32_t id = id_at(area, offset);

#ifdef __riscv
	return (struct unit){
		.lui = ((id + 0x800) & 0xfffff000) | 10 << 7 | 0x37,
		.addiw = id << 20 | 10 << 15 | 10 << 7 | 0x1b,
		.ecall = 0x73,
	};
#else
	return (struct unit){
		.mov = { 0x48, 0xb8 },
		.id = id,
		.vmmcall = { 0x0f, 0x01, 0xd9 },
	};
#endif
}

static uint64_t word_at(int area, uint64_t offset)
{
	struct unit unit = unit_at(area, offset);
	uint64_t word;

	memcpy(&word, &unit, sizeof(word));
	return word;
}

struct machine {
	uint32_t vm_flags;
	int walk;		/* descriptors */
	int pagemap;
	int vm;
	int vcpu;
	uint64_t limit;		/* of gpas */
	struct area areas[NR_AREAS + 1];
	struct umbra_walk shape;
	uint64_t random;
	/* counted */
	uint64_t accesses[3];
	uint64_t results[UMBRA_WALK_ODD + 1];
	uint64_t leaves[3];
	uint64_t made_young;
	uint64_t made_dirty;
	uint64_t disturbed;
};

FIXTURE(walker)
{
	struct machine m;
};

FIXTURE_VARIANT(walker)
{
	uint32_t gpa_bits;
	uint32_t vm_flags;
};

#if defined(__x86_64__)
#define FORMAT	UMBRA_FMT_X86_NPT
#define INVALID_IF_OLD	UMBRA_WALK_ABSENT
/* QEMU 7.2 sets A of a leaf of 1 GiB before it looks at the rights. */
#define YOUNG_IF_DENIED	30
#define NR_ACCESSES	3
#define PROBES		100000
FIXTURE_VARIANT_ADD(walker, bits_48) { 48, 0 };
FIXTURE_VARIANT_ADD(walker, bits_48_soft) { 48, UMBRA_VM_SOFT_AD };
FIXTURE_VARIANT_ADD(walker, bits_52) { 52, 0 };
FIXTURE_VARIANT_ADD(walker, bits_52_soft) { 52, UMBRA_VM_SOFT_AD };

/* A guest's addresses are no larger than the processor's. */
static unsigned int usable_bits(unsigned int gpa_bits)
{
	unsigned int bits, ebx, ecx, edx;

	__cpuid(0x80000008, bits, ebx, ecx, edx);
	bits &= 0xff;
	return bits < gpa_bits ? bits : gpa_bits;
}

#elif defined(__aarch64__)
#define FORMAT	UMBRA_FMT_ARM64_S2
#define INVALID_IF_OLD	UMBRA_WALK_OLD
#define NR_ACCESSES	2	/* the walker knows no fetches */
#define PROBES		40000
FIXTURE_VARIANT_ADD(walker, bits_32) { 32, 0 };
FIXTURE_VARIANT_ADD(walker, bits_32_soft) { 32, UMBRA_VM_SOFT_AD };
FIXTURE_VARIANT_ADD(walker, bits_36) { 36, 0 };
FIXTURE_VARIANT_ADD(walker, bits_36_soft) { 36, UMBRA_VM_SOFT_AD };
FIXTURE_VARIANT_ADD(walker, bits_40) { 40, 0 };
FIXTURE_VARIANT_ADD(walker, bits_40_soft) { 40, UMBRA_VM_SOFT_AD };
FIXTURE_VARIANT_ADD(walker, bits_44) { 44, 0 };
FIXTURE_VARIANT_ADD(walker, bits_44_soft) { 44, UMBRA_VM_SOFT_AD };
FIXTURE_VARIANT_ADD(walker, bits_48) { 48, 0 };
FIXTURE_VARIANT_ADD(walker, bits_48_soft) { 48, UMBRA_VM_SOFT_AD };

static unsigned int usable_bits(unsigned int gpa_bits)
{
	return gpa_bits;
}

#elif defined(__riscv)
#define FORMAT	UMBRA_FMT_RISCV_G
#define INVALID_IF_OLD	UMBRA_WALK_ABSENT
#define NR_ACCESSES	3
#define PROBES		40000
FIXTURE_VARIANT_ADD(walker, bits_41) { 41, 0 };
FIXTURE_VARIANT_ADD(walker, bits_41_soft) { 41, UMBRA_VM_SOFT_AD };
FIXTURE_VARIANT_ADD(walker, bits_50) { 50, 0 };
FIXTURE_VARIANT_ADD(walker, bits_50_soft) { 50, UMBRA_VM_SOFT_AD };
FIXTURE_VARIANT_ADD(walker, bits_59) { 59, 0 };
FIXTURE_VARIANT_ADD(walker, bits_59_soft) { 59, UMBRA_VM_SOFT_AD };

/* QEMU 7.2 finds nothing in the upper half. */
static unsigned int usable_bits(unsigned int gpa_bits)
{
	return gpa_bits - 1;
}

#endif

#ifndef YOUNG_IF_DENIED
#define YOUNG_IF_DENIED	0	/* no leaf is of this size */
#endif

static uint64_t rnd(struct machine *m)
{
	uint64_t z = m->random += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

/* ------------------------------------------------------------------ memory */

static void fill(struct machine *m, int i, uint64_t offset,
		 uint64_t length)
{
	for (uint64_t end = offset + length; offset < end;
	     offset += sizeof(struct unit))
		*(struct unit *)(m->areas[i].mem + offset) =
			unit_at(i, offset);
}

static uint8_t *map_memory(int i)
{
	uint64_t size = kinds[i].size, align = kinds[i].align;
	uint8_t *room, *mem;

	room = mmap(NULL, size + align, PROT_NONE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (room == MAP_FAILED)
		return NULL;
	mem = (uint8_t *)(((uintptr_t)room + align - 1) & -align);
	munmap(room, size + align);
	mem = mmap(mem, size, PROT_READ | PROT_WRITE, MAP_PRIVATE |
		   MAP_ANONYMOUS | MAP_FIXED | kinds[i].mmap_flags, -1, 0);
	if (mem == MAP_FAILED)
		return NULL;
	madvise(mem, size, kinds[i].thp ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
	return mem;
}

static bool is_free(struct machine *m, uint64_t gpa, uint64_t size)
{
	for (int i = 0; i <= NR_AREAS; i++) {
		const struct area *a = &m->areas[i];

		if (a->size && gpa < a->gpa + a->size && a->gpa < gpa + size)
			return false;
	}
	return true;
}

static void place_area(struct machine *m, int i)
{
	uint64_t size = kinds[i].size, gpa;

	do
		gpa = rnd(m) % (m->limit - size) / kinds[i].align *
		      kinds[i].align + kinds[i].shift;
	while (!is_free(m, gpa, size));
	m->areas[i].gpa = gpa;
	m->areas[i].size = size;
}

static int add_area(struct machine *m, int i)
{
	struct area *a = &m->areas[i];

	a->mem = map_memory(i);
	if (!a->mem)
		return 0;
	if (i != HUGE_1G)	/* it would take long: filled where it is probed */
		fill(m, i, 0, a->size);
	return umbra_set_memslot(m->vm, i, kinds[i].slot_flags, a->gpa,
				 a->size, a->mem);
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	if (fd < 0)
		return;
	if (write(fd, text, strlen(text)) < 0)
		ksft_print_msg("%s: %s\n", path, strerror(errno));
	close(fd);
}

/* ------------------------------------------------------------------- probes */

/* The area of a gpa, or -1. */
static int area_of(const struct machine *m, uint64_t gpa)
{
	for (int i = 0; i < NR_AREAS; i++)
		if (gpa - m->areas[i].gpa < m->areas[i].size)
			return i;
	return -1;
}

static uint64_t pick_gpa(struct machine *m)
{
	const struct area *a;
	uint64_t gpa;

	do {
		do
			a = &m->areas[rnd(m) % NR_AREAS];
		while (!a->mem);
		switch (rnd(m) % 16) {
		case 0:
			gpa = rnd(m);
			break;
		case 1:
			gpa = a->gpa - M2 + rnd(m) % (a->size + 2 * M2);
			break;
		default:
			gpa = a->gpa + rnd(m) % a->size;
		}
		gpa = gpa % m->limit & -sizeof(struct unit);
		a = &m->areas[SCRATCH];
	} while (gpa - a->gpa < a->size);
	return gpa;
}

/* What the hardware has to find, and what it leaves behind. */
static uint32_t predict(const struct machine *m, uint32_t access,
			uint32_t pte, uint32_t *after)
{
	bool soft = m->vm_flags & UMBRA_VM_SOFT_AD;

	*after = pte;
	if (!pte)
		return UMBRA_WALK_ABSENT;
	if (soft && !(pte & UMBRA_PTE_YOUNG))
		return INVALID_IF_OLD;
	if (access == UMBRA_WALK_WRITE &&
	    (!(pte & UMBRA_PTE_WRITE) || (soft && !(pte & UMBRA_PTE_DIRTY))))
		return UMBRA_WALK_DENIED;
	if (access == UMBRA_WALK_EXEC && !(pte & UMBRA_PTE_EXEC))
		return UMBRA_WALK_DENIED;
	*after |= UMBRA_PTE_YOUNG;
	if (access == UMBRA_WALK_WRITE)
		*after |= UMBRA_PTE_DIRTY;
	return UMBRA_WALK_DONE;
}

/* What the process has at an address. */
static uint64_t hpa_of(struct machine *m, const uint8_t *hva)
{
	uint64_t entry = 0;

	if (pread(m->pagemap, &entry, sizeof(entry),
		  (uintptr_t)hva / PAGE * sizeof(entry)) != sizeof(entry))
		abort();
	return (entry & ((1ULL << 55) - 1)) * PAGE + (uintptr_t)hva % PAGE;
}

/* One translation that succeeded. Returns what is wrong with it, or NULL. */
static const char *check_done(struct machine *m,
			      const struct umbra_walk *w,
			      const struct umbra_translate *t, uint64_t stored)
{
	int i = area_of(m, w->gpa);
	uint64_t offset, *word;

	if (i < 0)
		return "no memslot is there";
	offset = w->gpa - m->areas[i].gpa;
	word = (uint64_t *)(m->areas[i].mem + offset);
	if (t->hpa != hpa_of(m, (uint8_t *)word))
		return "TRANSLATE's address";
	if (w->has & UMBRA_WALK_HAS_HPA && w->hpa != t->hpa)
		return "address";
	if (!(w->has & UMBRA_WALK_HAS_VALUE))
		return NULL;
	if (w->access == UMBRA_WALK_READ && w->value != word_at(i, offset))
		return "value loaded";
	if (w->access == UMBRA_WALK_EXEC && w->value != id_at(i, offset))
		return "value fetched";
	if (w->access == UMBRA_WALK_WRITE) {
		if (*word != stored)
			return "value stored";
		*word = word_at(i, offset);
	}
	return NULL;
}

/* Compare one walk. Returns what differs, or NULL. */
static const char *probe(struct machine *m, struct umbra_walk *w,
			 struct umbra_translate *before,
			 struct umbra_translate *after)
{
	uint64_t stored = w->value;
	uint32_t result, pte;
	const char *wrong;

	if (area_of(m, w->gpa) == HUGE_1G)
		fill(m, HUGE_1G, w->gpa - m->areas[HUGE_1G].gpa,
		     sizeof(struct unit));
	if (umbra_translate(m->vm, UMBRA_TRANSLATE_HPA, w->gpa, before))
		return "TRANSLATE fails";
	result = predict(m, w->access, before->pte, &pte);
	if (ioctl(m->walk, UMBRA_WALK, w))
		return strerror(errno);
	if (umbra_translate(m->vm, UMBRA_TRANSLATE_HPA, w->gpa, after))
		return "TRANSLATE fails";
	if (w->result == UMBRA_WALK_DONE) {
		wrong = check_done(m, w, before, stored);
		if (wrong)
			return wrong;
	}
	if (w->result == UMBRA_WALK_FAULT ? result == UMBRA_WALK_DONE :
					    result != w->result)
		return "result";
	if (w->has & UMBRA_WALK_HAS_GPA && w->fault_gpa != w->gpa)
		return "address of the fault";
	if (w->has & UMBRA_WALK_HAS_LEVEL &&
	    w->fault_level != (before->leaf_shift - 12) / 9)
		return "level of the fault";
	if (result == UMBRA_WALK_DENIED &&
	    before->leaf_shift == YOUNG_IF_DENIED)
		pte |= after->pte & UMBRA_PTE_YOUNG;
	if (after->pte != pte)
		return "accessed and dirty bits";
	if (after->hpa != before->hpa || after->leaf_shift != before->leaf_shift)
		return "the table has changed";
	m->accesses[w->access]++;
	m->results[result]++;
	if (result == UMBRA_WALK_DONE)
		m->leaves[(before->leaf_shift - 12) / 9]++;
	m->made_young += !!(pte & ~before->pte & UMBRA_PTE_YOUNG);
	m->made_dirty += !!(pte & ~before->pte & UMBRA_PTE_DIRTY);
	return NULL;
}

/* --------------------------------------------------------- changing the table */

/* Some pages of a range of an area, few more often than many. */
static void pick_range(struct machine *m, const struct area *a,
		       uint64_t *offset, uint64_t *length)
{
	uint64_t max = PAGE << rnd(m) % 13;

	*offset = rnd(m) % a->size & -PAGE;
	*length = (rnd(m) % max & -PAGE) + PAGE;
	if (rnd(m) % 2) {	/* whole blocks */
		*offset &= -M2;
		*length = (*length + M2 - 1) & -M2;
	}
	if (*length > a->size - *offset)
		*length = a->size - *offset;
}

/* The process changes its own mapping. */
static int patch(struct machine *m, uint64_t offset, uint64_t length)
{
	static const int prots[] = { PROT_NONE, PROT_READ, PROT_READ, PROT_READ };
	uint8_t *mem = m->areas[PATCHY].mem + offset;

	if (rnd(m) % 4)
		return mprotect(mem, length, prots[rnd(m) % 4]) ? -errno : 0;
	if (mprotect(mem, length, PROT_READ | PROT_WRITE))
		return -errno;
	if (rnd(m) % 2 && madvise(mem, length, MADV_DONTNEED))
		return -errno;
	fill(m, PATCHY, offset, length);
	return 0;
}

/* One change. Returns 0 or -errno; that a right is missing is no error. */
static int step(struct machine *m)
{
	uint64_t bitmap[M2 / PAGE / 64], offset, length, gpa, value, done;
	const struct area *a;
	int i, ret = 0;

	do
		i = rnd(m) % NR_AREAS;
	while (!m->areas[i].mem);
	a = &m->areas[i];
	pick_range(m, a, &offset, &length);
	gpa = a->gpa + offset;

	switch (rnd(m) % 16) {
	case 0:
		ret = umbra_unmap(m->vm, gpa, length);
		break;
	case 1:
	case 2:
		ret = umbra_age(m->vm, UMBRA_AGE_CLEAR, gpa, length, PAGE,
				NULL, &done);
		break;
	case 3:
		ret = umbra_split(m->vm, gpa, length, rnd(m) % 2 ? 12 : 21);
		break;
	case 4:
		ret = umbra_collapse(m->vm, gpa, length);
		break;
	case 5:
		ret = umbra_get_dirty_log(m->vm, 0, LOGGED, 0, M2 / PAGE,
					  bitmap, &done);
		break;
	case 6:
		pick_range(m, &m->areas[PATCHY], &offset, &length);
		ret = patch(m, offset, length);
		break;
	case 7:
	case 8:
	case 9:
		for (; !ret && length; length -= PAGE, offset += PAGE) {
			gpa = a->gpa + offset;
			ret = rnd(m) % 2 ?
			      umbra_load(m->vcpu, gpa, 8, &value) :
			      umbra_store(m->vcpu, gpa, 8,
					  word_at(i, offset));
		}
		break;
	default:
		ret = umbra_fault(m->vcpu, rnd(m) &
				  (UMBRA_FAULT_WRITE | UMBRA_FAULT_EXEC),
				  gpa, length, &done);
	}
	return ret == -EACCES ? 0 : ret;
}

/* -------------------------------------------------------------------- tests */

static const char *why_not(int error)
{
	switch (error) {
	case ENODEV:
		return "the CPU has no walker for this format";
	case EBUSY:
		return "a hypervisor is using the CPU's walker";
	case EOPNOTSUPP:
		return "the CPU cannot walk a table of this shape";
	default:
		return NULL;
	}
}

FIXTURE_SETUP(walker)
{
	const char *seed = getenv("UMBRA_SEED");
	struct machine *m = &self->m;
	struct umbra_test state;
	uint64_t done;
	int dev, ret;

	m->vm_flags = variant->vm_flags;
	ASSERT_EQ(sizeof(m->random), getrandom(&m->random, sizeof(m->random),
					       GRND_INSECURE));
	if (seed)
		m->random = strtoull(seed, NULL, 0);
	ksft_print_msg("UMBRA_SEED=%#lx\n", m->random);

	m->walk = open("/dev/umbra-walk", O_RDWR | O_CLOEXEC);
	if (m->walk < 0)
		SKIP(return, "umbra-walk.ko is not loaded");
	m->pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, m->pagemap);
	dev = umbra_open();
	ASSERT_LE(0, dev);
	m->vm = umbra_create_vm(dev, variant->vm_flags, FORMAT,
				variant->gpa_bits);
	ASSERT_LE(0, m->vm);
	m->vcpu = umbra_create_vcpu(m->vm);
	ASSERT_LE(0, m->vcpu);
	ret = hold_ctl(m->vm, UMBRA_TEST_QUERY, 0, 0, 0, &state);
	if (ret == -ENOTTY)
		SKIP(return, "umbra.ko is built without CONFIG_UMBRA_TEST");
	ASSERT_EQ(0, ret);

	m->limit = 1ULL << usable_bits(variant->gpa_bits);
	for (int i = 0; i <= NR_AREAS; i++)
		place_area(m, i);
	ASSERT_EQ(0, add_area(m, SCRATCH));
	m->shape = (struct umbra_walk){
		.root = state.root, .levels = state.levels,
		.root_bits = state.root_bits, .gpa_bits = variant->gpa_bits,
		.flags = m->vm_flags & UMBRA_VM_SOFT_AD ?
			 UMBRA_WALK_NO_AD : 0,
		.gpa = m->areas[SCRATCH].gpa,
		.scratch_gpa = m->areas[SCRATCH].gpa,
		.scratch_hva = (uintptr_t)m->areas[SCRATCH].mem,
	};
	for (uint64_t i = 0; i < UMBRA_WALK_SCRATCH; i++)
		ASSERT_EQ(0, umbra_store(m->vcpu, m->shape.gpa + i * PAGE,
					 8, 0));
	if (ioctl(m->walk, UMBRA_WALK, &m->shape)) {
		ASSERT_NE(NULL, why_not(errno)) TH_LOG("%s", strerror(errno));
		SKIP(return, "%s", why_not(errno));
	}

	/* Blocks of all sizes, as far as memory goes. */
	write_file("/sys/kernel/mm/transparent_hugepage/enabled", "madvise");
	write_file("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "4");
	write_file("/sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages",
		   "1");
	for (int i = 0; i < NR_AREAS; i++) {
		ASSERT_EQ(0, add_area(m, i));
		if (!m->areas[i].mem)
			continue;
		ASSERT_EQ(0, umbra_fault(m->vcpu, 0, m->areas[i].gpa,
					 m->areas[i].size, &done));
	}
}

FIXTURE_TEARDOWN(walker)
{
	struct machine *m = &self->m;

	for (int i = 0; i <= NR_AREAS; i++)
		if (m->areas[i].mem)
			munmap(m->areas[i].mem, kinds[i].size);
	write_file("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "0");
	write_file("/sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages",
		   "0");
}

static void report(const struct machine *m)
{
	ksft_print_msg("%lu reads, %lu writes, %lu fetches\n",
		       m->accesses[UMBRA_WALK_READ],
		       m->accesses[UMBRA_WALK_WRITE],
		       m->accesses[UMBRA_WALK_EXEC]);
	ksft_print_msg("%lu translated: %lu of 4 KiB, %lu of 2 MiB, %lu of 1 GiB\n",
		       m->results[UMBRA_WALK_DONE], m->leaves[0], m->leaves[1],
		       m->leaves[2]);
	ksft_print_msg("%lu absent, %lu old, %lu denied\n",
		       m->results[UMBRA_WALK_ABSENT],
		       m->results[UMBRA_WALK_OLD],
		       m->results[UMBRA_WALK_DENIED]);
	ksft_print_msg("%lu made young, %lu made dirty, %lu disturbed\n",
		       m->made_young, m->made_dirty, m->disturbed);
}

static void report_difference(const struct machine *m, const char *what,
			      const struct umbra_walk *w,
			      const struct umbra_translate *before,
			      const struct umbra_translate *after)
{
	ksft_print_msg("%s: access %u at %#llx, area %d\n", what, w->access,
		       w->gpa, area_of(m, w->gpa));
	ksft_print_msg("result %u, value %#llx, hpa %#llx, detail %#llx\n",
		       w->result, w->value, w->hpa, w->detail);
	ksft_print_msg("fault at %#llx, level %u\n", w->fault_gpa,
		       w->fault_level);
	ksft_print_msg("before: pte %#x, shift %u, hpa %#llx\n", before->pte,
		       before->leaf_shift, before->hpa);
	ksft_print_msg("after: pte %#x, shift %u, hpa %#llx\n", after->pte,
		       after->leaf_shift, after->hpa);
}

static uint64_t invalidations(const struct machine *m)
{
	struct umbra_get_stats stats;

	if (umbra_get_stats(m->vm, &stats))
		abort();
	return stats.invalidations;
}

TEST_F_TIMEOUT(walker, agrees, 280)
{
	struct umbra_translate before, after;
	struct machine *m = &self->m;
	struct umbra_verify verify;
	uint64_t probes, seen = 0;
	const char *what;
	int ret;

	for (probes = 0; probes < PROBES; ) {
		struct umbra_walk w = m->shape;

		if (probes % PROBES_A_STEP == 0) {
			ret = step(m);
			ASSERT_EQ(0, ret) TH_LOG("%s", strerror(-ret));
			seen = invalidations(m);
		}
		w.gpa = pick_gpa(m);
		w.access = rnd(m) % NR_ACCESSES;
		w.value = rnd(m);
		what = probe(m, &w, &before, &after);
		if (!what) {
			probes++;
			continue;
		}
		/* Unless the primary MMU changed the table meanwhile. */
		if (seen == invalidations(m))
			report_difference(m, what, &w, &before, &after);
		ASSERT_NE(seen, invalidations(m));
		seen = invalidations(m);
		m->disturbed++;
	}
	report(m);

	/* There was a leaf of each size that can be, and each kind of result. */
	EXPECT_NE(0, m->leaves[0]);
	EXPECT_NE(0, m->leaves[1]);
	EXPECT_TRUE(m->leaves[2] || m->shape.levels == 2 ||
		    !m->areas[HUGE_1G].mem);
	EXPECT_NE(0, m->results[UMBRA_WALK_DENIED]);
	EXPECT_NE(0, m->results[UMBRA_WALK_ABSENT]);
	ASSERT_EQ(0, umbra_verify(m->vm, 0, m->limit, &verify));
	EXPECT_EQ(0, verify.mismatches);
}

TEST_HARNESS_MAIN
