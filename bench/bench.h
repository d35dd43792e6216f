/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * bench: umbra and others do the same work, one after the other, in one guest.
 *
 * A secondary MMU is a table of operations, which KVM, umbra, and for a part
 * other interfaces of the kernel have, and "none", which does nothing. Each
 * figure is measured in a process of its own, so that nobody else's notifier
 * is in the way.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE_SIZE	4096ul
#define MIB		0x100000ul
#define GIB		0x40000000ul

#define MAX_VCPUS	64

enum log { LOG_OFF, LOG_ON, LOG_ALL_SET };

struct guest;

/*
 * What a secondary MMU does. Whatever fails ends the process, by err().
 * set_slot: size 0 deletes. touch: vCPU 0 reads or writes each page. age: test
 * and clear young. clear_log: take all pages from the log. harvest_log: read the
 * log and take what was read; all of it must be dirty. table_bytes: what the
 * page tables take.
 */
struct mmu {
	void (*create)(struct guest *g);
	int (*create_vcpu)(struct guest *g);
	void (*set_slot)(struct guest *g, unsigned int id, enum log log,
			 uint64_t gpa, uint64_t size, void *hva);
	void (*populate)(struct guest *g, unsigned int vcpu, uint64_t gpa,
			 uint64_t size);
	void (*touch)(struct guest *g, uint64_t gpa, uint64_t size, bool write);
	void (*age)(struct guest *g, uint64_t gpa, uint64_t size);
	void (*clear_log)(struct guest *g, unsigned int id, uint64_t size);
	void (*harvest_log)(struct guest *g, unsigned int id, uint64_t size);
	uint64_t (*table_bytes)(struct guest *g);
};

extern const struct mmu none, umbra, kvm, uffd, hmm;

/* A VM and the memory of the process behind it. */
struct guest {
	const struct mmu *mmu;
	long arg;		/* of the figure */
	bool has_roots;		/* for KVM */
	bool has_obsolete_roots;
	int dev;
	int vm;
	int vcpu[MAX_VCPUS];
	unsigned int nr_vcpus;
	char *mem;		/* slot 0, at gpa 0 */
	uint64_t size;
	char *other;		/* of as many bytes, in no slot at first */
	uint64_t *bitmap;	/* a bit for each page of mem */
};

/*
 * How a figure comes about: setup once; before, work and after in turn, a few
 * times. Only work is timed. It returns how many things it did, and the figure
 * is the least time for one. Or, after setup, value() is the figure.
 */
typedef void (*step_t)(struct guest *g);

#define MAX_STEPS 6

struct scenario {
	step_t setup[MAX_STEPS];
	step_t before[MAX_STEPS];
	uint64_t (*work)(struct guest *g);
	step_t after[MAX_STEPS];
	double (*value)(struct guest *g);
};

enum how {
	PLAIN,
	MINUS_NONE,	/* less what it is without a secondary MMU */
	MINUS_OTHER,	/* less what it is with the other arg */
	OVER_OTHER,	/* divided by what it is with the other arg */
};

struct figure {
	const struct mmu *mmu;
	const struct scenario *scenario;
	long arg;
	enum how how;
	long other;
};

enum better { MORE, LESS };

/* A row of the table: what is asked of the ratio peer / umbra, or of umbra. */
struct row {
	const char *name;
	const char *unit;
	struct figure umbra;
	struct figure peer;
	double goal;
	enum better better;
};

/* count.c: costs, one processor; parallel.c: throughput of two. */
extern const struct row count_rows[], parallel_rows[];

/* mem.c */
char *map_memory(uint64_t size);
void fill_memory(char *mem, uint64_t size);
void drop_memory(char *mem, uint64_t size);
/* What a line of /proc/meminfo says, in bytes. */
uint64_t memory_line(const char *line);
/* Write ones to all of the bitmap of idle pages. */
void make_all_idle(void);

/* steps.c: what several scenarios do */
void add_vcpu(struct guest *g);
void add_vcpus(struct guest *g);
void fill(struct guest *g);
void fill_other(struct guest *g);
void add_slot(struct guest *g);
void delete_slot(struct guest *g);
void map_all(struct guest *g);
uint64_t map_pages(struct guest *g);

#endif /* BENCH_H */
