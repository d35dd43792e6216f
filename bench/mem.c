// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory of the process, and what the kernel says about memory.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

#define HUGE_PAGE	(2 * MIB)

/* Aligned to huge pages, and without them until somebody wants them. */
char *map_memory(uint64_t size)
{
	char *mem = mmap(NULL, size + HUGE_PAGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (mem == MAP_FAILED)
		err(1, "mmap");
	mem += -(uintptr_t)mem % HUGE_PAGE;
	if (madvise(mem, size, MADV_NOHUGEPAGE))
		err(1, "MADV_NOHUGEPAGE");
	return mem;
}

void fill_memory(char *mem, uint64_t size)
{
	if (madvise(mem, size, MADV_POPULATE_WRITE))
		err(1, "MADV_POPULATE_WRITE");
}

void drop_memory(char *mem, uint64_t size)
{
	if (madvise(mem, size, MADV_DONTNEED))
		err(1, "MADV_DONTNEED");
}

uint64_t memory_line(const char *line)
{
	FILE *file = fopen("/proc/meminfo", "r");
	unsigned long kib;
	char name[64];

	if (!file)
		err(1, "/proc/meminfo");
	while (fscanf(file, "%63s %lu%*[^\n]", name, &kib) == 2) {
		if (!strcmp(name, line)) {
			fclose(file);
			return kib * 1024;
		}
	}
	errx(1, "/proc/meminfo has no %s", line);
}

void make_all_idle(void)
{
	static uint64_t ones[512];
	off_t at = 0;
	ssize_t done;
	int fd = open("/sys/kernel/mm/page_idle/bitmap", O_WRONLY);

	if (fd < 0)
		err(1, "page_idle");
	memset(ones, 0xff, sizeof(ones));
	while ((done = pwrite(fd, ones, sizeof(ones), at)) > 0)
		at += done;
	if (done < 0 && errno != ENXIO)
		err(1, "page_idle");
	close(fd);
}
