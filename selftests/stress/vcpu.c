// SPDX-License-Identifier: GPL-2.0-only
/*
 * vCPUs: accesses and faults through umbra.
 */
#include <string.h>
#include <umbra.h>
#include <unistd.h>

#include "access.h"
#include "report.h"

static void enter(struct actor *actor)
{
	actor->vcpu = umbra_create_vcpu(actor->vm->fd);
	if (actor->vcpu < 0)
		wrong(CHECK_CALLS, "CREATE_VCPU: %s", strerror(-actor->vcpu));
}

static void leave(struct actor *actor)
{
	close(actor->vcpu);
}

static bool load(struct actor *actor)
{
	return access_batch(actor, ACCESS_LOAD, 1);
}

static bool store(struct actor *actor)
{
	return access_batch(actor, ACCESS_STORE, 1);
}

static bool exchange(struct actor *actor)
{
	return access_batch(actor, ACCESS_CMPXCHG, 1);
}

static bool read_many(struct actor *actor)
{
	return access_batch(actor, ACCESS_READ, 1);
}

static bool write_many(struct actor *actor)
{
	return access_batch(actor, ACCESS_WRITE, 1);
}

static bool batch(struct actor *actor)
{
	return access_batch(actor, rng_below(&actor->rng, ACCESS_KINDS),
			    2 + rng_below(&actor->rng, 3));
}

static bool fault(struct actor *actor)
{
	return access_fault(actor, 0);
}

static bool fault_write(struct actor *actor)
{
	return access_fault(actor, UMBRA_FAULT_WRITE);
}

/* Another one, with an empty TLB. */
static bool replace(struct actor *actor)
{
	leave(actor);
	enter(actor);
	return actor->vcpu >= 0;
}

static struct op ops[] = {
	{ "load", 300, load },
	{ "store", 200, store },
	{ "exchange", 50, exchange },
	{ "count", 50, access_count },
	{ "read", 50, read_many },
	{ "write", 50, write_many },
	{ "batch", 50, batch },
	{ "fault", 10, fault },
	{ "fault for write", 10, fault_write },
	{ "replace", 1, replace },
};

struct actor_kind vcpu_actor = ACTOR_KIND("vcpu", ops, .enter = enter,
					  .leave = leave, .nice = -5);
