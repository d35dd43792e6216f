// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the selftests share: a VM with memory, hold points, threads.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "util.h"

int guest_create(struct guest *g, uint64_t pages, uint32_t slot_flags)
{
	memset(g, 0, sizeof(*g));
	g->pages = pages;
	g->mem = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (g->mem == MAP_FAILED)
		return -errno;
	madvise(g->mem, pages * PAGE, MADV_NOHUGEPAGE);

	g->dev = umbra_open();
	if (g->dev < 0)
		return g->dev;
	g->vm = umbra_create_vm(g->dev, 0, UMBRA_FMT_X86_NPT, 0);
	if (g->vm < 0)
		return g->vm;
	g->vcpu = umbra_create_vcpu(g->vm);
	if (g->vcpu < 0)
		return g->vcpu;
	return umbra_set_memslot(g->vm, 0, slot_flags, 0, pages * PAGE, g->mem);
}

void guest_destroy(struct guest *g)
{
	close(g->vcpu);
	close(g->vm);
	close(g->dev);
	munmap(g->mem, g->pages * PAGE);
}

uint32_t guest_pte(const struct guest *g, uint64_t gpa)
{
	struct umbra_translate t;

	if (umbra_translate(g->vm, 0, gpa, &t))
		abort();
	return t.pte;
}

struct umbra_get_stats guest_stats(const struct guest *g)
{
	struct umbra_get_stats stats;

	if (umbra_get_stats(g->vm, &stats))
		abort();
	return stats;
}

int hold_ctl(int vm, uint32_t op, uint32_t point, uint32_t count,
	     uint64_t usecs, struct umbra_test *out)
{
	struct umbra_test cmd = {
		.size = sizeof(cmd), .op = op, .point = point, .count = count,
		.usecs = usecs,
	};

	if (ioctl(vm, UMBRA_TEST, &cmd))
		return -errno;
	if (out)
		*out = cmd;
	return 0;
}

bool guest_quiet(const struct guest *g)
{
	struct umbra_get_caps caps;
	struct umbra_verify verify;
	struct umbra_test state;
	int ret;

	ret = hold_ctl(g->vm, UMBRA_TEST_QUERY, 0, 0, 0, &state);
	if (ret != -ENOTTY && (ret || state.in_progress || state.active))
		return false;
	return !umbra_get_caps(g->dev, g->format, &caps) &&
	       !umbra_verify(g->vm, 0, 1ULL << caps.gpa_bits_max, &verify) &&
	       !verify.mismatches;
}

static void *task_main(void *ptr)
{
	struct task *t = ptr;

	t->ret = t->fn(t->arg);
	__atomic_store_n(&t->done, true, __ATOMIC_RELEASE);
	return NULL;
}

void task_start(struct task *t, long (*fn)(void *arg), void *arg)
{
	*t = (struct task){ .fn = fn, .arg = arg };
	if (pthread_create(&t->thread, NULL, task_main, t))
		abort();
}

bool task_done(struct task *t, unsigned int msecs)
{
	bool done;

	while (!(done = __atomic_load_n(&t->done, __ATOMIC_ACQUIRE)) && msecs--)
		usleep(1000);
	return done;
}

long task_join(struct task *t)
{
	pthread_join(t->thread, NULL);
	return t->ret;
}
