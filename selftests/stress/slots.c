// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memslots that come, go, move, and are logged or not.
 */
#include <string.h>
#include <umbra.h>

#include "report.h"
#include "vm.h"
#include "actor.h"

static struct slot *pick(struct actor *actor)
{
	struct slot *slot;

	do {
		slot = &actor->vm->slot[rng_below(&actor->rng,
						  actor->vm->nr_slots)];
	} while (slot->kind == SLOT_MAIN);
	return slot;
}

static uint32_t any_flags(struct actor *actor)
{
	return rng_one_in(&actor->rng, 2) ? log_flags(&actor->rng) : 0;
}

/* Where the memslot is, or -1. */
static int place_of(const struct slot *slot)
{
	for (int place = 0; place < PLACES; place++)
		if (phase_is(slot->place[place]) == PHASE_PRESENT)
			return place;
	return -1;
}

static bool check(const char *what, int ret)
{
	if (ret)
		wrong(CHECK_CALLS, "%s a memslot: %s", what, strerror(-ret));
	return !ret;
}

static bool create(struct actor *actor)
{
	struct slot *slot = pick(actor);
	int place = rng_below(&actor->rng, PLACES);

	if (place_of(slot) >= 0 || !phase_claim(&slot->place[place]))
		return false;
	if (!check("create", slot_set(actor->vm, slot, place,
				      any_flags(actor))))
		return false;
	phase_set(&slot->place[place], PHASE_PRESENT);
	return true;
}

static bool delete(struct actor *actor)
{
	struct slot *slot = pick(actor);
	int place = place_of(slot);

	if (place < 0)
		return false;
	phase_set(&slot->place[place], PHASE_CHANGING);
	if (!check("delete", umbra_delete_memslot(actor->vm->fd, slot->id)))
		return false;
	phase_set(&slot->place[place], PHASE_DEFAULT);
	return true;
}

static bool move(struct actor *actor)
{
	struct slot *slot = pick(actor);
	int place = place_of(slot);

	if (place < 0 || !phase_claim(&slot->place[!place]))
		return false;
	phase_set(&slot->place[place], PHASE_CHANGING);
	if (!check("move", slot_set(actor->vm, slot, !place, any_flags(actor))))
		return false;
	phase_set(&slot->place[place], PHASE_DEFAULT);
	phase_set(&slot->place[!place], PHASE_PRESENT);
	return true;
}

static bool change_flags(struct actor *actor)
{
	struct slot *slot = pick(actor);
	int place = place_of(slot);

	return place >= 0 && check("change", slot_set(actor->vm, slot, place,
						      any_flags(actor)));
}

static struct op ops[] = {
	{ "create", 40, create },
	{ "delete", 10, delete },
	{ "move", 10, move },
	{ "change flags", 10, change_flags },
};

struct actor_kind slots_actor = ACTOR_KIND("memslots", ops, .pause = 5000);
