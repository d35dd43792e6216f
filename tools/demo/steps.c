// SPDX-License-Identifier: GPL-2.0-only
/*
 * The steps in which something happens to the memory.
 */
#define _GNU_SOURCE
#include "demo.h"

#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* Let writes in without a fault; what that makes is neither young nor dirty. */
static void fault_in(struct demo *d, struct memory area)
{
	const unsigned int expected = UMBRA_PTE_READ | UMBRA_PTE_WRITE;
	const unsigned int unexpected = UMBRA_PTE_YOUNG | UMBRA_PTE_DIRTY;
	uint64_t done;

	umbra_ok(umbra_fault(d->vcpu, UMBRA_FAULT_WRITE, area.gpa,
			     area_bytes(area), &done), "FAULT");
	for (size_t page = 0; page < area.pages; page++) {
		struct umbra_translate result;
		uint64_t gpa = area.gpa + page * PAGE_SIZE;

		umbra_ok(umbra_translate(d->vm, 0, gpa, &result), "TRANSLATE");
		if ((result.pte & (expected | unexpected)) != expected)
			errx(1, "gpa %#lx: expected flags %#x, got %#x",
			     gpa, expected, result.pte);
	}
}

void populate(struct demo *d)
{
	for (int slot = 0; slot < NR_SLOTS; slot++) {
		renew(d, d->slots[slot]);
		process_write(d->slots[slot]);
		fault_in(d, d->slots[slot]);
		check(d, d->slots[slot]);
	}
	printf("wrote every page; FAULT mapped them, the vCPU read them\n");
}

void write_in_bulk(struct demo *d)
{
	for (int slot = 0; slot < NR_SLOTS; slot++) {
		renew(d, d->slots[slot]);
		vcpu_write(d, d->slots[slot]);
		check(d, d->slots[slot]);
	}
	printf("read every page as the vCPU had written it\n");
}

void access_words(struct demo *d)
{
	enum { PAGES = 128 };

	for (int slot = 0; slot < NR_SLOTS; slot++) {
		struct memory area = part(d->slots[slot], 0, PAGES);

		vcpu_words(d, area, UMBRA_OP_STORE);
		check_process(area);
		vcpu_words(d, area, UMBRA_OP_CMPXCHG);
		check_process(area);
		vcpu_words(d, area, UMBRA_OP_LOAD);
		check(d, area);
	}
	printf("read %lu words as the vCPU had stored, then exchanged each\n",
	       NR_SLOTS * PAGES * PAGE_WORDS);
}

struct family {
	struct memory parents, vcpus, theirs, shared;
};

/* The child's memory is as it was at fork(), and the VM is not the child's. */
static void be_child(struct demo *d, const struct family *f, int go)
{
	uint64_t value;
	char byte;
	int ret;

	if (read(go, &byte, 1) != 1)
		exit(1);
	check_process(f->parents);
	check_process(f->vcpus);
	renew(d, f->theirs);
	process_write(f->theirs);
	process_write(f->shared);
	check_process(f->theirs);
	ret = umbra_load(d->vcpu, f->theirs.gpa, 8, &value);
	if (ret != -EIO)
		errx(1, "expected %s, the child got %s from the vCPU",
		     strerror(EIO), strerror(-ret));
	exit(0);
}

void fork_and_write(struct demo *d)
{
	struct family f = {
		.parents = region(d->slots[ANON], 0),
		.vcpus = region(d->slots[ANON], 1),
		.theirs = region(d->slots[ANON], 2),
		.shared = region(d->slots[SHARED], 0),
	};
	int go[2], status;
	pid_t pid;

	libc_ok(pipe(go), "pipe");
	renew(d, f.shared);
	warm_up(d, f.vcpus);
	pid = libc_ok(fork(), "fork");
	if (!pid) {
		close(go[1]);
		be_child(d, &f, go[0]);
	}

	close(go[0]);
	renew(d, f.vcpus);
	vcpu_write(d, f.vcpus);
	warm_up(d, f.parents);
	renew(d, f.parents);
	process_write(f.parents);
	libc_ok(write(go[1], "", 1), "write");
	close(go[1]);
	libc_ok(waitpid(pid, &status, 0), "waitpid");
	if (status)
		errx(1, "the child ended with status %#x", status);

	check(d, d->slots[ANON]);
	check(d, f.shared);
	printf("forked; it and the vCPU wrote %lu pages each, the child %lu\n",
	       REGION_PAGES, 2 * REGION_PAGES);
}

static int compare_hpas(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* On how many page frames umbra has the area. */
static size_t frames(struct demo *d, struct memory area)
{
	uint64_t hpas[SLOT_PAGES];
	size_t count = 0;

	for (size_t page = 0; page < area.pages; page++) {
		struct umbra_translate result;

		umbra_ok(umbra_translate(d->vm, UMBRA_TRANSLATE_HPA,
					 area.gpa + page * PAGE_SIZE, &result),
			 "TRANSLATE");
		hpas[page] = result.hpa;
	}
	qsort(hpas, area.pages, sizeof(*hpas), compare_hpas);
	for (size_t page = 0; page < area.pages; page++)
		count += !page || hpas[page] != hpas[page - 1];
	return count;
}

static void check_frames(struct demo *d, struct memory area, size_t expected)
{
	size_t got = frames(d, area);

	if (got != expected)
		errx(1, "expected %zu pages on %zu frames, umbra has %zu",
		     area.pages, expected, got);
}

/* Let KSM merge the area, in ten seconds at most. */
static void merge_area(struct memory area)
{
	unsigned long merged = 0;

	libc_ok(madvise(area.hva, area_bytes(area), MADV_MERGEABLE),
		"MADV_MERGEABLE");
	write_file("/sys/kernel/mm/ksm/pages_to_scan", "10000");
	write_file("/sys/kernel/mm/ksm/sleep_millisecs", "1");
	write_file("/sys/kernel/mm/ksm/run", "1");
	for (int wait = 0; wait < 1000 && merged < area.pages; wait++) {
		usleep(10000);
		merged = read_number("/proc/self/ksm_merging_pages", "");
	}
	write_file("/sys/kernel/mm/ksm/run", "0");
	if (merged < area.pages)
		errx(1, "KSM merged %lu of %zu pages", merged, area.pages);
}

void merge_pages(struct demo *d)
{
	enum { CONTENTS = 32 };
	struct memory area = region(d->slots[ANON], 3);
	struct memory half = part(area, 0, area.pages / 2);

	renew(d, area);
	for (size_t page = CONTENTS; page < area.pages; page++)
		area.seeds[page] = area.seeds[page % CONTENTS];
	process_write(area);
	check_vcpu(d, area);
	merge_area(area);
	check(d, area);
	check_frames(d, area, CONTENTS);

	renew(d, half);
	vcpu_write(d, half);
	check(d, area);
	check_frames(d, area, CONTENTS + half.pages);
	libc_ok(madvise(area.hva, area_bytes(area), MADV_UNMERGEABLE),
		"MADV_UNMERGEABLE");
	check(d, area);
	check_frames(d, area, area.pages);
	printf("had %zu pages merged into %d, the vCPU wrote half of them\n",
	       area.pages, CONTENTS);
}

void discard_pages(struct demo *d)
{
	struct memory anon = region(d->slots[ANON], 4);
	struct memory shared = region(d->slots[SHARED], 1);
	struct memory half = part(anon, 0, anon.pages / 2);

	warm_up(d, anon);
	libc_ok(madvise(anon.hva, area_bytes(anon), MADV_DONTNEED),
		"MADV_DONTNEED");
	memset(anon.seeds, 0, anon.pages * sizeof(*anon.seeds));
	check(d, anon);

	warm_up(d, shared);
	libc_ok(madvise(shared.hva, area_bytes(shared), MADV_REMOVE),
		"MADV_REMOVE");
	memset(shared.seeds, 0, shared.pages * sizeof(*shared.seeds));
	check(d, shared);

	/* The zero page, which the vCPU must leave alone. */
	renew(d, half);
	vcpu_write(d, half);
	check(d, anon);
	printf("dropped %zu pages, cut a hole of %zu: zeros; the vCPU wrote %zu\n",
	       anon.pages, shared.pages, half.pages);
}

void protect_pages(struct demo *d)
{
	struct memory area = region(d->slots[ANON], 5);

	warm_up(d, area);
	libc_ok(mprotect(area.hva, area_bytes(area), PROT_READ), "mprotect");
	check_refused(d, area, UMBRA_OP_STORE, EACCES);
	check(d, area);
	libc_ok(mprotect(area.hva, area_bytes(area), PROT_READ | PROT_WRITE),
		"mprotect");
	renew(d, area);
	vcpu_write(d, area);
	check(d, area);
	printf("made %zu pages read-only: stores got EACCES; then writable\n",
	       area.pages);
}

/* Reclaim can pass over a page that is in use at the moment: ask again. */
static void page_out(struct memory area)
{
	size_t left = area.pages;

	for (int attempt = 0; attempt < 20 && left; attempt++) {
		libc_ok(madvise(area.hva, area_bytes(area), MADV_PAGEOUT),
			"MADV_PAGEOUT");
		left = resident_pages(area);
	}
	if (left)
		errx(1, "%zu of %zu pages were not swapped out", left, area.pages);
}

static void page_in(struct demo *d, struct memory area)
{
	size_t back;

	check_vcpu(d, area);
	back = resident_pages(area);
	if (back != area.pages)
		errx(1, "the vCPU read %zu pages, but only %zu are in memory",
		     area.pages, back);
	check(d, area);
}

void swap_pages(struct demo *d)
{
	struct memory anon = region(d->slots[ANON], 6);
	struct memory shared = region(d->slots[SHARED], 2);
	unsigned long kib;

	if (!read_number("/proc/meminfo", "SwapFree:"))
		errx(1, "there is no swap; swap-on turns it on");
	page_out(anon);
	page_out(shared);
	kib = read_number("/proc/self/status", "VmSwap:");
	page_in(d, anon);
	page_in(d, shared);
	printf("had %zu pages swapped out (VmSwap %lu KiB); loads got them back\n",
	       anon.pages + shared.pages, kib);
}

static void *reserve(size_t bytes)
{
	void *hva = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
			 -1, 0);

	if (hva == MAP_FAILED)
		err(1, "mmap");
	return hva;
}

static void move_memory(struct memory from, void *to)
{
	if (mremap(from.hva, area_bytes(from), area_bytes(from),
		   MREMAP_MAYMOVE | MREMAP_FIXED, to) == MAP_FAILED)
		err(1, "mremap");
}

void move_pages(struct demo *d)
{
	struct memory old = region(d->slots[ANON], 7), new = old;

	new.gpa = 8 * GIB;
	new.hva = reserve(area_bytes(old));
	warm_up(d, old);
	move_memory(old, new.hva);
	check_refused(d, old, UMBRA_OP_LOAD, EFAULT);

	umbra_ok(umbra_set_memslot(d->vm, NR_SLOTS, 0, new.gpa,
				   area_bytes(new), new.hva), "SET_MEMSLOT");
	check(d, new);
	umbra_ok(umbra_delete_memslot(d->vm, NR_SLOTS), "SET_MEMSLOT");
	move_memory(new, old.hva);
	check(d, old);
	printf("moved %zu pages: EFAULT; found at their new address; moved back\n",
	       old.pages);
}

static void check_no_leaves(struct demo *d)
{
	struct umbra_get_stats stats;

	umbra_ok(umbra_get_stats(d->vm, &stats), "GET_STATS");
	if (stats.leaves)
		errx(1, "%llu leaves are left", stats.leaves);
}

/*
 * Afterwards every page is there and writable, with no copy to be made, none is
 * part of a block, whose pages share their A and D bits, and khugepaged stays
 * away: only the vCPU will change translations.
 */
void populate_again(struct demo *d)
{
	umbra_ok(umbra_unmap(d->vm, 0, d->gpa_space), "UNMAP");
	check_no_leaves(d);
	for (int slot = 0; slot < NR_SLOTS; slot++) {
		struct memory area = d->slots[slot];

		libc_ok(madvise(area.hva, area_bytes(area), MADV_NOHUGEPAGE),
			"MADV_NOHUGEPAGE");
		libc_ok(madvise(area.hva, area_bytes(area), MADV_DONTNEED),
			"MADV_DONTNEED");
		renew(d, area);
		process_write(area);
		fault_in(d, area);
		check(d, area);
	}
	printf("asked for no huge pages and wrote all anew: leaves of 4 KiB\n");
}

void delete_slots(struct demo *d)
{
	for (int slot = 0; slot < NR_SLOTS; slot++)
		check(d, d->slots[slot]);
	for (int slot = 0; slot < NR_SLOTS; slot++)
		warm_up(d, d->slots[slot]);
	for (int slot = 0; slot < NR_SLOTS; slot++)
		umbra_ok(umbra_delete_memslot(d->vm, slot), "SET_MEMSLOT");
	check_no_leaves(d);
	for (int slot = 0; slot < NR_SLOTS; slot++)
		check_refused(d, part(d->slots[slot], 0, WARM_PAGES),
			      UMBRA_OP_LOAD, ENOENT);
	printf("read every page; without memslots: no leaf, loads get ENOENT\n");
}
