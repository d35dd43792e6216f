// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hold points: places where a test can open the window of a race.
 */
#include <linux/delay.h>
#include <linux/jiffies.h>

#include "hold.h"

void umbra_hold_init(struct umbra_hold *hold)
{
	memset(hold, 0, sizeof(*hold));
	spin_lock_init(&hold->lock);
	init_waitqueue_head(&hold->wq);
}

static bool released(const struct umbra_hold_point *p, u32 epoch)
{
	return READ_ONCE(p->epoch) != epoch;
}

void umbra_hold(struct umbra_hold *hold, unsigned int point, bool may_sleep)
{
	struct umbra_hold_point *p = &hold->point[point];
	u32 action = UMBRA_TEST_DISARM, epoch;
	u64 usecs;

	spin_lock(&hold->lock);
	p->hits++;
	epoch = p->epoch;
	usecs = p->usecs;
	if (p->left && p->action != UMBRA_TEST_FAIL &&
	    (may_sleep || p->action == UMBRA_TEST_DELAY)) {
		p->left--;
		action = p->action;
	}
	if (action == UMBRA_TEST_HOLD || action == UMBRA_TEST_HOLD_KILL)
		p->held++;
	spin_unlock(&hold->lock);

	switch (action) {
	case UMBRA_TEST_DISARM:
		return;
	case UMBRA_TEST_DELAY:
		for (; usecs; usecs -= min(usecs, 1000ULL))
			udelay(min(usecs, 1000ULL));
		return;
	case UMBRA_TEST_HOLD:
		wake_up_all(&hold->wq);
		wait_event_killable(hold->wq, released(p, epoch));
		break;
	case UMBRA_TEST_HOLD_KILL:
		wake_up_all(&hold->wq);
		wait_event(hold->wq, released(p, epoch));
		break;
	}
	spin_lock(&hold->lock);
	p->held--;
	spin_unlock(&hold->lock);
}

bool umbra_fail(struct umbra_hold *hold, unsigned int point)
{
	struct umbra_hold_point *p = &hold->point[point];
	bool fail;

	spin_lock(&hold->lock);
	p->hits++;
	fail = p->action == UMBRA_TEST_FAIL && p->left && !--p->left;
	spin_unlock(&hold->lock);
	return fail;
}

bool umbra_hold_armed(struct umbra_hold *hold, unsigned int point)
{
	return READ_ONCE(hold->point[point].left);
}

static void arm(struct umbra_hold *hold, const struct umbra_test *cmd)
{
	struct umbra_hold_point *p = &hold->point[cmd->point];

	spin_lock(&hold->lock);
	p->action = cmd->op;
	p->usecs = cmd->usecs;
	WRITE_ONCE(p->left, cmd->op == UMBRA_TEST_DISARM ? 0 : cmd->count);
	WRITE_ONCE(p->epoch, p->epoch + 1);
	spin_unlock(&hold->lock);
	wake_up_all(&hold->wq);
}

static bool enough(const struct umbra_hold_point *p, u32 count)
{
	return READ_ONCE(p->held) >= count;
}

int umbra_hold_ctl(struct umbra_hold *hold, struct umbra_test *cmd)
{
	struct umbra_hold_point *p;
	long timeout, left = 1;

	if (cmd->point >= UMBRA_NR_POINTS)
		return -EINVAL;
	p = &hold->point[cmd->point];

	switch (cmd->op) {
	case UMBRA_TEST_DELAY:
		if (cmd->usecs > USEC_PER_SEC)
			return -EINVAL;
		fallthrough;
	case UMBRA_TEST_DISARM:
	case UMBRA_TEST_HOLD:
	case UMBRA_TEST_HOLD_KILL:
	case UMBRA_TEST_FAIL:
		arm(hold, cmd);
		break;
	case UMBRA_TEST_WAIT:
		timeout = usecs_to_jiffies(min(cmd->usecs, 60ULL * USEC_PER_SEC));
		left = wait_event_interruptible_timeout(hold->wq,
							enough(p, cmd->count),
							timeout);
		break;
	case UMBRA_TEST_QUERY:
	case UMBRA_TEST_GENERATION:
		break;
	default:
		return -EOPNOTSUPP;
	}
	if (left < 0)
		return -EINTR;
	if (!left)
		return -ETIMEDOUT;

	spin_lock(&hold->lock);
	cmd->hits = p->hits;
	cmd->held = p->held;
	spin_unlock(&hold->lock);
	return 0;
}
