// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is done to a table for its own sake: unmap, split, collapse, age, look.
 */
#include <string.h>
#include <umbra.h>

#include "access.h"
#include "report.h"

#define HUGE_SHIFT	21
#define PAGE_SHIFT	12
#define AGE_WORDS	(MAX_PAGES / 64)

static bool check(const char *what, int ret)
{
	if (ret)
		wrong(CHECK_CALLS, "%s: %s", what, strerror(-ret));
	return !ret;
}

/* Up to max pages of a memslot, or of where it might be. */
static void pick(struct actor *actor, uint64_t max, uint64_t *gpa,
		 uint64_t *length)
{
	struct target t;

	target_pick(&t, &actor->rng, actor->vm, max);
	target_open(&t, t.page * PAGE, t.nr * PAGE);
	*gpa = t.gpa;
	*length = t.nr * PAGE;
}

static bool unmap(struct actor *actor)
{
	uint64_t gpa, length;

	pick(actor, MAX_PAGES, &gpa, &length);
	return check("UNMAP", umbra_unmap(actor->vm->fd, gpa, length));
}

static bool split(struct actor *actor)
{
	uint64_t gpa, length;

	pick(actor, MAX_PAGES, &gpa, &length);
	return check("SPLIT", umbra_split(actor->vm->fd, gpa, length,
					  rng_one_in(&actor->rng, 4) ?
					  HUGE_SHIFT : PAGE_SHIFT));
}

static bool collapse(struct actor *actor)
{
	uint64_t gpa, length;

	pick(actor, MAX_PAGES, &gpa, &length);
	return check("COLLAPSE", umbra_collapse(actor->vm->fd, gpa, length));
}

static bool age(struct actor *actor, uint32_t flags)
{
	uint64_t gpa, length, young, bitmap[AGE_WORDS];

	pick(actor, MAX_PAGES, &gpa, &length);
	return check("AGE", umbra_age(actor->vm->fd, flags, gpa, length, PAGE,
				      bitmap, &young));
}

static bool test_young(struct actor *actor)
{
	return age(actor, 0);
}

static bool clear_young(struct actor *actor)
{
	return age(actor, UMBRA_AGE_CLEAR);
}

static bool verify(struct actor *actor)
{
	uint64_t gpa, length;

	pick(actor, MAX_PAGES, &gpa, &length);
	vm_verify(actor->vm, gpa, length);
	return true;
}

static bool verify_all(struct actor *actor)
{
	vm_verify(actor->vm, 0, 1UL << actor->vm->gpa_bits);
	return true;
}

static bool translate(struct actor *actor)
{
	struct umbra_translate t;
	uint64_t gpa, length;

	pick(actor, 1, &gpa, &length);
	return check("TRANSLATE", umbra_translate(actor->vm->fd, 0, gpa, &t));
}

static bool stats(struct actor *actor)
{
	struct umbra_get_stats s;

	if (!check("GET_STATS", umbra_get_stats(actor->vm->fd, &s)))
		return false;
	if (s.tlb_conflicts)
		wrong(CHECK_VERIFY, "VM %u (%s): %llu TLB conflicts",
		      actor->vm->number, actor->vm->as->name, s.tlb_conflicts);
	return true;
}

static struct op ops[] = {
	{ "unmap", 10, unmap },
	{ "split", 10, split },
	{ "collapse", 10, collapse },
	{ "test young", 10, test_young },
	{ "clear young", 10, clear_young },
	{ "verify", 20, verify },
	{ "verify all", 2, verify_all },
	{ "translate", 10, translate },
	{ "statistics", 10, stats },
};

struct actor_kind tables_actor = ACTOR_KIND("tables", ops, .pause = 5000);
