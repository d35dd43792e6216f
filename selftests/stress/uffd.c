// SPDX-License-Identifier: GPL-2.0-only
/*
 * The owner of a userfaultfd, who brings missing pages, protects pages from
 * writes, and takes the protection away again.
 */
#include <errno.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "report.h"
#include "world.h"

#define POLL_MSECS	5

static const uint8_t zeros[PAGE] __attribute__((aligned(PAGE)));

static struct area *guarded_area(const struct actor *actor)
{
	return &actor->world->area[GUARDED];
}

static int set_protection(const struct range *r, uint64_t mode)
{
	struct uffdio_writeprotect wp = {
		.range = { (uintptr_t)range_hva(r), r->nr * PAGE },
		.mode = mode,
	};

	return ioctl(r->area->fd, UFFDIO_WRITEPROTECT, &wp);
}

static void bring(struct actor *actor, const struct range *r)
{
	struct uffdio_copy copy = {
		.dst = (uintptr_t)range_hva(r), .src = (uintptr_t)zeros,
		.len = PAGE,
		.mode = rng_one_in(&actor->rng, 4) ? UFFDIO_COPY_MODE_WP : 0,
	};
	struct uffdio_zeropage zero = { .range = { copy.dst, PAGE } };

	if (rng_one_in(&actor->rng, 2))
		ioctl(r->area->fd, UFFDIO_ZEROPAGE, &zero);
	else
		ioctl(r->area->fd, UFFDIO_COPY, &copy);
}

/* Whatever became of it, wake those who wait: at worst they come again. */
static bool answer(struct actor *actor)
{
	struct area *area = guarded_area(actor);
	struct pollfd pfd = { .fd = area->fd, .events = POLLIN };
	struct range r = { .area = area, .nr = 1 };
	struct uffdio_range range = { .len = PAGE };
	struct uffd_msg msg;

	if (area->fd < 0)
		return actor_cannot(actor, "no userfaultfd");
	if (poll(&pfd, 1, POLL_MSECS) != 1 ||
	    read(area->fd, &msg, sizeof(msg)) != sizeof(msg))
		return false;
	r.first = (msg.arg.pagefault.address - (uintptr_t)area->hva) / PAGE;
	range.start = (uintptr_t)range_hva(&r);
	if (msg.arg.pagefault.flags & UFFD_PAGEFAULT_FLAG_WP)
		set_protection(&r, 0);
	else
		bring(actor, &r);
	ioctl(area->fd, UFFDIO_WAKE, &range);
	return true;
}

static bool protect(struct actor *actor)
{
	struct range r = pick_range(&actor->rng, guarded_area(actor), 16);

	if (r.area->fd < 0)
		return actor_cannot(actor, "no userfaultfd");
	return !set_protection(&r, UFFDIO_WRITEPROTECT_MODE_WP);
}

static struct op ops[] = {
	{ "answer", 20, answer },
	{ "protect", 1, protect },
};

struct actor_kind uffd_actor = ACTOR_KIND("userfaultfd", ops, .nice = -5,
					  .services = true);
