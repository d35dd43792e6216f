// SPDX-License-Identifier: GPL-2.0-only
/*
 * What Linux does to the memory of a process: the vCPU must see what the process
 * sees, the process what the vCPU has written, and no leaf may be stale.
 *
 * How many leaves map memory that may be in huge pages is not asked.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "util.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25
#endif

#ifndef MADV_SOFT_OFFLINE
#define MADV_SOFT_OFFLINE	101
#endif

#define HUGE_PAGES	512UL
#define GUEST_PAGES	(2 * HUGE_PAGES)
#define LENGTH		(GUEST_PAGES * PAGE)
#define GPA(page)	(0x40000000UL + (page) * PAGE)
#define RW		(PROT_READ | PROT_WRITE)
#define PAGE_KIB	4L

/* The number after key in a file, or -1. */
static long read_number(const char *path, const char *key)
{
	FILE *file = fopen(path, "r");
	long number = -1;
	char line[256];

	if (!file)
		return -1;
	while (number < 0 && fgets(line, sizeof(line), file))
		if (!strncmp(line, key, strlen(key)))
			sscanf(line + strlen(key), "%ld", &number);
	fclose(file);
	return number;
}

static int write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	if (!file)
		return -errno;
	fputs(text, file);
	return fclose(file) ? -errno : 0;
}

/* Memory whose pages begin with what is expected, and have no other content. */
struct host {
	struct guest g;
	uint8_t *mem;
	uint64_t expected[GUEST_PAGES];
	uint64_t last;
};

static uint64_t *word(const struct host *h, uint64_t page)
{
	return (void *)(h->mem + page * PAGE);
}

/* New content for the pages [first, end), which differs from page to page. */
static void process_writes(struct host *h, uint64_t first, uint64_t end)
{
	for (; first < end; first++)
		*word(h, first) = h->expected[first] = ++h->last;
}

static int vcpu_writes(struct host *h, uint64_t first, uint64_t end)
{
	int ret = 0;

	for (; first < end && !ret; first++) {
		h->expected[first] = ++h->last;
		ret = umbra_store(h->g.vcpu, GPA(first), 8, h->last);
	}
	return ret;
}

static void expect_zeros(struct host *h, uint64_t first, uint64_t end)
{
	memset(h->expected + first, 0, (end - first) * 8);
}

/* Pages that vCPU or process see otherwise than expected. */
static uint64_t wrong_pages(const struct host *h)
{
	uint64_t value, wrong = 0;

	for (uint64_t page = 0; page < GUEST_PAGES; page++)
		wrong += umbra_load(h->g.vcpu, GPA(page), 8, &value) ||
			 value != h->expected[page] ||
			 *word(h, page) != h->expected[page];
	return wrong;
}

static int advise(const struct host *h, uint64_t first, uint64_t end,
		  int advice)
{
	return madvise(h->mem + first * PAGE, (end - first) * PAGE, advice);
}

static int protect(const struct host *h, uint64_t first, uint64_t end, int prot)
{
	return mprotect(h->mem + first * PAGE, (end - first) * PAGE, prot);
}

/* Map zeros there instead. */
static int map_anew(struct host *h, uint64_t first, uint64_t end, int flags)
{
	uint8_t *hva = h->mem + first * PAGE;

	memset(h->expected + first, 0, (end - first) * 8);
	return mmap(hva, (end - first) * PAGE, RW,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | flags, -1,
		    0) == hva ? 0 : -errno;
}

/* Where the shadow table has a page, 0 if nowhere. */
static uint64_t hpa(const struct host *h, uint64_t page)
{
	struct umbra_translate t;

	if (umbra_translate(h->g.vm, UMBRA_TRANSLATE_HPA, GPA(page), &t))
		return 0;
	return t.hpa;
}

FIXTURE(host)
{
	struct host h;
};

/* Two huge pages' worth of small ones, written by process and vCPU. */
FIXTURE_SETUP(host)
{
	struct host *h = &self->h;
	uint8_t *hva;

	h->last = 0;
	ASSERT_EQ(0, guest_create(&h->g, 1, 0));
	hva = mmap(NULL, LENGTH + HUGE_PAGES * PAGE, RW,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, hva);
	h->mem = hva + -(uintptr_t)hva % (HUGE_PAGES * PAGE);
	ASSERT_EQ(0, advise(h, 0, GUEST_PAGES, MADV_NOHUGEPAGE));
	ASSERT_EQ(0, umbra_set_memslot(h->g.vm, 1, 0, GPA(0), LENGTH, h->mem));
	process_writes(h, 0, HUGE_PAGES);
	ASSERT_EQ(0, vcpu_writes(h, HUGE_PAGES, GUEST_PAGES));
	ASSERT_EQ(0, wrong_pages(h));
}

FIXTURE_TEARDOWN(host)
{
	EXPECT_EQ(0, wrong_pages(&self->h));
	EXPECT_EQ(0, vcpu_writes(&self->h, 0, GUEST_PAGES));
	EXPECT_EQ(0, wrong_pages(&self->h));
	EXPECT_TRUE(guest_quiet(&self->h.g));
	guest_destroy(&self->h.g);
}

/* The child sees what was there at fork(), whoever writes before it looks. */
static int be_child(struct host *h, const uint64_t *before, int go)
{
	uint64_t value;
	char byte;

	if (read(go, &byte, 1) != 1)
		return 1;
	for (uint64_t page = 0; page < GUEST_PAGES; page++)
		if (*word(h, page) != before[page])
			return 2;
	process_writes(h, 600, GUEST_PAGES);
	return umbra_load(h->g.vcpu, GPA(0), 8, &value) == -EIO ? 0 : 3;
}

TEST_F(host, fork_and_copy_on_write)
{
	struct host *h = &self->h;
	uint64_t before[GUEST_PAGES];
	int go[2], status;
	pid_t pid;

	memcpy(before, h->expected, sizeof(before));
	ASSERT_EQ(0, pipe(go));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(be_child(h, before, go[0]));

	EXPECT_EQ(0, wrong_pages(h));
	ASSERT_EQ(0, vcpu_writes(h, 0, 300));
	process_writes(h, 300, 600);
	EXPECT_EQ(0, wrong_pages(h));
	ASSERT_EQ(1, write(go[1], "", 1));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

/* Wait, ten seconds at most, until KSM has merged that many pages. */
static bool merged(long pages)
{
	for (int i = 0; i < 1000; i++) {
		if (read_number("/proc/self/ksm_merging_pages", "") >= pages)
			return true;
		usleep(10000);
	}
	return false;
}

TEST_F(host, merged_and_unmerged)
{
	struct host *h = &self->h;
	uint64_t shared;

	if (write_file("/sys/kernel/mm/ksm/run", "1"))
		SKIP(return, "no KSM");
	ASSERT_EQ(0, write_file("/sys/kernel/mm/ksm/pages_to_scan", "10000"));
	ASSERT_EQ(0, write_file("/sys/kernel/mm/ksm/sleep_millisecs", "1"));
	for (uint64_t page = 0; page < 100; page++)
		*word(h, page) = h->expected[page] = 1000000;
	ASSERT_EQ(0, advise(h, 0, 100, MADV_MERGEABLE));
	EXPECT_TRUE(merged(100));
	ASSERT_EQ(0, write_file("/sys/kernel/mm/ksm/run", "0"));

	EXPECT_EQ(0, wrong_pages(h));
	shared = hpa(h, 0);
	EXPECT_NE(0, shared);
	EXPECT_EQ(shared, hpa(h, 99));

	ASSERT_EQ(0, vcpu_writes(h, 0, 10));
	process_writes(h, 10, 20);
	EXPECT_EQ(0, wrong_pages(h));
	EXPECT_NE(shared, hpa(h, 0));
	EXPECT_EQ(shared, hpa(h, 99));
	ASSERT_EQ(0, advise(h, 0, 100, MADV_UNMERGEABLE));
	EXPECT_EQ(0, wrong_pages(h));
	EXPECT_NE(hpa(h, 98), hpa(h, 99));
}

TEST_F(host, dontneed)
{
	struct host *h = &self->h;

	ASSERT_EQ(GUEST_PAGES, guest_stats(&h->g).leaves);
	ASSERT_EQ(0, advise(h, 100, 700, MADV_DONTNEED));
	EXPECT_EQ(GUEST_PAGES - 600, guest_stats(&h->g).leaves);
	EXPECT_EQ(0, hpa(h, 100));
	EXPECT_EQ(0, hpa(h, 699));
	expect_zeros(h, 100, 700);
	EXPECT_EQ(0, wrong_pages(h));
	process_writes(h, 100, 200);
	ASSERT_EQ(0, vcpu_writes(h, 300, 400));
}

/* What the vCPU writes afterwards must be kept, as what the process writes. */
TEST_F(host, free)
{
	struct host *h = &self->h;
	uint64_t value;

	ASSERT_EQ(0, advise(h, 0, GUEST_PAGES, MADV_FREE));
	ASSERT_EQ(0, vcpu_writes(h, 0, 300));
	process_writes(h, 300, 600);
	ASSERT_EQ(0, advise(h, 0, GUEST_PAGES, MADV_PAGEOUT));
	for (uint64_t page = 600; page < GUEST_PAGES; page++) {
		ASSERT_EQ(0, umbra_load(h->g.vcpu, GPA(page), 8, &value));
		if (value)
			EXPECT_EQ(h->expected[page], value);
		h->expected[page] = value;
	}
}

/* memfd_secret() keeps its pages from the kernel, and so from vCPUs. */
TEST_F(host, secret)
{
	const uint64_t gpa = 1UL << 40;
	int fd = syscall(__NR_memfd_secret, 0);
	uint64_t value;
	char *p;

	if (fd < 0)
		SKIP(return, "the kernel has no memfd_secret()");
	ASSERT_EQ(0, ftruncate(fd, PAGE));
	p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, p);
	*p = 1;
	ASSERT_EQ(0, umbra_set_memslot(self->h.g.vm, 9, 0, gpa, PAGE, p));
	EXPECT_EQ(-EFAULT, umbra_load(self->h.g.vcpu, gpa, 1, &value));
	EXPECT_EQ(0, umbra_delete_memslot(self->h.g.vm, 9));
	munmap(p, PAGE);
	close(fd);
}

TEST_F(host, protected)
{
	struct host *h = &self->h;
	uint64_t value;

	ASSERT_EQ(0, protect(h, 100, 600, PROT_READ));
	EXPECT_EQ(0, wrong_pages(h));
	for (uint64_t page = 100; page < 600; page += 50)
		EXPECT_EQ(-EACCES, umbra_store(h->g.vcpu, GPA(page), 8, 0));
	ASSERT_EQ(0, vcpu_writes(h, 600, 700));

	ASSERT_EQ(0, protect(h, 100, 600, PROT_NONE));
	for (uint64_t page = 100; page < 600; page += 50)
		EXPECT_EQ(-EACCES,
			  umbra_load(h->g.vcpu, GPA(page), 8, &value));
	ASSERT_EQ(0, protect(h, 100, 600, RW));
}

TEST_F(host, moved_away_and_back)
{
	struct host *h = &self->h;
	uint8_t *away;
	uint64_t value;

	away = mmap(NULL, LENGTH, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		    0);
	ASSERT_NE(MAP_FAILED, away);
	ASSERT_EQ(away, mremap(h->mem, LENGTH, LENGTH,
			       MREMAP_MAYMOVE | MREMAP_FIXED, away));
	EXPECT_EQ(0, guest_stats(&h->g).leaves);
	EXPECT_EQ(-EFAULT, umbra_load(h->g.vcpu, GPA(0), 8, &value));

	/* The process writes while the VM cannot see it. */
	*(uint64_t *)(void *)(away + 5 * PAGE) = h->expected[5] = ++h->last;
	ASSERT_EQ(h->mem, mremap(away, LENGTH, LENGTH,
				 MREMAP_MAYMOVE | MREMAP_FIXED, h->mem));
}

TEST_F(host, mapped_anew)
{
	struct host *h = &self->h;
	uint64_t value;

	ASSERT_EQ(0, munmap(h->mem + 10 * PAGE, 20 * PAGE));
	EXPECT_EQ(0, hpa(h, 10));
	EXPECT_EQ(0, hpa(h, 29));
	EXPECT_EQ(-EFAULT, umbra_load(h->g.vcpu, GPA(10), 8, &value));
	EXPECT_EQ(-EFAULT, umbra_store(h->g.vcpu, GPA(29), 8, 0));
	ASSERT_EQ(0, map_anew(h, 10, 30, 0));
}

/*
 * Returns how many pages are left: reclaim can pass over pages that are in use
 * at the moment, so ask again.
 */
static uint64_t swap_out(const struct host *h)
{
	unsigned char resident[GUEST_PAGES];
	uint64_t left = GUEST_PAGES;

	for (int i = 0; i < 5 && left; i++) {
		if (advise(h, 0, GUEST_PAGES, MADV_PAGEOUT) ||
		    mincore(h->mem, LENGTH, resident))
			return GUEST_PAGES;
		left = 0;
		for (uint64_t page = 0; page < GUEST_PAGES; page++)
			left += resident[page] & 1;
	}
	return left;
}

/*
 * A page that was only read since it came back need not be written out again,
 * which the kernel must not believe of one that the vCPU has written.
 */
TEST_F(host, swapped_out_and_in)
{
	struct host *h = &self->h;

	if (read_number("/proc/meminfo", "SwapTotal:") <= 0)
		SKIP(return, "no swap");
	for (int round = 0; round < 4; round++) {
		uint64_t left = swap_out(h);

		EXPECT_GT(GUEST_PAGES / 2, left);
		EXPECT_GE(left, guest_stats(&h->g).leaves);
		if (round % 2)
			EXPECT_EQ(0, wrong_pages(h));
		ASSERT_EQ(0, vcpu_writes(h, 0, 300));
		process_writes(h, 300, 500);
	}
}

/* Is what the process has there a huge page for the shadow table, too? */
static bool contiguous(const struct host *h, uint64_t first)
{
	for (uint64_t i = 0; i < HUGE_PAGES; i++)
		if (hpa(h, first + i) != hpa(h, first) + i * PAGE)
			return false;
	return !(hpa(h, first) % (HUGE_PAGES * PAGE));
}

TEST_F(host, huge_page_split)
{
	struct host *h = &self->h;

	ASSERT_EQ(0, map_anew(h, 0, GUEST_PAGES, 0));
	ASSERT_EQ(0, advise(h, 0, GUEST_PAGES, MADV_HUGEPAGE));
	ASSERT_EQ(0, vcpu_writes(h, 0, GUEST_PAGES));
	EXPECT_EQ(0, wrong_pages(h));
	if (!contiguous(h, 0) || !contiguous(h, HUGE_PAGES))
		SKIP(return, "no huge pages to be had");

	/* A part goes, a part is mapped anew, a part is protected. */
	ASSERT_EQ(0, advise(h, 100, 110, MADV_DONTNEED));
	expect_zeros(h, 100, 110);
	EXPECT_EQ(0, wrong_pages(h));
	ASSERT_EQ(0, munmap(h->mem + 800 * PAGE, 224 * PAGE));
	EXPECT_EQ(0, hpa(h, 800));
	ASSERT_EQ(0, map_anew(h, 800, GUEST_PAGES, 0));
	EXPECT_EQ(0, wrong_pages(h));
	ASSERT_EQ(0, protect(h, 7, 8, PROT_READ));
	EXPECT_EQ(0, wrong_pages(h));
	EXPECT_EQ(-EACCES, umbra_store(h->g.vcpu, GPA(7), 8, 0));
	EXPECT_EQ(0, vcpu_writes(h, 8, 20));
	ASSERT_EQ(0, protect(h, 7, 8, RW));
}

TEST_F(host, huge_page_copied_on_write)
{
	struct host *h = &self->h;
	uint64_t before[GUEST_PAGES];
	int go[2], status;
	pid_t pid;

	ASSERT_EQ(0, map_anew(h, 0, GUEST_PAGES, 0));
	ASSERT_EQ(0, advise(h, 0, GUEST_PAGES, MADV_HUGEPAGE));
	process_writes(h, 0, GUEST_PAGES);
	EXPECT_EQ(0, wrong_pages(h));
	memcpy(before, h->expected, sizeof(before));
	ASSERT_EQ(0, pipe(go));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(be_child(h, before, go[0]));
	ASSERT_EQ(0, vcpu_writes(h, 0, 10));
	process_writes(h, 700, 710);
	ASSERT_EQ(1, write(go[1], "", 1));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

TEST_F(host, collapsed)
{
	struct host *h = &self->h;

	ASSERT_EQ(0, advise(h, 0, GUEST_PAGES, MADV_HUGEPAGE));
	EXPECT_EQ(0, wrong_pages(h));
	if (advise(h, 0, GUEST_PAGES, MADV_COLLAPSE))
		SKIP(return, "MADV_COLLAPSE: %s", strerror(errno));
	EXPECT_EQ(0, wrong_pages(h));
	EXPECT_TRUE(contiguous(h, 0));
	EXPECT_TRUE(contiguous(h, HUGE_PAGES));
	ASSERT_EQ(0, vcpu_writes(h, 500, 600));
}

#define NR_HUGEPAGES	"/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"

TEST_F(host, hugetlb)
{
	struct host *h = &self->h;

	if (write_file(NR_HUGEPAGES, "2") || read_number(NR_HUGEPAGES, "") < 2)
		SKIP(return, "no huge pages to be had");
	ASSERT_EQ(0, map_anew(h, 0, GUEST_PAGES, MAP_HUGETLB));
	EXPECT_EQ(0, wrong_pages(h));
	ASSERT_EQ(0, vcpu_writes(h, 100, 700));
	EXPECT_EQ(0, wrong_pages(h));
	EXPECT_TRUE(contiguous(h, 0));
	EXPECT_TRUE(contiguous(h, HUGE_PAGES));

	ASSERT_EQ(0, protect(h, 0, HUGE_PAGES, PROT_READ));
	EXPECT_EQ(0, wrong_pages(h));
	EXPECT_EQ(-EACCES, umbra_store(h->g.vcpu, GPA(5), 8, 0));
	ASSERT_EQ(0, protect(h, 0, HUGE_PAGES, RW));
	EXPECT_EQ(0, vcpu_writes(h, 5, 6));

	ASSERT_EQ(0, munmap(h->mem, HUGE_PAGES * PAGE));
	EXPECT_EQ(0, hpa(h, 5));
	ASSERT_EQ(0, map_anew(h, 0, GUEST_PAGES, 0));
	EXPECT_EQ(0, write_file(NR_HUGEPAGES, "0"));
}

/* Taking a page out of service moves what it holds to another. */
TEST_F(host, migrated)
{
	struct host *h = &self->h;

	for (uint64_t page = 100; page < 108; page++) {
		uint64_t before = hpa(h, page);

		if (advise(h, page, page + 1, MADV_SOFT_OFFLINE))
			SKIP(return, "no pages can be taken out of service");
		EXPECT_EQ(0, hpa(h, page));
		EXPECT_EQ(0, wrong_pages(h));
		EXPECT_NE(before, hpa(h, page));
	}
}

static void ignore(int signal)
{
}

TEST_F(host, poisoned)
{
	struct host *h = &self->h;
	uint64_t value;

	/* Tells of the data that is lost. */
	ASSERT_NE(SIG_ERR, signal(SIGBUS, ignore));
	if (advise(h, 5, 6, MADV_HWPOISON))
		SKIP(return, "no pages can be poisoned");
	EXPECT_EQ(0, hpa(h, 5));
	EXPECT_EQ(-EHWPOISON, umbra_load(h->g.vcpu, GPA(5), 8, &value));
	EXPECT_EQ(-EHWPOISON, umbra_store(h->g.vcpu, GPA(5), 8, 0));
	ASSERT_EQ(0, map_anew(h, 5, 6, 0));
}

/* KiB of all tables of secondary MMUs, exactly. */
static long table_memory(void)
{
	write_file("/proc/sys/vm/stat_refresh", "1");
	return read_number("/proc/meminfo", "SecPageTables:");
}

/* Tables are freed an RCU grace period late: wait five seconds at most. */
static bool table_memory_falls_to(long kib)
{
	for (int i = 0; i < 500 && table_memory() > kib; i++)
		usleep(10000);
	return table_memory() <= kib;
}

/* Pages that a vCPU may have at hand for tables. */
#define SPARES	8

/* A page in each GiB of a large memslot needs two tables. */
TEST(tables_are_given_back)
{
	const uint64_t gib = 1UL << 30, count = 200;
	uint64_t value, tables;
	struct guest g;
	uint8_t *mem;
	long before;

	mem = mmap(NULL, count * gib, RW,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	ASSERT_NE(MAP_FAILED, mem);
	ASSERT_EQ(0, madvise(mem, count * gib, MADV_NOHUGEPAGE));
	if (write_file("/proc/sys/vm/stat_refresh", "1"))
		SKIP(return, "the kernel does not tell exact numbers");
	usleep(300000);		/* what others have left is freed */
	before = table_memory();
	ASSERT_LE(0, before);
	ASSERT_EQ(0, guest_create(&g, 1, 0));
	tables = guest_stats(&g).table_pages;
	EXPECT_EQ(before + tables * PAGE_KIB, table_memory());
	ASSERT_EQ(0, umbra_set_memslot(g.vm, 1, 0, gib, count * gib, mem));

	for (uint64_t gpa = gib; gpa <= count * gib; gpa += gib)
		ASSERT_EQ(0, umbra_load(g.vcpu, gpa, 8, &value));
	EXPECT_LE(tables + 2 * count, guest_stats(&g).table_pages);
	EXPECT_LE(before + guest_stats(&g).table_pages * PAGE_KIB, table_memory());

	/* Tables that span more than UNMAP does at once may stay. */
	ASSERT_EQ(0, umbra_unmap(g.vm, 0, 1024 * gib));
	EXPECT_GE(tables + 3, guest_stats(&g).table_pages);
	EXPECT_TRUE(table_memory_falls_to(before +
					  (tables + 3 + SPARES) * PAGE_KIB));
	for (uint64_t gpa = gib; gpa <= count * gib; gpa += gib)
		ASSERT_EQ(0, umbra_load(g.vcpu, gpa, 8, &value));
	guest_destroy(&g);
	EXPECT_TRUE(table_memory_falls_to(before));
	munmap(mem, count * gib);
}

TEST_HARNESS_MAIN
