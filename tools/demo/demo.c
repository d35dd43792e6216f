// SPDX-License-Identifier: GPL-2.0-only
/*
 * Usage: demo [SEED]
 *
 * Set up the VM, run the steps, and report each one: what the process did, what
 * umbra counted meanwhile, and how many pages the vCPU and the process then read
 * and found as they must be.
 */
#define _GNU_SOURCE
#include "demo.h"

#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define ARRAY_SIZE(array) (sizeof(array) / sizeof(*(array)))

static const struct step {
	const char *name;
	void (*run)(struct demo *d);
	bool drawn;
} steps[] = {
	{ .name = "populate", .run = populate },
	{ .name = "bulk writes", .run = write_in_bulk },
	{ .name = "loads, stores", .run = access_words },
	{ .name = "fork, COW", .run = fork_and_write },
	{ .name = "KSM", .run = merge_pages },
	{ .name = "MADV_DONTNEED", .run = discard_pages },
	{ .name = "mprotect", .run = protect_pages },
	{ .name = "swap", .run = swap_pages },
	{ .name = "mremap", .run = move_pages },
	{ .name = "UNMAP, FAULT", .run = populate_again },
	{ .name = "dirty log", .run = log_dirty, .drawn = true },
	{ .name = "aging", .run = age_pages, .drawn = true },
	{ .name = "delete slots", .run = delete_slots },
};

/* The counters that tell what umbra saw during a step. */
static const struct counter {
	const char *name;
	size_t offset;
} counters[] = {
#define COUNTER(name) { #name, offsetof(struct umbra_get_stats, name) }
	COUNTER(invalidations),
	COUNTER(unmapped),
	COUNTER(faults),
	COUNTER(mapped),
	COUNTER(retries),
	COUNTER(aged),
	COUNTER(protected),
#undef COUNTER
};

int umbra_ok(int ret, const char *what)
{
	if (ret < 0)
		errx(1, "%s: %s", what, strerror(-ret));
	return ret;
}

int libc_ok(int ret, const char *what)
{
	if (ret < 0)
		err(1, "%s", what);
	return ret;
}

static void add_slot(struct demo *d, int slot, uint64_t gpa, int flags, int fd)
{
	size_t length = SLOT_PAGES * PAGE_SIZE;
	char *hva = mmap(NULL, length, PROT_READ | PROT_WRITE, flags, fd, 0);

	if (hva == MAP_FAILED)
		err(1, "mmap");
	umbra_ok(umbra_set_memslot(d->vm, slot, 0, gpa, length, hva),
		 "SET_MEMSLOT");
	d->slots[slot] = (struct memory){
		.gpa = gpa,
		.hva = hva,
		.seeds = d->seeds[slot],
		.pages = SLOT_PAGES,
	};
}

static void set_up(struct demo *d)
{
	int dev = umbra_ok(umbra_open(), "/dev/umbra");
	int memfd = libc_ok(memfd_create("demo", MFD_CLOEXEC), "memfd_create");
	struct umbra_get_caps caps;

	umbra_ok(umbra_get_caps(dev, UMBRA_FMT_X86_NPT, &caps), "GET_CAPS");
	d->gpa_space = 1ull << caps.gpa_bits_max;
	d->vm = umbra_ok(umbra_create_vm(dev, 0, UMBRA_FMT_X86_NPT, 0),
			 "CREATE_VM");
	d->vcpu = umbra_ok(umbra_create_vcpu(d->vm), "CREATE_VCPU");

	libc_ok(ftruncate(memfd, SLOT_PAGES * PAGE_SIZE), "ftruncate");
	add_slot(d, ANON, 0, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	add_slot(d, SHARED, 4 * GIB, MAP_SHARED, memfd);
	close(memfd);
	close(dev);
}

/* Compare every leaf with the process's page table; return how many. */
static uint64_t verify(const struct demo *d)
{
	struct umbra_verify result;

	umbra_ok(umbra_verify(d->vm, 0, d->gpa_space, &result), "VERIFY");
	if (result.mismatches)
		errx(1, "gpa %#llx: the process's page table differs, as for %llu of %llu leaves",
		     result.first_bad, result.mismatches, result.leaves);
	return result.leaves;
}

static struct umbra_get_stats get_stats(const struct demo *d)
{
	struct umbra_get_stats stats;

	umbra_ok(umbra_get_stats(d->vm, &stats), "GET_STATS");
	return stats;
}

static void print_counters(const struct umbra_get_stats *before,
			   const struct umbra_get_stats *after)
{
	bool any = false;

	for (size_t i = 0; i < ARRAY_SIZE(counters); i++) {
		size_t offset = counters[i].offset;
		__u64 old = *(const __u64 *)((const char *)before + offset);
		__u64 new = *(const __u64 *)((const char *)after + offset);

		if (new == old)
			continue;
		printf("%s%llu %s", any ? ", " : "", new - old,
		       counters[i].name);
		any = true;
	}
	puts(any ? "" : "nothing new");
}

static uint64_t run(struct demo *d, unsigned int nr, const struct step *step)
{
	struct umbra_get_stats before = get_stats(d), after;
	uint64_t pages_equal = d->pages_equal, leaves;

	printf("%2u  %-14s  process ", nr, step->name);
	fflush(stdout);
	step->run(d);
	after = get_stats(d);
	leaves = verify(d);

	printf("    ok %5lu pages  umbra   ", d->pages_equal - pages_equal);
	print_counters(&before, &after);
	if (step->drawn)
		draw(&d->young, &d->dirty);
	return leaves;
}

int main(int argc, char **argv)
{
	static struct demo d;
	unsigned int seed = argc > 1 ? strtoul(argv[1], NULL, 0) : 1;
	struct timespec start, end;
	uint64_t leaves = 0;

	srandom(seed);
	clock_gettime(CLOCK_MONOTONIC, &start);
	set_up(&d);
	printf("umbra shadows process %d: anonymous memory and a memfd, %lu MiB each; seed %u\n\n",
	       getpid(), SLOT_PAGES * PAGE_SIZE / MIB, seed);
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++)
		leaves += run(&d, i + 1, &steps[i]);
	clock_gettime(CLOCK_MONOTONIC, &end);
	printf("\n%zu steps, all agree: %lu pages compared, %lu leaves verified, %.1f s\n",
	       ARRAY_SIZE(steps), d.pages_equal, leaves,
	       end.tv_sec - start.tv_sec + (end.tv_nsec - start.tv_nsec) / 1e9);
	return 0;
}
