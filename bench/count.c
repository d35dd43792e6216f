// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a thing costs, on one processor, in instructions.
 */
#include <err.h>
#include <sys/mman.h>

#include "bench.h"

#define ALL_PAGES(g)	((g)->size / PAGE_SIZE)
/* Of what is done page by page, and of a log that is written page by page. */
#define SOME_PAGES	2048ul
/* Slots that are created for a figure, and where they lie. */
#define BATCH_SLOTS	64l
#define SLOTS_GPA	(1ull << 36)

/* ---------------------------------------------------------------- populate */

static void huge(struct guest *g)
{
	if (madvise(g->mem, g->size, MADV_HUGEPAGE))
		err(1, "MADV_HUGEPAGE");
}

/* Pages that nobody has looked up yet: the first to do so moves them in the LRU. */
static void refill(struct guest *g)
{
	drop_memory(g->mem, g->size);
	fill(g);
}

static uint64_t populate_each(struct guest *g)
{
	uint64_t i;

	for (i = 0; i < SOME_PAGES; i++)
		g->mmu->populate(g, 0, i * PAGE_SIZE, PAGE_SIZE);
	return SOME_PAGES;
}

static const struct scenario populate_all = {
	.before	= { refill, add_slot },
	.work	= map_pages,
	.after	= { delete_slot },
};

static const struct scenario populate_again = {
	.setup	= { fill, add_slot, map_all },
	.work	= map_pages,
};

static const struct scenario populate_pages = {
	.before	= { refill, add_slot },
	.work	= populate_each,
	.after	= { delete_slot },
};

static const struct scenario populate_huge = {
	.setup	= { huge },
	.before	= { refill, add_slot },
	.work	= map_pages,
	.after	= { delete_slot },
};

/* What test_hmm has read it keeps: arg 1 reads again. */
static void maybe_read(struct guest *g)
{
	refill(g);
	if (g->arg)
		map_pages(g);
}

static const struct scenario populate_hmm = {
	.setup	= { fill_other },
	.before	= { maybe_read },
	.work	= map_pages,
};

/* --------------------------------------------------------------- dirty log */

static void log_on(struct guest *g)
{
	g->mmu->set_slot(g, 0, LOG_ON, 0, g->size, g->mem);
}

static void log_all_set(struct guest *g)
{
	g->mmu->set_slot(g, 0, LOG_ALL_SET, 0, g->size, g->mem);
}

static void write_some(struct guest *g)
{
	g->mmu->touch(g, 0, SOME_PAGES * PAGE_SIZE, true);
}

static uint64_t enable_log(struct guest *g)
{
	log_on(g);
	return ALL_PAGES(g);
}

static uint64_t clear_log(struct guest *g)
{
	g->mmu->clear_log(g, 0, g->size);
	return ALL_PAGES(g);
}

static uint64_t harvest_log(struct guest *g)
{
	g->mmu->harvest_log(g, 0, SOME_PAGES * PAGE_SIZE);
	return SOME_PAGES;
}

static void small(struct guest *g)
{
	g->size = SOME_PAGES * PAGE_SIZE;
}

static const struct scenario log_enable = {
	.setup	= { fill },
	.before	= { add_slot, map_all },
	.work	= enable_log,
	.after	= { delete_slot },
};

static const struct scenario log_clear = {
	.setup	= { fill },
	.before	= { add_slot, map_all, log_all_set },
	.work	= clear_log,
	.after	= { delete_slot },
};

static const struct scenario log_harvest = {
	.setup	= { small, fill },
	.before	= { add_slot, map_all, log_on, write_some },
	.work	= harvest_log,
	.after	= { delete_slot },
};

/* ------------------------------------------------------------ invalidation */

static uint64_t delete(struct guest *g)
{
	delete_slot(g);
	return ALL_PAGES(g);
}

static uint64_t drop_all(struct guest *g)
{
	drop_memory(g->mem, g->size);
	return ALL_PAGES(g);
}

static uint64_t drop_each(char *mem)
{
	uint64_t i;

	for (i = 0; i < SOME_PAGES; i++)
		drop_memory(mem + i * PAGE_SIZE, PAGE_SIZE);
	return SOME_PAGES;
}

static uint64_t drop_mapped(struct guest *g)
{
	return drop_each(g->mem);
}

static uint64_t drop_unrelated(struct guest *g)
{
	return drop_each(g->other);
}

static const struct scenario slot_delete = {
	.setup	= { fill },
	.before	= { add_slot, map_all },
	.work	= delete,
};

static const struct scenario drop_large = {
	.setup	= { add_slot },
	.before	= { fill, map_all },
	.work	= drop_all,
};

static const struct scenario drop_pages = {
	.setup	= { add_vcpus, add_slot },
	.before	= { fill, map_all },
	.work	= drop_mapped,
};

static const struct scenario drop_outside = {
	.setup	= { fill, add_slot, map_all },
	.before	= { fill_other },
	.work	= drop_unrelated,
};

/* ------------------------------------------------------------------- young */

static void touch_all(struct guest *g)
{
	g->mmu->touch(g, 0, g->size, false);
}

/* The process, too, has used what it has. */
static void use_memory(struct guest *g)
{
	if (g->arg)
		none.touch(g, 0, g->size, true);
}

static void maybe_fill(struct guest *g)
{
	if (g->arg)
		fill(g);
}

static uint64_t age(struct guest *g)
{
	g->mmu->age(g, 0, g->size);
	return ALL_PAGES(g);
}

static const struct scenario age_all = {
	.setup	= { fill, add_slot, map_all },
	.before	= { touch_all },
	.work	= age,
};

/* By way of the primary MMU, which looks for young pages of its own, too. */
static const struct scenario age_idle = {
	.setup	= { maybe_fill, add_slot, map_all },
	.before	= { touch_all, use_memory },
	.work	= age,
};

static uint64_t age_through_idle(struct guest *g)
{
	none.age(g, 0, g->size);
	return ALL_PAGES(g);
}

static const struct scenario age_notified = {
	.setup	= { maybe_fill, add_slot, map_all },
	.before	= { touch_all, use_memory },
	.work	= age_through_idle,
};

static const struct scenario age_primary = {
	.setup	= { maybe_fill },
	.before	= { use_memory },
	.work	= age,
};

/* ------------------------------------------------------------------- slots */

static void create_slots(struct guest *g, long from, long to)
{
	long i;

	for (i = from; i < to; i++)
		g->mmu->set_slot(g, i, LOG_OFF, SLOTS_GPA + 2 * i * PAGE_SIZE,
				 PAGE_SIZE, g->other + i % SOME_PAGES * PAGE_SIZE);
}

static void other_slots(struct guest *g)
{
	create_slots(g, 1, g->arg - BATCH_SLOTS);
}

static uint64_t last_slots(struct guest *g)
{
	create_slots(g, g->arg - BATCH_SLOTS, g->arg);
	return BATCH_SLOTS;
}

static void delete_last_slots(struct guest *g)
{
	long i;

	for (i = g->arg - BATCH_SLOTS; i < g->arg; i++)
		g->mmu->set_slot(g, i, LOG_OFF, 0, 0, NULL);
}

static const struct scenario slot_create = {
	.setup	= { other_slots },
	.work	= last_slots,
	.after	= { delete_last_slots },
};

/* ------------------------------------------- much memory, mapped many times */

/* arg slots are there, and mapped, all of them with the same memory behind. */
static void aliases(struct guest *g)
{
	uint64_t gpa;
	long i;

	fill_other(g);
	for (i = 1; i <= g->arg; i++) {
		gpa = i * g->size;
		g->mmu->set_slot(g, i, LOG_OFF, gpa, g->size, g->other);
		g->mmu->populate(g, 0, gpa, g->size);
	}
}

static const struct scenario wide_populate = {
	.setup	= { aliases, fill },
	.before	= { add_slot },
	.work	= map_pages,
	.after	= { delete_slot },
};

static const struct scenario wide_again = {
	.setup	= { aliases, fill, add_slot, map_all },
	.work	= map_pages,
};

static const struct scenario wide_log_enable = {
	.setup	= { aliases, fill },
	.before	= { add_slot, map_all },
	.work	= enable_log,
	.after	= { delete_slot },
};

static const struct scenario wide_log_clear = {
	.setup	= { aliases, fill },
	.before	= { add_slot, map_all, log_all_set },
	.work	= clear_log,
	.after	= { delete_slot },
};

static const struct scenario wide_delete = {
	.setup	= { aliases, fill },
	.before	= { add_slot, map_all },
	.work	= delete,
};

static const struct scenario wide_drop = {
	.setup	= { aliases, add_slot },
	.before	= { fill, map_all },
	.work	= drop_all,
};

static const struct scenario wide_age = {
	.setup	= { aliases, fill, add_slot, map_all },
	.before	= { touch_all },
	.work	= age,
};

/* ------------------------------------------------------------------- memory */

#define SOME_VMS	100

static double table_memory(struct guest *g)
{
	return (double)g->mmu->table_bytes(g) / (g->arg + 1) / ALL_PAGES(g);
}

static void some_vms(struct guest *g)
{
	struct guest other;
	int i;

	for (i = 0; i < SOME_VMS; i++) {
		other = *g;
		other.nr_vcpus = 0;
		other.mmu->create(&other);
		add_vcpu(&other);
	}
}

/* What the kernel has less for each VM, with one vCPU. */
static double vm_memory(struct guest *g)
{
	uint64_t before = memory_line("MemFree:");

	some_vms(g);
	return ((double)before - memory_line("MemFree:")) / SOME_VMS;
}

static const struct scenario dense = {
	.setup	= { aliases, fill, add_slot, map_all },
	.value	= table_memory,
};

/* The first ones take what allocators have in stock. */
static const struct scenario many_vms = {
	.setup	= { some_vms },
	.value	= vm_memory,
};

/* ------------------------------------------------------------------ the rows */

#define PER_PAGE	"instructions per page"
#define EACH		"instructions"
#define RATIO		"ratio"

#define COUNT(s)	.umbra = { &umbra, &s }, .peer = { &kvm, &s }
#define COUNT_ARG(s, n)	.umbra = { &umbra, &s, n }, .peer = { &kvm, &s, n }
#define OVER_NONE(s, n)	.umbra = { &umbra, &s, n, MINUS_NONE },	\
			.peer = { &kvm, &s, n, MINUS_NONE }
#define GROWTH(s, a, b)	.unit = RATIO,					\
			.umbra = { &umbra, &s, a, OVER_OTHER, b },	\
			.better = LESS
/* At 256 MiB: 63.75 GiB are mapped already. */
#define WIDE(s)		GROWTH(s, 255, 0), .goal = 1.1

const struct row count_rows[] = {
	{ "populate 4 KiB pages in one call", PER_PAGE,
	  COUNT(populate_all), .goal = 40 },
	{ "populate, already mapped", PER_PAGE,
	  COUNT(populate_again), .goal = 80 },
	{ "populate, one page per call", PER_PAGE,
	  COUNT(populate_pages), .goal = 3 },
	{ "populate 2 MiB pages", PER_PAGE,
	  COUNT(populate_huge), .goal = 1 },
	{ "enable dirty logging", PER_PAGE,
	  COUNT(log_enable), .goal = 20 },
	{ "clear an all-dirty log", PER_PAGE,
	  COUNT(log_clear), .goal = 20 },
	{ "read and clear a log", PER_PAGE,
	  COUNT(log_harvest), .goal = 1 },
	{ "delete a slot", PER_PAGE,
	  COUNT(slot_delete), .goal = 20 },
	{ "large madvise", PER_PAGE,
	  COUNT(drop_large), .goal = 1 },
	{ "large madvise, over no notifier", PER_PAGE,
	  OVER_NONE(drop_large, 0), .goal = 10 },
	{ "one-page madvise, mapped", EACH,
	  COUNT(drop_pages), .goal = 1 },
	{ "one-page madvise, mapped, over no notifier", EACH,
	  OVER_NONE(drop_pages, 1), .goal = 2.5 },
	{ "one-page madvise, unrelated", EACH,
	  COUNT(drop_outside), .goal = 1 },
	{ "one-page madvise, unrelated, over no notifier", EACH,
	  OVER_NONE(drop_outside, 0), .goal = 2.5 },
	{ "test and clear young", PER_PAGE,
	  .umbra = { &umbra, &age_all },
	  .peer = { &kvm, &age_idle, 1, MINUS_NONE }, .goal = 100 },
	{ "young through page_idle, over no notifier", PER_PAGE,
	  OVER_NONE(age_notified, 1), .goal = 1 },
	{ "create a slot, at 100", EACH,
	  COUNT_ARG(slot_create, 100), .goal = 3 },
	{ "create a slot, at 2000", EACH,
	  COUNT_ARG(slot_create, 2000), .goal = 3 },
	{ "create a slot, at 30000", EACH,
	  COUNT_ARG(slot_create, 30000), .goal = 3 },
	{ "create a slot, at 30000 over 100",
	  GROWTH(slot_create, 30000, 100), .goal = 1.1 },
	{ "one-page madvise, 64 vCPUs over 1",
	  GROWTH(drop_pages, 64, 1), .goal = 1.1 },

	/* 1 GiB, at 256 MiB. */
	{ "table memory per mapped 4 KiB page", "bytes",
	  .umbra = { &umbra, &dense, 3 }, .goal = 8.1, .better = LESS },
	{ "table memory per mapped 4 KiB page, beside KVM", "bytes",
	  COUNT_ARG(dense, 3), .goal = 1 },
	{ "memory of a VM with one vCPU", "bytes",
	  COUNT(many_vms), .goal = 1 },

	{ "populate 4 KiB pages, peer hmm_range_fault", PER_PAGE,
	  .umbra = { &umbra, &populate_all },
	  .peer = { &hmm, &populate_hmm, 0, MINUS_OTHER, 1 }, .goal = 1 },
	{ "enable dirty logging, peer userfaultfd-wp", PER_PAGE,
	  .umbra = { &umbra, &log_enable },
	  .peer = { &uffd, &log_enable }, .goal = 1 },
	{ "read and clear a log, peer PAGEMAP_SCAN", PER_PAGE,
	  .umbra = { &umbra, &log_harvest },
	  .peer = { &uffd, &log_harvest }, .goal = 1 },
	{ "test and clear young, peer page_idle", PER_PAGE,
	  .umbra = { &umbra, &age_all },
	  .peer = { &none, &age_primary, 1, MINUS_OTHER, 0 }, .goal = 1 },

	{ "populate, 64 GiB over 256 MiB", WIDE(wide_populate) },
	{ "populate again, 64 GiB over 256 MiB", WIDE(wide_again) },
	{ "enable dirty logging, 64 GiB over 256 MiB", WIDE(wide_log_enable) },
	{ "clear an all-dirty log, 64 GiB over 256 MiB", WIDE(wide_log_clear) },
	{ "delete a slot, 64 GiB over 256 MiB", WIDE(wide_delete) },
	{ "large madvise, 64 GiB over 256 MiB", WIDE(wide_drop) },
	{ "test and clear young, 64 GiB over 256 MiB", WIDE(wide_age) },
	{ }
};
