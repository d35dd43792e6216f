/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Actors: threads that do one operation after the other, each chosen at random
 * from what their kind can do.
 */
#ifndef ACTOR_H
#define ACTOR_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "rng.h"

struct actor;
struct vm;
struct world;

struct op {
	const char *name;
	unsigned int weight;
	/* Returns false if there was nothing to do, or it was not possible. */
	bool (*run)(struct actor *actor);
	uint64_t count;		/* how often it was done in this run */
	const char *missing;	/* why this kernel cannot do it */
};

struct actor_kind {
	const char *name;
	struct op *ops;
	unsigned int nr_ops;
	unsigned int pause;	/* between operations, microseconds at most */
	int nice;
	bool services;		/* others wait for it: ends after them */
	void (*enter)(struct actor *actor);
	void (*leave)(struct actor *actor);
};

#define ACTOR_KIND(_name, _ops, ...) \
	{ .name = _name, .ops = _ops, \
	  .nr_ops = sizeof(_ops) / sizeof(_ops[0]), __VA_ARGS__ }

struct actor {
	struct actor_kind *kind;
	struct world *world;
	struct vm *vm;		/* of those that belong to one, or NULL */
	unsigned int writer;	/* of those that write to cells */
	int vcpu;		/* descriptor, of those that have one */
	void *state;		/* of the kind's own */
	struct rng rng;
	struct op *op;		/* at work */
	uint64_t beats;		/* operations begun */
	bool stop;
	bool ended;
	pthread_t thread;
};

/* The seed of the run, the number of the actor in it. */
void actor_start(struct actor *actor, uint64_t seed, uint64_t number);
void actor_stop(struct actor *actor);
/* This kernel cannot do the operation at work. Returns false. */
bool actor_cannot(struct actor *actor, const char *why);
/* Sleep at random, up to that many microseconds. */
void actor_pause(struct actor *actor, unsigned int usecs);
/* Has every operation of the kinds been done, unless it is missing? */
bool all_acted(struct actor_kind *const *kinds, unsigned int nr);
/* A line of TAP for each kind, numbered from first. Have all acted? */
bool report_actors(struct actor_kind *const *kinds, unsigned int nr,
		   unsigned int first);

/* The kinds, and the files they are in. */
extern struct actor_kind vcpu_actor;		/* vcpu.c */
extern struct actor_kind process_actor;		/* process.c */
extern struct actor_kind mappings_actor;	/* mappings.c */
extern struct actor_kind pages_actor;		/* pages.c */
extern struct actor_kind fork_actor;		/* fork.c */
extern struct actor_kind uffd_actor;		/* uffd.c */
extern struct actor_kind slots_actor;		/* slots.c */
extern struct actor_kind log_actor;		/* log.c */
extern struct actor_kind tables_actor;		/* tables.c */
extern struct actor_kind churn_actor;		/* churn.c */
extern struct actor_kind windows_actor;		/* windows.c */

#endif /* ACTOR_H */
