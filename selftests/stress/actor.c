// SPDX-License-Identifier: GPL-2.0-only
#include "actor.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "report.h"

static void run(struct actor *actor, struct op *op)
{
	if (op->missing)
		return;
	__atomic_store_n(&actor->op, op, __ATOMIC_RELAXED);
	__atomic_add_fetch(&actor->beats, 1, __ATOMIC_RELAXED);
	if (op->run(actor))
		__atomic_add_fetch(&op->count, 1, __ATOMIC_RELAXED);
	if (actor->kind->pause)
		actor_pause(actor, actor->kind->pause);
}

static struct op *choose(struct actor *actor)
{
	struct op *op = actor->kind->ops;
	unsigned int i, sum = 0;

	for (i = 0; i < actor->kind->nr_ops; i++)
		sum += op[i].weight;
	for (sum = rng_below(&actor->rng, sum); sum >= op->weight; op++)
		sum -= op->weight;
	return op;
}

static bool stopped(const struct actor *actor)
{
	return __atomic_load_n(&actor->stop, __ATOMIC_ACQUIRE) ||
	       (failed() && !actor->kind->services);
}

/* Each operation once, then as they come. */
static void *actor_main(void *arg)
{
	struct actor *actor = arg;
	struct actor_kind *kind = actor->kind;
	unsigned int i;

	/* Of this thread alone. */
	setpriority(PRIO_PROCESS, 0, kind->nice);
	if (kind->enter)
		kind->enter(actor);
	for (i = 0; i < kind->nr_ops && !stopped(actor); i++)
		run(actor, &kind->ops[i]);
	while (!stopped(actor))
		run(actor, choose(actor));
	if (kind->leave)
		kind->leave(actor);
	__atomic_store_n(&actor->ended, true, __ATOMIC_RELEASE);
	return NULL;
}

void actor_start(struct actor *actor, uint64_t seed, uint64_t number)
{
	rng_seed(&actor->rng, seed, number);
	if (pthread_create(&actor->thread, NULL, actor_main, actor))
		abort();
}

void actor_stop(struct actor *actor)
{
	__atomic_store_n(&actor->stop, true, __ATOMIC_RELEASE);
}

bool actor_cannot(struct actor *actor, const char *why)
{
	__atomic_store_n(&actor->op->missing, why, __ATOMIC_RELAXED);
	return false;
}

void actor_pause(struct actor *actor, unsigned int usecs)
{
	usleep(rng_below(&actor->rng, usecs));
}

bool all_acted(struct actor_kind *const *kinds, unsigned int nr)
{
	for (; nr--; kinds++)
		for (unsigned int i = 0; i < (*kinds)->nr_ops; i++)
			if (!(*kinds)->ops[i].count && !(*kinds)->ops[i].missing)
				return false;
	return true;
}

/* Every operation has to have been done, or be missing. */
static bool report_actor(const struct actor_kind *kind, unsigned int number)
{
	const char *missing = NULL;
	bool idle = false, acted = false;
	unsigned int i;

	printf("# %s:", kind->name);
	for (i = 0; i < kind->nr_ops; i++) {
		const struct op *op = &kind->ops[i];

		if (op->count) {
			printf(" %s %lu", op->name, op->count);
			acted = true;
		} else if (op->missing) {
			printf(" %s: %s", op->name, op->missing);
			missing = op->missing;
		} else {
			printf(" %s NEVER", op->name);
			idle = true;
		}
		printf(i + 1 < kind->nr_ops ? "," : "\n");
	}
	/* A run that found something ends early. */
	idle &= !failed();
	if (idle)
		printf("not ok %u %s acts\n", number, kind->name);
	else if (!acted && missing)
		printf("ok %u %s acts # SKIP %s\n", number, kind->name, missing);
	else
		printf("ok %u %s acts\n", number, kind->name);
	return !idle;
}

bool report_actors(struct actor_kind *const *kinds, unsigned int nr,
		   unsigned int first)
{
	unsigned int i;
	bool ok = true;

	for (i = 0; i < nr; i++)
		ok &= report_actor(kinds[i], first + i);
	return ok;
}
