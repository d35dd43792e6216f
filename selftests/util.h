/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the selftests share: a VM with memory, hold points, threads.
 *
 * Functions of libumbra return a negative errno; so do these.
 */
#ifndef UTIL_H
#define UTIL_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <linux/umbra_test.h>
#include <umbra.h>

#define PAGE	4096UL

/* A VM with one vCPU and one memslot of anonymous memory at gpa 0. */
struct guest {
	int dev;
	uint32_t format;
	int vm;
	int vcpu;
	uint8_t *mem;
	uint64_t pages;
};

/* Memory is MADV_NOHUGEPAGE and not touched yet. Returns 0 or -errno. */
int guest_create(struct guest *g, uint64_t pages, uint32_t slot_flags);
void guest_destroy(struct guest *g);

/* What the shadow table has at gpa: UMBRA_PTE_*, or 0. */
uint32_t guest_pte(const struct guest *g, uint64_t gpa);
struct umbra_get_stats guest_stats(const struct guest *g);

/* UMBRA_TEST: returns 0 or -errno; -ENOTTY without CONFIG_UMBRA_TEST. */
int hold_ctl(int vm, uint32_t op, uint32_t point, uint32_t count,
	     uint64_t usecs, struct umbra_test *out);
static inline int hold_arm(int vm, uint32_t point, uint32_t count)
{
	return hold_ctl(vm, UMBRA_TEST_HOLD, point, count, 0, NULL);
}

/* Wait up to 10 s until count threads are held. */
static inline int hold_wait(int vm, uint32_t point, uint32_t count)
{
	return hold_ctl(vm, UMBRA_TEST_WAIT, point, count, 10000000, NULL);
}

static inline int hold_release(int vm, uint32_t point)
{
	return hold_ctl(vm, UMBRA_TEST_DISARM, point, 0, 0, NULL);
}

/*
 * True if nothing is left over: no invalidation between begin and end, no
 * notifier call between start and end, VERIFY of all gpas without mismatch.
 */
bool guest_quiet(const struct guest *g);

/* A thread that runs fn(arg) once. */
struct task {
	pthread_t thread;
	long (*fn)(void *arg);
	void *arg;
	long ret;
	bool done;
};

void task_start(struct task *t, long (*fn)(void *arg), void *arg);
/* Has it ended within msecs? */
bool task_done(struct task *t, unsigned int msecs);
/* Wait for it, and return what fn returned. */
long task_join(struct task *t);

#endif /* UTIL_H */
