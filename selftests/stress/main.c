// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stress with an oracle: in rounds, each with fresh memory and VMs of other formats,
 * vCPUs and the process use the same memory, while others do to memory, memslots and
 * tables whatever may be done, and every value that is read is checked.
 *
 * What each actor does follows from the seed; how they interleave does not.
 */
#include <argp.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "guard.h"
#include "report.h"
#include "world.h"

/* Tenths of a second until tables are freed, an RCU grace period after all. */
#define PATIENCE	100
/* KiB by which kernel memory may grow from the first round to the last one. */
#define SLAB_SLACK	(128 << 10)

struct options {
	uint64_t seed;
	unsigned int seconds;
	unsigned int round;	/* seconds each */
};

static const struct argp_option arguments[] = {
	{ "seed", 's', "NUMBER", 0, "what actors do follows from it (1)", 0 },
	{ "seconds", 't', "NUMBER", 0, "how long to run (60)", 0 },
	{ "round", 'r', "SECONDS", 0, "how long a round is (5)", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case 's':
		o->seed = strtoull(arg, NULL, 0);
		return 0;
	case 't':
		o->seconds = strtoul(arg, NULL, 0);
		return 0;
	case 'r':
		o->round = strtoul(arg, NULL, 0);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {
	.options = arguments, .parser = parse,
	.doc = "Use /dev/umbra and the memory behind it in every way at once.",
};

static struct actor_kind * const kinds[] = {
	&vcpu_actor, &process_actor, &mappings_actor, &pages_actor, &fork_actor,
	&uffd_actor, &slots_actor, &log_actor, &tables_actor, &churn_actor,
	&windows_actor,
};

#define NR_KINDS	(sizeof(kinds) / sizeof(kinds[0]))

/* KiB of memory of that kind, or -1. */
static long memory(const char *key)
{
	FILE *file = fopen("/proc/meminfo", "r");
	long kib = -1;
	char line[128];

	while (file && kib < 0 && fgets(line, sizeof(line), file))
		if (!strncmp(line, key, strlen(key)))
			sscanf(line + strlen(key), "%ld", &kib);
	if (file)
		fclose(file);
	return kib;
}

/* KiB of tables of secondary MMUs, exactly. */
static long table_memory(void)
{
	FILE *file = fopen("/proc/sys/vm/stat_refresh", "w");

	if (file) {
		fputs("1", file);
		fclose(file);
	}
	return memory("SecPageTables:");
}

static unsigned int open_files(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int count = 0;

	while (dir && readdir(dir))
		count++;
	closedir(dir);
	return count;
}

/* What there was before the first round has to be there again after each. */
struct level {
	unsigned int files;
	long tables;
	long slab;	/* after the first round */
};

static void check_level(struct level *level)
{
	unsigned int files = open_files();
	long tables = table_memory();
	long slab = memory("SUnreclaim:");

	for (int i = 0; i < PATIENCE && tables > level->tables; i++) {
		usleep(100000);
		tables = table_memory();
	}
	if (!level->slab)
		level->slab = slab;
	if (files != level->files)
		wrong(CHECK_QUIET, "%u descriptors were open, now %u",
		      level->files, files);
	if (tables > level->tables)
		wrong(CHECK_QUIET, "tables took %ld KiB, now %ld",
		      level->tables, tables);
	if (slab > level->slab + SLAB_SLACK)
		wrong(CHECK_QUIET, "slabs took %ld KiB, now %ld", level->slab,
		      slab);
}

static void report_facts(const struct options *o, const struct totals *t,
			 unsigned int seconds)
{
	printf("# seed %lu, %u s, %lu rounds: %lu accesses, %lu values checked, %lu faults, %lu retries, %lu waits, %lu invalidations, %lu splits, %lu collapses, %lu flushes\n",
	       o->seed, seconds, t->rounds, t->accesses, values_checked(),
	       t->faults, t->retries, t->waits, t->invalidations, t->splits,
	       t->collapses, t->flushes);
}

int main(int argc, char **argv)
{
	struct options o = { .seed = 1, .seconds = 60, .round = 5 };
	struct totals totals = { 0 };
	struct level level = { 0 };
	time_t start = time(NULL), end;
	bool ok = true;

	argp_parse(&argp, argc, argv, 0, NULL, &o);
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("TAP version 13\n1..%zu\n", NR_CHECKS + NR_KINDS);
	guard_init();
	level.files = open_files();
	level.tables = table_memory();
	end = start + o.seconds;
	/* On a slow machine it takes longer until all has been done once. */
	while (ok && !failed() &&
	       (time(NULL) < end || (!all_acted(kinds, NR_KINDS) &&
				     time(NULL) < end + PATIENCE))) {
		ok = world_round(o.seed, totals.rounds, o.round, &totals);
		if (ok)
			check_level(&level);
	}

	report_checks();
	ok &= report_actors(kinds, NR_KINDS, NR_CHECKS + 1);
	report_facts(&o, &totals, time(NULL) - start);
	/* Threads that are stuck cannot be waited for. */
	fflush(stdout);
	_exit(ok && !failed() ? 0 : 1);
}
