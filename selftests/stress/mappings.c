// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a process does to its mappings: discard, unmap, map, move, protect.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "report.h"
#include "world.h"

/* Pages that one operation deals with, at most; now and then many more. */
#define FEW	16
#define MANY	700

static struct range pick(struct actor *actor, enum area_id id)
{
	bool many = rng_one_in(&actor->rng, 32);

	return pick_range(&actor->rng, &actor->world->area[id],
			  many ? MANY : FEW);
}

static enum area_id one_of(struct actor *actor, enum area_id a, enum area_id b)
{
	return rng_one_in(&actor->rng, 2) ? a : b;
}

static bool discard(const struct range *r, int advice)
{
	uint64_t start = range_discard_begin(r);
	int ret = madvise(range_hva(r), r->nr * PAGE, advice);

	/* MADV_FREE keeps what it likes. */
	range_discard_end(r, start, !ret && advice != MADV_FREE);
	return !ret;
}

static bool dontneed(struct actor *actor)
{
	struct range r = pick(actor, rng_one_in(&actor->rng, 4) ? GUARDED :
								  DROPPED);

	return discard(&r, MADV_DONTNEED);
}

static bool lazily_free(struct actor *actor)
{
	struct range r = pick(actor, DROPPED);

	if (!discard(&r, MADV_FREE))
		return false;
	if (rng_one_in(&actor->rng, 2))
		madvise(range_hva(&r), r.nr * PAGE, MADV_PAGEOUT);
	return true;
}

static bool punch(struct actor *actor)
{
	struct range r = pick(actor, SHARED);
	uint64_t start = range_discard_begin(&r);
	int ret = fallocate(r.area->fd,
			    FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			    r.first * PAGE, r.nr * PAGE);

	range_discard_end(&r, start, !ret);
	return !ret;
}

/* The last pages of the file go, and come back as zeros. */
static bool truncate_file(struct actor *actor)
{
	struct area *area = &actor->world->area[SHARED];
	struct range r = { area, .nr = 1 + rng_below(&actor->rng, FEW) };
	uint64_t wanted = r.nr, start;
	int ret;

	r.first = area->pages - r.nr;
	range_claim(&r);
	if (r.nr == wanted) {
		start = range_discard_begin(&r);
		ret = ftruncate(area->fd, r.first * PAGE);
		if (!ret)
			range_set(&r, PHASE_UNMAPPED);
		actor_pause(actor, 500);
		range_set(&r, PHASE_CHANGING);
		ret |= ftruncate(area->fd, area->pages * PAGE);
		if (ret)
			wrong(CHECK_CALLS, "ftruncate: %m");
		range_discard_end(&r, start, true);
	}
	range_set(&r, PHASE_DEFAULT);
	return r.nr == wanted;
}

/* With a hole in between, or at once. */
static bool map_anew(struct actor *actor, bool hole)
{
	struct range r = pick(actor, one_of(actor, DROPPED, SHARED));
	bool content = r.area->id == SHARED;
	uint64_t start = 0;

	if (!range_claim(&r))
		return false;
	if (!content)
		start = range_discard_begin(&r);
	if (hole && !munmap(range_hva(&r), r.nr * PAGE)) {
		range_set(&r, PHASE_UNMAPPED);
		actor_pause(actor, 500);
		range_set(&r, PHASE_CHANGING);
	}
	if (area_map(r.area, r.first, r.nr))
		wrong(CHECK_CALLS, "mmap: %m");
	if (!content)
		range_discard_end(&r, start, true);
	range_set(&r, PHASE_DEFAULT);
	return true;
}

static bool unmap_and_map(struct actor *actor)
{
	return map_anew(actor, true);
}

static bool map_over(struct actor *actor)
{
	return map_anew(actor, false);
}

static bool move(struct actor *actor)
{
	struct range r = pick(actor, one_of(actor, KEPT, DROPPED));
	uint64_t length;
	uint8_t *away;
	bool moved;

	if (!range_claim(&r))
		return false;
	length = r.nr * PAGE;
	away = r.area->attic + r.first * PAGE;
	/* Only one mapping can be moved at once. */
	moved = mremap(range_hva(&r), length, length,
		       MREMAP_MAYMOVE | MREMAP_FIXED, away) == away;
	if (moved) {
		range_set(&r, PHASE_UNMAPPED);
		actor_pause(actor, 500);
		range_set(&r, PHASE_CHANGING);
		if (mremap(away, length, length, MREMAP_MAYMOVE | MREMAP_FIXED,
			   range_hva(&r)) != range_hva(&r))
			wrong(CHECK_CALLS, "mremap: %m");
	}
	range_set(&r, PHASE_DEFAULT);
	return moved;
}

static bool protect(struct actor *actor, int prot, enum phase phase)
{
	struct range r = pick(actor, rng_below(&actor->rng, GUARDED));
	uint64_t length;
	bool done;

	if (!range_claim(&r))
		return false;
	length = r.nr * PAGE;
	done = !mprotect(range_hva(&r), length, prot);
	if (done) {
		range_set(&r, phase);
		actor_pause(actor, 500);
		range_set(&r, PHASE_CHANGING);
	}
	if (mprotect(range_hva(&r), length, PROT_READ | PROT_WRITE))
		wrong(CHECK_CALLS, "mprotect: %m");
	range_set(&r, PHASE_DEFAULT);
	return done;
}

static bool protect_write(struct actor *actor)
{
	return protect(actor, PROT_READ, PHASE_READONLY);
}

static bool protect_all(struct actor *actor)
{
	return protect(actor, PROT_NONE, PHASE_NO_ACCESS);
}

static struct op ops[] = {
	{ "dontneed", 40, dontneed },
	{ "free", 20, lazily_free },
	{ "punch", 20, punch },
	{ "truncate", 5, truncate_file },
	{ "unmap and map", 10, unmap_and_map },
	{ "map over", 10, map_over },
	{ "move", 10, move },
	{ "make read-only", 10, protect_write },
	{ "make inaccessible", 10, protect_all },
};

struct actor_kind mappings_actor = ACTOR_KIND("mappings", ops, .pause = 3000);
