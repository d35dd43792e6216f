// SPDX-License-Identifier: GPL-2.0-only
/*
 * The rules of the protocol, each raced on purpose: a hold point keeps the
 * window of the race open for as long as the other side needs.
 */
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

/* Two tables of the lowest level. */
#define PAGES	1024

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

static long do_load(struct worker *w)
{
	return umbra_load(w->g->vcpu, w->page * PAGE, 1, &w->value);
}

static long do_discard(struct worker *w)
{
	return madvise(w->g->mem + w->page * PAGE, w->nr * PAGE,
		       MADV_DONTNEED) ? -errno : 0;
}

static long do_store(struct worker *w)
{
	return umbra_store(w->g->vcpu, w->page * PAGE, 1, NEW);
}

static long do_fault(struct worker *w)
{
	uint64_t done;

	return umbra_fault(w->g->vcpu, 0, w->page * PAGE, w->nr * PAGE, &done);
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

/* A load that must not wait for the primary MMU: 0 or an error. */
static int load_nowait(int vcpu, uint64_t page)
{
	struct umbra_access_op op = {
		.op = UMBRA_OP_LOAD, .len = 1, .gpa = page * PAGE,
	};
	uint32_t done;

	return umbra_access(vcpu, UMBRA_ACCESS_NOWAIT, &op, 1, &done);
}

static uint64_t retries(int vm)
{
	struct umbra_get_stats stats;

	return umbra_get_stats(vm, &stats) ? ~0ULL : stats.retries;
}

static int delay_arm(int vm, uint32_t point, uint64_t usecs)
{
	return hold_ctl(vm, UMBRA_TEST_DELAY, point, 1, usecs, NULL);
}

static uint64_t hits(int vm, uint32_t point)
{
	struct umbra_test state;

	return hold_ctl(vm, UMBRA_TEST_QUERY, point, 0, 0, &state) ? 0 :
	       state.hits;
}

/* Wait up to 10 s until a point has been passed more often than before. */
static bool wait_hit(int vm, uint32_t point, uint64_t before)
{
	int msecs = 10000;

	while (hits(vm, point) == before && msecs--)
		usleep(1000);
	return msecs >= 0;
}

/* ---------------------------------------------------------------------- U1 */

TEST_F(rules, u1_page_replaced_under_a_fault)
{
	struct worker *w = &self->worker[0];
	uint64_t before = retries(self->g.vm);

	ASSERT_EQ(0, hold_arm(self->g.vm, UMBRA_POINT_FAULT_LOOKED_UP, 1));
	worker_start(w, do_load, 5, 1);
	ASSERT_EQ(0, hold_wait(self->g.vm, UMBRA_POINT_FAULT_LOOKED_UP, 1));
	ASSERT_EQ(0, replace(&self->g, 5, 1));
	ASSERT_EQ(0, hold_release(self->g.vm, UMBRA_POINT_FAULT_LOOKED_UP));
	ASSERT_EQ(0, worker_finish(w));
	EXPECT_EQ(NEW, w->value);
	EXPECT_EQ(before + 1, retries(self->g.vm));
}

TEST_F(rules, u1_page_in_a_run_replaced_under_a_fault)
{
	struct worker *w = &self->worker[0];
	uint64_t before = retries(self->g.vm);

	ASSERT_EQ(0, hold_arm(self->g.vm, UMBRA_POINT_FAULT_LOOKED_UP, 1));
	worker_start(w, do_fault, 0, 64);
	ASSERT_EQ(0, hold_wait(self->g.vm, UMBRA_POINT_FAULT_LOOKED_UP, 1));
	ASSERT_EQ(0, replace(&self->g, 63, 1));
	ASSERT_EQ(0, hold_release(self->g.vm, UMBRA_POINT_FAULT_LOOKED_UP));
	ASSERT_EQ(0, worker_finish(w));
	EXPECT_EQ(before + 1, retries(self->g.vm));
	ASSERT_EQ(0, umbra_load(self->vcpu, 63 * PAGE, 1, &w->value));
	EXPECT_EQ(NEW, w->value);
}

TEST_F(rules, u1_invalidation_in_progress)
{
	struct worker *load = &self->worker[0], *discard = &self->worker[1];

	ASSERT_EQ(0, hold_arm(self->g.vm, UMBRA_POINT_FAULT_LOOKED_UP, 1));
	worker_start(load, do_load, 5, 1);
	ASSERT_EQ(0, hold_wait(self->g.vm, UMBRA_POINT_FAULT_LOOKED_UP, 1));
	ASSERT_EQ(0, hold_arm(self->g.vm, UMBRA_POINT_INVALIDATE_ZAPPED, 1));
	worker_start(discard, do_discard, 5, 1);
	ASSERT_EQ(0, hold_wait(self->g.vm, UMBRA_POINT_INVALIDATE_ZAPPED, 1));

	ASSERT_EQ(0, hold_release(self->g.vm, UMBRA_POINT_FAULT_LOOKED_UP));
	EXPECT_FALSE(task_done(&load->task, 100));
	ASSERT_EQ(0, hold_release(self->g.vm, UMBRA_POINT_INVALIDATE_ZAPPED));
	EXPECT_EQ(0, worker_finish(discard));
	EXPECT_EQ(0, worker_finish(load));
	EXPECT_EQ(0, load->value);
}

/* A store that has the primary MMU copy the page, which invalidates it. */
static void break_cow(struct __test_metadata *_metadata, struct guest *g,
		      uint64_t page)
{
	uint64_t before = retries(g->vm);

	ASSERT_EQ(0, umbra_store(g->vcpu, page * PAGE, 1, NEW));
	EXPECT_EQ(NEW, g->mem[page * PAGE]);
	EXPECT_GE(before + 1, retries(g->vm));
}

TEST_F(rules, u1_store_breaks_cow)
{
	int pipefd[2], status;
	pid_t child;
	char byte;

	ASSERT_EQ(0, pipe(pipefd));
	child = fork();
	ASSERT_LE(0, child);
	if (!child) {
		close(pipefd[1]);
		read(pipefd[0], &byte, 1);	/* until the parent closes */
		_exit(self->g.mem[5 * PAGE]);
	}
	close(pipefd[0]);
	break_cow(_metadata, &self->g, 5);
	close(pipefd[1]);
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(OLD, WEXITSTATUS(status));
}

TEST_F(rules, u1_store_to_the_zero_page)
{
	uint64_t value;

	ASSERT_EQ(0, madvise(self->g.mem, PAGE, MADV_DONTNEED));
	ASSERT_EQ(0, umbra_load(self->g.vcpu, 0, 1, &value));
	EXPECT_EQ(0, value);
	break_cow(_metadata, &self->g, 0);
}

/* ---------------------------------------------------------------------- U2 */

/* Two invalidations are in progress; the one or the other ends first. */
static void overlap(struct __test_metadata *_metadata, struct worker *w,
		    int first)
{
	static const uint32_t point[] = {
		UMBRA_POINT_INVALIDATE_BEGUN, UMBRA_POINT_INVALIDATE_END,
	};
	static const uint64_t page[] = { 8, 40 };
	struct guest *g = w->g;
	struct umbra_test state;
	int i;

	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, hold_arm(g->vm, point[i], 1));
		worker_start(&w[i], do_discard, page[i], 4);
		ASSERT_EQ(0, hold_wait(g->vm, point[i], 1));
	}
	EXPECT_EQ(-EAGAIN, fault_nowait(g->vcpu, page[0]));
	EXPECT_EQ(-EAGAIN, fault_nowait(g->vcpu, page[1]));
	EXPECT_EQ(0, fault_nowait(g->vcpu, page[0] - 1));
	EXPECT_EQ(0, fault_nowait(g->vcpu, page[1] + 4));

	ASSERT_EQ(0, hold_release(g->vm, point[first]));
	ASSERT_EQ(0, worker_finish(&w[first]));
	EXPECT_EQ(-EAGAIN, fault_nowait(g->vcpu, page[!first]));

	ASSERT_EQ(0, hold_release(g->vm, point[!first]));
	ASSERT_EQ(0, worker_finish(&w[!first]));
	ASSERT_EQ(0, hold_ctl(g->vm, UMBRA_TEST_QUERY, 0, 0, 0, &state));
	EXPECT_EQ(0, state.in_progress);
	memset(g->mem, NEW, PAGES * PAGE);

	/* The next range has nothing of theirs. */
	ASSERT_EQ(0, hold_arm(g->vm, UMBRA_POINT_INVALIDATE_ZAPPED, 1));
	worker_start(&w[2], do_discard, 60, 1);
	ASSERT_EQ(0, hold_wait(g->vm, UMBRA_POINT_INVALIDATE_ZAPPED, 1));
	EXPECT_EQ(0, fault_nowait(g->vcpu, page[0]));
	EXPECT_EQ(0, fault_nowait(g->vcpu, page[1]));
	EXPECT_EQ(-EAGAIN, fault_nowait(g->vcpu, 60));
}

TEST_F(rules, u2_first_begun_ends_first)
{
	overlap(_metadata, self->worker, 0);
}

TEST_F(rules, u2_last_begun_ends_first)
{
	overlap(_metadata, self->worker, 1);
}

/* ---------------------------------------------------------------------- U3 */

/* While a load of page 5 is held, so many invalidations end elsewhere. */
static void storm(struct __test_metadata *_metadata, struct worker *w, int nr)
{
	struct guest *g = w->g;

	ASSERT_EQ(0, hold_arm(g->vm, UMBRA_POINT_FAULT_LOOKED_UP, 1));
	worker_start(w, do_load, 5, 1);
	ASSERT_EQ(0, hold_wait(g->vm, UMBRA_POINT_FAULT_LOOKED_UP, 1));
	while (nr--)
		ASSERT_EQ(0, replace(g, 40, 1));
	ASSERT_EQ(0, hold_release(g->vm, UMBRA_POINT_FAULT_LOOKED_UP));
	ASSERT_EQ(0, worker_finish(w));
	EXPECT_EQ(OLD, w->value);
}

TEST_F(rules, u3_invalidations_elsewhere)
{
	uint64_t before = retries(self->g.vm);

	storm(_metadata, self->worker, 16);
	EXPECT_EQ(before, retries(self->g.vm));
}

TEST_F(rules, u3_more_elsewhere_than_remembered)
{
	uint64_t before = retries(self->g.vm);

	storm(_metadata, self->worker, 100);
	EXPECT_GE(before + 1, retries(self->g.vm));
}

TEST_F(rules, u3_one_here_is_not_forgotten)
{
	struct worker *w = &self->worker[0];
	int i;

	ASSERT_EQ(0, hold_arm(self->g.vm, UMBRA_POINT_FAULT_LOOKED_UP, 1));
	worker_start(w, do_load, 5, 1);
	ASSERT_EQ(0, hold_wait(self->g.vm, UMBRA_POINT_FAULT_LOOKED_UP, 1));
	ASSERT_EQ(0, replace(&self->g, 5, 1));
	for (i = 0; i < 32; i++)
		ASSERT_EQ(0, replace(&self->g, 40, 1));
	ASSERT_EQ(0, hold_release(self->g.vm, UMBRA_POINT_FAULT_LOOKED_UP));
	ASSERT_EQ(0, worker_finish(w));
	EXPECT_EQ(NEW, w->value);
}

TEST_F(rules, u3_one_elsewhere_in_progress)
{
	struct worker *load = &self->worker[0], *discard = &self->worker[1];
	uint64_t before = retries(self->g.vm);

	ASSERT_EQ(0, hold_arm(self->g.vm, UMBRA_POINT_FAULT_LOOKED_UP, 1));
	worker_start(load, do_load, 5, 1);
	ASSERT_EQ(0, hold_wait(self->g.vm, UMBRA_POINT_FAULT_LOOKED_UP, 1));
	ASSERT_EQ(0, hold_arm(self->g.vm, UMBRA_POINT_INVALIDATE_ZAPPED, 1));
	worker_start(discard, do_discard, 40, 1);
	ASSERT_EQ(0, hold_wait(self->g.vm, UMBRA_POINT_INVALIDATE_ZAPPED, 1));
	ASSERT_EQ(0, hold_release(self->g.vm, UMBRA_POINT_FAULT_LOOKED_UP));
	ASSERT_EQ(0, worker_finish(load));
	EXPECT_EQ(before, retries(self->g.vm));
}

/* --------------------------------------------------------------------- U12 */

TEST_F(rules, u12_second_invalidation_waits_for_the_flush)
{
	struct worker *w = &self->worker[0];
	struct guest *g = &self->g;
	uint64_t value, before;

	ASSERT_EQ(0, umbra_load(g->vcpu, 5 * PAGE, 1, &value));
	before = hits(g->vm, UMBRA_POINT_ZAP_UNFLUSHED);
	ASSERT_EQ(0, delay_arm(g->vm, UMBRA_POINT_ZAP_UNFLUSHED, 300000));
	worker_start(w, do_discard, 5, 1);
	ASSERT_TRUE(wait_hit(g->vm, UMBRA_POINT_ZAP_UNFLUSHED, before));
	ASSERT_FALSE(task_done(&w->task, 0));
	ASSERT_EQ(0, madvise(g->mem + 5 * PAGE, PAGE, MADV_DONTNEED));
	ASSERT_EQ(0, umbra_load(g->vcpu, 5 * PAGE, 1, &value));
	EXPECT_EQ(0, value);
	EXPECT_EQ(0, worker_finish(w));
}

TEST_F(rules, u12_flushed_before_a_yield)
{
	struct worker *w = &self->worker[0];
	struct guest *g = &self->g;
	uint64_t value;

	ASSERT_EQ(0, umbra_load(g->vcpu, 5 * PAGE, 1, &value));
	ASSERT_EQ(0, umbra_load(g->vcpu, 600 * PAGE, 1, &value));
	ASSERT_EQ(0, hold_arm(g->vm, UMBRA_POINT_ZAP_YIELD, 1));
	worker_start(w, do_discard, 0, PAGES);
	ASSERT_EQ(0, hold_wait(g->vm, UMBRA_POINT_ZAP_YIELD, 1));
	/* It has come half-way. */
	EXPECT_EQ(-EAGAIN, load_nowait(g->vcpu, 5));
	EXPECT_EQ(0, load_nowait(g->vcpu, 600));
	ASSERT_EQ(0, madvise(g->mem, 64 * PAGE, MADV_DONTNEED));
	EXPECT_EQ(-EAGAIN, load_nowait(g->vcpu, 5));
	ASSERT_EQ(0, hold_release(g->vm, UMBRA_POINT_ZAP_YIELD));
	ASSERT_EQ(0, worker_finish(w));
	ASSERT_EQ(0, umbra_load(g->vcpu, 600 * PAGE, 1, &value));
	EXPECT_EQ(0, value);
}

/* --------------------------------------------------------------------- U15 */

TEST_F(rules, u15_invalidation_waits_for_the_access)
{
	struct worker *w = &self->worker[0];
	struct guest *g = &self->g;
	uint64_t before;

	before = hits(g->vm, UMBRA_POINT_ACCESS_TRANSLATED);
	ASSERT_EQ(0, delay_arm(g->vm, UMBRA_POINT_ACCESS_TRANSLATED, 300000));
	worker_start(w, do_store, 5, 1);
	ASSERT_TRUE(wait_hit(g->vm, UMBRA_POINT_ACCESS_TRANSLATED, before));
	ASSERT_EQ(OLD, g->mem[5 * PAGE]);
	/* From here on nobody can write to the page. */
	ASSERT_EQ(0, mprotect(g->mem + 5 * PAGE, PAGE, PROT_READ));
	EXPECT_EQ(NEW, g->mem[5 * PAGE]);
	EXPECT_EQ(0, worker_finish(w));
}

/* The page frame behind an address, or 0. */
static uint64_t pfn_of(void *addr)
{
	uint64_t entry = 0;
	int fd = open("/proc/self/pagemap", O_RDONLY);

	if (pread(fd, &entry, 8, (uintptr_t)addr / PAGE * 8) != 8)
		entry = 0;
	close(fd);
	return entry & ((1ULL << 55) - 1);
}

/* A page that was shared is used again, not copied, if nobody else has it. */
TEST_F(rules, u15_no_page_reference)
{
	struct guest *g = &self->g;
	uint64_t pfn = pfn_of(g->mem);
	pid_t child;

	ASSERT_NE(0, pfn);
	child = fork();
	ASSERT_LE(0, child);
	if (!child)
		_exit(0);
	ASSERT_EQ(child, waitpid(child, NULL, 0));
	ASSERT_EQ(0, fault_nowait(g->vcpu, 0));
	g->mem[0] = NEW;
	EXPECT_EQ(pfn, pfn_of(g->mem));
}

TEST_HARNESS_MAIN
