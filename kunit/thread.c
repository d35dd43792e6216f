// SPDX-License-Identifier: GPL-2.0-only
/*
 * Threads beside that of a test.
 */
#include <linux/kthread.h>

#include "thread.h"

static int thread_main(void *data)
{
	struct umbra_test_thread *thread = data;

	thread->fn(thread->arg);
	kthread_complete_and_exit(&thread->done, 0);
}

bool umbra_test_start(struct kunit *test, struct umbra_test_thread *thread,
		      void (*fn)(void *arg), void *arg)
{
	thread->fn = fn;
	thread->arg = arg;
	init_completion(&thread->done);
	if (!IS_ERR(kthread_run(thread_main, thread, "umbra-kunit")))
		return true;
	KUNIT_FAIL(test, "cannot start a thread");
	complete(&thread->done);
	return false;
}

void umbra_test_join(struct umbra_test_thread *thread)
{
	wait_for_completion(&thread->done);
}
