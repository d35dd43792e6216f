// SPDX-License-Identifier: GPL-2.0-only
/*
 * Dirty rings: what vCPUs write, told in memory that the process shares with
 * umbra, and may spoil.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "util.h"

#define PAGES	512UL
#define LENGTH	(PAGES * PAGE)
#define RING	64
/* Entries when it is nearly full. */
#define MARK	(RING - RING / 8)

FIXTURE(ring)
{
	struct guest g;
	int vcpu[2];
	struct umbra_ring ring[2];
	uint8_t seen[PAGES];
	uint64_t done;
};

static int set_flags(const struct guest *g, uint32_t flags)
{
	return umbra_set_memslot(g->vm, 0, flags, 0, LENGTH, g->mem);
}

/* All is mapped, and has been written before the log begins. */
FIXTURE_SETUP(ring)
{
	ASSERT_EQ(0, guest_create(&self->g, PAGES, 0));
	ASSERT_EQ(0, umbra_fault(self->g.vcpu, UMBRA_FAULT_WRITE, 0, LENGTH,
				 &self->done));
	for (int i = 0; i < 2; i++) {
		self->vcpu[i] = umbra_create_vcpu_with_ring(self->g.vm, RING);
		ASSERT_LE(0, self->vcpu[i]);
		ASSERT_EQ(0, umbra_map_ring(self->vcpu[i], RING,
					    &self->ring[i]));
	}
	ASSERT_EQ(0, set_flags(&self->g, UMBRA_MEM_LOG_DIRTY));
	srandom(1);
}

FIXTURE_TEARDOWN(ring)
{
	for (int i = 0; i < UMBRA_NR_POINTS; i++)
		hold_release(self->g.vm, i);
	EXPECT_TRUE(guest_quiet(&self->g));
	for (int i = 0; i < 2; i++) {
		umbra_unmap_ring(&self->ring[i]);
		close(self->vcpu[i]);
	}
	guest_destroy(&self->g);
}

static int store(int vcpu, uint64_t page, uint64_t value)
{
	return umbra_store(vcpu, page * PAGE, 8, value);
}

/* Collect all of a ring, counting pages in seen. Returns how many entries. */
static int collect(struct umbra_ring *ring, uint8_t *seen)
{
	uint64_t offset;
	uint32_t slot;
	int n = 0;

	while (umbra_collect(ring, &slot, &offset)) {
		if (slot || offset >= PAGES)
			return -1;
		seen[offset]++;
		n++;
	}
	return n;
}

/* All entries of both rings are collected and reset; pages into seen. */
#define DRAIN() do {							\
	int __n;							\
									\
	memset(self->seen, 0, PAGES);					\
	__n = collect(&self->ring[0], self->seen);			\
	ASSERT_LE(0, __n);						\
	__n += collect(&self->ring[1], self->seen);			\
	ASSERT_EQ(0, umbra_reset_dirty_rings(self->g.vm, &self->done));	\
	ASSERT_EQ(__n, self->done);					\
} while (0)

/* Each page once, however often it was written; none that was only read. */
TEST_F(ring, tells_just_what_was_written)
{
	uint8_t want[PAGES];
	uint64_t value;

	for (int round = 0; round < 20; round++) {
		memset(want, 0, PAGES);
		for (int i = 0; i < MARK; i++) {
			uint64_t page = random() % PAGES;

			ASSERT_EQ(0, store(self->vcpu[i % 2], page, i));
			want[page] = 1;
			page = random() % PAGES;
			ASSERT_EQ(0, umbra_load(self->vcpu[i % 2], page * PAGE,
						8, &value));
		}
		DRAIN();
		ASSERT_EQ(0, memcmp(want, self->seen, PAGES));
	}
	DRAIN();
	EXPECT_EQ(0, self->done);
}

/* Told again only after it was reset; a reset takes what was collected. */
TEST_F(ring, told_again_after_a_reset)
{
	struct umbra_ring *ring = &self->ring[0];
	uint64_t offset;
	uint32_t slot;

	for (int i = 0; i < 3; i++)
		ASSERT_EQ(0, store(self->vcpu[0], 10 + i, 1));
	ASSERT_EQ(0, umbra_reset_dirty_rings(self->g.vm, &self->done));
	EXPECT_EQ(0, self->done);
	ASSERT_EQ(1, umbra_collect(ring, &slot, &offset));
	EXPECT_EQ(0, slot);
	EXPECT_EQ(10, offset);
	ASSERT_EQ(0, store(self->vcpu[0], 10, 2));
	ASSERT_EQ(0, umbra_reset_dirty_rings(self->g.vm, &self->done));
	EXPECT_EQ(1, self->done);
	for (int i = 0; i < 3; i++)
		ASSERT_EQ(0, store(self->vcpu[0], 10 + i, 3));
	for (int i = 0; i < 3; i++) {
		ASSERT_EQ(1, umbra_collect(ring, &slot, &offset));
		EXPECT_EQ((i + 1) % 3 + 10, offset);
	}
	EXPECT_EQ(0, umbra_collect(ring, &slot, &offset));
}

static int events(int vcpu, int msecs)
{
	struct pollfd p = { .fd = vcpu, .events = POLLIN };

	return poll(&p, 1, msecs) < 0 ? -errno : p.revents;
}

/* Up to the mark; then nothing is begun, not even a load. */
TEST_F(ring, nearly_full)
{
	struct umbra_access_op ops[RING] = {};
	struct umbra_access cmd = {
		.size = sizeof(cmd), .ops = (uintptr_t)ops, .nr_ops = RING,
	};
	uint64_t value;

	for (int i = 0; i < RING; i++)
		ops[i] = (struct umbra_access_op){
			.op = UMBRA_OP_STORE, .len = 8, .gpa = i * PAGE,
		};
	EXPECT_EQ(0, events(self->vcpu[0], 0));
	ASSERT_EQ(0, ioctl(self->vcpu[0], UMBRA_ACCESS, &cmd));
	EXPECT_EQ(MARK, cmd.done);
	EXPECT_EQ(POLLIN, events(self->vcpu[0], 0));
	EXPECT_EQ(-ENOSPC, store(self->vcpu[0], 0, 1));
	EXPECT_EQ(-ENOSPC, umbra_load(self->vcpu[0], 0, 8, &value));
	EXPECT_EQ(-ENOSPC, umbra_fault(self->vcpu[0], 0, 0, PAGE, &self->done));
	/* The other has a ring of its own. */
	EXPECT_EQ(0, store(self->vcpu[1], 0, 1));
	EXPECT_EQ(0, events(self->vcpu[1], 0));

	/* Collected is not enough. */
	memset(self->seen, 0, PAGES);
	EXPECT_EQ(MARK, collect(&self->ring[0], self->seen));
	EXPECT_EQ(-ENOSPC, store(self->vcpu[0], 0, 1));
	ASSERT_EQ(0, umbra_reset_dirty_rings(self->g.vm, &self->done));
	EXPECT_EQ(MARK, self->done);
	EXPECT_EQ(0, events(self->vcpu[0], 0));
	EXPECT_EQ(0, store(self->vcpu[0], 0, 1));
}

/* For who asks for exits it is no error. */
TEST_F(ring, exit_when_nearly_full)
{
	struct umbra_access_op op = {
		.op = UMBRA_OP_STORE, .len = 8, .gpa = MARK * PAGE,
	};
	struct umbra_exit exit;
	uint32_t done;

	for (int i = 0; i < MARK; i++)
		ASSERT_EQ(0, store(self->vcpu[0], i, 1));
	ASSERT_EQ(0, umbra_access_exits(self->vcpu[0], UMBRA_ACCESS_EXITS, &op,
					1, &done, &exit));
	EXPECT_EQ(0, done);
	EXPECT_EQ(UMBRA_EXIT_RING_FULL, exit.reason);
	EXPECT_EQ(0, exit.len);
	DRAIN();
	ASSERT_EQ(0, umbra_access_exits(self->vcpu[0], UMBRA_ACCESS_EXITS, &op,
					1, &done, &exit));
	EXPECT_EQ(1, done);
	EXPECT_EQ(UMBRA_EXIT_NONE, exit.reason);
}

static long do_poll(void *arg)
{
	return events(*(int *)arg, 10000);
}

TEST_F(ring, poll_wakes_up)
{
	struct task task;

	task_start(&task, do_poll, &self->vcpu[0]);
	ASSERT_FALSE(task_done(&task, 50));
	for (int i = 0; i < MARK; i++)
		ASSERT_EQ(0, store(self->vcpu[0], i, 1));
	EXPECT_EQ(POLLIN, task_join(&task));
}

/* One operation may use the reserve, and stops when there is no room at all. */
TEST_F(ring, full_in_an_operation)
{
	static uint8_t buf[100 * PAGE];

	memset(buf, 7, sizeof(buf));
	for (int i = 0; i < MARK - 1; i++)
		ASSERT_EQ(0, store(self->vcpu[0], 200 + i, 1));
	ASSERT_EQ(0, umbra_write(self->vcpu[0], 0, buf, 8 * PAGE));
	DRAIN();
	EXPECT_EQ(MARK + 7, self->done);
	EXPECT_EQ(0, memcmp(self->g.mem, buf, 8 * PAGE));

	EXPECT_EQ(-ENOSPC, umbra_write(self->vcpu[0], 0, buf, sizeof(buf)));
	DRAIN();
	EXPECT_EQ(RING, self->done);
	EXPECT_EQ(0, memcmp(self->g.mem, buf, RING * PAGE));
	EXPECT_EQ(0, self->g.mem[RING * PAGE]);
}

/* A fault for writing is cut to what there is room for. */
TEST_F(ring, full_in_a_fault)
{
	struct umbra_fault cmd = {
		.size = sizeof(cmd), .flags = UMBRA_FAULT_WRITE,
		.length = LENGTH,
	};
	int rounds = 0;

	while (cmd.length) {
		ASSERT_EQ(0, ioctl(self->vcpu[0], UMBRA_FAULT, &cmd));
		ASSERT_EQ(RING * PAGE, cmd.done);
		DRAIN();
		ASSERT_EQ(RING, self->done);
		for (int i = 0; i < RING; i++)
			ASSERT_EQ(1, self->seen[rounds * RING + i]);
		cmd.gpa += cmd.done;
		cmd.length -= cmd.done;
		rounds++;
	}
	EXPECT_EQ(PAGES / RING, rounds);
}

/* The ring and the readers of the bitmap do not take from each other. */
TEST_F(ring, beside_a_bitmap)
{
	uint64_t bits[PAGES / 64], dirty;
	const struct guest *g = &self->g;

	ASSERT_EQ(0, store(self->vcpu[0], 5, 1));
	ASSERT_EQ(0, store(self->vcpu[0], 6, 1));
	DRAIN();
	ASSERT_EQ(0, umbra_get_dirty_log(g->vm, 0, 0, 0, PAGES, bits, &dirty));
	EXPECT_EQ(3 << 5, bits[0]);
	EXPECT_EQ(2, dirty);

	ASSERT_EQ(0, store(self->vcpu[0], 6, 1));
	ASSERT_EQ(0, umbra_get_dirty_log(g->vm, 0, 0, 0, PAGES, bits, &dirty));
	EXPECT_EQ(1 << 6, bits[0]);
	DRAIN();
	EXPECT_EQ(1, self->done);
	EXPECT_EQ(1, self->seen[6]);
	ASSERT_EQ(0, store(self->vcpu[1], 6, 1));
	DRAIN();
	EXPECT_EQ(1, self->seen[6]);
	ASSERT_EQ(0, umbra_get_dirty_log(g->vm, 0, 0, 0, PAGES, bits, &dirty));
	EXPECT_EQ(1 << 6, bits[0]);
}

/* By both methods; and not by dirty bits alone, where nothing faults. */
TEST_F(ring, methods)
{
	const struct guest *g = &self->g;
	uint32_t d_bits = UMBRA_MEM_LOG_DIRTY | UMBRA_MEM_LOG_D_BITS;
	uint64_t bits[PAGES / 64], dirty;

	ASSERT_EQ(0, set_flags(g, d_bits | UMBRA_MEM_LOG_PROTECT));
	for (int i = 0; i < 3; i++) {
		ASSERT_EQ(0, store(self->vcpu[0], 5, i));
		DRAIN();
		EXPECT_EQ(1, self->seen[5]);
	}
	/* The reset has not taken what the bitmap is to learn. */
	ASSERT_EQ(0, umbra_get_dirty_log(g->vm, 0, 0, 0, PAGES, bits, &dirty));
	EXPECT_EQ(1, dirty);
	ASSERT_EQ(0, set_flags(g, d_bits));
	ASSERT_EQ(0, store(self->vcpu[0], 5, 1));
	DRAIN();
	EXPECT_EQ(0, self->done);
}

/* Entries of a memslot that has gone, or moved, or is another one now. */
TEST_F(ring, memslot_gone)
{
	const struct guest *g = &self->g;

	ASSERT_EQ(0, store(self->vcpu[0], 5, 1));
	ASSERT_EQ(0, store(self->vcpu[0], PAGES - 1, 1));
	ASSERT_EQ(0, umbra_delete_memslot(g->vm, 0));
	DRAIN();
	EXPECT_EQ(2, self->done);
	ASSERT_EQ(0, set_flags(g, UMBRA_MEM_LOG_DIRTY));
	ASSERT_EQ(0, store(self->vcpu[0], PAGES - 1, 1));
	ASSERT_EQ(0, umbra_delete_memslot(g->vm, 0));
	ASSERT_EQ(0, umbra_set_memslot(g->vm, 0, UMBRA_MEM_LOG_DIRTY, LENGTH,
				       64 * PAGE, g->mem));
	ASSERT_EQ(0, umbra_store(self->vcpu[0], LENGTH + 5 * PAGE, 8, 1));
	DRAIN();
	EXPECT_EQ(2, self->done);
	ASSERT_EQ(0, umbra_store(self->vcpu[0], LENGTH + 5 * PAGE, 8, 1));
	DRAIN();
	EXPECT_EQ(1, self->seen[5]);
}

/* --------------------------------------------------------- windows held open */

static long do_store(void *arg)
{
	return store(*(int *)arg, 5, 1);
}

/* U10: writable first, then pushed. */
TEST_F(ring, u10_pushed_after_it_is_writable)
{
	struct umbra_test before, now;
	struct task task;
	int vm = self->g.vm;

	if (hold_release(vm, 0) == -ENOTTY)
		SKIP(return, "module built without CONFIG_UMBRA_TEST");
	ASSERT_EQ(0, hold_ctl(vm, UMBRA_TEST_DELAY, UMBRA_POINT_FAULT_INSTALLED,
			      1, 500000, &before));
	task_start(&task, do_store, &self->vcpu[0]);
	do {
		usleep(1000);
		ASSERT_EQ(0, hold_ctl(vm, UMBRA_TEST_QUERY,
				      UMBRA_POINT_FAULT_INSTALLED, 0, 0, &now));
	} while (now.hits == before.hits);
	DRAIN();
	ASSERT_FALSE(task_done(&task, 0));
	ASSERT_EQ(0, task_join(&task));
	/* A write after a reset is told, by whomever. */
	ASSERT_EQ(0, store(self->vcpu[1], 5, 2));
	DRAIN();
	EXPECT_EQ(1, self->seen[5]);
}

static long do_reset(void *arg)
{
	uint64_t done;

	return umbra_reset_dirty_rings(*(int *)arg, &done) ?: done;
}

/* Written while its entry is being reset, and the memslot about to go. */
TEST_F(ring, u10_written_while_it_is_reset)
{
	struct task task;
	int vm = self->g.vm;

	if (hold_release(vm, 0) == -ENOTTY)
		SKIP(return, "module built without CONFIG_UMBRA_TEST");
	ASSERT_EQ(0, store(self->vcpu[0], 5, 1));
	ASSERT_EQ(1, collect(&self->ring[0], self->seen));
	ASSERT_EQ(0, hold_arm(vm, UMBRA_POINT_RING_PROTECTED, 1));
	task_start(&task, do_reset, &vm);
	ASSERT_EQ(0, hold_wait(vm, UMBRA_POINT_RING_PROTECTED, 1));
	ASSERT_EQ(0, store(self->vcpu[0], 5, 2));
	ASSERT_EQ(0, store(self->vcpu[1], 6, 2));
	ASSERT_EQ(0, hold_release(vm, UMBRA_POINT_RING_PROTECTED));
	EXPECT_EQ(1, task_join(&task));
	DRAIN();
	EXPECT_EQ(2, self->done);
	EXPECT_EQ(1, self->seen[5]);
	EXPECT_EQ(1, self->seen[6]);
}

/* ----------------------------------------------------------- a hostile process */

static bool stop;

static long write_noise(void *arg)
{
	struct umbra_ring *ring = arg;
	uint32_t *words = (uint32_t *)ring->gfns, noise = 1;

	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED))
		for (int i = 0; i < RING * sizeof(*ring->gfns) / 4; i++) {
			noise = noise * 1664525 + 1013904223;
			/* Often a plausible slot, page and flag. */
			__atomic_store_n(&words[i], noise >> 28 ? noise >> 30 :
							noise, __ATOMIC_RELAXED);
		}
	return 0;
}

TEST_F(ring, noise_is_harmless)
{
	uint64_t resets = 0;
	struct task task;
	int ret;

	__atomic_store_n(&stop, false, __ATOMIC_RELAXED);
	task_start(&task, write_noise, &self->ring[0]);
	for (int i = 0; i < 20000; i++) {
		ret = store(self->vcpu[0], i % PAGES, i);
		ASSERT_TRUE(!ret || ret == -ENOSPC);
		if (!ret)
			ASSERT_EQ(0, memcmp(self->g.mem + i % PAGES * PAGE,
					    &i, sizeof(i)));
		ASSERT_EQ(0, umbra_reset_dirty_rings(self->g.vm, &self->done));
		ASSERT_GE(RING, self->done);
		resets += self->done;
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	task_join(&task);
	EXPECT_LT(0, resets);
	/* The other ring has not suffered. */
	memset(self->seen, 0, PAGES);
	ASSERT_EQ(0, umbra_unmap(self->g.vm, 0, LENGTH));
	for (int i = 0; i < 20; i++)
		ASSERT_EQ(0, store(self->vcpu[1], i, i));
	EXPECT_EQ(20, collect(&self->ring[1], self->seen));
}

static int try_mmap(int vcpu, size_t length, int prot, int flags, off_t offset)
{
	void *p = mmap(NULL, length, prot, flags, vcpu, offset);

	if (p == MAP_FAILED)
		return -errno;
	munmap(p, length);
	return 0;
}

TEST_F(ring, mmap_and_poll_are_checked)
{
	const int rw = PROT_READ | PROT_WRITE;
	int vcpu = self->vcpu[0], none = self->g.vcpu;

	EXPECT_EQ(0, try_mmap(vcpu, PAGE, rw, MAP_SHARED, 0));
	EXPECT_EQ(0, try_mmap(vcpu, PAGE, PROT_READ, MAP_SHARED, 0));
	EXPECT_EQ(-EINVAL, try_mmap(vcpu, PAGE, rw, MAP_PRIVATE, 0));
	EXPECT_EQ(-EINVAL, try_mmap(vcpu, PAGE, rw | PROT_EXEC, MAP_SHARED, 0));
	EXPECT_EQ(-EINVAL, try_mmap(vcpu, 2 * PAGE, rw, MAP_SHARED, 0));
	EXPECT_EQ(-EINVAL, try_mmap(vcpu, PAGE, rw, MAP_SHARED, PAGE));
	EXPECT_EQ(-ENOENT, try_mmap(none, PAGE, rw, MAP_SHARED, 0));
	EXPECT_EQ(POLLERR, events(none, 0));
}

/* Of the largest size, from a program that has closed the vCPU. */
TEST_F(ring, outlives_its_descriptor)
{
	struct umbra_ring ring;
	struct umbra_get_caps caps;
	uint64_t offset;
	uint32_t slot;
	int vcpu;

	ASSERT_EQ(0, umbra_get_caps(self->g.dev, UMBRA_FMT_X86_NPT, &caps));
	vcpu = umbra_create_vcpu_with_ring(self->g.vm, caps.max_ring_size);
	ASSERT_LE(0, vcpu);
	ASSERT_EQ(0, umbra_map_ring(vcpu, caps.max_ring_size, &ring));
	ASSERT_EQ(0, store(vcpu, 5, 1));
	close(vcpu);
	ASSERT_EQ(1, umbra_collect(&ring, &slot, &offset));
	EXPECT_EQ(5, offset);
	EXPECT_EQ(0, ring.gfns[caps.max_ring_size - 1].flags);
	umbra_unmap_ring(&ring);
}

TEST_F(ring, reset_without_rings)
{
	for (int i = 0; i < 2; i++) {
		umbra_unmap_ring(&self->ring[i]);
		close(self->vcpu[i]);
	}
	EXPECT_EQ(-ENOENT, umbra_reset_dirty_rings(self->g.vm, &self->done));
	/* For the end. */
	for (int i = 0; i < 2; i++) {
		self->vcpu[i] = umbra_create_vcpu_with_ring(self->g.vm, RING);
		ASSERT_EQ(0, umbra_map_ring(self->vcpu[i], RING,
					    &self->ring[i]));
	}
	EXPECT_EQ(0, umbra_reset_dirty_rings(self->g.vm, &self->done));
}

TEST_HARNESS_MAIN
