// SPDX-License-Identifier: GPL-2.0-only
#include "report.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>

#define MAX_SHOWN	10

static const char * const names[NR_CHECKS] = {
	[CHECK_VALUES]	 = "every value read was there",
	[CHECK_ERRORS]	 = "accesses fail when they have to, and only then",
	[CHECK_LOG]	 = "every write is in a dirty log",
	[CHECK_VERIFY]	 = "the tables agree with the primary MMU",
	[CHECK_CALLS]	 = "all other calls succeed",
	[CHECK_PROGRESS] = "nobody gets stuck",
	[CHECK_QUIET]	 = "nothing is left",
};

static unsigned int found[NR_CHECKS];
static unsigned int shown;

void wrong(enum check check, const char *format, ...)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	va_list args;

	pthread_mutex_lock(&lock);
	found[check]++;
	if (shown < MAX_SHOWN) {
		printf("# WRONG: ");
		va_start(args, format);
		vprintf(format, args);
		va_end(args);
		printf("\n");
		fflush(stdout);
	}
	__atomic_add_fetch(&shown, 1, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&lock);
}

bool failed(void)
{
	return __atomic_load_n(&shown, __ATOMIC_RELAXED);
}

void report_checks(void)
{
	for (int i = 0; i < NR_CHECKS; i++)
		printf("%sok %d %s\n", found[i] ? "not " : "", i + 1, names[i]);
}
