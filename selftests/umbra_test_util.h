/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the selftests share: a guest, hold points, workers, other processes.
 *
 * Helpers that take _metadata assert. Only the thread that runs the test may
 * call them.
 */
#ifndef UMBRA_TEST_UTIL_H
#define UMBRA_TEST_UTIL_H

#include <kselftest_harness.h>

#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>

#include <linux/umbra_test.h>

#include "umbra.h"

#define PAGE	4096UL
#define MIB	(1UL << 20)
#define GIB	(1UL << 30)

#define __maybe_unused	__attribute__((__unused__))

/* Wait up to ten seconds, and say whether @condition has become true. */
#define EVENTUALLY(condition) ({			\
	int __left = 1000;				\
							\
	while (!(condition) && __left--)		\
		usleep(10000);				\
	__left >= 0;					\
})

/* ---------------------------------------------------------------- a guest */

/* Where memslot 0 of a guest begins. */
#define GPA		GIB
#define GPA_LIMIT	(1UL << 48)

/* A VM of this process; memslot 0 is private memory, in small pages. */
struct guest {
	int vm;
	int vcpu[2];
	char *mem;
	size_t length;
};

static char *map_memory(struct __test_metadata *_metadata, size_t length)
{
	char *mem = mmap(NULL, length, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT_NE(MAP_FAILED, mem);
	/* It fails where the kernel has no huge pages to begin with. */
	madvise(mem, length, MADV_NOHUGEPAGE);
	return mem;
}

static void __maybe_unused guest_create(struct __test_metadata *_metadata,
					struct guest *g, size_t length,
					uint32_t flags)
{
	int dev = umbra_open();

	ASSERT_LE(0, dev) TH_LOG("is the module loaded?");
	g->vm = umbra_create_vm(dev, UMBRA_FMT_X86_NPT, 0);
	ASSERT_LE(0, g->vm);
	close(dev);
	for (size_t i = 0; i < ARRAY_SIZE(g->vcpu); i++) {
		g->vcpu[i] = umbra_create_vcpu(g->vm);
		ASSERT_LE(0, g->vcpu[i]);
	}
	g->mem = map_memory(_metadata, length);
	g->length = length;
	ASSERT_EQ(0, umbra_set_memslot(g->vm, 0, flags, GPA, length, g->mem));
}

static char *page(const struct guest *g, unsigned long nr)
{
	return g->mem + nr * PAGE;
}

static uint64_t gpa(unsigned long nr)
{
	return GPA + nr * PAGE;
}

/* What the process sees of a page: its first word. */
static volatile uint64_t *word(const struct guest *g, unsigned long nr)
{
	return (volatile uint64_t *)page(g, nr);
}

/* What a page holds from guest_fill() on. */
static uint64_t content(unsigned long nr)
{
	return 0x1000000 + nr;
}

static void __maybe_unused guest_fill(const struct guest *g)
{
	for (unsigned long nr = 0; nr < g->length / PAGE; nr++)
		*word(g, nr) = content(nr);
}

/* ------------------------------------- operations that are meant to succeed */

static uint64_t __maybe_unused load(struct __test_metadata *_metadata, int vcpu,
				    uint64_t gpa)
{
	uint64_t value;

	ASSERT_EQ(0, umbra_load(vcpu, gpa, 8, &value));
	return value;
}

static void __maybe_unused store(struct __test_metadata *_metadata, int vcpu,
				 uint64_t gpa, uint64_t value)
{
	ASSERT_EQ(0, umbra_store(vcpu, gpa, 8, value));
}

static void __maybe_unused fault(struct __test_metadata *_metadata, int vcpu,
				 uint32_t flags, uint64_t gpa, uint64_t length)
{
	uint64_t done;

	ASSERT_EQ(0, umbra_fault(vcpu, flags, gpa, length, &done));
	ASSERT_EQ(length, done);
}

/* Map all of memslot 0. */
static void __maybe_unused guest_map(struct __test_metadata *_metadata,
				     const struct guest *g, uint32_t flags)
{
	fault(_metadata, g->vcpu[0], flags, GPA, g->length);
}

static struct umbra_get_stats stats(struct __test_metadata *_metadata, int vm)
{
	struct umbra_get_stats stats;

	ASSERT_EQ(0, umbra_get_stats(vm, &stats));
	return stats;
}

/* UMBRA_PTE_* at a gpa. */
static uint32_t __maybe_unused rights(struct __test_metadata *_metadata, int vm,
				      uint64_t gpa)
{
	struct umbra_translate out;

	ASSERT_EQ(0, umbra_translate(vm, 0, gpa, &out));
	return out.pte;
}

/* Compare all of the table with the primary MMU. Returns the leaves. */
static uint64_t verify(struct __test_metadata *_metadata, int vm)
{
	struct umbra_verify out;

	EXPECT_EQ(0, umbra_verify(vm, 0, GPA_LIMIT, &out));
	EXPECT_EQ(GPA_LIMIT, out.done);
	EXPECT_EQ(0, out.mismatches)
		TH_LOG("first at gpa %#llx", out.first_bad);
	return out.leaves;
}

/* A load or store that may not wait: 0 or an error. */
static int __maybe_unused access_nowait(int vcpu, uint32_t op, uint64_t gpa,
					uint64_t *value)
{
	struct umbra_access_op access = {
		.op = op,
		.len = 8,
		.gpa = gpa,
		.value = *value,
	};
	uint32_t done;
	int ret;

	ret = umbra_access(vcpu, UMBRA_ACCESS_NOWAIT, &access, 1, &done);
	*value = access.value;
	return ret;
}

static int __maybe_unused fault_nowait(int vcpu, uint64_t gpa)
{
	uint64_t done;

	return umbra_fault(vcpu, UMBRA_FAULT_NOWAIT, gpa, PAGE, &done);
}

/* ------------------------------------------------------------- hold points */

static int call(int fd, unsigned long cmd, void *arg)
{
	return ioctl(fd, cmd, arg) ? -errno : 0;
}

static int test_call(int vm, uint32_t op, uint32_t point, uint32_t count,
		     uint64_t usecs, struct umbra_test *out)
{
	*out = (struct umbra_test){
		.size = sizeof(*out),
		.op = op,
		.point = point,
		.count = count,
		.usecs = usecs,
	};
	return call(vm, UMBRA_TEST, out);
}

static bool has_hold_points(int vm)
{
	struct umbra_test out;

	return test_call(vm, UMBRA_TEST_QUERY, 0, 0, 0, &out) != -ENOTTY;
}

#define SKIP_WITHOUT_HOLD_POINTS(vm) do {				\
	if (!has_hold_points(vm))					\
		SKIP(return, "the module lacks CONFIG_UMBRA_TEST");	\
} while (0)

static struct umbra_test __maybe_unused
query(struct __test_metadata *_metadata, int vm, uint32_t point)
{
	struct umbra_test out;

	ASSERT_EQ(0, test_call(vm, UMBRA_TEST_QUERY, point, 0, 0, &out));
	return out;
}

/* Hold the next thread that comes to @point. */
static void __maybe_unused hold(struct __test_metadata *_metadata, int vm,
				uint32_t point)
{
	struct umbra_test out;

	ASSERT_EQ(0, test_call(vm, UMBRA_TEST_HOLD, point, 1, 0, &out));
}

/* Delay the next thread that comes to @point, by a third of a second. */
static void __maybe_unused delay(struct __test_metadata *_metadata, int vm,
				 uint32_t point)
{
	struct umbra_test out;

	ASSERT_EQ(0, test_call(vm, UMBRA_TEST_DELAY, point, 1, 300000, &out));
}

static void __maybe_unused wait_held(struct __test_metadata *_metadata, int vm,
				     uint32_t point)
{
	struct umbra_test out;

	ASSERT_EQ(0, test_call(vm, UMBRA_TEST_WAIT, point, 1, 10000000, &out));
}

/* Wait until @point has been passed more than @hits times: for delays. */
static void __maybe_unused wait_hit(struct __test_metadata *_metadata, int vm,
				    uint32_t point, uint64_t hits)
{
	ASSERT_TRUE(EVENTUALLY(query(_metadata, vm, point).hits > hits));
}

static void __maybe_unused release(struct __test_metadata *_metadata, int vm,
				   uint32_t point)
{
	struct umbra_test out;

	ASSERT_EQ(0, test_call(vm, UMBRA_TEST_DISARM, point, 0, 0, &out));
}

/* After every test: nothing is under way, and the table is right. */
static void __maybe_unused guest_destroy(struct __test_metadata *_metadata,
					 struct guest *g)
{
	struct umbra_test out;

	if (has_hold_points(g->vm)) {
		for (uint32_t point = 0; point < UMBRA_NR_POINTS; point++)
			test_call(g->vm, UMBRA_TEST_DISARM, point, 0, 0, &out);
		EXPECT_EQ(0, out.in_progress);
		EXPECT_EQ(0, out.active);
	}
	verify(_metadata, g->vm);
	for (size_t i = 0; i < ARRAY_SIZE(g->vcpu); i++)
		EXPECT_EQ(0, close(g->vcpu[i]));
	EXPECT_EQ(0, close(g->vm));
}

/* ----------------------------------------------------------------- workers */

/* What a worker is to do: @fn, and what @fn needs. */
struct work {
	int (*fn)(struct work *work);
	int fd;			/* of a VM or vCPU */
	char *mem;
	uint64_t gpa;
	size_t length;
	uint32_t flags;
	uint64_t value;
	uint64_t done;
	bool stop;		/* ends what goes on for ever */
};

/*
 * A thread that is there before it is needed: making one writes to the address
 * space, and waits for an invalidation that is held.
 */
struct worker {
	pthread_t thread;
	sem_t go;
	sem_t done;
	struct work work;
	int ret;
};

static void *worker_run(void *arg)
{
	struct worker *w = arg;

	while (!sem_wait(&w->go)) {
		w->ret = w->work.fn(&w->work);
		sem_post(&w->done);
	}
	return NULL;
}

static void __maybe_unused worker_create(struct __test_metadata *_metadata,
					 struct worker *w)
{
	ASSERT_EQ(0, sem_init(&w->go, 0, 0));
	ASSERT_EQ(0, sem_init(&w->done, 0, 0));
	ASSERT_EQ(0, pthread_create(&w->thread, NULL, worker_run, w));
}

static void __maybe_unused start(struct worker *w, struct work work)
{
	w->work = work;
	sem_post(&w->go);
}

/* Wait for the worker's result. */
static int __maybe_unused finish(struct __test_metadata *_metadata,
				 struct worker *w)
{
	struct timespec deadline;

	clock_gettime(CLOCK_REALTIME, &deadline);
	deadline.tv_sec += 20;
	ASSERT_EQ(0, sem_timedwait(&w->done, &deadline));
	return w->ret;
}

/* Given time to end, it does not. */
static bool __maybe_unused still_working(struct worker *w)
{
	int done;

	usleep(100000);
	sem_getvalue(&w->done, &done);
	return !done;
}

static bool __maybe_unused stopped(const struct work *work)
{
	return __atomic_load_n(&work->stop, __ATOMIC_RELAXED);
}

static void __maybe_unused stop(struct worker *w)
{
	__atomic_store_n(&w->work.stop, true, __ATOMIC_RELAXED);
}

static int __maybe_unused do_load(struct work *work)
{
	return umbra_load(work->fd, work->gpa, 8, &work->value);
}

static int __maybe_unused do_store(struct work *work)
{
	return umbra_store(work->fd, work->gpa, 8, work->value);
}

/* One call, which a signal may end half-way. */
static int __maybe_unused do_fault(struct work *work)
{
	struct umbra_fault arg = {
		.size = sizeof(arg),
		.flags = work->flags,
		.gpa = work->gpa,
		.length = work->length,
	};
	int ret = call(work->fd, UMBRA_FAULT, &arg);

	work->done = arg.done;
	return ret;
}

static int __maybe_unused do_discard(struct work *work)
{
	return madvise(work->mem, work->length, MADV_DONTNEED) ? -errno : 0;
}

static int __maybe_unused do_set_memslot(struct work *work)
{
	return umbra_set_memslot(work->fd, work->value, work->flags, work->gpa,
				 work->length, work->mem);
}

/* --------------------------------------------------------- other processes */

static void send_guest(struct __test_metadata *_metadata, int sock,
		       const struct guest *g)
{
	union {
		char buf[CMSG_SPACE(sizeof(*g))];
		struct cmsghdr align;
	} control = {};
	struct iovec iov = { .iov_base = (void *)g, .iov_len = sizeof(*g) };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.buf,
		.msg_controllen = CMSG_SPACE(3 * sizeof(int)),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(3 * sizeof(int));
	memcpy(CMSG_DATA(cmsg), &g->vm, sizeof(int));
	memcpy(CMSG_DATA(cmsg) + sizeof(int), g->vcpu, 2 * sizeof(int));
	ASSERT_EQ(sizeof(*g), sendmsg(sock, &msg, 0));
}

static void receive_guest(struct __test_metadata *_metadata, int sock,
			  struct guest *g)
{
	union {
		char buf[CMSG_SPACE(3 * sizeof(int))];
		struct cmsghdr align;
	} control = {};
	struct iovec iov = { .iov_base = g, .iov_len = sizeof(*g) };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.buf,
		.msg_controllen = sizeof(control.buf),
	};
	struct cmsghdr *cmsg;

	ASSERT_EQ(sizeof(*g), recvmsg(sock, &msg, 0));
	cmsg = CMSG_FIRSTHDR(&msg);
	ASSERT_NE(NULL, cmsg);
	ASSERT_EQ(CMSG_LEN(3 * sizeof(int)), cmsg->cmsg_len);
	memcpy(&g->vm, CMSG_DATA(cmsg), sizeof(int));
	memcpy(g->vcpu, CMSG_DATA(cmsg) + sizeof(int), 2 * sizeof(int));
}

/* Let the process at the other end of @sock go on, or wait until it does. */
static void __maybe_unused signal_peer(struct __test_metadata *_metadata,
				       int sock)
{
	ASSERT_EQ(1, write(sock, "", 1));
}

static void __maybe_unused await_peer(struct __test_metadata *_metadata,
				      int sock)
{
	char byte;

	ASSERT_EQ(1, read(sock, &byte, 1));
}

/* A process with a guest of its own, whose descriptors @g has as well. */
struct owner {
	pid_t pid;
	int sock;
	struct guest g;
};

/* Make an owner that fills and maps @length bytes, and then runs @fn. */
static void __maybe_unused owner_create(struct __test_metadata *_metadata,
					struct owner *o, size_t length,
					void (*fn)(struct __test_metadata *,
						   struct owner *))
{
	int sock[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sock));
	o->pid = fork();
	ASSERT_LE(0, o->pid);
	o->sock = sock[!o->pid];
	close(sock[!!o->pid]);
	if (o->pid) {
		receive_guest(_metadata, o->sock, &o->g);
		return;
	}

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	guest_create(_metadata, &o->g, length, 0);
	guest_fill(&o->g);
	guest_map(_metadata, &o->g, UMBRA_FAULT_WRITE);
	send_guest(_metadata, o->sock, &o->g);
	fn(_metadata, o);
	_exit(0);
}

/* Wait until a process has ended; return its status, or -1 if it does not. */
static int __maybe_unused reap(pid_t pid)
{
	int status;

	return EVENTUALLY(waitpid(pid, &status, WNOHANG) == pid) ? status : -1;
}

/* ----------------------------------------------------- the kernel's settings */

/* Returns 0 or a negative errno. */
static int __maybe_unused write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t len = strlen(text);
	int ret;

	if (fd < 0)
		return -errno;
	ret = write(fd, text, len) == len ? 0 : -errno;
	close(fd);
	return ret;
}

/* The number that follows @key in a file, or -1. */
static long __maybe_unused read_number(const char *path, const char *key)
{
	FILE *file = fopen(path, "re");
	char line[256];
	long number = -1;

	if (!file)
		return -1;
	while (number < 0 && fgets(line, sizeof(line), file))
		if (!strncmp(line, key, strlen(key)))
			sscanf(line + strlen(key), "%ld", &number);
	fclose(file);
	return number;
}

/* Is there swap, or can it be turned on? */
static bool __maybe_unused have_swap(void)
{
	return read_number("/proc/meminfo", "SwapTotal:") > 0 ||
	       !system("swap-on > /dev/null 2>&1");
}

#endif /* UMBRA_TEST_UTIL_H */
