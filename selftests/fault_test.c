// SPDX-License-Identifier: GPL-2.0-only
/*
 * FAULT: which translations it makes, where it stops, what it waits for.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "util.h"

#define RX	(UMBRA_PTE_READ | UMBRA_PTE_EXEC)
#define RWX	(RX | UMBRA_PTE_WRITE)

/* One ioctl, which may stop half-way, unlike umbra_fault(). */
static int fault_once(int vcpu, uint32_t flags, uint64_t gpa, uint64_t length,
		      uint64_t *done)
{
	struct umbra_fault arg = {
		.size = sizeof(arg), .flags = flags, .gpa = gpa,
		.length = length,
	};

	if (ioctl(vcpu, UMBRA_FAULT, &arg))
		return -errno;
	*done = arg.done;
	return 0;
}

FIXTURE(fault)
{
	struct guest g;
	uint64_t done;
};

FIXTURE_SETUP(fault)
{
	ASSERT_EQ(0, guest_create(&self->g, 4096, 0));
}

FIXTURE_TEARDOWN(fault)
{
	EXPECT_TRUE(guest_quiet(&self->g));
	guest_destroy(&self->g);
}

TEST_F(fault, present_pages_in_few_lookups)
{
	const struct guest *g = &self->g;
	struct umbra_get_stats before, after;

	memset(g->mem, 1, g->pages * PAGE);
	before = guest_stats(g);
	ASSERT_EQ(0, umbra_fault(g->vcpu, 0, 0, g->pages * PAGE, &self->done));
	after = guest_stats(g);
	EXPECT_EQ(g->pages * PAGE, self->done);
	EXPECT_EQ(g->pages, after.leaves);
	EXPECT_EQ(g->pages, after.mapped - before.mapped);
	EXPECT_GE(16, after.faults - before.faults);
	EXPECT_EQ(before.faultins, after.faultins);
	for (uint64_t gpa = 0; gpa < g->pages * PAGE; gpa += PAGE)
		ASSERT_EQ(RWX, guest_pte(g, gpa));
}

TEST_F(fault, absent_pages_are_populated_together)
{
	const struct guest *g = &self->g;
	struct umbra_get_stats stats;

	ASSERT_EQ(0, umbra_fault(g->vcpu, UMBRA_FAULT_WRITE, 0,
				 g->pages * PAGE, &self->done));
	stats = guest_stats(g);
	EXPECT_EQ(g->pages, stats.leaves);
	EXPECT_GE(16, stats.faultins);
}

TEST_F(fault, twice_changes_nothing)
{
	const struct guest *g = &self->g;
	struct umbra_get_stats before, after;

	ASSERT_EQ(0, umbra_fault(g->vcpu, UMBRA_FAULT_WRITE, 0, 8 * PAGE,
				 &self->done));
	before = guest_stats(g);
	ASSERT_EQ(0, umbra_fault(g->vcpu, UMBRA_FAULT_WRITE, 0, 8 * PAGE,
				 &self->done));
	after = guest_stats(g);
	EXPECT_EQ(before.mapped, after.mapped);
	EXPECT_EQ(before.leaves, after.leaves);
}

/* The pages before the obstacle, then its error, and nothing behind it. */
static void check_stop(struct __test_metadata *_metadata,
		       const struct guest *g, uint64_t length, uint64_t at,
		       int error)
{
	uint64_t done = 0;

	ASSERT_EQ(0, fault_once(g->vcpu, UMBRA_FAULT_WRITE, 0, length, &done));
	EXPECT_EQ(at, done);
	EXPECT_EQ(error, fault_once(g->vcpu, UMBRA_FAULT_WRITE, at,
				    length - at, &done));
	EXPECT_EQ(RWX, guest_pte(g, at - PAGE));
	EXPECT_EQ(at / PAGE, guest_stats(g).leaves);
}

TEST_F(fault, stops_at_hole)
{
	const struct guest *g = &self->g;

	ASSERT_EQ(0, munmap(g->mem + 700 * PAGE, PAGE));
	check_stop(_metadata, g, 1024 * PAGE, 700 * PAGE, -EFAULT);
}

TEST_F(fault, stops_at_readonly_mapping)
{
	const struct guest *g = &self->g;

	ASSERT_EQ(0, mprotect(g->mem + 3 * PAGE, PAGE, PROT_READ));
	check_stop(_metadata, g, 8 * PAGE, 3 * PAGE, -EACCES);
}

TEST_F(fault, stops_at_end_of_memslot)
{
	const struct guest *g = &self->g;

	check_stop(_metadata, g, (g->pages + 1) * PAGE, g->pages * PAGE,
		   -ENOENT);
}

TEST_F(fault, zero_page_then_write)
{
	const struct guest *g = &self->g;
	struct umbra_translate zero, other, own;
	uint64_t value = 1;

	ASSERT_EQ(0, umbra_fault(g->vcpu, 0, 0, 2 * PAGE, &self->done));
	ASSERT_EQ(0, umbra_translate(g->vm, UMBRA_TRANSLATE_HPA, 0, &zero));
	ASSERT_EQ(0, umbra_translate(g->vm, UMBRA_TRANSLATE_HPA, PAGE,
				     &other));
	EXPECT_EQ(RX, zero.pte);
	EXPECT_EQ(zero.hpa, other.hpa);
	ASSERT_EQ(0, umbra_load(g->vcpu, 0, 8, &value));
	EXPECT_EQ(0, value);

	ASSERT_EQ(0, umbra_store(g->vcpu, 0, 8, 42));
	ASSERT_EQ(0, umbra_translate(g->vm, UMBRA_TRANSLATE_HPA, 0, &own));
	EXPECT_NE(zero.hpa, own.hpa);
	EXPECT_EQ(42, g->mem[0]);
	ASSERT_EQ(0, umbra_load(g->vcpu, PAGE, 8, &value));
	EXPECT_EQ(0, value);
}

/* The log keeps write access from reads, so the write is an upgrade. */
TEST_F(fault, read_then_write_upgrades)
{
	const struct guest *g = &self->g;
	struct umbra_get_stats before, after;

	ASSERT_EQ(0, umbra_set_memslot(g->vm, 0, UMBRA_MEM_LOG_DIRTY, 0,
				       g->pages * PAGE, g->mem));
	memset(g->mem, 1, 8 * PAGE);
	ASSERT_EQ(0, umbra_fault(g->vcpu, 0, 0, 8 * PAGE, &self->done));
	EXPECT_EQ(RX, guest_pte(g, 3 * PAGE));
	before = guest_stats(g);
	ASSERT_EQ(0, umbra_fault(g->vcpu, UMBRA_FAULT_WRITE, 3 * PAGE, PAGE,
				 &self->done));
	after = guest_stats(g);
	EXPECT_EQ(RWX, guest_pte(g, 3 * PAGE));
	EXPECT_EQ(RX, guest_pte(g, 4 * PAGE));
	EXPECT_EQ(before.mapped + 1, after.mapped);
	EXPECT_EQ(before.unmapped, after.unmapped);
}

TEST_F(fault, readonly_host_mapping)
{
	const struct guest *g = &self->g;
	uint64_t value;

	g->mem[0] = 7;
	ASSERT_EQ(0, mprotect(g->mem, PAGE, PROT_READ));
	ASSERT_EQ(0, umbra_fault(g->vcpu, 0, 0, PAGE, &self->done));
	EXPECT_EQ(RX, guest_pte(g, 0));
	EXPECT_EQ(-EACCES, umbra_store(g->vcpu, 0, 1, 8));
	ASSERT_EQ(0, umbra_load(g->vcpu, 0, 1, &value));
	EXPECT_EQ(7, value);

	ASSERT_EQ(0, mprotect(g->mem, PAGE, PROT_NONE));
	EXPECT_EQ(0, guest_pte(g, 0));
	EXPECT_EQ(-EACCES, umbra_load(g->vcpu, 0, 1, &value));

	ASSERT_EQ(0, mprotect(g->mem, PAGE, PROT_READ | PROT_WRITE));
	ASSERT_EQ(0, umbra_store(g->vcpu, 0, 1, 9));
	EXPECT_EQ(9, g->mem[0]);
}

TEST_F(fault, nowait_on_absent_memory)
{
	const struct guest *g = &self->g;
	int ret = umbra_fault(g->vcpu, UMBRA_FAULT_WRITE | UMBRA_FAULT_NOWAIT,
			      0, PAGE, &self->done);

	if (ret)
		EXPECT_EQ(-EAGAIN, ret);
	EXPECT_EQ(ret ? 0 : RWX, guest_pte(g, 0));
}

TEST_F(fault, file_and_truncation)
{
	const struct guest *g = &self->g;
	int file = memfd_create("guest", 0);
	uint64_t value;
	uint8_t byte;

	ASSERT_LE(0, file);
	ASSERT_EQ(0, ftruncate(file, 2 * PAGE));
	ASSERT_EQ(g->mem, mmap(g->mem, 2 * PAGE, PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_FIXED, file, 0));
	ASSERT_EQ(1, pwrite(file, "a", 1, PAGE));
	ASSERT_EQ(0, umbra_load(g->vcpu, PAGE, 1, &value));
	EXPECT_EQ('a', value);
	ASSERT_EQ(0, umbra_store(g->vcpu, PAGE, 1, 'b'));
	ASSERT_EQ(1, pread(file, &byte, 1, PAGE));
	EXPECT_EQ('b', byte);

	ASSERT_EQ(0, ftruncate(file, PAGE));
	EXPECT_EQ(0, guest_pte(g, PAGE));
	EXPECT_EQ(-EFAULT, umbra_load(g->vcpu, PAGE, 1, &value));
	ASSERT_EQ(0, umbra_load(g->vcpu, 0, 1, &value));
	ASSERT_EQ(0, ftruncate(file, 2 * PAGE));
	ASSERT_EQ(0, umbra_load(g->vcpu, PAGE, 1, &value));
	EXPECT_EQ(0, value);
	close(file);
}

/* Memory that comes when the test says so. */
FIXTURE(uffd)
{
	struct guest g;
	int uffd;
	uint64_t done;
};

/* Returns the userfaultfd, or -errno. */
static int uffd_create(struct guest *g)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	int uffd, ret = guest_create(g, 16, 0);

	if (ret)
		return ret;
	reg.range.start = (uintptr_t)g->mem;
	reg.range.len = g->pages * PAGE;
	uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	if (uffd < 0 || ioctl(uffd, UFFDIO_API, &api) ||
	    ioctl(uffd, UFFDIO_REGISTER, &reg))
		return -errno;
	return uffd;
}

FIXTURE_SETUP(uffd)
{
	self->uffd = uffd_create(&self->g);
	ASSERT_LE(0, self->uffd);
}

FIXTURE_TEARDOWN(uffd)
{
	EXPECT_TRUE(guest_quiet(&self->g));
	close(self->uffd);
	guest_destroy(&self->g);
}

/* Wait until a page is missed. Returns its gpa, or -1. */
static int64_t uffd_next(const struct guest *g, int uffd)
{
	struct pollfd pfd = { .fd = uffd, .events = POLLIN };
	struct uffd_msg msg;

	if (poll(&pfd, 1, 10000) != 1 ||
	    read(uffd, &msg, sizeof(msg)) != sizeof(msg) ||
	    msg.event != UFFD_EVENT_PAGEFAULT)
		return -1;
	return msg.arg.pagefault.address - (uintptr_t)g->mem;
}

/* Provide the page of gpa, filled with its number. */
static int uffd_answer(const struct guest *g, int uffd, uint64_t gpa)
{
	uint8_t content[PAGE];
	struct uffdio_copy copy = {
		.dst = (uintptr_t)g->mem + gpa,
		.src = (uintptr_t)content,
		.len = PAGE,
	};

	memset(content, gpa / PAGE, PAGE);
	return ioctl(uffd, UFFDIO_COPY, &copy);
}

struct fault_work {
	const struct guest *g;
	uint64_t done;
};

static long fault_all(void *arg)
{
	struct fault_work *work = arg;

	return fault_once(work->g->vcpu, 0, 0, work->g->pages * PAGE,
			  &work->done);
}

TEST_F(uffd, answered_page_by_page)
{
	const struct guest *g = &self->g;
	struct fault_work work = { .g = g };
	struct task task;

	task_start(&task, fault_all, &work);
	for (uint64_t gpa = 0; gpa < g->pages * PAGE; gpa += PAGE) {
		ASSERT_EQ(gpa, uffd_next(g, self->uffd));
		ASSERT_EQ(0, uffd_answer(g, self->uffd, gpa));
	}
	ASSERT_EQ(0, task_join(&task));
	EXPECT_EQ(g->pages * PAGE, work.done);
	for (uint64_t gpa = 0; gpa < g->pages * PAGE; gpa += PAGE) {
		uint64_t value;

		ASSERT_EQ(0, umbra_load(g->vcpu, gpa, 1, &value));
		EXPECT_EQ(gpa / PAGE, value);
	}
}

TEST_F(uffd, nowait_does_not_wait)
{
	const struct guest *g = &self->g;
	struct umbra_access_op op = { .op = UMBRA_OP_LOAD, .len = 8 };
	uint32_t done;

	EXPECT_EQ(-EAGAIN, umbra_fault(g->vcpu, UMBRA_FAULT_NOWAIT, 0, PAGE,
				       &self->done));
	EXPECT_EQ(-EAGAIN, umbra_access(g->vcpu, UMBRA_ACCESS_NOWAIT, &op, 1,
					&done));
	EXPECT_EQ(0, guest_pte(g, 0));

	ASSERT_EQ(0, uffd_answer(g, self->uffd, 0));
	EXPECT_EQ(0, umbra_fault(g->vcpu, UMBRA_FAULT_NOWAIT, 0, PAGE,
				 &self->done));
	EXPECT_EQ(RWX, guest_pte(g, 0));
}

static void ignore(int signal)
{
}

/* Older kernels end such a wait only when the process is killed. */
static bool waits_are_interruptible(void)
{
	struct utsname name;
	int major, minor;

	return !uname(&name) &&
	       sscanf(name.release, "%d.%d", &major, &minor) == 2 &&
	       (major > 6 || (major == 6 && minor >= 6));
}

TEST_F(uffd, signal_interrupts)
{
	const struct sigaction sa = { .sa_handler = ignore };
	const struct guest *g = &self->g;
	struct fault_work work = { .g = g };
	struct task task;

	if (!waits_are_interruptible())
		SKIP(return, "only killing ends this kernel's wait");
	ASSERT_EQ(0, sigaction(SIGUSR1, &sa, NULL));

	/* No progress is an error, some is not. */
	task_start(&task, fault_all, &work);
	ASSERT_EQ(0, uffd_next(g, self->uffd));
	pthread_kill(task.thread, SIGUSR1);
	EXPECT_EQ(-EINTR, task_join(&task));

	for (uint64_t gpa = 0; gpa < 3 * PAGE; gpa += PAGE)
		ASSERT_EQ(0, uffd_answer(g, self->uffd, gpa));
	task_start(&task, fault_all, &work);
	ASSERT_EQ(3 * PAGE, uffd_next(g, self->uffd));
	pthread_kill(task.thread, SIGUSR1);
	EXPECT_EQ(0, task_join(&task));
	EXPECT_EQ(3 * PAGE, work.done);

	/* And it can go on. */
	ASSERT_EQ(0, uffd_answer(g, self->uffd, 3 * PAGE));
	ASSERT_EQ(0, umbra_fault(g->vcpu, 0, 0, 4 * PAGE, &self->done));
	EXPECT_EQ(4, guest_stats(g).leaves);
}

/* A process waits, tells so, and is killed. */
static void wait_forever(int told)
{
	struct guest g;
	struct fault_work work = { .g = &g };
	struct task task;
	int uffd = uffd_create(&g);

	if (uffd < 0)
		return;
	task_start(&task, fault_all, &work);
	if (uffd_next(&g, uffd) || write(told, "", 1) != 1)
		return;
	task_join(&task);
}

TEST(kill_ends_a_wait)
{
	int told[2], status;
	char byte;
	pid_t pid;

	ASSERT_EQ(0, pipe(told));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		wait_forever(told[1]);
		_exit(1);
	}
	close(told[1]);
	ASSERT_EQ(1, read(told[0], &byte, 1));
	ASSERT_EQ(0, kill(pid, SIGKILL));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status));
}

TEST_HARNESS_MAIN
