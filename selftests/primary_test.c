// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the primary MMU does to pages under their addresses: swap, KSM, copying on
 * write. Under a fault that has looked the old page up, too (U1, U5).
 */
#include <stdio.h>
#include <sys/utsname.h>

#include "rules.h"

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

/*
 * Does the primary MMU tell what it puts in the place of a page? Until 6.10 it
 * does, and the leaf is changed in place; later it is gone, and faulted in.
 */
static bool in_place(void)
{
	struct utsname name;
	int major, minor;

	return !uname(&name) &&
	       sscanf(name.release, "%d.%d", &major, &minor) == 2 &&
	       (major < 6 || (major == 6 && minor < 10));
}

#define ATTRS	(UMBRA_PTE_READ | UMBRA_PTE_WRITE | UMBRA_PTE_YOUNG | \
		 UMBRA_PTE_DIRTY)

/* What the shadow table has once a page has been replaced. */
static void expect_replaced(struct __test_metadata *_metadata, struct guest *g,
			    uint64_t page, uint32_t young)
{
	EXPECT_EQ(in_place() ? UMBRA_PTE_READ | young : 0,
		  guest_pte(g, page * PAGE) & ATTRS);
}

/* A child that shares the memory, until the pipe is closed. */
static pid_t share(int *pipe_end)
{
	int fd[2];
	pid_t child;
	char byte;

	if (pipe(fd))
		return -1;
	child = fork();
	if (!child) {
		close(fd[1]);
		_exit(read(fd[0], &byte, 1));
	}
	close(fd[0]);
	*pipe_end = fd[1];
	return child;
}

static void unshare_with(pid_t child, int pipe_end)
{
	close(pipe_end);
	waitpid(child, NULL, 0);
}

/* The process itself writes, and so gets a copy of what it shares. */
static long do_write(struct worker *w)
{
	w->g->mem[w->page * PAGE] = NEW;
	return 0;
}

/* The page is shared; it has been read, which makes it young, or only mapped. */
static void copied(struct __test_metadata *_metadata, struct guest *g,
		   uint32_t young)
{
	struct umbra_get_stats before, after;
	uint64_t value;
	pid_t child;
	int fd;

	child = share(&fd);
	ASSERT_LT(0, child);
	ASSERT_EQ(0, fault_nowait(g->vcpu, 5));
	if (young)
		ASSERT_EQ(0, umbra_load(g->vcpu, 5 * PAGE, 1, &value));
	before = guest_stats(g);
	g->mem[5 * PAGE] = NEW;
	expect_replaced(_metadata, g, 5, young);
	ASSERT_EQ(0, umbra_load(g->vcpu, 5 * PAGE, 1, &value));
	EXPECT_EQ(NEW, value);
	after = guest_stats(g);
	EXPECT_EQ(before.faults + !in_place(), after.faults);
	EXPECT_TRUE(guest_quiet(g));
	unshare_with(child, fd);
}

TEST_F(rules, u19_copied)
{
	copied(_metadata, &self->g, UMBRA_PTE_YOUNG);
	/* A fault finds out that it may be written. */
	EXPECT_EQ(0, umbra_store(self->g.vcpu, 5 * PAGE, 1, OLD));
}

TEST_F(rules, u19_copied_when_old)
{
	copied(_metadata, &self->g, 0);
}

TEST_F(rules, u19_copied_in_a_readonly_slot)
{
	ASSERT_EQ(0, umbra_delete_memslot(self->g.vm, 0));
	ASSERT_EQ(0, set_slot(&self->g, UMBRA_MEM_READONLY));
	copied(_metadata, &self->g, UMBRA_PTE_YOUNG);
	EXPECT_EQ(-EACCES, umbra_store(self->g.vcpu, 5 * PAGE, 1, OLD));
}

/* What was not mapped is not mapped because of it. */
TEST_F(rules, u19_copied_but_not_mapped)
{
	pid_t child;
	int fd;

	ASSERT_EQ(0, fault_nowait(self->g.vcpu, 4));
	child = share(&fd);
	ASSERT_LT(0, child);
	self->g.mem[5 * PAGE] = NEW;
	EXPECT_EQ(0, guest_pte(&self->g, 5 * PAGE));
	unshare_with(child, fd);
}

/* One that had begun elsewhere may have been here as well, for all we know. */
TEST_F(rules, u19_copied_during_another_invalidation)
{
	struct worker *discard = &self->worker[0];
	uint64_t value;
	pid_t child;
	int fd;

	child = share(&fd);
	ASSERT_LT(0, child);
	ASSERT_EQ(0, fault_nowait(self->g.vcpu, 5));
	ASSERT_EQ(0, worker_hold(discard, do_discard, 40, 1,
				 UMBRA_POINT_INVALIDATE_ZAPPED));
	self->g.mem[5 * PAGE] = NEW;
	EXPECT_EQ(0, guest_pte(&self->g, 5 * PAGE));
	ASSERT_EQ(0, hold_release(self->g.vm, UMBRA_POINT_INVALIDATE_ZAPPED));
	ASSERT_EQ(0, worker_finish(discard));
	ASSERT_EQ(0, umbra_load(self->g.vcpu, 5 * PAGE, 1, &value));
	EXPECT_EQ(NEW, value);
	unshare_with(child, fd);
}

/* One that begins, and may even end, after the page was zapped. */
TEST_F(rules, u19_another_invalidation_while_copying)
{
	struct worker *copy = &self->worker[0];
	uint64_t value;
	pid_t child;
	int fd;

	child = share(&fd);
	ASSERT_LT(0, child);
	ASSERT_EQ(0, fault_nowait(self->g.vcpu, 5));
	ASSERT_EQ(0, worker_hold(copy, do_write, 5, 1,
				 UMBRA_POINT_INVALIDATE_ZAPPED));
	ASSERT_EQ(0, dontneed(&self->g, 40, 1));
	ASSERT_EQ(0, hold_release(self->g.vm, UMBRA_POINT_INVALIDATE_ZAPPED));
	ASSERT_EQ(0, worker_finish(copy));
	EXPECT_EQ(0, guest_pte(&self->g, 5 * PAGE));
	ASSERT_EQ(0, umbra_load(self->g.vcpu, 5 * PAGE, 1, &value));
	EXPECT_EQ(NEW, value);
	unshare_with(child, fd);
}

/* A fault that looked the old page up must not install it (U1). */
TEST_F(rules, u19_copied_under_a_fault)
{
	uint64_t before = retries(self->g.vm), value;
	struct worker *fault = &self->worker[0];
	pid_t child;
	int fd;

	child = share(&fd);
	ASSERT_LT(0, child);
	ASSERT_EQ(0, fault_nowait(self->vcpu, 5));
	/* A page more: what is mapped is not looked up again by itself. */
	ASSERT_EQ(0, worker_hold(fault, do_fault, 4, 2,
				 UMBRA_POINT_FAULT_LOOKED_UP));
	self->g.mem[5 * PAGE] = NEW;
	expect_replaced(_metadata, &self->g, 5, 0);
	ASSERT_EQ(0, hold_release(self->g.vm, UMBRA_POINT_FAULT_LOOKED_UP));
	ASSERT_EQ(0, worker_finish(fault));
	EXPECT_EQ(before + 1, retries(self->g.vm));
	ASSERT_EQ(0, umbra_load(self->vcpu, 5 * PAGE, 1, &value));
	EXPECT_EQ(NEW, value);
	unshare_with(child, fd);
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

/* Have KSM merge pages 0 and 1. Returns false if there is no KSM. */
static bool merge(struct __test_metadata *_metadata, struct guest *g)
{
	int msecs = 10000;

	if (madvise(g->mem, 2 * PAGE, MADV_MERGEABLE))
		return false;
	EXPECT_EQ(0, ksm_set("sleep_millisecs", "1"));
	EXPECT_EQ(0, ksm_set("run", "1"));
	while (!same_page(g->mem, g->mem + PAGE) && msecs--)
		usleep(1000);
	EXPECT_EQ(0, ksm_set("run", "0"));
	EXPECT_TRUE(same_page(g->mem, g->mem + PAGE));
	return true;
}

TEST_F(rules, u19_ksm)
{
	struct guest *g = &self->g;
	struct umbra_get_stats before;
	uint64_t value, done;

	ASSERT_EQ(0, umbra_fault(g->vcpu, UMBRA_FAULT_WRITE, 0, 2 * PAGE,
				 &done));
	/* Young and dirty, and young. */
	ASSERT_EQ(0, umbra_store(g->vcpu, 0, 1, OLD));
	ASSERT_EQ(0, umbra_load(g->vcpu, PAGE, 1, &value));
	before = guest_stats(g);
	if (!merge(_metadata, g))
		SKIP(return, "no KSM");
	expect_replaced(_metadata, g, 0, UMBRA_PTE_YOUNG);
	expect_replaced(_metadata, g, 1, UMBRA_PTE_YOUNG);
	EXPECT_EQ(before.faults, guest_stats(g).faults);
	EXPECT_TRUE(guest_quiet(g));

	ASSERT_EQ(0, umbra_load(g->vcpu, 0, 1, &value));
	EXPECT_EQ(OLD, value);
	EXPECT_EQ(before.faults + !in_place(), guest_stats(g).faults);
	EXPECT_EQ(UMBRA_PTE_READ | UMBRA_PTE_YOUNG, guest_pte(g, 0) & ATTRS);
	ASSERT_EQ(0, umbra_store(g->vcpu, 0, 1, NEW));
	EXPECT_EQ(NEW, g->mem[0]);
	ASSERT_EQ(0, umbra_load(g->vcpu, PAGE, 1, &value));
	EXPECT_EQ(OLD, value);
	EXPECT_EQ(0, ksm_set("run", "2"));	/* unmerge all */
	ASSERT_EQ(0, umbra_load(g->vcpu, PAGE, 1, &value));
	EXPECT_EQ(OLD, value);
}

/* What was dirty is in the log once, and what replaces it is clean. */
TEST_F(rules, u19_ksm_of_a_logged_page)
{
	struct guest *g = &self->g;
	uint64_t value;

	ASSERT_EQ(0, set_slot(g, UMBRA_MEM_LOG_DIRTY | UMBRA_MEM_LOG_D_BITS));
	ASSERT_EQ(0, umbra_store(g->vcpu, 0, 1, OLD));
	ASSERT_EQ(0, umbra_load(g->vcpu, PAGE, 1, &value));
	if (!merge(_metadata, g))
		SKIP(return, "no KSM");
	EXPECT_EQ(1, take_log(g, 0));
	ASSERT_EQ(0, umbra_load(g->vcpu, 0, 1, &value));
	EXPECT_EQ(0, take_log(g, 0));
	EXPECT_EQ(0, take_log(g, 1));
	EXPECT_EQ(0, ksm_set("run", "2"));
}

/* ----------------------------------------------- under a fault: U1, U5, U14 */

/* A store, or a load, to page 5 has looked the page up, as it still is. */
static void hold_access(struct __test_metadata *_metadata, struct worker *w,
			long (*fn)(struct worker *w))
{
	ASSERT_EQ(0, worker_hold(w, fn, 5, 1, UMBRA_POINT_FAULT_LOOKED_UP));
}

static long resume(struct worker *w)
{
	hold_release(w->g->vm, UMBRA_POINT_FAULT_LOOKED_UP);
	return worker_finish(w);
}

TEST_F(rules, u1_protected_under_a_fault)
{
	struct worker *w = &self->worker[0];

	hold_access(_metadata, w, do_store);
	ASSERT_EQ(0, mprotect(self->g.mem + 5 * PAGE, PAGE, PROT_READ));
	EXPECT_EQ(-EACCES, resume(w));
	EXPECT_EQ(OLD, self->g.mem[5 * PAGE]);
	EXPECT_EQ(0, guest_pte(&self->g, 5 * PAGE) & UMBRA_PTE_WRITE);
}

TEST_F(rules, u1_made_inaccessible_under_a_fault)
{
	struct worker *w = &self->worker[0];

	hold_access(_metadata, w, do_load);
	ASSERT_EQ(0, mprotect(self->g.mem + 5 * PAGE, PAGE, PROT_NONE));
	EXPECT_EQ(-EACCES, resume(w));
	EXPECT_EQ(0, guest_pte(&self->g, 5 * PAGE));
}

TEST_F(rules, u1_moved_away_under_a_fault)
{
	struct worker *w = &self->worker[0];
	uint8_t *to = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
			   -1, 0);

	ASSERT_NE(MAP_FAILED, to);
	hold_access(_metadata, w, do_store);
	ASSERT_EQ(to, mremap(self->g.mem + 5 * PAGE, PAGE, PAGE,
			     MREMAP_MAYMOVE | MREMAP_FIXED, to));
	EXPECT_EQ(-EFAULT, resume(w));
	EXPECT_EQ(OLD, *to);
	munmap(to, PAGE);
}

/* The page becomes shared with a child, which must not see the store. */
TEST_F(rules, u1_forked_under_a_fault)
{
	struct worker *w = &self->worker[0];
	int fd[2], status;
	pid_t child;
	char byte;

	ASSERT_EQ(0, pipe(fd));
	hold_access(_metadata, w, do_store);
	child = fork();
	ASSERT_LE(0, child);
	if (!child) {
		close(fd[1]);
		read(fd[0], &byte, 1);
		_exit(self->g.mem[5 * PAGE]);
	}
	close(fd[0]);
	EXPECT_EQ(0, resume(w));
	EXPECT_EQ(NEW, self->g.mem[5 * PAGE]);
	close(fd[1]);
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(OLD, WEXITSTATUS(status));
}

static long do_store_0(struct worker *w)
{
	return umbra_store(w->g->vcpu, 0, 1, NEW);
}

/* The page is merged with page 1, which must not see the store. */
TEST_F(rules, u1_merged_under_a_fault)
{
	struct worker *w = &self->worker[0];

	hold_access(_metadata, w, do_store_0);
	if (!merge(_metadata, &self->g))
		SKIP(return, "no KSM");
	EXPECT_EQ(0, resume(w));
	EXPECT_EQ(NEW, self->g.mem[0]);
	EXPECT_EQ(OLD, self->g.mem[PAGE]);
	EXPECT_EQ(0, ksm_set("run", "2"));
}

TEST_F(rules, u1_swapped_out_under_a_fault)
{
	struct worker *w = &self->worker[0];
	int i;

	hold_access(_metadata, w, do_load);
	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, madvise(self->g.mem, 64 * PAGE, MADV_PAGEOUT));
	if (!(host_entry(self->g.mem + 5 * PAGE) & PM_SWAP))
		SKIP(return, "no swap");
	EXPECT_EQ(0, resume(w));
	EXPECT_EQ(OLD, w->value);
}

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25
#endif

/* The page is copied into a huge one, and freed. */
TEST_F(rules, u5_collapsed_under_a_fault)
{
	struct worker *w = &self->worker[0];
	const uint64_t huge = 512 * PAGE;
	uint8_t *area, *mem;

	area = mmap(NULL, 2 * huge, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, area);
	mem = (uint8_t *)(((uintptr_t)area + huge - 1) & -huge);
	madvise(mem, huge, MADV_NOHUGEPAGE);
	memset(mem, OLD, huge);
	ASSERT_EQ(0, madvise(mem, huge, MADV_HUGEPAGE));
	ASSERT_EQ(0, umbra_delete_memslot(self->g.vm, 0));
	ASSERT_EQ(0, umbra_set_memslot(self->g.vm, 0, 0, 0, huge, mem));

	hold_access(_metadata, w, do_store);
	if (madvise(mem, huge, MADV_COLLAPSE))
		SKIP(return, "no collapse on request");
	EXPECT_EQ(0, resume(w));
	EXPECT_EQ(NEW, mem[5 * PAGE]);
	EXPECT_EQ(OLD, mem[6 * PAGE]);
	EXPECT_TRUE(guest_quiet(&self->g));
	munmap(area, 2 * huge);
}

TEST_HARNESS_MAIN
