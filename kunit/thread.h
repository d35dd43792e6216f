/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Threads beside that of a test.
 */
#ifndef UMBRA_KUNIT_THREAD_H
#define UMBRA_KUNIT_THREAD_H

#include <kunit/test.h>
#include <linux/completion.h>

struct umbra_test_thread {
	void (*fn)(void *arg);
	void *arg;
	struct completion done;
};

/**
 * umbra_test_start() - have a thread call @fn(@arg)
 * @test: fails if there is no thread to be had
 * @thread: the thread
 * @fn: must not make assertions that end the test
 * @arg: for @fn
 *
 * Nor may the test make such assertions before umbra_test_join(), which is due
 * even if this fails.
 *
 * Return: is it running?
 */
bool umbra_test_start(struct kunit *test, struct umbra_test_thread *thread,
		      void (*fn)(void *arg), void *arg);

/** umbra_test_join() - wait until it has returned */
void umbra_test_join(struct umbra_test_thread *thread);

#endif /* UMBRA_KUNIT_THREAD_H */
