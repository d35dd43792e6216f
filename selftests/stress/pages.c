// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the kernel does to pages without being noticed: swap, huge pages, KSM,
 * migration. And pages that die.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "report.h"
#include "world.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25
#endif
#ifndef MADV_SOFT_OFFLINE
#define MADV_SOFT_OFFLINE 101
#endif

/* Pages that one operation deals with, in general. */
#define FEW	16

#define THP	"/sys/kernel/mm/transparent_hugepage/"
#define KSM	"/sys/kernel/mm/ksm/"

static bool write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool done = fd >= 0 && write(fd, text, strlen(text)) > 0;

	close(fd);
	return done;
}

static bool advise(const struct range *r, int advice)
{
	return !madvise(range_hva(r), r->nr * PAGE, advice);
}

static struct range pick(struct actor *actor, unsigned int areas, uint64_t max)
{
	struct area *area = &actor->world->area[rng_below(&actor->rng, areas)];

	return pick_range(&actor->rng, area, max);
}

static bool page_out(struct actor *actor)
{
	struct range r = pick(actor, POISON, rng_one_in(&actor->rng, 16) ?
			      HUGE_PAGES : FEW);

	return advise(&r, rng_one_in(&actor->rng, 4) ? MADV_COLD : MADV_PAGEOUT);
}

/* Both halves of these areas can be a huge page. */
static struct range pick_huge(struct actor *actor)
{
	struct range r = pick(actor, GUARDED, 1);

	r.first = rng_one_in(&actor->rng, 2) * HUGE_PAGES;
	r.nr = HUGE_PAGES;
	return r;
}

static bool collapse(struct actor *actor)
{
	struct range r = pick_huge(actor);

	return advise(&r, MADV_COLLAPSE);
}

static bool want_huge(struct actor *actor)
{
	struct range r = pick_huge(actor);

	return advise(&r, rng_one_in(&actor->rng, 4) ? MADV_NOHUGEPAGE :
						       MADV_HUGEPAGE);
}

static bool switch_huge(struct actor *actor)
{
	static const char * const words[] = { "always", "madvise", "never" };

	return write_file(THP "enabled", words[rng_below(&actor->rng, 3)]);
}

static bool merge(struct actor *actor)
{
	struct range r = {
		.area = &actor->world->area[TWIN],
		.nr = actor->world->area[TWIN].pages,
	};

	if (access(KSM "run", F_OK))
		return actor_cannot(actor, "no KSM");
	return advise(&r, rng_one_in(&actor->rng, 8) ? MADV_UNMERGEABLE :
						       MADV_MERGEABLE);
}

static bool compact(struct actor *actor)
{
	static const char file[] = "/proc/sys/vm/compact_memory";

	if (access(file, F_OK))
		return actor_cannot(actor, "no compaction on demand");
	return write_file(file, "1");
}

/* Its content goes to another page; this one is never used again. */
static bool take_offline(struct actor *actor)
{
	struct range r = pick(actor, SHARED, 1);

	if (advise(&r, MADV_SOFT_OFFLINE))
		return errno == EINVAL &&
		       actor_cannot(actor, "no memory failures");
	return true;
}

static bool poison(struct actor *actor)
{
	struct range r = pick_range(&actor->rng, &actor->world->area[POISON], 1);
	bool possible = true, poisoned;
	uint64_t start;

	if (!range_claim(&r))
		return false;
	start = range_discard_begin(&r);
	/* Never the zero page. */
	poisoned = advise(&r, MADV_POPULATE_WRITE) && advise(&r, MADV_HWPOISON);
	if (poisoned) {
		range_set(&r, PHASE_POISONED);
		actor_pause(actor, 1000);
		range_set(&r, PHASE_CHANGING);
	} else {
		possible = errno != EINVAL;
	}
	if (area_map(r.area, r.first, 1))
		wrong(CHECK_CALLS, "mmap: %m");
	range_discard_end(&r, start, true);
	range_set(&r, PHASE_DEFAULT);
	return possible ? poisoned : actor_cannot(actor, "no memory failures");
}

static void enter(struct actor *actor)
{
	write_file(KSM "pages_to_scan", "100");
	write_file(KSM "sleep_millisecs", "20");
	write_file(KSM "run", "1");
	write_file(THP "shmem_enabled", "advise");
	write_file(THP "khugepaged/scan_sleep_millisecs", "100");
	write_file(THP "khugepaged/alloc_sleep_millisecs", "100");
}

/* Nothing goes on without us. */
static void leave(struct actor *actor)
{
	write_file(KSM "run", "2");
}

static struct op ops[] = {
	{ "page out", 50, page_out },
	{ "collapse", 50, collapse },
	{ "want huge", 20, want_huge },
	{ "switch huge", 10, switch_huge },
	{ "merge", 10, merge },
	{ "compact", 1, compact },
	{ "take offline", 2, take_offline },
	{ "poison", 2, poison },
};

struct actor_kind pages_actor = ACTOR_KIND("pages", ops, .pause = 10000,
					   .enter = enter, .leave = leave);
