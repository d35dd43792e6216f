// SPDX-License-Identifier: GPL-2.0-only
#include "world.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <umbra.h>
#include <unistd.h>

#include "cells.h"
#include "guard.h"
#include "report.h"

/* Seconds after which who does not get on is stuck. */
#define STUCK	150
/* For what others do with a delay, tenths of a second. */
#define PATIENCE 100

/* Two of the formats, another pair each round. */
static int create_vms(struct world *w, struct rng *rng, unsigned int round)
{
	int ret = 0;

	for (unsigned int i = 0; i < NR_VMS && !ret; i++) {
		const struct combination *as =
			&combinations[(round * NR_VMS + i) % NR_COMBINATIONS];
		struct umbra_get_caps caps;
		uint64_t bits = 0;

		ret = umbra_get_caps(w->dev, as->format, &caps);
		if (!ret)
			bits = MIN_GPA_BITS + rng_below(rng, caps.gpa_bits_max -
							MIN_GPA_BITS + 1);
		ret = ret ?: vm_create(&w->vm[i], w->dev, as, bits, w->area);
		w->vm[i].number = i;
	}
	return ret;
}

static struct actor *add(struct world *w, struct actor_kind *kind)
{
	struct actor *actor = &w->actor[w->nr_actors++];

	*actor = (struct actor){ .kind = kind, .world = w, .vcpu = -1 };
	return actor;
}

static void create_actors(struct world *w)
{
	unsigned int vm, i, writer = 0;

	add(w, &uffd_actor);
	add(w, &process_actor)->writer = PROCESS_WRITER;
	add(w, &mappings_actor);
	add(w, &mappings_actor);
	add(w, &pages_actor);
	add(w, &fork_actor);
	add(w, &churn_actor);
	add(w, &windows_actor);
	for (vm = 0; vm < NR_VMS; vm++) {
		add(w, &slots_actor)->vm = &w->vm[vm];
		add(w, &log_actor)->vm = &w->vm[vm];
		add(w, &tables_actor)->vm = &w->vm[vm];
		for (i = 0; i < VM_VCPUS; i++) {
			struct actor *actor = add(w, &vcpu_actor);

			actor->vm = &w->vm[vm];
			actor->writer = writer++;
		}
	}
}

/* What the kernel says each thread is doing. */
static void show_threads(void)
{
	DIR *dir = opendir("/proc/self/task");
	struct dirent *entry;
	char path[300], text[4096];

	while (dir && (entry = readdir(dir))) {
		FILE *file;
		size_t len;

		snprintf(path, sizeof(path), "/proc/self/task/%s/stack",
			 entry->d_name);
		file = fopen(path, "r");
		if (!file)
			continue;
		len = fread(text, 1, sizeof(text) - 1, file);
		text[len] = '\0';
		printf("# thread %s\n%s", entry->d_name, text);
		fclose(file);
	}
}

/* Wait a second; who has not begun anything new for long is stuck. */
static bool all_get_on(struct world *w, uint64_t *beats, unsigned int *idle)
{
	for (unsigned int i = 0; i < w->nr_actors; i++) {
		const struct actor *a = &w->actor[i];
		uint64_t now = __atomic_load_n(&a->beats, __ATOMIC_RELAXED);

		idle[i] = now == beats[i] && !a->ended ? idle[i] + 1 : 0;
		beats[i] = now;
		if (idle[i] <= STUCK)
			continue;
		wrong(CHECK_PROGRESS, "%s (actor %u) is stuck in %s",
		      a->kind->name, i, a->op ? a->op->name : "nothing");
		show_threads();
		return false;
	}
	return true;
}

static bool all_ended(const struct world *w, bool services)
{
	for (unsigned int i = 0; i < w->nr_actors; i++)
		if (w->actor[i].kind->services == services &&
		    !__atomic_load_n(&w->actor[i].ended, __ATOMIC_ACQUIRE))
			return false;
	return true;
}

/* Let them act for so long, then end all but the services. */
static bool act(struct world *w, unsigned int seconds)
{
	unsigned int i, idle[MAX_ACTORS] = { 0 };
	uint64_t beats[MAX_ACTORS] = { 0 };

	for (i = 0; i < w->nr_actors; i++)
		actor_start(&w->actor[i], w->seed, i);
	for (; seconds && !failed(); seconds--) {
		sleep(1);
		if (!all_get_on(w, beats, idle))
			return false;
	}
	for (i = 0; i < w->nr_actors; i++)
		if (!w->actor[i].kind->services)
			actor_stop(&w->actor[i]);
	for (i = 0; !all_ended(w, false); i++) {
		usleep(100000);
		if (i % 10 == 9 && !all_get_on(w, beats, idle))
			return false;
	}
	return true;
}

static void end_services(struct world *w)
{
	for (unsigned int i = 0; i < w->nr_actors; i++) {
		actor_stop(&w->actor[i]);
		pthread_join(w->actor[i].thread, NULL);
	}
}

/* At rest every page has to be there for everybody, with what was written. */
static void check_memory(struct world *w, int vcpu, const struct vm *vm,
			 struct area *area)
{
	uint64_t gpa = vm->slot[area->id * SLOT_KINDS + SLOT_MAIN].gpa[0];
	uint8_t buffer[PAGE];
	struct reading r;

	for (uint64_t page = 0; page < area->pages; page++) {
		uint64_t count = area->page[page].counter.done;
		int ret;

		reading_open(&r, area, page * PAGE, PAGE);
		ret = umbra_read(vcpu, gpa + page * PAGE, buffer, PAGE);
		if (ret)
			wrong(CHECK_ERRORS, "at the end VM %u (%s) cannot read %s page %lu: %s",
			      vm->number, vm->as->name, area_name(area), page,
			      strerror(-ret));
		reading_close(&r);
		reading_judge(&r, buffer, "at the end a vCPU");
		reading_judge(&r, area->hva + page * PAGE,
			      "at the end the process");
		if (memcmp(&count, area->hva + page * PAGE + COUNTER, 8))
			wrong(CHECK_VALUES, "%s page %lu: the counter is not %lu",
			      area_name(area), page, count);
		if (failed())
			return;
	}
}

/* khugepaged and others may still be at work for a moment. */
static void check_quiet(const struct vm *vm)
{
	struct umbra_test state = { 0 };
	int i, ret = 0;

	for (i = 0; i < PATIENCE; i++) {
		state = (struct umbra_test){ .op = UMBRA_TEST_QUERY };
		ret = vm_test(vm, &state);
		if (ret || !(state.in_progress || state.active))
			break;
		usleep(100000);
	}
	if (!ret && i == PATIENCE)
		wrong(CHECK_QUIET, "VM %u (%s): %llu invalidations are in progress, %llu active",
		      vm->number, vm->as->name, state.in_progress,
		      state.active);
}

static void add_up(const struct vm *vm, struct totals *t)
{
	struct umbra_get_stats s;

	if (umbra_get_stats(vm->fd, &s))
		return;
	t->accesses += s.accesses;
	t->faults += s.faults;
	t->retries += s.retries;
	t->waits += s.waits;
	t->invalidations += s.invalidations;
	t->splits += s.splits;
	t->collapses += s.collapses;
	t->flushes += s.flushes;
}

static void check_at_rest(struct world *w, struct totals *totals)
{
	for (int i = 0; i < NR_VMS; i++) {
		const struct vm *vm = &w->vm[i];
		int vcpu = umbra_create_vcpu(vm->fd);

		for (int area = 0; area < NR_AREAS && !failed(); area++)
			check_memory(w, vcpu, vm, &w->area[area]);
		close(vcpu);
		check_quiet(vm);
		vm_verify(vm, 0, 1UL << vm->gpa_bits);
		add_up(vm, totals);
	}
}

bool world_round(uint64_t seed, unsigned int round, unsigned int seconds,
		 struct totals *totals)
{
	struct world *w = calloc(1, sizeof(*w));
	struct rng rng;
	int i, ret;

	rng_seed(&rng, seed, ~round);
	w->seed = rng_next(&rng);
	w->dev = umbra_open();
	ret = w->dev < 0 ? w->dev : 0;
	for (i = 0; i < NR_AREAS && !ret; i++)
		ret = area_create(&w->area[i], i);
	ret = ret ?: create_vms(w, &rng, round);
	if (ret) {
		wrong(CHECK_CALLS, "set up round %u: %s", round,
		      strerror(-ret));
		return false;
	}
	create_actors(w);

	if (!act(w, seconds))
		return false;
	check_at_rest(w, totals);
	end_services(w);
	for (i = 0; i < NR_VMS; i++)
		vm_destroy(&w->vm[i]);
	for (i = 0; i < NR_AREAS; i++)
		area_destroy(&w->area[i]);
	close(w->dev);
	free(w);
	totals->rounds++;
	return true;
}
