// SPDX-License-Identifier: GPL-2.0-only
/*
 * The rules of the protocol, each raced on purpose: a hold point keeps the
 * window of the race open for as long as the other side needs.
 */
#include "rules.h"

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
		    const uint64_t *page, int first)
{
	static const uint32_t point[] = {
		UMBRA_POINT_INVALIDATE_BEGUN, UMBRA_POINT_INVALIDATE_END,
	};
	struct guest *g = w->g;
	struct umbra_test state;
	int i;

	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, worker_hold(&w[i], do_discard, page[i], 4,
					 point[i]));
	}
	EXPECT_EQ(-EAGAIN, fault_nowait(g->vcpu, page[0]));
	EXPECT_EQ(-EAGAIN, fault_nowait(g->vcpu, page[1]));
	EXPECT_EQ(0, fault_nowait(g->vcpu, 7));
	EXPECT_EQ(0, fault_nowait(g->vcpu, 44));

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

static const uint64_t upwards[] = { 8, 40 }, downwards[] = { 40, 8 };

TEST_F(rules, u2_first_begun_ends_first)
{
	overlap(_metadata, self->worker, upwards, 0);
}

TEST_F(rules, u2_last_begun_ends_first)
{
	overlap(_metadata, self->worker, upwards, 1);
}

TEST_F(rules, u2_lower_range_begins_last)
{
	overlap(_metadata, self->worker, downwards, 0);
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

/* Nothing is left, and nothing may come while the memslot is still to be seen. */
TEST_F(rules, u8_fault_once_emptied)
{
	struct worker *delete = &self->worker[0];
	struct guest *g = &self->g;

	ASSERT_EQ(0, fault_nowait(g->vcpu, 5));
	ASSERT_EQ(0, worker_hold(delete, do_delete, 0, 0,
				 UMBRA_POINT_SLOT_EMPTIED));
	EXPECT_EQ(-EAGAIN, fault_nowait(g->vcpu, 5));
	EXPECT_EQ(0, guest_pte(g, 5 * PAGE));
	ASSERT_EQ(0, hold_release(g->vm, UMBRA_POINT_SLOT_EMPTIED));
	EXPECT_EQ(0, worker_finish(delete));
	EXPECT_EQ(0, guest_stats(g).leaves);
}

/* A fault that waits for a memslot sleeps: it looks again when there is news. */
TEST_F(rules, u8_fault_sleeps_during_a_delete)
{
	struct worker *delete = &self->worker[0], *load = &self->worker[1];
	struct guest *g = &self->g;
	uint64_t before;

	ASSERT_EQ(0, worker_hold(delete, do_delete, 0, 0,
				 UMBRA_POINT_SLOT_INVALID));
	before = guest_stats(g).waits;
	worker_start(load, do_load, 5, 1);
	EXPECT_FALSE(task_done(&load->task, 200));
	EXPECT_EQ(before + 1, guest_stats(g).waits);
	ASSERT_EQ(0, hold_release(g->vm, UMBRA_POINT_SLOT_INVALID));
	EXPECT_EQ(0, worker_finish(delete));
	EXPECT_EQ(-ENOENT, worker_finish(load));
}

static long do_many_loads(struct worker *w)
{
	long ret = 0;
	int i;

	for (i = 0; i < 2000 && (!ret || ret == -ENOENT); i++)
		ret = do_load(w);
	return ret == -ENOENT ? 0 : ret;
}

/* Both get on, whatever the other does; the harness is the watchdog. */
TEST_F(rules, u8_faults_against_deletes_and_moves)
{
	struct worker *load = &self->worker[0];
	struct guest *g = &self->g;
	int i = 0;

	worker_start(load, do_many_loads, 5, 1);
	while (!task_done(&load->task, 0) || i < 8) {
		i++;
		ASSERT_EQ(0, umbra_set_memslot(g->vm, 0, 0, PAGES * PAGE,
					       PAGES * PAGE, g->mem));
		ASSERT_EQ(0, umbra_delete_memslot(g->vm, 0));
		ASSERT_EQ(0, set_slot(g, 0));
	}
	EXPECT_EQ(0, worker_finish(load));
}

/* ---------------------------------------------------------------------- U9 */

/* What meets no memslot neither begins nor ends anything. */
TEST_F(rules, u9_outside_all_memslots)
{
	struct worker *discard = &self->worker[0];
	struct umbra_test before, after;

	ASSERT_EQ(0, query(self->g.vm, 0, &before));
	ASSERT_EQ(0, do_discard_elsewhere(discard));
	ASSERT_EQ(0, query(self->g.vm, 0, &after));
	EXPECT_EQ(before.sequence, after.sequence);
	EXPECT_EQ(0, after.in_progress);
	/* Nor if another one is in progress. */
	ASSERT_EQ(0, worker_hold(discard, do_discard, 5, 1,
				 UMBRA_POINT_INVALIDATE_ZAPPED));
	ASSERT_EQ(0, do_discard_elsewhere(discard));
	ASSERT_EQ(0, query(self->g.vm, 0, &after));
	EXPECT_EQ(before.sequence, after.sequence);
	EXPECT_EQ(1, after.in_progress);
	EXPECT_EQ(-EAGAIN, fault_nowait(self->g.vcpu, 5));
	ASSERT_EQ(0, hold_release(self->g.vm, UMBRA_POINT_INVALIDATE_ZAPPED));
	EXPECT_EQ(0, worker_finish(discard));
}

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

/* Written after the page was protected, before the bits are handed out. */
TEST_F(rules, u10_written_once_protected)
{
	struct worker *w = &self->worker[0];
	struct guest *g = &self->g;

	ASSERT_EQ(0, set_slot(g, UMBRA_MEM_LOG_DIRTY));
	ASSERT_EQ(0, umbra_store(g->vcpu, 5 * PAGE, 1, 1));
	ASSERT_EQ(0, worker_hold(w, do_take_log, 5, 1,
				 UMBRA_POINT_LOG_PROTECTED));
	ASSERT_EQ(0, umbra_store(g->vcpu, 5 * PAGE, 1, 2));
	ASSERT_EQ(0, hold_release(g->vm, UMBRA_POINT_LOG_PROTECTED));
	EXPECT_EQ(1, worker_finish(w));
	/* Who has those bits has not seen this write. */
	ASSERT_EQ(0, umbra_store(g->vcpu, 5 * PAGE, 1, 3));
	EXPECT_EQ(1, take_log(g, 5));
	EXPECT_EQ(0, take_log(g, 5));
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
				  UMBRA_POINT_FLUSH_BEGIN));
	ASSERT_FALSE(task_done(&w->task, 0));
	ASSERT_EQ(0, dontneed(g, 5, 1));
	ASSERT_EQ(0, umbra_load(g->vcpu, 5 * PAGE, 1, &value));
	EXPECT_EQ(0, value);
	EXPECT_EQ(0, worker_finish(w));
}

/* The same with one TLB flushed, and another one not yet. */
TEST_F(rules, u12_every_tlb_is_flushed)
{
	struct worker *w = &self->worker[0];
	struct guest *g = &self->g;
	uint64_t value;

	ASSERT_EQ(0, umbra_load(g->vcpu, 5 * PAGE, 1, &value));
	ASSERT_EQ(0, umbra_load(self->vcpu, 5 * PAGE, 1, &value));
	ASSERT_EQ(0, worker_delay(w, do_discard, 5, 1, UMBRA_POINT_FLUSH_TLB));
	ASSERT_EQ(0, dontneed(g, 5, 1));
	ASSERT_EQ(0, umbra_load(g->vcpu, 5 * PAGE, 1, &value));
	EXPECT_EQ(0, value);
	ASSERT_EQ(0, umbra_load(self->vcpu, 5 * PAGE, 1, &value));
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

/* An access under way is done with the page before it is freed, and poisoned. */
TEST_F(rules, u15_freed_page_is_not_seen)
{
	struct worker *w = &self->worker[0];
	struct guest *g = &self->g;
	uint64_t value;
	void *poison;

	ASSERT_EQ(0, umbra_load(g->vcpu, 5 * PAGE, 1, &value));
	poison = mmap(NULL, 64 * PAGE, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, poison);
	ASSERT_EQ(0, worker_delay(w, do_load, 5, 1,
				  UMBRA_POINT_ACCESS_TRANSLATED));
	ASSERT_EQ(0, dontneed(g, 5, 1));
	memset(poison, NEW, 64 * PAGE);
	EXPECT_EQ(0, worker_finish(w));
	EXPECT_EQ(OLD, w->value);
	ASSERT_EQ(0, umbra_load(g->vcpu, 5 * PAGE, 1, &value));
	EXPECT_EQ(0, value);
	munmap(poison, 64 * PAGE);
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

TEST_HARNESS_MAIN
