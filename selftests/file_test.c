// SPDX-License-Identifier: GPL-2.0-only
/*
 * U11 on a file system that writes back: what vCPUs store to a file is dirty for
 * the file system and gets to the disk, whenever it stops being writable.
 */
#include <stdalign.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "rules.h"

#define DISK	"/dev/ram0"
#define DIR	"/tmp/umbra-disk"
#define FILE_PAGES	16
/* After the memory of the fixture. */
#define GPA	(PAGES * PAGE)

FIXTURE(file)
{
	struct guest g;
	int vcpu;
	struct worker worker;
	int fd;
	int direct;		/* the same file, without the page cache */
	uint8_t *mem;
};

static bool mount_disk(void)
{
	mkdir(DIR, 0700);
	umount(DIR);
	return !system("modprobe brd && mke2fs -F " DISK " >/dev/null 2>&1") &&
	       !mount(DISK, DIR, "ext4", 0, NULL);
}

FIXTURE_SETUP(file)
{
	struct worker *w = &self->worker;
	uint8_t page[PAGE];
	int i;

	self->fd = -1;
	ASSERT_EQ(0, guest_create(&self->g, PAGES, 0));
	self->vcpu = umbra_create_vcpu(self->g.vm);
	ASSERT_LE(0, self->vcpu);
	w->g = &self->g;
	ASSERT_EQ(0, sem_init(&w->go, 0, 0));
	task_start(&w->task, worker_main, w);
	if (hold_release(self->g.vm, 0) == -ENOTTY)
		SKIP(return, "module built without CONFIG_UMBRA_TEST");
	if (!mount_disk())
		SKIP(return, "no disk in memory, or no ext4");

	self->fd = open(DIR "/file", O_RDWR | O_CREAT | O_TRUNC, 0600);
	ASSERT_LE(0, self->fd);
	memset(page, OLD, PAGE);
	for (i = 0; i < FILE_PAGES; i++)
		ASSERT_EQ(PAGE, write(self->fd, page, PAGE));
	ASSERT_EQ(0, fsync(self->fd));
	self->direct = open(DIR "/file", O_RDONLY | O_DIRECT);
	ASSERT_LE(0, self->direct);
	self->mem = mmap(NULL, FILE_PAGES * PAGE, PROT_READ | PROT_WRITE,
			 MAP_SHARED, self->fd, 0);
	ASSERT_NE(MAP_FAILED, self->mem);
	ASSERT_EQ(0, umbra_set_memslot(self->g.vm, 1, 0, GPA, FILE_PAGES * PAGE,
				       self->mem));
}

FIXTURE_TEARDOWN(file)
{
	struct worker *w = &self->worker;
	int i;

	for (i = 0; i < UMBRA_NR_POINTS; i++)
		hold_release(self->g.vm, i);
	if (!w->fn)
		sem_post(&w->go);
	task_join(&w->task);
	EXPECT_TRUE(guest_quiet(&self->g));
	close(self->vcpu);
	guest_destroy(&self->g);
	if (self->fd >= 0) {
		munmap(self->mem, FILE_PAGES * PAGE);
		close(self->direct);
		close(self->fd);
		EXPECT_EQ(0, umount(DIR));
	}
}

/*
 * What the disk has. Reading it has the file system write what it knows to be
 * dirty; what it does not know of is lost.
 */
static int on_disk(int direct, uint64_t page)
{
	static alignas(PAGE) uint8_t buf[PAGE];

	return pread(direct, buf, PAGE, page * PAGE) == PAGE ? buf[0] : -errno;
}

static long do_file_store(struct worker *w)
{
	return umbra_store(w->g->vcpu, GPA + w->page * PAGE, 1, w->nr);
}

/* Writing back takes the right to write away: the next store is told again. */
TEST_F(file, u11_written_back)
{
	int i;

	for (i = 1; i < 4; i++) {
		ASSERT_EQ(0, umbra_store(self->g.vcpu, GPA + 3 * PAGE, 1, i));
		ASSERT_EQ(0, fsync(self->fd));
		EXPECT_EQ(0, guest_pte(&self->g, GPA + 3 * PAGE) &
			     UMBRA_PTE_WRITE);
		EXPECT_EQ(i, on_disk(self->direct, 3));
	}
	EXPECT_EQ(OLD, on_disk(self->direct, 4));
}

/* A store is under way when the page is written back. */
TEST_F(file, u11_store_races_with_writeback)
{
	struct worker *w = &self->worker;

	ASSERT_EQ(0, umbra_store(self->g.vcpu, GPA + 3 * PAGE, 1, 1));
	ASSERT_EQ(0, worker_delay(w, do_file_store, 3, 2,
				  UMBRA_POINT_ACCESS_TRANSLATED));
	ASSERT_EQ(0, fsync(self->fd));
	EXPECT_EQ(0, worker_finish(w));
	EXPECT_EQ(2, self->mem[3 * PAGE]);
	EXPECT_EQ(2, on_disk(self->direct, 3));
}

/* A store is under way when the page is zapped, and forgotten by the process. */
TEST_F(file, u11_store_races_with_a_zap)
{
	struct worker *w = &self->worker;

	ASSERT_EQ(0, umbra_store(self->g.vcpu, GPA + 3 * PAGE, 1, 1));
	ASSERT_EQ(0, worker_delay(w, do_file_store, 3, 2,
				  UMBRA_POINT_ACCESS_TRANSLATED));
	ASSERT_EQ(0, madvise(self->mem, FILE_PAGES * PAGE, MADV_DONTNEED));
	ASSERT_EQ(0, fsync(self->fd));
	EXPECT_EQ(0, worker_finish(w));
	EXPECT_EQ(2, on_disk(self->direct, 3));
}

TEST_HARNESS_MAIN
