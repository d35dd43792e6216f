/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What was found wrong, by kind. The first finding ends the run.
 */
#ifndef REPORT_H
#define REPORT_H

#include <stdbool.h>

enum check {
	CHECK_VALUES,		/* what was read was never there, or is no more */
	CHECK_ERRORS,		/* an error without a reason, or none despite one */
	CHECK_LOG,		/* a write that no dirty log told of */
	CHECK_VERIFY,		/* VERIFY found a mismatch */
	CHECK_CALLS,		/* a call failed that has no reason to */
	CHECK_PROGRESS,		/* an actor got stuck */
	CHECK_QUIET,		/* something is left when all is done */
	NR_CHECKS,
};

__attribute__((format(printf, 2, 3)))
void wrong(enum check check, const char *format, ...);
/* Has anything been found wrong? */
bool failed(void);
/* A line of TAP for each check, numbered from 1. */
void report_checks(void);

#endif /* REPORT_H */
