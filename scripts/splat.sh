#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Usage: splat.sh LOG
#
# Look for complaints of the kernel in a guest's log, from the line on that says
# a command started. Prints the first one, after the name of the selftest at work,
# and fails if there is any.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

(($# == 1)) || usage
log=$1
context=60

patterns=(
	'BUG[: ]' 'WARNING:' 'INFO: task .* blocked' 'INFO: possible recursive'
	'INFO: trying to register' 'INFO: .*stall' 'INFO: inconsistent lock'
	'KASAN:' 'UBSAN:' 'ODEBUG:' 'DEBUG_LOCKS_WARN_ON' 'refcount_t:'
	'Oops' 'general protection' 'Kernel panic' 'unable to handle'
	'sleeping function' 'scheduling while atomic' 'list_.* corruption'
	'suspected memory leaks' 'Memory pool empty' 'soft lockup'
)

kernel_log "$log" | awk -v context="$context" \
	-v pattern="$(IFS='|'; echo "${patterns[*]}")" '
# A KCSAN report counts only if it names umbra: hold it back until it ends.
/BUG: KCSAN:/ { held = $0; next }
held && /=====/ {
	if (held ~ /umbra/) {
		print selftest "\n" held
		found = 1
		exit
	}
	held = ""
	next
}
held { held = held "\n" $0; next }
/umbra-vm: selftest/ { selftest = $0 }
!found && $0 ~ pattern { found = 1; print selftest }
found && context-- > 0
END { exit found }'
