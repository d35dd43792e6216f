// SPDX-License-Identifier: GPL-2.0-only
/*
 * The rules of the protocol, each raced on purpose: a hold point keeps the
 * window of the race open for as long as the other side needs.
 */
#include <errno.h>
#include <semaphore.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "util.h"

/* What the bytes of a page are before and after it was replaced. */
#define OLD	0x11
#define NEW	0x22

/*
 * A thread that is there before it is needed: making one changes the address
 * space, and so would wait for an invalidation that is held.
 */
struct worker {
	struct task task;
	sem_t go;
	long (*fn)(struct worker *w);
	/* what fn works on */
	struct guest *g;
	uint64_t page;
	uint64_t nr;
	uint64_t value;
};

static long worker_main(void *arg)
{
	struct worker *w = arg;

	sem_wait(&w->go);
	return w->fn ? w->fn(w) : 0;
}

static void worker_start(struct worker *w, long (*fn)(struct worker *w),
			 uint64_t page, uint64_t nr)
{
	w->fn = fn;
	w->page = page;
	w->nr = nr;
	sem_post(&w->go);
}

/* What fn has returned, or -ETIMEDOUT. */
static long worker_finish(struct worker *w)
{
	return task_done(&w->task, 10000) ? w->task.ret : -ETIMEDOUT;
}

/* A guest, and who else acts on it. */
struct race {
	struct guest g;
	int vcpu;		/* for use while that of g is held */
	struct worker worker[2];
};

static int race_create(struct race *r, uint64_t pages)
{
	int ret, i;

	ret = guest_create(&r->g, pages, 0);
	if (ret)
		return ret;
	r->vcpu = umbra_create_vcpu(r->g.vm);
	if (r->vcpu < 0)
		return r->vcpu;
	memset(r->g.mem, OLD, pages * PAGE);
	for (i = 0; i < 2; i++) {
		r->worker[i].g = &r->g;
		sem_init(&r->worker[i].go, 0, 0);
		task_start(&r->worker[i].task, worker_main, &r->worker[i]);
	}
	return hold_release(r->g.vm, 0);
}

/* Returns whether all that had begun has ended, and the table is right. */
static bool race_end(struct race *r)
{
	bool quiet;
	int i;

	for (i = 0; i < UMBRA_NR_POINTS; i++)
		hold_release(r->g.vm, i);
	for (i = 0; i < 2; i++) {
		if (!r->worker[i].fn)
			sem_post(&r->worker[i].go);
		task_join(&r->worker[i].task);
	}
	quiet = guest_quiet(&r->g);
	close(r->vcpu);
	guest_destroy(&r->g);
	return quiet;
}

/* The fixture of a rule: a race in a guest of so many pages, all OLD. */
#define RULE(name, pages)						\
	FIXTURE(name) {							\
		struct race r;						\
	};								\
	FIXTURE_SETUP(name)						\
	{								\
		int ret = race_create(&self->r, pages);			\
									\
		if (ret == -ENOTTY)					\
			SKIP(return,					\
			     "module built without CONFIG_UMBRA_TEST");	\
		ASSERT_EQ(0, ret);					\
	}								\
	FIXTURE_TEARDOWN(name)						\
	{								\
		EXPECT_TRUE(race_end(&self->r));			\
	}

/* ------------------------------------------------------- what workers can do */

static long do_load(struct worker *w)
{
	return umbra_load(w->g->vcpu, w->page * PAGE, 1, &w->value);
}

static long do_discard(struct worker *w)
{
	return madvise(w->g->mem + w->page * PAGE, w->nr * PAGE,
		       MADV_DONTNEED) ? -errno : 0;
}

/* --------------------------------------------------- and what the tests share */

/* Other memory under the same addresses. */
static int replace(struct guest *g, uint64_t page, uint64_t nr)
{
	uint8_t *mem = g->mem + page * PAGE;

	if (madvise(mem, nr * PAGE, MADV_DONTNEED))
		return -errno;
	memset(mem, NEW, nr * PAGE);
	return 0;
}

static int fault_nowait(int vcpu, uint64_t page)
{
	uint64_t done;

	return umbra_fault(vcpu, UMBRA_FAULT_NOWAIT, page * PAGE, PAGE, &done);
}

static uint64_t retries(int vm)
{
	struct umbra_get_stats stats;

	return umbra_get_stats(vm, &stats) ? ~0ULL : stats.retries;
}

/* U1: what was looked up before an invalidation is not installed after it. */
RULE(u1, 64)

TEST_F(u1, page_replaced_between_lookup_and_install)
{
	struct guest *g = &self->r.g;
	struct worker *w = &self->r.worker[0];
	uint64_t before = retries(g->vm);

	ASSERT_EQ(0, hold_arm(g->vm, UMBRA_POINT_FAULT_LOOKED_UP, 1));
	worker_start(w, do_load, 5, 1);
	ASSERT_EQ(0, hold_wait(g->vm, UMBRA_POINT_FAULT_LOOKED_UP, 1));
	ASSERT_EQ(0, replace(g, 5, 1));
	ASSERT_EQ(0, hold_release(g->vm, UMBRA_POINT_FAULT_LOOKED_UP));
	ASSERT_EQ(0, worker_finish(w));
	EXPECT_EQ(NEW, w->value);
	EXPECT_EQ(before + 1, retries(g->vm));
}

TEST_HARNESS_MAIN
