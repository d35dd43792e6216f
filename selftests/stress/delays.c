// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hold points delay who passes there, which widens the windows of races.
 */
#include <errno.h>
#include <string.h>

#include "report.h"
#include "world.h"

/* Microseconds; now and then many more. */
#define SHORT	200
#define LONG	5000

/* The other points do not delay. */
static uint32_t any_point(struct rng *rng)
{
	uint32_t point = rng_below(rng, UMBRA_NR_POINTS);

	return point == UMBRA_POINT_ALLOC || point == UMBRA_POINT_LOOK_UP ?
	       UMBRA_POINT_FAULT_LOOKED_UP : point;
}

static bool delay(struct actor *actor)
{
	const struct vm *vm = &actor->world->vm[rng_below(&actor->rng, NR_VMS)];
	bool longer = rng_one_in(&actor->rng, 16);
	struct umbra_test cmd = {
		.op = UMBRA_TEST_DELAY,
		.point = any_point(&actor->rng),
		.count = 1 + rng_below(&actor->rng, 3),
		.usecs = rng_below(&actor->rng, longer ? LONG : SHORT),
	};
	int ret = vm_test(vm, &cmd);

	if (ret == -ENOTTY)
		return actor_cannot(actor, "a module without hold points");
	if (ret)
		wrong(CHECK_CALLS, "UMBRA_TEST: %s", strerror(-ret));
	return !ret;
}

static struct op ops[] = {
	{ "delay", 1, delay },
};

struct actor_kind delays_actor = ACTOR_KIND("delays", ops, .pause = 5000);
