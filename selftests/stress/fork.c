// SPDX-License-Identifier: GPL-2.0-only
/*
 * fork(): the child has the memory as it was at that time, whoever writes to it
 * later, and nobody sees what the child writes.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cells.h"
#include "guard.h"
#include "report.h"
#include "world.h"

/* Pages that a child looks at. */
#define LOOKS	8

/* Shared with the child. */
struct findings {
	bool readable[LOOKS];
	uint8_t page[LOOKS][PAGE];
};

struct look {
	struct findings *findings;
	struct reading reading[LOOKS];
	uint8_t copy[PAGE];
};

struct copying {
	void *to;
	const void *from;
};

static void copy_page(void *arg)
{
	struct copying *c = arg;

	memcpy(c->to, c->from, PAGE);
}

/* To cells and counters: never what anybody would write there. */
static void spoil_page(void *arg)
{
	memset(arg, 0xc3, PAGE);
}

static void enter(struct actor *actor)
{
	struct look *look = calloc(1, sizeof(*look));

	look->findings = mmap(NULL, sizeof(*look->findings),
			      PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	actor->state = look;
}

static void leave(struct actor *actor)
{
	struct look *look = actor->state;

	munmap(look->findings, sizeof(*look->findings));
	free(look);
}

/* Exit status: 1 if a page changed under the child's eyes. */
static int be_child(struct look *look)
{
	int status = 0;

	for (int i = 0; i < LOOKS; i++) {
		const struct reading *r = &look->reading[i];
		struct copying c = { look->findings->page[i],
				     r->area->hva + r->offset };

		look->findings->readable[i] = guarded(copy_page, &c);
	}
	for (int i = 0; i < LOOKS; i++) {
		const struct reading *r = &look->reading[i];
		struct copying c = { look->copy, r->area->hva + r->offset };

		if (!look->findings->readable[i] || !guarded(copy_page, &c))
			continue;
		status |= !!memcmp(look->copy, look->findings->page[i], PAGE);
	}
	for (int i = 0; i < LOOKS; i++)
		guarded(spoil_page, look->reading[i].area->hva +
				    look->reading[i].offset);
	return status;
}

static bool have_child(struct actor *actor)
{
	struct look *look = actor->state;
	int i, status;
	pid_t pid;

	for (i = 0; i < LOOKS; i++) {
		enum area_id id = rng_below(&actor->rng, NR_AREAS);
		struct range r = pick_range(&actor->rng,
			&actor->world->area[id == SHARED ? KEPT : id], 1);

		reading_open(&look->reading[i], r.area, r.first * PAGE, PAGE);
	}
	pid = fork();
	if (!pid)
		_exit(be_child(look));
	for (i = 0; i < LOOKS; i++)
		reading_close(&look->reading[i]);
	if (pid < 0 || waitpid(pid, &status, 0) != pid) {
		wrong(CHECK_CALLS, "fork: %m");
		return false;
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) == 1)
		wrong(CHECK_VALUES, "pages of a child change");
	else if (status)
		wrong(CHECK_CALLS, "a child ends with status %#x", status);
	for (i = 0; i < LOOKS; i++)
		if (look->findings->readable[i])
			reading_judge(&look->reading[i],
				      look->findings->page[i], "a child");
	return true;
}

static struct op ops[] = {
	{ "child", 1, have_child },
};

struct actor_kind fork_actor = ACTOR_KIND("fork", ops, .pause = 400000,
					  .enter = enter, .leave = leave);
