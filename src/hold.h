/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Hold points: places where a test can open the window of a race.
 *
 * include/uapi/linux/umbra_test.h names the points and says what a test can do
 * there. Without CONFIG_UMBRA_TEST all of this compiles to nothing.
 */
#ifndef UMBRA_HOLD_H
#define UMBRA_HOLD_H

#include <linux/types.h>
#include <uapi/linux/umbra_test.h>

#ifdef CONFIG_UMBRA_TEST

#include <linux/spinlock.h>
#include <linux/wait.h>

/**
 * struct umbra_hold_point - what happens at one point
 * @action: UMBRA_TEST_DISARM, _HOLD, _HOLD_KILL, _DELAY or _FAIL
 * @left: threads that @action is still for; with _FAIL, the last of them only
 * @held: threads held now
 * @epoch: grows when those held are released
 * @usecs: length of a delay
 * @hits: threads that have come here
 */
struct umbra_hold_point {
	u32 action;
	u32 left;
	u32 held;
	u32 epoch;
	u64 usecs;
	u64 hits;
};

/**
 * struct umbra_hold - the hold points of a VM
 * @lock: guards @point
 * @wq: threads held, and tests that wait for them
 * @point: the points, by UMBRA_POINT_*
 */
struct umbra_hold {
	spinlock_t lock; /* guards point[] */
	wait_queue_head_t wq;
	struct umbra_hold_point point[UMBRA_NR_POINTS];
};

void umbra_hold_init(struct umbra_hold *hold);

/* A thread has come to @point and can sleep there if @may_sleep. */
void umbra_hold(struct umbra_hold *hold, unsigned int point, bool may_sleep);

/* A thread has come to @point: is it to act as if what follows had failed? */
bool umbra_fail(struct umbra_hold *hold, unsigned int point);

/* True while @point is armed. */
bool umbra_hold_armed(struct umbra_hold *hold, unsigned int point);

/* Perform @cmd->op; fill what is out. Return: 0 or -errno. */
int umbra_hold_ctl(struct umbra_hold *hold, struct umbra_test *cmd);

#else

struct umbra_hold {
};

static inline void umbra_hold_init(struct umbra_hold *hold) {}
static inline void umbra_hold(struct umbra_hold *hold, unsigned int point,
			      bool may_sleep) {}
static inline bool umbra_fail(struct umbra_hold *hold, unsigned int point)
{
	return false;
}

static inline bool umbra_hold_armed(struct umbra_hold *hold,
				    unsigned int point)
{
	return false;
}

#endif /* CONFIG_UMBRA_TEST */
#endif /* UMBRA_HOLD_H */
