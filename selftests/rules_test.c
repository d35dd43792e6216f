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

static int query(int vm, uint32_t point, struct umbra_test *state)
{
	return hold_ctl(vm, UMBRA_TEST_QUERY, point, 0, 0, state);
}

/* Start a worker, and wait until it is held. */
static int worker_hold(struct worker *w, long (*fn)(struct worker *w),
		       uint64_t page, uint64_t nr, uint32_t point)
{
	int ret = hold_arm(w->g->vm, point, 1);

	if (ret)
		return ret;
	worker_start(w, fn, page, nr);
	return hold_wait(w->g->vm, point, 1);
}

/* The same where nothing can be held, only delayed, for half a second. */
static int worker_delay(struct worker *w, long (*fn)(struct worker *w),
			uint64_t page, uint64_t nr, uint32_t point)
{
	int ret, vm = w->g->vm, msecs = 10000;
	struct umbra_test before, now;

	ret = hold_ctl(vm, UMBRA_TEST_DELAY, point, 1, 500000, &before);
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

static int dontneed(struct guest *g, uint64_t page, uint64_t nr)
{
	return madvise(g->mem + page * PAGE, nr * PAGE, MADV_DONTNEED) ?
	       -errno : 0;
}

static long do_load(struct worker *w)
{
	return umbra_load(w->g->vcpu, w->page * PAGE, 1, &w->value);
}

static long do_discard(struct worker *w)
{
	return dontneed(w->g, w->page, w->nr);
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

static int set_slot(struct guest *g, uint32_t flags)
{
	return umbra_set_memslot(g->vm, 0, flags, 0, PAGES * PAGE, g->mem);
}

static long do_create(struct worker *w)
{
	return set_slot(w->g, 0);
}

static long do_delete(struct worker *w)
{
	return umbra_delete_memslot(w->g->vm, 0);
}

/* Is the page in the log, which is taken? Or a negative errno. */
static int take_log(struct guest *g, uint64_t page)
{
	uint64_t log[PAGES / 64], dirty;
	int ret = umbra_get_dirty_log(g->vm, 0, 0, 0, PAGES, log, &dirty);

	return ret ?: log[page / 64] >> page % 64 & 1;
}

static long do_take_log(struct worker *w)
{
	return take_log(w->g, w->page);
}

/* --------------------------------------------------- and what the tests share */

/*
 * Another page under the same address. Were the old one freed first, the new
 * one could be the same.
 */
static int replace(struct guest *g, uint64_t page)
{
	void *new = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (new == MAP_FAILED)
		return -errno;
	memset(new, NEW, PAGE);
	return mremap(new, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
		      g->mem + page * PAGE) == MAP_FAILED ? -errno : 0;
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

/* The page frame number, and one of the flags above it. */
#define PM_PFN		0x007fffffffffffffULL
#define PM_SWAP		0x4000000000000000ULL

/* What the primary MMU has at an address, or 0. */
static uint64_t host_entry(void *addr)
{
	uint64_t entry = 0;
	int fd = open("/proc/self/pagemap", O_RDONLY);

	if (pread(fd, &entry, 8, (uintptr_t)addr / PAGE * 8) != 8)
		entry = 0;
	close(fd);
	return entry;
}

/* ---------------------------------------------------------------------- U1 */

TEST_F(rules, u1_page_replaced_under_a_fault)
{
	struct worker *w = &self->worker[0];
	uint64_t before = retries(self->g.vm);

	ASSERT_EQ(0, worker_hold(w, do_load, 5, 1,
				 UMBRA_POINT_FAULT_LOOKED_UP));
	ASSERT_EQ(0, replace(&self->g, 5));
	ASSERT_EQ(0, hold_release(self->g.vm, UMBRA_POINT_FAULT_LOOKED_UP));
	ASSERT_EQ(0, worker_finish(w));
	EXPECT_EQ(NEW, w->value);
	EXPECT_EQ(before + 1, retries(self->g.vm));
}

TEST_F(rules, u1_page_in_a_run_replaced_under_a_fault)
{
	struct worker *w = &self->worker[0];
	uint64_t before = retries(self->g.vm);

	ASSERT_EQ(0, worker_hold(w, do_fault, 0, 64,
				 UMBRA_POINT_FAULT_LOOKED_UP));
	ASSERT_EQ(0, replace(&self->g, 63));
	ASSERT_EQ(0, hold_release(self->g.vm, UMBRA_POINT_FAULT_LOOKED_UP));
	ASSERT_EQ(0, worker_finish(w));
	EXPECT_EQ(before + 1, retries(self->g.vm));
	ASSERT_EQ(0, umbra_load(self->vcpu, 63 * PAGE, 1, &w->value));
	EXPECT_EQ(NEW, w->value);
}

TEST_F(rules, u1_invalidation_in_progress)
{
	struct worker *load = &self->worker[0], *discard = &self->worker[1];

	ASSERT_EQ(0, worker_hold(load, do_load, 5, 1,
				 UMBRA_POINT_FAULT_LOOKED_UP));
	ASSERT_EQ(0, worker_hold(discard, do_discard, 5, 1,
				 UMBRA_POINT_INVALIDATE_ZAPPED));

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

	ASSERT_EQ(0, dontneed(&self->g, 0, 1));
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
		ASSERT_EQ(0, worker_hold(&w[i], do_discard, page[i], 4,
					 point[i]));
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
	ASSERT_EQ(0, query(g->vm, 0, &state));
	EXPECT_EQ(0, state.in_progress);
	memset(g->mem, NEW, PAGES * PAGE);

	/* The next range has nothing of theirs. */
	ASSERT_EQ(0, worker_hold(&w[2], do_discard, 60, 1,
				 UMBRA_POINT_INVALIDATE_ZAPPED));
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

	ASSERT_EQ(0, worker_hold(w, do_load, 5, 1,
				 UMBRA_POINT_FAULT_LOOKED_UP));
	while (nr--)
		ASSERT_EQ(0, dontneed(g, 40, 1));
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

	ASSERT_EQ(0, worker_hold(w, do_load, 5, 1,
				 UMBRA_POINT_FAULT_LOOKED_UP));
	ASSERT_EQ(0, replace(&self->g, 5));
	for (i = 0; i < 32; i++)
		ASSERT_EQ(0, dontneed(&self->g, 40, 1));
	ASSERT_EQ(0, hold_release(self->g.vm, UMBRA_POINT_FAULT_LOOKED_UP));
	ASSERT_EQ(0, worker_finish(w));
	EXPECT_EQ(NEW, w->value);
}

TEST_F(rules, u3_one_elsewhere_in_progress)
{
	struct worker *load = &self->worker[0], *discard = &self->worker[1];
	uint64_t before = retries(self->g.vm);

	ASSERT_EQ(0, worker_hold(load, do_load, 5, 1,
				 UMBRA_POINT_FAULT_LOOKED_UP));
	ASSERT_EQ(0, worker_hold(discard, do_discard, 40, 1,
				 UMBRA_POINT_INVALIDATE_ZAPPED));
	/* Neither a fault that begins now, nor one that has. */
	EXPECT_EQ(0, fault_nowait(self->vcpu, 6));
	ASSERT_EQ(0, hold_release(self->g.vm, UMBRA_POINT_FAULT_LOOKED_UP));
	ASSERT_EQ(0, worker_finish(load));
	EXPECT_EQ(before, retries(self->g.vm));
}

/* ---------------------------------------------------------------------- U8 */

TEST_F(rules, u8_delete_under_a_fault)
{
	struct worker *load = &self->worker[0], *delete = &self->worker[1];
	uint64_t value;
	long ret;

	ASSERT_EQ(0, worker_hold(load, do_load, 5, 1,
				 UMBRA_POINT_FAULT_LOOKED_UP));
	worker_start(delete, do_delete, 0, 0);
	EXPECT_FALSE(task_done(&delete->task, 100));
	ASSERT_EQ(0, hold_release(self->g.vm, UMBRA_POINT_FAULT_LOOKED_UP));
	EXPECT_EQ(0, worker_finish(delete));
	ret = worker_finish(load);	/* It may come before or after. */
	EXPECT_TRUE(ret == -ENOENT || (!ret && load->value == OLD));
	EXPECT_EQ(-ENOENT, umbra_load(self->vcpu, 5 * PAGE, 1, &value));
}

static uint8_t elsewhere[PAGE] __attribute__((aligned(PAGE)));

static long do_discard_elsewhere(struct worker *w)
{
	return madvise(elsewhere, PAGE, MADV_DONTNEED) ? -errno : 0;
}

/* Meanwhile it is neither no memory, nor the memory that was there. */
TEST_F(rules, u8_fault_during_a_delete)
{
	struct worker *delete = &self->worker[0], *load = &self->worker[1];
	struct worker *discard = &self->worker[2];
	struct guest *g = &self->g;

	ASSERT_EQ(0, fault_nowait(g->vcpu, 5));
	ASSERT_EQ(0, fault_nowait(g->vcpu, 600));
	ASSERT_EQ(0, worker_hold(delete, do_delete, 0, 0,
				 UMBRA_POINT_ZAP_YIELD));
	EXPECT_EQ(-EAGAIN, fault_nowait(g->vcpu, 5));

	/* All is zapped, and removing the slot waits for an invalidation. */
	ASSERT_EQ(0, worker_hold(discard, do_discard_elsewhere, 0, 0,
				 UMBRA_POINT_INVALIDATE_END));
	ASSERT_EQ(0, hold_release(g->vm, UMBRA_POINT_ZAP_YIELD));
	EXPECT_FALSE(task_done(&delete->task, 100));
	EXPECT_EQ(-EAGAIN, fault_nowait(g->vcpu, 5));
	worker_start(load, do_load, 5, 1);
	EXPECT_FALSE(task_done(&load->task, 100));

	ASSERT_EQ(0, hold_release(g->vm, UMBRA_POINT_INVALIDATE_END));
	EXPECT_EQ(0, worker_finish(discard));
	EXPECT_EQ(0, worker_finish(delete));
	EXPECT_EQ(-ENOENT, worker_finish(load));
}

/* ---------------------------------------------------------------------- U9 */

TEST_F(rules, u9_delete_waits_for_the_end)
{
	struct worker *discard = &self->worker[0], *delete = &self->worker[1];

	ASSERT_EQ(0, worker_hold(discard, do_discard, 5, 1,
				 UMBRA_POINT_INVALIDATE_END));
	worker_start(delete, do_delete, 0, 0);
	EXPECT_FALSE(task_done(&delete->task, 100));
	ASSERT_EQ(0, hold_release(self->g.vm, UMBRA_POINT_INVALIDATE_END));
	EXPECT_EQ(0, worker_finish(discard));
	EXPECT_EQ(0, worker_finish(delete));
}

TEST_F(rules, u9_create_waits_for_the_end)
{
	struct worker *discard = &self->worker[0], *create = &self->worker[1];

	ASSERT_EQ(0, umbra_delete_memslot(self->g.vm, 0));
	ASSERT_EQ(0, worker_hold(discard, do_discard, 5, 1,
				 UMBRA_POINT_INVALIDATE_END));
	worker_start(create, do_create, 0, 0);
	EXPECT_FALSE(task_done(&create->task, 100));
	ASSERT_EQ(0, hold_release(self->g.vm, UMBRA_POINT_INVALIDATE_END));
	EXPECT_EQ(0, worker_finish(discard));
	EXPECT_EQ(0, worker_finish(create));
	EXPECT_EQ(0, fault_nowait(self->g.vcpu, 6));
}

static long do_many_discards(struct worker *w)
{
	long ret = 0;
	int i;

	for (i = 0; i < 200 && !ret; i++)
		ret = do_discard(w);
	return ret;
}

/* What begins and ends under changing memslots balances: see the teardown. */
TEST_F(rules, u9_discards_while_memslots_change)
{
	struct worker *discard = &self->worker[0];

	worker_start(discard, do_many_discards, 0, PAGES);
	while (!task_done(&discard->task, 0)) {
		ASSERT_EQ(0, umbra_delete_memslot(self->g.vm, 0));
		ASSERT_EQ(0, set_slot(&self->g, 0));
	}
	EXPECT_EQ(0, discard->task.ret);
}

/* --------------------------------------------------------------------- U10 */

TEST_F(rules, u10_logged_after_it_is_writable)
{
	struct worker *w = &self->worker[0];

	ASSERT_EQ(0, set_slot(&self->g, UMBRA_MEM_LOG_DIRTY));
	ASSERT_EQ(0, worker_delay(w, do_store, 5, 1,
				  UMBRA_POINT_FAULT_INSTALLED));
	ASSERT_LE(0, take_log(&self->g, 5));
	ASSERT_FALSE(task_done(&w->task, 0));
	ASSERT_EQ(0, worker_finish(w));
	/* A write after a log was read is in the next log. */
	ASSERT_EQ(0, umbra_store(self->vcpu, 5 * PAGE, 1, OLD));
	EXPECT_EQ(1, take_log(&self->g, 5));
}

/* A page is written before, while and after the log is read. */
static void read_log(struct __test_metadata *_metadata, struct worker *w,
		     uint32_t flags)
{
	struct guest *g = w->g;

	ASSERT_EQ(0, set_slot(g, flags));
	ASSERT_EQ(0, umbra_store(g->vcpu, 5 * PAGE, 1, 1));
	ASSERT_EQ(0, worker_hold(w, do_take_log, 5, 1, UMBRA_POINT_LOG_TAKEN));
	ASSERT_EQ(0, umbra_store(g->vcpu, 5 * PAGE, 1, 2));
	ASSERT_EQ(0, hold_release(g->vm, UMBRA_POINT_LOG_TAKEN));
	EXPECT_EQ(1, worker_finish(w));
	ASSERT_EQ(0, umbra_store(g->vcpu, 5 * PAGE, 1, 3));
	EXPECT_EQ(1, take_log(g, 5));
	EXPECT_EQ(0, take_log(g, 5));
}

TEST_F(rules, u10_written_while_the_log_is_read)
{
	read_log(_metadata, self->worker, UMBRA_MEM_LOG_DIRTY);
}

TEST_F(rules, u10_written_while_d_bits_are_read)
{
	read_log(_metadata, self->worker,
		 UMBRA_MEM_LOG_DIRTY | UMBRA_MEM_LOG_D_BITS);
}

/* --------------------------------------------------------------------- U11 */

TEST_F(rules, u11_dirty_bit_outlives_the_zap)
{
	struct worker *w = &self->worker[0];

	ASSERT_EQ(0, set_slot(&self->g,
			      UMBRA_MEM_LOG_DIRTY | UMBRA_MEM_LOG_D_BITS));
	ASSERT_EQ(0, worker_delay(w, do_store, 5, 1,
				  UMBRA_POINT_ACCESS_TRANSLATED));
	ASSERT_EQ(0, umbra_unmap(self->g.vm, 5 * PAGE, PAGE));
	ASSERT_EQ(0, worker_finish(w));
	EXPECT_EQ(1, take_log(&self->g, 5));
}

/* --------------------------------------------------------------------- U12 */

TEST_F(rules, u12_second_invalidation_waits_for_the_flush)
{
	struct worker *w = &self->worker[0];
	struct guest *g = &self->g;
	uint64_t value;

	ASSERT_EQ(0, umbra_load(g->vcpu, 5 * PAGE, 1, &value));
	ASSERT_EQ(0, worker_delay(w, do_discard, 5, 1,
				  UMBRA_POINT_ZAP_UNFLUSHED));
	ASSERT_FALSE(task_done(&w->task, 0));
	ASSERT_EQ(0, dontneed(g, 5, 1));
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
	ASSERT_EQ(0, worker_hold(w, do_discard, 0, PAGES,
				 UMBRA_POINT_ZAP_YIELD));
	/* It has come half-way. */
	EXPECT_EQ(-EAGAIN, load_nowait(g->vcpu, 5));
	EXPECT_EQ(0, load_nowait(g->vcpu, 600));
	ASSERT_EQ(0, dontneed(g, 0, 64));
	EXPECT_EQ(-EAGAIN, load_nowait(g->vcpu, 5));
	ASSERT_EQ(0, hold_release(g->vm, UMBRA_POINT_ZAP_YIELD));
	ASSERT_EQ(0, worker_finish(w));
	ASSERT_EQ(0, umbra_load(g->vcpu, 600 * PAGE, 1, &value));
	EXPECT_EQ(0, value);
}

/* --------------------------------------------------------------------- U14 */

/* Each reason to forbid writes alone, and with each of the others. */
TEST_F(rules, u14_reasons_to_forbid_writes)
{
	struct guest *g = &self->g;
	struct umbra_translate t;
	bool host, slot, logged;
	uint64_t value;
	int i;

	for (i = 0; i < 8; i++) {
		host = i & 1;
		slot = i & 2;
		logged = i & 4;
		ASSERT_EQ(0, mprotect(g->mem, PAGE, PROT_READ |
				      (host ? 0 : PROT_WRITE)));
		ASSERT_EQ(0, umbra_delete_memslot(g->vm, 0));
		ASSERT_EQ(0, set_slot(g, (slot ? UMBRA_MEM_READONLY : 0) |
				      (logged ? UMBRA_MEM_LOG_DIRTY : 0)));
		ASSERT_EQ(0, umbra_load(g->vcpu, 0, 1, &value));
		EXPECT_EQ(OLD, value);
		ASSERT_EQ(0, umbra_translate(g->vm, 0, 0, &t));
		EXPECT_EQ(!i, !!(t.pte & UMBRA_PTE_WRITE))
			TH_LOG("reasons %d", i);
		EXPECT_EQ(host || slot ? -EACCES : 0,
			  umbra_store(g->vcpu, 0, 1, OLD))
			TH_LOG("reasons %d", i);
		if (logged)
			EXPECT_EQ(!host && !slot, take_log(g, 0));
	}
}

TEST_F(rules, u14_zero_page)
{
	struct guest *g = &self->g;
	struct umbra_translate t;
	uint64_t value;

	ASSERT_EQ(0, dontneed(g, 0, 2));
	/* Read by the process first: the primary MMU maps the zero page. */
	ASSERT_EQ(0, g->mem[0] | g->mem[PAGE]);
	ASSERT_EQ(0, fault_nowait(g->vcpu, 0));
	ASSERT_EQ(0, umbra_translate(g->vm, 0, 0, &t));
	EXPECT_EQ(UMBRA_PTE_READ, t.pte & (UMBRA_PTE_READ | UMBRA_PTE_WRITE));
	ASSERT_EQ(0, umbra_store(g->vcpu, 0, 1, NEW));
	ASSERT_EQ(0, umbra_load(g->vcpu, PAGE, 1, &value));
	EXPECT_EQ(0, value);
}

/* --------------------------------------------------------------------- U15 */

TEST_F(rules, u15_invalidation_waits_for_the_access)
{
	struct worker *w = &self->worker[0];
	struct guest *g = &self->g;

	ASSERT_EQ(0, worker_delay(w, do_store, 5, 1,
				  UMBRA_POINT_ACCESS_TRANSLATED));
	ASSERT_EQ(OLD, g->mem[5 * PAGE]);
	/* From here on nobody can write to the page. */
	ASSERT_EQ(0, mprotect(g->mem + 5 * PAGE, PAGE, PROT_READ));
	EXPECT_EQ(NEW, g->mem[5 * PAGE]);
	EXPECT_EQ(0, worker_finish(w));
}

/* A page that was shared is used again, not copied, if nobody else has it. */
TEST_F(rules, u15_no_page_reference)
{
	struct guest *g = &self->g;
	uint64_t pfn = host_entry(g->mem) & PM_PFN;
	pid_t child;

	ASSERT_NE(0, pfn);
	child = fork();
	ASSERT_LE(0, child);
	if (!child)
		_exit(0);
	ASSERT_EQ(child, waitpid(child, NULL, 0));
	ASSERT_EQ(0, fault_nowait(g->vcpu, 0));
	g->mem[0] = NEW;
	EXPECT_EQ(pfn, host_entry(g->mem) & PM_PFN);
}

/* --------------------------------------------------------------------- U19 */

TEST_F(rules, u19_swap)
{
	struct guest *g = &self->g;
	uint64_t value, done;
	int i;

	ASSERT_EQ(0, umbra_fault(g->vcpu, UMBRA_FAULT_WRITE, 0, 64 * PAGE,
				 &done));
	ASSERT_EQ(0, umbra_store(g->vcpu, 5 * PAGE, 1, NEW));
	/* What is young is spared the first time. */
	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, madvise(g->mem, 64 * PAGE, MADV_PAGEOUT));
	if (!(host_entry(g->mem + 5 * PAGE) & PM_SWAP))
		SKIP(return, "no swap");
	ASSERT_EQ(0, umbra_load(g->vcpu, 5 * PAGE, 1, &value));
	EXPECT_EQ(NEW, value);
	EXPECT_EQ(NEW, g->mem[5 * PAGE]);
	ASSERT_EQ(0, umbra_load(g->vcpu, 6 * PAGE, 1, &value));
	EXPECT_EQ(OLD, value);
}

#define KSM	"/sys/kernel/mm/ksm/"

static int ksm_set(const char *file, const char *value)
{
	int dir = open(KSM, O_PATH | O_DIRECTORY);
	int fd = openat(dir, file, O_WRONLY);
	int ret = write(fd, value, strlen(value)) < 0 ? -errno : 0;

	close(fd);
	close(dir);
	return ret;
}

static bool same_page(void *a, void *b)
{
	return !((host_entry(a) ^ host_entry(b)) & PM_PFN);
}

TEST_F(rules, u19_ksm)
{
	struct guest *g = &self->g;
	uint8_t *a = g->mem, *b = a + PAGE;
	struct umbra_translate t;
	uint64_t value, done;
	int msecs = 10000;

	if (madvise(a, 2 * PAGE, MADV_MERGEABLE))
		SKIP(return, "no KSM");
	ASSERT_EQ(0, umbra_fault(g->vcpu, UMBRA_FAULT_WRITE, 0, 2 * PAGE,
				 &done));
	ASSERT_EQ(0, ksm_set("sleep_millisecs", "1"));
	ASSERT_EQ(0, ksm_set("run", "1"));
	while (!same_page(a, b) && msecs--)
		usleep(1000);
	EXPECT_EQ(0, ksm_set("run", "0"));
	ASSERT_TRUE(same_page(a, b));

	ASSERT_EQ(0, umbra_load(g->vcpu, 0, 1, &value));
	EXPECT_EQ(OLD, value);
	ASSERT_EQ(0, umbra_translate(g->vm, 0, 0, &t));
	EXPECT_EQ(0, t.pte & UMBRA_PTE_WRITE);
	ASSERT_EQ(0, umbra_store(g->vcpu, 0, 1, NEW));
	EXPECT_EQ(NEW, *a);
	ASSERT_EQ(0, umbra_load(g->vcpu, PAGE, 1, &value));
	EXPECT_EQ(OLD, value);
	EXPECT_EQ(0, ksm_set("run", "2"));	/* unmerge all */
	ASSERT_EQ(0, umbra_load(g->vcpu, PAGE, 1, &value));
	EXPECT_EQ(OLD, value);
}

TEST_HARNESS_MAIN
