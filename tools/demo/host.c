// SPDX-License-Identifier: GPL-2.0-only
/*
 * What Linux itself says about the process, and its switches.
 */
#include "demo.h"

#include <err.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

void write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	if (!file || fputs(text, file) < 0 || fclose(file))
		err(1, "%s", path);
}

unsigned long read_number(const char *path, const char *key)
{
	FILE *file = fopen(path, "r");
	unsigned long number;
	char line[256];

	if (!file)
		err(1, "%s", path);
	while (fgets(line, sizeof(line), file)) {
		if (strncmp(line, key, strlen(key)) ||
		    sscanf(line + strlen(key), "%lu", &number) != 1)
			continue;
		fclose(file);
		return number;
	}
	errx(1, "%s: no number after \"%s\"", path, key);
}

size_t resident_pages(struct memory area)
{
	unsigned char resident[SLOT_PAGES];
	size_t count = 0;

	libc_ok(mincore(area.hva, area_bytes(area), resident), "mincore");
	for (size_t page = 0; page < area.pages; page++)
		count += resident[page] & 1;
	return count;
}
