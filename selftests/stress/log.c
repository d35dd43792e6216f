// SPDX-License-Identifier: GPL-2.0-only
/*
 * Dirty logs: no store may be missing.
 *
 * Of each page of a logged memslot it is known when the last store began that has
 * ended (slot->stored). Such a store has to be told of by the harvest that follows;
 * if it began while the previous harvest was under way, by one of the two.
 */
#include <stdlib.h>
#include <string.h>
#include <umbra.h>

#include "report.h"
#include "vm.h"
#include "actor.h"

#define MAX_LOG_PAGES	(2 * HUGE_PAGES)
#define WORDS		(MAX_LOG_PAGES / 64)

struct harvest {
	uint64_t begin;
	uint64_t end;
	uint64_t bits[WORDS];
};

struct log {
	struct slot *slot;	/* that is logged, or NULL */
	uint32_t flags;
	/* of each reader: the last one, or the beginning of the log */
	struct harvest last[READERS];
};

static void enter(struct actor *actor)
{
	actor->state = calloc(1, sizeof(struct log));
}

static void leave(struct actor *actor)
{
	free(actor->state);
}

static bool check(const char *what, int ret)
{
	if (ret)
		wrong(CHECK_CALLS, "%s a dirty log: %s", what, strerror(-ret));
	return !ret;
}

static bool start(struct actor *actor)
{
	struct log *log = actor->state;
	struct vm *vm = actor->vm;
	struct slot *slot;

	if (log->slot)
		return false;
	do {
		slot = &vm->slot[rng_below(&actor->rng, vm->nr_slots)];
	} while (slot->kind != SLOT_MAIN);
	log->flags = log_flags(&actor->rng);
	if (!check("start", slot_set(vm, slot, 0, log->flags)))
		return false;
	for (int i = 0; i < READERS; i++) {
		log->last[i] = (struct harvest){ .begin = now() };
		log->last[i].end = log->last[i].begin;
	}
	log->slot = slot;
	return true;
}

static bool stop(struct actor *actor)
{
	struct log *log = actor->state;
	struct slot *slot = log->slot;

	log->slot = NULL;
	return slot && check("stop", slot_set(actor->vm, slot, 0, 0));
}

/* The method: the log goes on with what is in it. */
static bool change(struct actor *actor)
{
	struct log *log = actor->state;

	if (!log->slot)
		return false;
	log->flags = log_flags(&actor->rng);
	return check("change", slot_set(actor->vm, log->slot, 0, log->flags));
}

static bool has(const uint64_t *bits, uint64_t page)
{
	return bits[page / 64] >> page % 64 & 1;
}

static void judge(const struct vm *vm, const struct log *log,
		  const struct harvest *last, const uint64_t *stored,
		  const uint64_t *bits)
{
	for (uint64_t page = 0; page < log->slot->nr; page++) {
		if (has(bits, page) || stored[page] <= last->begin ||
		    (stored[page] <= last->end && has(last->bits, page)))
			continue;
		wrong(CHECK_LOG, "VM %u (%s): %s page %lu, flags %#x, reader %u: stored at %lu, harvests at %lu to %lu and now at %lu",
		      vm->number, vm->as->name, area_name(log->slot->area),
		      page, log->flags, (unsigned int)(last - log->last),
		      stored[page], last->begin, last->end, now());
	}
}

/* Take all at once, or look first and take then. */
static bool harvest(struct actor *actor, bool keep)
{
	uint32_t reader = rng_below(&actor->rng, READERS);
	uint64_t stored[MAX_LOG_PAGES], dirty;
	struct log *log = actor->state;
	struct slot *slot = log->slot;
	struct harvest this = { 0 };
	int fd = actor->vm->fd;

	if (!slot)
		return false;
	for (uint64_t page = 0; page < slot->nr; page++)
		stored[page] = __atomic_load_n(&slot->stored[page],
					       __ATOMIC_SEQ_CST);
	this.begin = now();
	if (!check("get", umbra_get_reader_log(fd, keep ?
					       UMBRA_DIRTY_LOG_KEEP : 0,
					       slot->id, reader, 0, slot->nr,
					       this.bits, &dirty)))
		return false;
	if (keep && !check("clear", umbra_clear_reader_log(fd, slot->id, reader,
							   0, slot->nr,
							   this.bits)))
		return false;
	this.end = now();
	judge(actor->vm, log, &log->last[reader], stored, this.bits);
	log->last[reader] = this;
	return true;
}

static bool get(struct actor *actor)
{
	return harvest(actor, false);
}

static bool get_and_clear(struct actor *actor)
{
	return harvest(actor, true);
}

static struct op ops[] = {
	{ "start", 20, start },
	{ "get", 40, get },
	{ "get and clear", 40, get_and_clear },
	{ "change", 10, change },
	{ "stop", 5, stop },
};

struct actor_kind log_actor = ACTOR_KIND("dirty log", ops, .pause = 10000,
					 .enter = enter, .leave = leave);
