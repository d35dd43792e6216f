// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hold points keep those who pass there for a short time, which widens the windows
 * of races.
 */
#include <errno.h>
#include <string.h>

#include "report.h"
#include "world.h"

/* Microseconds; now and then many more. */
#define SHORT	500
#define LONG	5000

/*
 * Under a spinlock, where nobody can be held; or in a notifier, where this thread
 * could be the one, as when it writes to its own stack after a fork.
 */
static const uint32_t delays[] = {
	UMBRA_POINT_FAULT_INSTALLED, UMBRA_POINT_ZAP_UNFLUSHED,
	UMBRA_POINT_ACCESS_TRANSLATED, UMBRA_POINT_AGE_UNFLUSHED,
	UMBRA_POINT_FLUSH_BEGIN, UMBRA_POINT_FLUSH_TLB,
	UMBRA_POINT_SPLIT_BROKEN, UMBRA_POINT_INVALIDATE_BEGUN,
	UMBRA_POINT_ZAP_YIELD, UMBRA_POINT_INVALIDATE_ZAPPED,
	UMBRA_POINT_INVALIDATE_END,
};

/* The window of U1 more often than the others. */
static const uint32_t holds[] = {
	UMBRA_POINT_FAULT_LOOKED_UP, UMBRA_POINT_FAULT_LOOKED_UP,
	UMBRA_POINT_FAULT_LOOKED_UP, UMBRA_POINT_FAULT_LOOKED_UP,
	UMBRA_POINT_LOG_TAKEN, UMBRA_POINT_LOG_PROTECTED,
	UMBRA_POINT_COLLAPSE_ZAPPED, UMBRA_POINT_SLOTS_PUBLISHED,
	UMBRA_POINT_SLOT_INVALID, UMBRA_POINT_SLOT_EMPTIED,
	UMBRA_POINT_MMIO_REMEMBER,
};

#define COUNT(array)	(sizeof(array) / sizeof(array[0]))

static bool control(struct actor *actor, const struct vm *vm, uint32_t op,
		    uint32_t point, uint64_t usecs)
{
	struct umbra_test cmd = {
		.op = op, .point = point, .usecs = usecs,
		.count = 1 + rng_below(&actor->rng, 3),
	};
	int ret = vm_test(vm, &cmd);

	if (ret == -ENOTTY)
		return actor_cannot(actor, "a module without hold points");
	if (ret)
		wrong(CHECK_CALLS, "UMBRA_TEST: %s", strerror(-ret));
	return !ret;
}

static const struct vm *pick(struct actor *actor)
{
	return &actor->world->vm[rng_below(&actor->rng, NR_VMS)];
}

static unsigned int some_time(struct actor *actor)
{
	return 1 + rng_below(&actor->rng,
			     rng_one_in(&actor->rng, 8) ? LONG : SHORT);
}

static bool delay(struct actor *actor)
{
	return control(actor, pick(actor), UMBRA_TEST_DELAY,
		       delays[rng_below(&actor->rng, COUNT(delays))],
		       some_time(actor));
}

static bool hold(struct actor *actor)
{
	const struct vm *vm = pick(actor);
	uint32_t point = holds[rng_below(&actor->rng, COUNT(holds))];

	if (!control(actor, vm, UMBRA_TEST_HOLD, point, 0))
		return false;
	actor_pause(actor, some_time(actor));
	return control(actor, vm, UMBRA_TEST_DISARM, point, 0);
}

static struct op ops[] = {
	{ "delay", 1, delay },
	{ "hold", 3, hold },
};

struct actor_kind windows_actor = ACTOR_KIND("windows", ops, .pause = 2000);
