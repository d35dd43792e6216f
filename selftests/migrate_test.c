// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a dirty log is for: memory is copied while vCPUs write to it, and the
 * copy is right in the end. Migration to another process, chains of snapshots,
 * and a log that is compared with the memory round after round.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <signal.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "util.h"

#define WRITERS		2
#define RING		4096
#define BATCH		64

/*
 * A VM with writers: each has a vCPU and pages of its own, and stores the next
 * number of its sequence to random words of random pages. Of its own, since one
 * vCPU may write through what another has made writable but not yet logged.
 */
struct load {
	struct guest g;
	struct writer {
		struct load *load;
		struct task task;
		int vcpu;
		struct umbra_ring ring;
		unsigned int seed;
		uint64_t number;
	} writer[WRITERS];
	uint64_t window;	/* pages that are written to, of all */
	int state;
	int parked;
};

enum { RUN, PARK, STOP };

static int state_of(struct load *l)
{
	return __atomic_load_n(&l->state, __ATOMIC_ACQUIRE);
}

static int store_some(struct writer *w)
{
	struct umbra_access_op ops[BATCH] = {};
	uint64_t window = __atomic_load_n(&w->load->window, __ATOMIC_RELAXED);
	uint64_t step = w->load->g.pages / window;
	struct umbra_exit exit;
	uint32_t done, at = 0;
	int ret = 0;

	for (int i = 0; i < BATCH; i++) {
		uint64_t page = rand_r(&w->seed) % (window / WRITERS) * step *
				WRITERS + (w - w->load->writer);

		ops[i].op = UMBRA_OP_STORE;
		ops[i].len = 8;
		ops[i].gpa = page * PAGE + rand_r(&w->seed) % (PAGE / 8) * 8;
		ops[i].value = w->number += WRITERS;
	}
	while (!ret && at < BATCH) {
		ret = umbra_access_exits(w->vcpu, UMBRA_ACCESS_EXITS, ops + at,
					 BATCH - at, &done, &exit);
		at += done;
		/* Somebody will collect. */
		if (exit.reason == UMBRA_EXIT_RING_FULL)
			usleep(100);
	}
	return ret;
}

static long write_all_the_time(void *arg)
{
	struct writer *w = arg;
	int state, ret = 0;

	while (!ret && (state = state_of(w->load)) != STOP) {
		if (state == RUN) {
			ret = store_some(w);
			continue;
		}
		__atomic_add_fetch(&w->load->parked, 1, __ATOMIC_RELEASE);
		while (state_of(w->load) == PARK)
			usleep(100);
		__atomic_sub_fetch(&w->load->parked, 1, __ATOMIC_RELEASE);
	}
	return ret;
}

/* Until all writers are between two calls; with rings, so that they get there. */
static void park(struct load *l)
{
	__atomic_store_n(&l->state, PARK, __ATOMIC_RELEASE);
	while (__atomic_load_n(&l->parked, __ATOMIC_ACQUIRE) != WRITERS)
		usleep(100);
}

static void go_on(struct load *l)
{
	__atomic_store_n(&l->state, RUN, __ATOMIC_RELEASE);
	while (__atomic_load_n(&l->parked, __ATOMIC_ACQUIRE))
		usleep(100);
}

static int load_create(struct load *l, uint64_t pages, uint32_t ring_size)
{
	int ret = guest_create(&l->g, pages, 0);

	for (uint64_t i = 0; i < pages; i++)
		memset(l->g.mem + i * PAGE, i * 7 + i / 251, PAGE);
	l->window = pages;
	for (int i = 0; i < WRITERS && !ret; i++) {
		struct writer *w = &l->writer[i];

		*w = (struct writer){ .load = l, .seed = i, .number = i };
		w->vcpu = umbra_create_vcpu_with_ring(l->g.vm, ring_size);
		ret = w->vcpu < 0 ? w->vcpu : 0;
		if (!ret && ring_size)
			ret = umbra_map_ring(w->vcpu, ring_size, &w->ring);
	}
	return ret;
}

static void load_start(struct load *l)
{
	for (int i = 0; i < WRITERS; i++)
		task_start(&l->writer[i].task, write_all_the_time,
			   &l->writer[i]);
}

static long load_stop(struct load *l)
{
	long ret = 0;

	__atomic_store_n(&l->state, STOP, __ATOMIC_RELEASE);
	for (int i = 0; i < WRITERS; i++)
		ret = task_join(&l->writer[i].task) ?: ret;
	return ret;
}

static void load_destroy(struct load *l)
{
	for (int i = 0; i < WRITERS; i++) {
		if (l->writer[i].ring.gfns)
			umbra_unmap_ring(&l->writer[i].ring);
		close(l->writer[i].vcpu);
	}
	guest_destroy(&l->g);
}

static int set_flags(struct load *l, uint32_t flags, uint32_t readers)
{
	return umbra_set_logged(l->g.vm, 0, flags, readers, 0,
				l->g.pages * PAGE, l->g.mem);
}

static uint64_t words(const struct load *l)
{
	return (l->g.pages + 63) / 64;
}

static bool has(const uint64_t *bits, uint64_t page)
{
	return bits[page / 64] >> page % 64 & 1;
}

static int get(struct load *l, uint32_t reader, uint64_t *bits, uint64_t *dirty)
{
	return umbra_get_reader_log(l->g.vm, 0, 0, reader, 0, l->g.pages, bits,
				    dirty);
}

/* The same by KEEP and CLEAR, a quarter at a time. */
static int get_and_clear(struct load *l, uint64_t *bits, uint64_t *dirty)
{
	uint64_t quarter = l->g.pages / 4;
	int ret = umbra_get_dirty_log(l->g.vm, UMBRA_DIRTY_LOG_KEEP, 0, 0,
				      l->g.pages, bits, dirty);

	for (uint64_t at = 0; at < l->g.pages && !ret; at += quarter)
		ret = umbra_clear_dirty_log(l->g.vm, 0, at, quarter,
					    bits + at / 64);
	return ret;
}

/* The same from the rings. */
static int drain(struct load *l, uint64_t *bits, uint64_t *dirty)
{
	uint64_t offset, done;
	uint32_t slot;

	memset(bits, 0, words(l) * 8);
	for (int i = 0; i < WRITERS; i++)
		while (umbra_collect(&l->writer[i].ring, &slot, &offset))
			bits[offset / 64] |= 1ULL << offset % 64;
	*dirty = 0;
	for (uint64_t i = 0; i < words(l); i++)
		*dirty += __builtin_popcountll(bits[i]);
	return umbra_reset_dirty_rings(l->g.vm, &done);
}

/* ---------------------------------------------------------------- migration */

#define GUEST_PAGES	65536UL		/* 256 MiB */

FIXTURE(migrate)
{
	struct load load;
	uint64_t *bits;
	uint64_t dirty;
	pid_t pid;		/* the other process, */
	uint8_t *there;		/* where it has its memory, */
	int in, out;		/* and what it and this one wait for */
};

/*
 * The other process: memory of its own, and a VM, which reads all of it in the
 * end. It says where the memory is, and how it went.
 */
static int receive(int in, int out)
{
	static uint8_t buf[256 * PAGE];
	struct guest g;
	char go;
	int ret = guest_create(&g, GUEST_PAGES, 0);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (ret || write(out, &g.mem, sizeof(g.mem)) != sizeof(g.mem) ||
	    read(in, &go, 1) != 1)
		return 1;
	for (uint64_t at = 0; at < GUEST_PAGES * PAGE; at += sizeof(buf))
		if (umbra_read(g.vcpu, at, buf, sizeof(buf)) ||
		    memcmp(buf, g.mem + at, sizeof(buf)))
			return 2;
	return guest_quiet(&g) ? 0 : 3;
}

FIXTURE_SETUP(migrate)
{
	int to[2], from[2];

	ASSERT_EQ(0, pipe(to));
	ASSERT_EQ(0, pipe(from));
	self->pid = fork();
	ASSERT_LE(0, self->pid);
	if (!self->pid)
		_exit(receive(to[0], from[1]));
	self->in = from[0];
	self->out = to[1];
	ASSERT_EQ(sizeof(self->there), read(self->in, &self->there,
					    sizeof(self->there)));
	self->bits = malloc(GUEST_PAGES / 8);
}

FIXTURE_TEARDOWN(migrate)
{
	EXPECT_TRUE(guest_quiet(&self->load.g));
	load_destroy(&self->load);
	kill(self->pid, SIGKILL);
	waitpid(self->pid, NULL, 0);
	free(self->bits);
}

/* Copy the pages whose bits are set to the other process. */
static int send_pages(struct load *l, pid_t pid, uint8_t *there,
		      const uint64_t *bits)
{
	struct iovec here, remote;
	uint64_t page = 0, end;

	for (; page < GUEST_PAGES; page = end) {
		end = page + 1;
		if (!has(bits, page))
			continue;
		while (end < GUEST_PAGES && has(bits, end) && end - page < 4096)
			end++;
		here.iov_base = l->g.mem + page * PAGE;
		here.iov_len = (end - page) * PAGE;
		remote.iov_base = there + page * PAGE;
		remote.iov_len = here.iov_len;
		if (process_vm_writev(pid, &here, 1, &remote, 1, 0) !=
		    here.iov_len)
			return -errno;
	}
	return 0;
}

/* Is all memory there as it is here? */
static bool identical(struct load *l, pid_t pid, uint8_t *there)
{
	static uint8_t buf[1024 * PAGE];

	for (uint64_t at = 0; at < GUEST_PAGES * PAGE; at += sizeof(buf)) {
		struct iovec here = { buf, sizeof(buf) };
		struct iovec remote = { there + at, sizeof(buf) };

		if (process_vm_readv(pid, &here, 1, &remote, 1, 0) !=
		    sizeof(buf) || memcmp(buf, l->g.mem + at, sizeof(buf)))
			return false;
	}
	return true;
}

#define ROUNDS	5

#define FINISH() do {							\
	uint64_t __total = self->dirty;					\
	int __status;							\
									\
	EXPECT_LT(0, __total);						\
	EXPECT_GT(GUEST_PAGES, __total);				\
	EXPECT_TRUE(identical(&self->load, self->pid, self->there));	\
	ASSERT_EQ(1, write(self->out, "", 1));				\
	ASSERT_EQ(self->pid, waitpid(self->pid, &__status, 0));		\
	EXPECT_EQ(0, __status);						\
} while (0)

/* A log that begins with all pages is the first round as well. */
TEST_F_TIMEOUT(migrate, by_bitmap, 600)
{
	struct load *l = &self->load;

	ASSERT_EQ(0, load_create(l, GUEST_PAGES, 0));
	l->window = 2048;
	load_start(l);
	ASSERT_EQ(0, set_flags(l, UMBRA_MEM_LOG_DIRTY | UMBRA_MEM_LOG_ALL_SET,
			       0));
	for (int round = 0; round < ROUNDS; round++) {
		ASSERT_EQ(0, get(l, 0, self->bits, &self->dirty));
		if (!round)
			EXPECT_EQ(GUEST_PAGES, self->dirty);
		ASSERT_EQ(0, send_pages(l, self->pid, self->there, self->bits));
	}
	/* The writers stop: what is left now is all. */
	ASSERT_EQ(0, load_stop(l));
	ASSERT_EQ(0, get(l, 0, self->bits, &self->dirty));
	ASSERT_EQ(0, send_pages(l, self->pid, self->there, self->bits));
	FINISH();
}

TEST_F_TIMEOUT(migrate, by_ring, 600)
{
	struct load *l = &self->load;

	ASSERT_EQ(0, load_create(l, GUEST_PAGES, RING));
	l->window = 2048;
	load_start(l);
	ASSERT_EQ(0, set_flags(l, UMBRA_MEM_LOG_DIRTY, 0));
	memset(self->bits, 0xff, GUEST_PAGES / 8);
	ASSERT_EQ(0, send_pages(l, self->pid, self->there, self->bits));
	for (int round = 1; round < ROUNDS; round++) {
		ASSERT_EQ(0, drain(l, self->bits, &self->dirty));
		ASSERT_EQ(0, send_pages(l, self->pid, self->there, self->bits));
	}
	ASSERT_EQ(0, load_stop(l));
	ASSERT_EQ(0, drain(l, self->bits, &self->dirty));
	ASSERT_EQ(0, send_pages(l, self->pid, self->there, self->bits));
	FINISH();
}

/* ---------------------------------------------------------------- snapshots */

#define SNAP_PAGES	2048UL
#define CHAIN		4		/* a full one, and three increments */

struct snapshot {
	uint64_t bits[SNAP_PAGES / 64];
	uint8_t *pages;		/* those whose bits are set, one after another */
	uint8_t *truth;		/* all memory at that time */
};

static uint8_t *room(void)
{
	return mmap(NULL, SNAP_PAGES * PAGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static int take_snapshot(struct load *l, struct snapshot *s)
{
	uint64_t dirty, n = 0;
	int ret = get(l, 1, s->bits, &dirty);

	s->pages = room();
	s->truth = room();
	for (uint64_t page = 0; page < SNAP_PAGES; page++)
		if (has(s->bits, page))
			memcpy(s->pages + n++ * PAGE, l->g.mem + page * PAGE,
			       PAGE);
	memcpy(s->truth, l->g.mem, SNAP_PAGES * PAGE);
	return ret ?: n == dirty ? 0 : -EIO;
}

static void restore(uint8_t *mem, const struct snapshot *s)
{
	uint64_t n = 0;

	for (uint64_t page = 0; page < SNAP_PAGES; page++)
		if (has(s->bits, page))
			memcpy(mem + page * PAGE, s->pages + n++ * PAGE, PAGE);
}

/* While another reader takes the same pages, as a migration would. */
TEST(chain_of_snapshots)
{
	static uint64_t bits[SNAP_PAGES / 64];
	static struct snapshot chain[CHAIN];
	struct load l = { .state = RUN };
	uint8_t *mem = room();
	uint64_t dirty;

	ASSERT_EQ(0, load_create(&l, SNAP_PAGES, 0));
	load_start(&l);
	ASSERT_EQ(0, set_flags(&l, UMBRA_MEM_LOG_DIRTY | UMBRA_MEM_LOG_ALL_SET,
			       3));
	for (int i = 0; i < CHAIN; i++) {
		for (int j = 0; j < 3; j++) {
			usleep(2000);
			ASSERT_EQ(0, get(&l, 0, bits, &dirty));
		}
		park(&l);
		ASSERT_EQ(0, take_snapshot(&l, &chain[i]));
		__atomic_store_n(&l.window, SNAP_PAGES >> (2 * i + 2),
				 __ATOMIC_RELAXED);
		go_on(&l);
	}
	ASSERT_EQ(0, load_stop(&l));
	for (int i = 0; i < CHAIN; i++) {
		restore(mem, &chain[i]);
		EXPECT_EQ(0, memcmp(mem, chain[i].truth, SNAP_PAGES * PAGE))
			TH_LOG("snapshot %d", i);
	}
	/* The increments were increments. */
	EXPECT_TRUE(chain[0].bits[5] == ~0ULL);
	EXPECT_NE(0, memcmp(chain[CHAIN - 1].bits, chain[0].bits,
			    sizeof(bits)));
	EXPECT_TRUE(guest_quiet(&l.g));
	load_destroy(&l);
}

/* ------------------------------------------------- a log against the memory */

#define LOG_PAGES	1024UL
#define LOG_ROUNDS	60

/*
 * A page that a round does not tell has, just before it, what it had when it
 * was told last: the numbers in memory only grow.
 */
FIXTURE(against_memory)
{
	struct load load;
	uint64_t bits[LOG_PAGES / 64];
	uint8_t *before;
	uint8_t *known;
	uint64_t dirty;
};

FIXTURE_VARIANT(against_memory)
{
	uint32_t flags;
	uint32_t ring;
	bool clear;
};

FIXTURE_VARIANT_ADD(against_memory, protection)
{
	.flags = UMBRA_MEM_LOG_DIRTY,
};

FIXTURE_VARIANT_ADD(against_memory, protection_cleared)
{
	.flags = UMBRA_MEM_LOG_DIRTY,
	.clear = true,
};

FIXTURE_VARIANT_ADD(against_memory, d_bits)
{
	.flags = UMBRA_MEM_LOG_DIRTY | UMBRA_MEM_LOG_D_BITS,
};

FIXTURE_VARIANT_ADD(against_memory, d_bits_cleared)
{
	.flags = UMBRA_MEM_LOG_DIRTY | UMBRA_MEM_LOG_D_BITS,
	.clear = true,
};

FIXTURE_VARIANT_ADD(against_memory, both)
{
	.flags = UMBRA_MEM_LOG_DIRTY | UMBRA_MEM_LOG_D_BITS |
		 UMBRA_MEM_LOG_PROTECT,
};

FIXTURE_VARIANT_ADD(against_memory, rings)
{
	.flags = UMBRA_MEM_LOG_DIRTY,
	.ring = RING,
};

FIXTURE_SETUP(against_memory)
{
	ASSERT_EQ(0, load_create(&self->load, LOG_PAGES, variant->ring));
	self->before = malloc(LOG_PAGES * PAGE);
	self->known = malloc(LOG_PAGES * PAGE);
	ASSERT_EQ(0, set_flags(&self->load, variant->flags, 0));
	memcpy(self->known, self->load.g.mem, LOG_PAGES * PAGE);
}

FIXTURE_TEARDOWN(against_memory)
{
	EXPECT_TRUE(guest_quiet(&self->load.g));
	load_destroy(&self->load);
	free(self->before);
	free(self->known);
}

TEST_F_TIMEOUT(against_memory, tells_every_write, 300)
{
	struct load *l = &self->load;
	uint64_t told = 0;
	bool last;
	int ret;

	load_start(l);
	for (int round = 0; round <= LOG_ROUNDS; round++) {
		last = round == LOG_ROUNDS;
		/* Densities from one page in 256 to all. */
		__atomic_store_n(&l->window, LOG_PAGES >> random() % 9,
				 __ATOMIC_RELAXED);
		usleep(random() % 3000);
		if (last)
			ASSERT_EQ(0, load_stop(l));
		memcpy(self->before, l->g.mem, LOG_PAGES * PAGE);
		if (variant->ring)
			ret = drain(l, self->bits, &self->dirty);
		else if (variant->clear)
			ret = get_and_clear(l, self->bits, &self->dirty);
		else
			ret = get(l, 0, self->bits, &self->dirty);
		ASSERT_EQ(0, ret);
		told += self->dirty;
		for (uint64_t page = 0; page < LOG_PAGES; page++) {
			uint64_t at = page * PAGE;

			if (has(self->bits, page))
				memcpy(self->known + at, l->g.mem + at, PAGE);
			else
				ASSERT_EQ(0, memcmp(self->known + at,
						    self->before + at, PAGE))
					TH_LOG("round %d, page %lu", round,
					       page);
		}
	}
	EXPECT_EQ(0, memcmp(self->known, l->g.mem, LOG_PAGES * PAGE));
	EXPECT_LT(0, told);
}

TEST_HARNESS_MAIN
