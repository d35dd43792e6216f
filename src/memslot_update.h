/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Creating, deleting, moving and changing memslots while they are in use.
 */
#ifndef UMBRA_MEMSLOT_UPDATE_H
#define UMBRA_MEMSLOT_UPDATE_H

#include "vm.h"

/* How the log is kept; nothing without UMBRA_MEM_LOG_DIRTY. */
#define UMBRA_MEM_LOG_FLAGS	(UMBRA_MEM_LOG_D_BITS |			\
				 UMBRA_MEM_LOG_PROTECT |		\
				 UMBRA_MEM_LOG_ALL_SET |		\
				 UMBRA_MEM_LOG_SPLIT)
#define UMBRA_MEM_FLAGS		(UMBRA_MEM_READONLY |			\
				 UMBRA_MEM_NOEXEC |			\
				 UMBRA_MEM_IDLE_AGES |			\
				 UMBRA_MEM_LOG_DIRTY |			\
				 UMBRA_MEM_LOG_FLAGS)

/* What umbra_set_memslot() has done to the log of a memslot that was there. */
enum { UMBRA_LOG_BEGUN = 1, UMBRA_LOG_ENDED };

/**
 * umbra_set_memslot() - what &UMBRA_SET_MEMSLOT does
 * @vm: the VM
 * @cmd: the request; @size and @flags known, pads zero
 *
 * Sleeps until all who may use the memslot as it was are done with it.
 *
 * Return: 0, UMBRA_LOG_BEGUN, UMBRA_LOG_ENDED, -EINVAL, -ENOENT, -EEXIST, -ENOMEM, -EINTR.
 */
int umbra_set_memslot(struct umbra_vm *vm, const struct umbra_set_memslot *cmd);

#endif /* UMBRA_MEMSLOT_UPDATE_H */
