// SPDX-License-Identifier: GPL-2.0-only
/*
 * The address space dies before its VM does (U16), or is emptied by the OOM
 * reaper, which must not sleep (U17).
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "util.h"

#define MIB	0x100000UL

/* Wait up to 10 s, and say whether it has become true. */
#define EVENTUALLY(condition) ({					\
	int __msecs = 10000;						\
									\
	while (!(condition) && __msecs--)				\
		usleep(1000);						\
	__msecs >= 0;							\
})

/* ------------------------------------------------------------ another process */

/* A process with a VM whose descriptors are ours as well. */
struct owner {
	pid_t pid;
	int sock;		/* to the other side */
	int file;		/* in memory, of one page */
	struct guest g;		/* the memory is the owner's only */
};

/* The owner and we wait for each other. */
static void tell(const struct owner *o)
{
	if (write(o->sock, "", 1) != 1)
		_exit(1);
}

static bool told(const struct owner *o)
{
	char byte;

	return read(o->sock, &byte, 1) == 1;
}

static void owner_main(struct owner *o, uint64_t pages,
		       void (*fn)(struct owner *o))
{
	uint64_t length = pages * PAGE, done;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (guest_create(&o->g, pages, 0) ||
	    umbra_fault(o->g.vcpu, UMBRA_FAULT_WRITE, 0, length, &done) ||
	    write(o->sock, &o->g, sizeof(o->g)) != sizeof(o->g))
		_exit(1);
	fn(o);
	_exit(0);
}

/* Returns 0 or -errno. The owner has mapped its memory, and runs fn. */
static int owner_create(struct owner *o, uint64_t pages,
			void (*fn)(struct owner *o))
{
	int sock[2], pidfd;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, sock))
		return -errno;
	o->pid = fork();
	if (o->pid < 0)
		return -errno;
	o->sock = sock[!o->pid];
	close(sock[!!o->pid]);
	if (!o->pid)
		owner_main(o, pages, fn);

	if (read(o->sock, &o->g, sizeof(o->g)) != sizeof(o->g))
		return -EIO;
	pidfd = syscall(SYS_pidfd_open, o->pid, 0);
	o->g.vm = syscall(SYS_pidfd_getfd, pidfd, o->g.vm, 0);
	o->g.vcpu = syscall(SYS_pidfd_getfd, pidfd, o->g.vcpu, 0);
	close(pidfd);
	return o->g.vm < 0 || o->g.vcpu < 0 ? -errno : 0;
}

/* What every operation on a VM and its vCPU returns; 0 if they differ. */
static int verdict(const struct guest *g)
{
	struct umbra_translate translate;
	struct umbra_get_stats stats;
	struct umbra_verify verify;
	uint64_t value;
	int i, ret[] = {
		umbra_get_stats(g->vm, &stats),
		umbra_translate(g->vm, 0, 0, &translate),
		umbra_verify(g->vm, 0, PAGE, &verify),
		umbra_unmap(g->vm, 0, PAGE),
		umbra_delete_memslot(g->vm, 0),
		umbra_create_vcpu(g->vm),
		umbra_fault(g->vcpu, 0, 0, PAGE, &value),
		umbra_load(g->vcpu, 0, 1, &value),
	};

	for (i = 0; i < ARRAY_SIZE(ret); i++)
		if (ret[i] != ret[0])
			return 0;
	return ret[0];
}

static struct umbra_test query(int vm, uint32_t point)
{
	struct umbra_test state = { .hits = ~0ULL };

	hold_ctl(vm, UMBRA_TEST_QUERY, point, 0, 0, &state);
	return state;
}

FIXTURE(mm_death)
{
	struct guest g;		/* of our own */
	struct owner o;
	bool unended;		/* an invalidation of the owner's remains */
};

FIXTURE_SETUP(mm_death)
{
	ASSERT_EQ(0, guest_create(&self->g, 64, 0));
	if (hold_release(self->g.vm, 0) == -ENOTTY)
		SKIP(return, "module built without CONFIG_UMBRA_TEST");
	self->o.file = memfd_create("file", 0);
	ASSERT_LE(0, self->o.file);
	ASSERT_EQ(0, ftruncate(self->o.file, PAGE));
}

FIXTURE_TEARDOWN(mm_death)
{
	struct owner *o = &self->o;
	struct umbra_test state;
	int i;

	if (o->pid) {
		kill(o->pid, SIGKILL);
		for (i = 0; i < UMBRA_NR_POINTS; i++)
			hold_release(o->g.vm, i);
		EXPECT_EQ(o->pid, waitpid(o->pid, NULL, 0));
		EXPECT_EQ(-ESRCH, verdict(&o->g));
		state = query(o->g.vm, 0);
		EXPECT_EQ(self->unended, state.in_progress);
		EXPECT_EQ(self->unended, state.active);
		EXPECT_EQ(0, close(o->g.vcpu));
		EXPECT_EQ(0, close(o->g.vm));
	}
	EXPECT_TRUE(guest_quiet(&self->g));
	guest_destroy(&self->g);
}

/* --------------------------------------------------------------------- U16 */

static void stay(struct owner *o)
{
	told(o);
}

TEST_F(mm_death, u16_of_another_process)
{
	ASSERT_EQ(0, owner_create(&self->o, 64, stay));
	EXPECT_EQ(-EIO, verdict(&self->o.g));
}

TEST_F(mm_death, u16_fork)
{
	uint64_t value;
	int status;
	pid_t child;

	self->g.mem[0] = 42;
	ASSERT_EQ(0, umbra_load(self->g.vcpu, 0, 1, &value));
	child = fork();
	ASSERT_LE(0, child);
	if (!child)
		_exit(-verdict(&self->g));
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(EIO, WEXITSTATUS(status));
	ASSERT_EQ(0, umbra_load(self->g.vcpu, 0, 1, &value));
	EXPECT_EQ(42, value);
}

static void send_fd(int sock, int fd)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { .header = {
		.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET,
		.cmsg_type = SCM_RIGHTS,
	} };
	struct iovec byte = { .iov_base = "", .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &byte, .msg_iovlen = 1, .msg_control = &control,
		.msg_controllen = sizeof(control),
	};

	memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	if (sendmsg(sock, &msg, 0) != 1)
		_exit(1);
}

static int receive_fd(int sock)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	char byte;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	int fd;

	if (recvmsg(sock, &msg, 0) != 1)
		return -errno;
	memcpy(&fd, CMSG_DATA(&control.header), sizeof(fd));
	return fd;
}

static void send_both(struct owner *o)
{
	send_fd(o->sock, o->g.vm);
	send_fd(o->sock, o->g.vcpu);
	told(o);
}

/* Nor does who gets the descriptors get the memory; closing them works. */
TEST_F(mm_death, u16_passed_over_a_socket)
{
	struct guest g = {};

	ASSERT_EQ(0, owner_create(&self->o, 64, send_both));
	g.vm = receive_fd(self->o.sock);
	ASSERT_LE(0, g.vm);
	g.vcpu = receive_fd(self->o.sock);
	ASSERT_LE(0, g.vcpu);
	EXPECT_EQ(-EIO, verdict(&g));
	tell(&self->o);
	EXPECT_TRUE(EVENTUALLY(verdict(&g) == -ESRCH));
	EXPECT_EQ(0, close(g.vm));
	EXPECT_EQ(0, close(g.vcpu));
}

TEST_F(mm_death, u16_exit)
{
	ASSERT_EQ(0, owner_create(&self->o, 64, stay));
	EXPECT_EQ(0, query(self->o.g.vm, UMBRA_POINT_ZAP_UNFLUSHED).hits);
	tell(&self->o);
	EXPECT_TRUE(EVENTUALLY(verdict(&self->o.g) == -ESRCH));
	/* Nothing is left in the table. */
	EXPECT_LT(0, query(self->o.g.vm, UMBRA_POINT_ZAP_UNFLUSHED).hits);
}

static void exec_sleep(struct owner *o)
{
	told(o);
	execl("/bin/sleep", "sleep", "60", NULL);
}

TEST_F(mm_death, u16_exec)
{
	ASSERT_EQ(0, owner_create(&self->o, 64, exec_sleep));
	EXPECT_EQ(-EIO, verdict(&self->o.g));
	tell(&self->o);
	EXPECT_TRUE(EVENTUALLY(verdict(&self->o.g) == -ESRCH));
	EXPECT_EQ(0, waitpid(self->o.pid, NULL, WNOHANG));
}

static long fault_again(void *arg)
{
	struct owner *o = arg;
	uint64_t value;

	return umbra_unmap(o->g.vm, 0, PAGE) ?:
	       umbra_load(o->g.vcpu, 0, 1, &value);
}

static void fault_when_told(struct owner *o)
{
	told(o);
	fault_again(o);
}

TEST_F(mm_death, u16_killed_in_a_fault)
{
	ASSERT_EQ(0, owner_create(&self->o, 64, fault_when_told));
	ASSERT_EQ(0, hold_arm(self->o.g.vm, UMBRA_POINT_FAULT_LOOKED_UP, 1));
	tell(&self->o);
	ASSERT_EQ(0, hold_wait(self->o.g.vm, UMBRA_POINT_FAULT_LOOKED_UP, 1));
	EXPECT_EQ(0, kill(self->o.pid, SIGKILL));
	EXPECT_TRUE(EVENTUALLY(verdict(&self->o.g) == -ESRCH));
}

/* What others do to a file invalidates where the owner maps it. */
static void map_file(struct owner *o)
{
	void *mem = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED,
			 o->file, 0);
	uint64_t gpa = o->g.pages * PAGE;

	if (umbra_set_memslot(o->g.vm, 1, 0, gpa, PAGE, mem) ||
	    umbra_store(o->g.vcpu, gpa, 1, 42))
		_exit(1);
	tell(o);
	told(o);
}

static long punch(void *arg)
{
	struct owner *o = arg;

	return fallocate(o->file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			 0, PAGE) ? -errno : 0;
}

TEST_F(mm_death, u16_invalidation_that_never_ends)
{
	struct owner *o = &self->o;
	struct task task;

	ASSERT_EQ(0, owner_create(o, 64, map_file));
	ASSERT_TRUE(told(o));
	ASSERT_EQ(0, hold_arm(o->g.vm, UMBRA_POINT_INVALIDATE_ZAPPED, 1));
	task_start(&task, punch, o);
	ASSERT_EQ(0, hold_wait(o->g.vm, UMBRA_POINT_INVALIDATE_ZAPPED, 1));
	tell(o);
	EXPECT_TRUE(EVENTUALLY(verdict(&o->g) == -ESRCH));
	/* After release the notifier is taken off the list that end walks. */
	usleep(100000);
	ASSERT_EQ(0, hold_release(o->g.vm, UMBRA_POINT_INVALIDATE_ZAPPED));
	EXPECT_EQ(0, task_join(&task));
	self->unended = true;
}

TEST_F(mm_death, u16_invalidation_during_release)
{
	struct owner *o = &self->o;
	uint64_t before;

	ASSERT_EQ(0, owner_create(o, 64, map_file));
	ASSERT_TRUE(told(o));
	ASSERT_EQ(0, hold_arm(o->g.vm, UMBRA_POINT_RELEASE, 1));
	tell(o);
	ASSERT_EQ(0, hold_wait(o->g.vm, UMBRA_POINT_RELEASE, 1));
	EXPECT_EQ(-EIO, verdict(&o->g));
	before = query(o->g.vm, 0).sequence;
	EXPECT_EQ(0, punch(o));
	EXPECT_EQ(before + 1, query(o->g.vm, 0).sequence);
	ASSERT_EQ(0, hold_release(o->g.vm, UMBRA_POINT_RELEASE));
	EXPECT_TRUE(EVENTUALLY(verdict(&o->g) == -ESRCH));
}

static long discard(void *arg)
{
	struct guest *g = arg;

	return madvise(g->mem, PAGE, MADV_DONTNEED) ? -errno : 0;
}

TEST_F(mm_death, u16_closed_during_an_invalidation)
{
	struct guest g;
	struct task task;

	ASSERT_EQ(0, guest_create(&g, 64, 0));
	ASSERT_EQ(0, hold_ctl(g.vm, UMBRA_TEST_DELAY,
			      UMBRA_POINT_INVALIDATE_ZAPPED, 1, 300000, NULL));
	task_start(&task, discard, &g);
	ASSERT_TRUE(EVENTUALLY(query(g.vm,
				     UMBRA_POINT_INVALIDATE_ZAPPED).hits));
	ASSERT_FALSE(task_done(&task, 0));
	guest_destroy(&g);
	EXPECT_EQ(0, task_join(&task));
}

TEST_F(mm_death, u16_module_in_use)
{
	EXPECT_EQ(-1, syscall(SYS_delete_module, "umbra", O_NONBLOCK));
	EXPECT_EQ(EWOULDBLOCK, errno);
}

/* --------------------------------------------------------------------- U17 */

#define CGROUP	"/sys/fs/cgroup/umbra-oom"

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	int ret = 0;

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		ret = -errno;
	close(fd);
	return ret;
}

/* One thread faults, another one takes more memory than there is. */
static void go_out_of_memory(struct owner *o)
{
	struct task task;

	if (write_file(CGROUP "/cgroup.procs", "0"))
		_exit(1);
	told(o);
	task_start(&task, fault_again, o);
	told(o);
	mmap(NULL, 64 * MIB, PROT_READ | PROT_WRITE,
	     MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
}

/* Has the kernel said that the owner's memory was reaped? */
static bool was_reaped(int kmsg, const struct owner *o)
{
	char wanted[64], record[1024];
	ssize_t len;

	snprintf(wanted, sizeof(wanted), "oom_reaper: reaped process %d ",
		 o->pid);
	for (;;) {
		len = read(kmsg, record, sizeof(record) - 1);
		if (len < 0)
			return false;
		record[len] = 0;
		if (strstr(record, wanted))
			return true;
	}
}

TEST_F(mm_death, u17_oom_reaper)
{
	struct owner *o = &self->o;
	struct umbra_test state;
	int kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK);
	uint64_t before;

	ASSERT_LE(0, kmsg);
	lseek(kmsg, 0, SEEK_END);
	rmdir(CGROUP);
	if (mkdir(CGROUP, 0700) ||
	    write_file(CGROUP "/memory.max", "16M"))
		SKIP(return, "no memory cgroup");
	write_file(CGROUP "/memory.swap.max", "0");
	ASSERT_EQ(0, owner_create(o, 96 * MIB / PAGE, go_out_of_memory));

	/* The mm outlives the kill, and so the reaper comes. */
	ASSERT_EQ(0, hold_ctl(o->g.vm, UMBRA_TEST_HOLD_KILL,
			      UMBRA_POINT_FAULT_LOOKED_UP, 1, 0, NULL));
	tell(o);
	ASSERT_EQ(0, hold_wait(o->g.vm, UMBRA_POINT_FAULT_LOOKED_UP, 1));
	/* Holds only those who may sleep. */
	ASSERT_EQ(0, hold_arm(o->g.vm, UMBRA_POINT_INVALIDATE_BEGUN, 1));
	before = query(o->g.vm, UMBRA_POINT_INVALIDATE_BEGUN).hits;
	tell(o);
	EXPECT_TRUE(EVENTUALLY(was_reaped(kmsg, o)));

	state = query(o->g.vm, UMBRA_POINT_INVALIDATE_BEGUN);
	EXPECT_LT(before, state.hits);
	EXPECT_EQ(0, state.held);
	EXPECT_EQ(0, state.in_progress);
	EXPECT_EQ(0, state.active);
	ASSERT_EQ(0, hold_release(o->g.vm, UMBRA_POINT_FAULT_LOOKED_UP));
	EXPECT_TRUE(EVENTUALLY(verdict(&o->g) == -ESRCH));
	close(kmsg);
	rmdir(CGROUP);
}

TEST_HARNESS_MAIN
