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

static bool released(struct umbra_hold *hold, unsigned int point, u32 epoch)
{
	return READ_ONCE(hold->point[point].epoch) != epoch;
}

void umbra_hold(struct umbra_hold *hold, unsigned int point, bool may_sleep)
{
	typeof(&hold->point[0]) p = &hold->point[point];
	u32 action = UMBRA_TEST_DISARM, epoch;
	u64 usecs;

	spin_lock(&hold->lock);
	p->hits++;
	epoch = p->epoch;
	usecs = p->usecs;
	if (p->left && (may_sleep || p->action == UMBRA_TEST_DELAY)) {
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
		wait_event_killable(hold->wq, released(hold, point, epoch));
		break;
	case UMBRA_TEST_HOLD_KILL:
		wake_up_all(&hold->wq);
		wait_event(hold->wq, released(hold, point, epoch));
		break;
	}
	spin_lock(&hold->lock);
	p->held--;
	spin_unlock(&hold->lock);
}

bool umbra_hold_armed(struct umbra_hold *hold, unsigned int point)
{
	return READ_ONCE(hold->point[point].left);
}

static void arm(struct umbra_hold *hold, const struct umbra_test *cmd)
{
	typeof(&hold->point[0]) p = &hold->point[cmd->point];

	spin_lock(&hold->lock);
	p->action = cmd->op;
	p->usecs = cmd->usecs;
	WRITE_ONCE(p->left, cmd->op == UMBRA_TEST_DISARM ? 0 : cmd->count);
	WRITE_ONCE(p->epoch, p->epoch + 1);
	spin_unlock(&hold->lock);
	wake_up_all(&hold->wq);
}

int umbra_hold_ctl(struct umbra_hold *hold, struct umbra_test *cmd)
{
	typeof(&hold->point[0]) p;
	long left = 1;

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
		arm(hold, cmd);
		break;
	case UMBRA_TEST_WAIT:
		left = wait_event_interruptible_timeout(hold->wq,
				READ_ONCE(p->held) >= cmd->count,
				usecs_to_jiffies(cmd->usecs));
		break;
	case UMBRA_TEST_QUERY:
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
