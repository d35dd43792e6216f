/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * For tests that race on purpose: a VM, threads that can be held, and what they
 * can do to each other.
 */
#ifndef RULES_H
#define RULES_H

#include <errno.h>
#include <fcntl.h>
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

/* Pages of the guest: two tables of the lowest level. */
#define PAGES	1024

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

static inline long worker_main(void *arg)
{
	struct worker *w = arg;

	sem_wait(&w->go);
	return w->fn ? w->fn(w) : 0;
}

static inline void worker_start(struct worker *w, long (*fn)(struct worker *w),
				uint64_t page, uint64_t nr)
{
	w->fn = fn;
	w->page = page;
	w->nr = nr;
	sem_post(&w->go);
}

/* What fn has returned, or -ETIMEDOUT. */
static inline long worker_finish(struct worker *w)
{
	return task_done(&w->task, 10000) ? w->task.ret : -ETIMEDOUT;
}

static inline int query(int vm, uint32_t point, struct umbra_test *state)
{
	return hold_ctl(vm, UMBRA_TEST_QUERY, point, 0, 0, state);
}

/* Start a worker, and wait until it is held. */
static inline int worker_hold(struct worker *w, long (*fn)(struct worker *w),
			      uint64_t page, uint64_t nr, uint32_t point)
{
	int ret = hold_arm(w->g->vm, point, 1);

	if (ret)
		return ret;
	worker_start(w, fn, page, nr);
	return hold_wait(w->g->vm, point, 1);
}

/* The same where nothing can be held, only delayed, for a second. */
static inline int worker_delay(struct worker *w, long (*fn)(struct worker *w),
			       uint64_t page, uint64_t nr, uint32_t point)
{
	int ret, vm = w->g->vm, msecs = 10000;
	struct umbra_test before, now;

	ret = hold_ctl(vm, UMBRA_TEST_DELAY, point, 1, 1000000, &before);
	if (ret)
		return ret;
	worker_start(w, fn, page, nr);
	do {
		usleep(1000);
		ret = query(vm, point, &now);
	} while (!ret && now.hits == before.hits && msecs--);
	return msecs < 0 ? -ETIMEDOUT : ret;
}

FIXTURE(rules)
{
	struct guest g;
	int vcpu;		/* for use while that of g is held */
	struct worker worker[3];
};

FIXTURE_SETUP(rules)
{
	struct worker *w;

	ASSERT_EQ(0, guest_create(&self->g, PAGES, 0));
	self->vcpu = umbra_create_vcpu(self->g.vm);
	ASSERT_LE(0, self->vcpu);
	if (hold_release(self->g.vm, 0) == -ENOTTY)
		SKIP(return, "module built without CONFIG_UMBRA_TEST");
	memset(self->g.mem, OLD, PAGES * PAGE);
	for (w = self->worker; w < self->worker + 3; w++) {
		w->g = &self->g;
		ASSERT_EQ(0, sem_init(&w->go, 0, 0));
		task_start(&w->task, worker_main, w);
	}
}

FIXTURE_TEARDOWN(rules)
{
	struct worker *w;
	int i;

	for (i = 0; i < UMBRA_NR_POINTS; i++)
		hold_release(self->g.vm, i);
	for (w = self->worker; w < self->worker + 3; w++) {
		if (!w->fn)
			sem_post(&w->go);
		task_join(&w->task);
	}
	EXPECT_TRUE(guest_quiet(&self->g));
	close(self->vcpu);
	guest_destroy(&self->g);
}

/* ------------------------------------------------------- what workers can do */

static inline int dontneed(struct guest *g, uint64_t page, uint64_t nr)
{
	return madvise(g->mem + page * PAGE, nr * PAGE, MADV_DONTNEED) ?
	       -errno : 0;
}

static inline long do_load(struct worker *w)
{
	return umbra_load(w->g->vcpu, w->page * PAGE, 1, &w->value);
}

static inline long do_discard(struct worker *w)
{
	return dontneed(w->g, w->page, w->nr);
}

static inline long do_store(struct worker *w)
{
	return umbra_store(w->g->vcpu, w->page * PAGE, 1, NEW);
}

static inline long do_fault(struct worker *w)
{
	uint64_t done;

	return umbra_fault(w->g->vcpu, 0, w->page * PAGE, w->nr * PAGE, &done);
}

static inline int set_slot(struct guest *g, uint32_t flags)
{
	return umbra_set_memslot(g->vm, 0, flags, 0, PAGES * PAGE, g->mem);
}

static inline long do_create(struct worker *w)
{
	return set_slot(w->g, 0);
}

static inline long do_delete(struct worker *w)
{
	return umbra_delete_memslot(w->g->vm, 0);
}

/* Is the page in the log, which is taken? Or a negative errno. */
static inline int take_log(struct guest *g, uint64_t page)
{
	uint64_t log[PAGES / 64], dirty;
	int ret = umbra_get_dirty_log(g->vm, 0, 0, 0, PAGES, log, &dirty);

	return ret ?: log[page / 64] >> page % 64 & 1;
}

static inline long do_take_log(struct worker *w)
{
	return take_log(w->g, w->page);
}

/* --------------------------------------------------- and what the tests share */

/*
 * Another page under the same address. Were the old one freed first, the new
 * one could be the same.
 */
static inline int replace(struct guest *g, uint64_t page)
{
	void *new = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (new == MAP_FAILED)
		return -errno;
	memset(new, NEW, PAGE);
	return mremap(new, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
		      g->mem + page * PAGE) == MAP_FAILED ? -errno : 0;
}

static inline int fault_nowait(int vcpu, uint64_t page)
{
	uint64_t done;

	return umbra_fault(vcpu, UMBRA_FAULT_NOWAIT, page * PAGE, PAGE, &done);
}

/* A load that must not wait for the primary MMU: 0 or an error. */
static inline int load_nowait(int vcpu, uint64_t page)
{
	struct umbra_access_op op = {
		.op = UMBRA_OP_LOAD, .len = 1, .gpa = page * PAGE,
	};
	uint32_t done;

	return umbra_access(vcpu, UMBRA_ACCESS_NOWAIT, &op, 1, &done);
}

static inline uint64_t retries(int vm)
{
	struct umbra_get_stats stats;

	return umbra_get_stats(vm, &stats) ? ~0ULL : stats.retries;
}

/* The page frame number, and one of the flags above it. */
#define PM_PFN		0x007fffffffffffffULL
#define PM_SWAP		0x4000000000000000ULL

/* What the primary MMU has at an address, or 0. */
static inline uint64_t host_entry(void *addr)
{
	uint64_t entry = 0;
	int fd = open("/proc/self/pagemap", O_RDONLY);

	if (pread(fd, &entry, 8, (uintptr_t)addr / PAGE * 8) != 8)
		entry = 0;
	close(fd);
	return entry;
}

#endif /* RULES_H */
