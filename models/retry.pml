/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The retry protocol: faults, invalidations, changes of memslots.
 *
 * What it stands for in src/, line by line, what it leaves out, and how to read
 * a counterexample is in Documentation/models.rst. scripts/models.sh checks
 * every scenario, and has Spin refute every BUG_*: a rule taken out.
 *
 * A page is a hva and a version. The primary MMU replaces the page of a hva by
 * the next version; the one before has then been freed. A step of the model is
 * one access to memory that others use, or a critical section of a lock whose
 * fields nobody reads without it.
 */

/* Pages of the process, and of the VM. */
#define HVAS		2
#define GFNS		2

#ifdef TWO_VCPUS
#define VCPUS		2
#else
#define VCPUS		1
#endif

/* UMBRA_INV_HISTORY, small enough to be exceeded. */
#define HISTORY		1

#define NO_PAGE		0
#define PAGE(hva)	(1 + (hva) + HVAS * version[hva])
#define HVA(page)	(((page) - 1) % HVAS)
#define FREED(page)	(((page) - 1) / HVAS < version[HVA(page)])

#define overlap(s, e, start, end)	((s) < (end) && (start) < (e))
#define min(a, b)	((a) < (b) -> (a) : (b))
#define max(a, b)	((a) > (b) -> (a) : (b))

/* ------------------------------------------------------------------- state */

/* The primary MMU. */
byte version[HVAS];	/* of the page that it maps */
byte closed[HVAS];	/* invalidations whose start has returned */
bool ptl;		/* the lock of its table */

/* The shadow table and the TLBs: pages. */
byte leaf[GFNS];
bool zap_lock;
typedef tlb_t {
	bool locked;
	byte entry[GFNS];
}
tlb_t tlb[VCPUS];

/* struct umbra_invalidation */
byte mmu_readers;
bool mmu_writer;
typedef range_t {
	byte start;
	byte end;
}
byte seq;
byte in_progress;
bool mixed;
bool removed;
range_t range;
range_t history[HISTORY];
byte ended;		/* whose end the count shows */

/* The two sets of memslots: one of a page for each gfn. */
#define NO_SLOT		0
#define SLOT(hva)	((hva) + 1)
typedef set_t {
	byte slot[GFNS];
	bool invalid[GFNS];
	byte generation;
}
set_t set[2];
bit slots;		/* the active one */
byte in_notifiers;	/* vm->active */
bit srcu;
byte readers[2];

byte faulting = VCPUS;	/* who has not come to an end */

/* ------------------------------------------------------------------- locks */

inline lock(l)		{ atomic { !l -> l = true } }
inline unlock(l)	{ l = false }
inline read_lock()	{ atomic { !mmu_writer -> mmu_readers++ } }
inline read_unlock()	{ mmu_readers-- }
inline write_lock()	{ atomic { !mmu_writer && !mmu_readers -> mmu_writer = true } }
inline write_unlock()	{ mmu_writer = false }
inline srcu_read_lock()	{ d_step { idx = srcu; readers[idx]++ } }
inline srcu_read_unlock() { readers[idx]-- }

inline synchronize_srcu()
{
	d_step { idx = srcu; srcu = 1 - srcu }
	readers[idx] == 0
}

/* ------------------------------------------------- src/invalidate.c: protocol */

#ifdef BUG_RANGE_RESET
#define WIDEN		false
#else
#define WIDEN		in_progress
#endif

inline inv_begin(s, e)
{
	atomic {
#ifndef BUG_BEGIN_UNLOCKED
		write_lock();
#endif
		range.start = (WIDEN -> min(range.start, s) : s)
	}
	range.end = (WIDEN -> max(range.end, e) : e);
	atomic {
		mixed = in_progress > 0;
		removed = false;
		in_progress++;
#ifndef BUG_BEGIN_UNLOCKED
		write_unlock()
#endif
	}
}

inline drop_count()
{
	assert(in_progress);
#ifdef BUG_COUNT_ZERO
	in_progress = 0;
#else
	in_progress--;
#endif
	ended++
}

inline inv_end(s, e)
{
#ifdef BUG_COUNT_FIRST
	atomic { write_lock(); drop_count() }
#endif
	atomic {
#ifndef BUG_COUNT_FIRST
		write_lock();
#endif
		history[seq % HISTORY].start = s;
		history[seq % HISTORY].end = e;
		seq++
	}
	atomic {
#ifndef BUG_COUNT_FIRST
		drop_count();
#endif
		write_unlock()
	}
}

/* umbra_inv_clip() of [at, end): sets end. */
inline inv_clip()
{
	d_step { count = in_progress; seen = ended }
	if
	:: count ->
		from = range.start;
		if
		:: overlap(from, range.end, at, end) -> end = max(at, from)
		:: else
		fi
	:: else
	fi
}

/* umbra_inv_retry() for [at, end): sets stale. mmu_lock is held. */
inline inv_retry()
{
	d_step {
#ifdef BUG_NO_RETRY
		stale = false;
#else
		stale = in_progress &&
			overlap(range.start, range.end, at, end);
#ifndef BUG_HISTORY_UNCHECKED
		stale = stale || seq - sample > HISTORY;
#endif
		i = sample;
		do
		:: !stale && i < seq ->
			stale = overlap(history[i % HISTORY].start,
					history[i % HISTORY].end, at, end);
			i++
		:: else -> break
		od;
#endif
		i = 0
	}
}

#ifdef BUG_CHANGE_ANY
#define inv_only(gfn)	true
#else
#define inv_only(gfn)	(in_progress == 1 && !mixed && \
			 range.start == gfn && range.end == gfn + 1)
#endif

/* --------------------------------------------------- src/invalidate.c: zapping */

inline flush(gfn)
{
	v = 0;
	do
	:: v < VCPUS ->
		atomic { !tlb[v].locked -> tlb[v].entry[gfn] = NO_PAGE; v++ }
	:: else -> break
	od;
	v = 0
}

/* umbra_zap() of one page: one that yields after each. Sets found. */
inline zap(gfn)
{
	atomic { lock(zap_lock); found = leaf[gfn]; leaf[gfn] = NO_PAGE }
#ifdef BUG_FLUSH_UNLOCKED
	unlock(zap_lock);
#endif
	if
	:: found -> flush(gfn)
	:: else		/* an empty gather */
	fi;
#ifndef BUG_FLUSH_UNLOCKED
	unlock(zap_lock)
#endif
}

/* ------------------------------------------------------------- what must hold */

/* Nobody reaches a page of the process. */
inline unreachable(hva)
{
	u = 0;
	do
	:: u < GFNS ->
		assert(!leaf[u] || HVA(leaf[u]) != hva);
		w = 0;
		do
		:: w < VCPUS ->
			assert(!tlb[w].entry[u] || HVA(tlb[w].entry[u]) != hva);
			w++
		:: else -> break
		od;
		u++
	:: else -> break
	od;
	u = 0;
	w = 0
}

/* Nothing is mapped at a gfn. */
inline unmapped(gfn)
{
	d_step {
		assert(!leaf[gfn]);
		w = 0;
		do
		:: w < VCPUS -> assert(!tlb[w].entry[gfn]); w++
		:: else -> break
		od;
		w = 0
	}
}

/* --------------------------------------------------------------- src/fault.c */

inline look_up()
{
	i = at;
	do
	:: i < end -> pages[i] = PAGE(set[s].slot[i] - 1); i++
	:: else -> break
	od;
	i = 0
}

inline take_sample()
{
	sample = seq;
	/* What no longer was in progress costs no retry (U2). */
	assert(count || sample >= seen)
}

inline install()
{
	atomic { read_lock(); inv_retry() }
	if
	:: !stale ->
		do
		:: at < end ->
			d_step {
				/* "a leaf outlived its page" */
				assert(!leaf[at] || leaf[at] == pages[at]);
				assert(!FREED(pages[at]));
				assert(!closed[HVA(pages[at])]);
				leaf[at] = pages[at];
				pages[at] = NO_PAGE;
				at++
			}
		:: else -> break
		od
	:: else
	fi
}

/* umbra_fault() of [first, last) */
inline fault(first, last)
{
	d_step { at = first; ok = true }
#ifdef BUG_SAMPLE_ONCE
	sample = seq;
#endif
	do
	:: at < last && ok ->
		end = last;
		atomic { srcu_read_lock(); s = slots }
		generation = set[s].generation;
		if
		:: set[s].slot[at] == NO_SLOT ->	/* -ENOENT */
			ok = false;
			srcu_read_unlock()
#ifndef BUG_INVALID_USED
		:: set[s].slot[at] != NO_SLOT && set[s].invalid[at] ->
#ifdef BUG_WAIT_IN_SRCU
			set[slots].generation != generation;
			srcu_read_unlock()
#else
			srcu_read_unlock();
			set[slots].generation != generation
#endif
		:: set[s].slot[at] != NO_SLOT && !set[s].invalid[at] ->
#else
		:: set[s].slot[at] != NO_SLOT ->
#endif
			inv_clip();
			if
			:: end == at ->
				srcu_read_unlock();
				!in_progress || !overlap(range.start, range.end,
							 at, at + 1)
			:: else ->
#ifdef BUG_SAMPLE_LATE
				look_up();
				take_sample();
#else
#ifndef BUG_SAMPLE_ONCE
				take_sample();
#endif
				look_up();
#endif
				install();
				atomic { read_unlock(); srcu_read_unlock() }
			fi
		fi;
		d_step {
			s = 0; generation = 0; count = 0; seen = 0; from = 0;
			stale = 0; idx = 0
		}
	:: else -> break
	od;
	atomic { at = 0; end = 0; sample = 0 }
}

#define FAULT_LOCALS							\
	byte at, end, sample, generation, count, seen, from, i;		\
	byte pages[GFNS];						\
	bit s, idx;							\
	bool stale, ok

/* The FAULT ioctl. */
proctype populate(byte first, last)
{
	FAULT_LOCALS;

	fault(first, last);
	faulting--
}

/* src/access.c: one access by a vCPU. */
proctype vcpu(byte id, gfn, times)
{
	FAULT_LOCALS;
	byte page;

	do
	:: times ->
		atomic { !tlb[id].locked -> tlb[id].locked = true;
			 page = tlb[id].entry[gfn] }
		if
		:: !page -> d_step { page = leaf[gfn];
				     tlb[id].entry[gfn] = page }
		:: else
		fi;
#ifdef BUG_TOUCH_UNLOCKED
		tlb[id].locked = false;
#endif
		d_step {
			assert(!page || !FREED(page));	/* the touch (U15) */
#ifndef BUG_TOUCH_UNLOCKED
			tlb[id].locked = false
#endif
		}
		if
		:: page -> d_step { page = NO_PAGE; times-- }
		:: else ->
			fault(gfn, gfn + 1);
			if
			:: !ok -> break		/* an MMIO exit */
			:: else
			fi
		fi
	:: else -> break
	od;
	atomic { page = NO_PAGE; faulting-- }
}

/* ------------------------------------------------------------ src/notifier.c */

inline hull(first, last)
{
	d_step {
		s = slots;
		lo = GFNS;
		hi = 0;
		g = 0;
		do
		:: g < GFNS ->
			if
			:: set[s].slot[g] != NO_SLOT &&
			   overlap(set[s].slot[g] - 1, set[s].slot[g], first,
				   last) ->
				lo = min(lo, g);
				hi = g + 1
			:: else
			fi;
			g++
		:: else -> break
		od;
		g = 0
	}
}

inline invalidate_range_start(first, last)
{
	atomic { in_notifiers++; hull(first, last) }	/* enter() */
	if
	:: lo < hi ->
		inv_begin(lo, hi);
		g = lo;
		do
		:: g < hi ->
			if
			:: set[s].slot[g] != NO_SLOT &&
			   overlap(set[s].slot[g] - 1, set[s].slot[g], first,
				   last) ->
				zap(g)
			:: else
			fi;
			g++
		:: else -> break
		od;
		if
		:: in_place && hi - lo == 1 && found -> removed = true
		:: else
		fi;
		atomic { g = 0; found = 0 }
	:: else
	fi
}

inline invalidate_range_end(first, last)
{
	if
	:: atomic { in_progress -> hull(first, last) }
		if
		:: lo < hi -> inv_end(lo, hi)
		:: else
		fi
	:: else
	fi;
#ifdef BUG_LEAVE_FORGOTTEN
	skip
#else
	in_notifiers--			/* leave() */
#endif
}

/* What takes a page's place is known: KSM, a copy on write. */
inline change_pte(hva)
{
	if
	:: removed && lo < hi ->
		read_lock();
		if
		:: inv_only(lo) && !leaf[lo] ->
			assert(closed[hva] == 1);
			leaf[lo] = PAGE(hva) + HVAS;
			changed = true
		:: else
		fi;
		read_unlock()
	:: else
	fi
}

/* Somebody in the primary MMU, who replaces the pages of [first, last). */
proctype invalidate(byte first, last; bool in_place)
{
	byte lo, hi, g, h, u, v, w, found;
	bit s;
	bool changed;

	invalidate_range_start(first, last);
	d_step {
		h = first;
		do
		:: h < last -> unreachable(h); closed[h]++; h++
		:: else -> break
		od;
		h = 0
	}
	if
	:: in_place -> lock(ptl); change_pte(first)
	:: else
	fi;
	atomic {
		in_place || !ptl;
		h = first;
		do
		:: h < last ->
			if
			:: !changed -> unreachable(h)
			:: else
			fi;
			version[h]++;
			closed[h]--;
			h++
		:: else -> break
		od;
		h = 0;
		if
		:: in_place -> ptl = false
		:: else
		fi;
		changed = false
	}
	invalidate_range_end(first, last)
}

/* ------------------------------------------------------ src/memslot_update.c */

inline publish(new)
{
#ifdef BUG_PUBLISH_ACTIVE
	slots = new;
#else
	atomic { !in_notifiers -> slots = new }
#endif
#ifndef BUG_NO_SRCU
	synchronize_srcu()
#endif
}

inline replace(gfn, to, is_invalid)
{
	old = slots;
	d_step {
		set[1 - old].slot[gfn] = to;
		set[1 - old].invalid[gfn] = is_invalid;
		set[1 - old].generation = set[old].generation + 1
	}
	publish(1 - old);
	set[1 - old].generation = set[old].generation + 2;
	d_step {
		set[old].slot[gfn] = to;
		set[old].invalid[gfn] = is_invalid
	}
}

inline delete(gfn)
{
#ifndef BUG_DELETE_AT_ONCE
	replace(gfn, set[slots].slot[gfn], true);
#endif
	inv_begin(gfn, gfn + 1);	/* umbra_unmap() */
	zap(gfn);
	inv_end(gfn, gfn + 1);
	inv_begin(0, GFNS);		/* umbra_prune() */
	inv_end(0, GFNS);
	unmapped(gfn);
	replace(gfn, NO_SLOT, false);
	unmapped(gfn)
}

/* Delete a memslot, and create one of the same gfn. */
proctype update(byte gfn, hva)
{
	byte v, w, found;
	bit old, idx;

	delete(gfn);
	replace(gfn, SLOT(hva), false)
}

/* ------------------------------------------------------------------ scenarios */

init
{
	atomic {
		/* gfn n is backed by hva n. */
		set[0].slot[0] = SLOT(0); set[1].slot[0] = SLOT(0);
		set[0].slot[1] = SLOT(1); set[1].slot[1] = SLOT(1);

#ifdef OVERLAPPING	/* three invalidations, two of which overlap the third */
		run vcpu(0, 0, 1);
		run invalidate(0, 1, false);
		run invalidate(1, 2, false);
		run invalidate(0, 2, false)
#endif
#ifdef SAME_PAGE	/* a page that is invalidated twice and used twice */
		run vcpu(0, 0, 2);
		run invalidate(0, 1, false);
		run invalidate(0, 1, false)
#endif
#ifdef TWO_VCPUS	/* two faults, two TLBs, one page */
		run vcpu(0, 0, 1);
		run vcpu(1, 0, 1);
		run invalidate(0, 1, false)
#endif
#ifdef RUN		/* a run of pages, cut by an invalidation */
		run populate(0, 2);
		run invalidate(0, 1, false);
		run invalidate(1, 2, false)
#endif
#ifdef CHANGE_PTE	/* a page is replaced in place, beside other changes */
		run vcpu(0, 0, 2);
		run invalidate(0, 1, true);
		run invalidate(0, 2, false)
#endif
#ifdef MEMSLOTS		/* a memslot goes, another comes */
		run vcpu(0, 1, 1);
		run invalidate(0, 1, false);
		run invalidate(1, 2, false);
		run update(1, 0)
#endif
	}
	/* begin and end balance, and all have come to an end. */
	_nr_pr == 1;
	assert(!in_progress && !in_notifiers && seq == ended);
	assert(!mmu_readers && !mmu_writer && !zap_lock && !ptl);
	assert(!readers[0] && !readers[1])
}

/* Invalidations and updates end by themselves, and then so does each fault. */
ltl faults_end { <> (faulting == 0) }
