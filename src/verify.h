/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The oracle: do the shadow table and the primary MMU agree?
 */
#ifndef UMBRA_VERIFY_H
#define UMBRA_VERIFY_H

#include "vm.h"

/**
 * umbra_verify() - compare every leaf of a range with the primary MMU
 * @vm: the VM
 * @gfn: first page; out: first page that was not compared
 * @end: first page after the range
 * @out: @leaves, @mismatches and @first_bad are filled
 *
 * A leaf is right if get_user_pages_fast_only(), which shares no code with what
 * filled the table, finds the same page there, for writing if the leaf is
 * writable, and if the memslot allows what the leaf does; it can be executed
 * just where the memslot allows it. The caller lives in the VM's mm. Sleeps
 * while a range is being invalidated.
 *
 * Return: 0, or -EINTR.
 */
int umbra_verify(struct umbra_vm *vm, gfn_t *gfn, gfn_t end,
		 struct umbra_verify *out);

#endif /* UMBRA_VERIFY_H */
