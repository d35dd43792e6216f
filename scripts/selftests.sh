#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Usage: selftests.sh KERNEL [NAME...]
#
# Run the selftests, or those named, on KERNEL, and print a line a test. When one
# takes the guest down, a new guest runs those that are left.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. "$scripts/arch.sh"

(($#)) || usage
kernel=$1
shift

architecture "$kernel"
"$scripts/deps.sh" build "${packages[@]}"
programs=$top/build${cross:+/$debian}/selftests
make --no-print-directory -C "$top/selftests" CC="${cross}gcc" OUT="$programs" >&2
"$scripts/build.sh" --test "$kernel" >&2

if (($#)); then
	left=("$@")
else
	mapfile -t left < <(find "$programs" -maxdepth 1 -type f -executable -printf '%f\n' | sort)
fi

tmp=$(mktemp -d)
trap 'rm -r "$tmp"' EXIT
for ((guest = 1; ${#left[@]}; guest++)); do
	log=$top/build/logs/selftests-$kernel-$guest.log
	status=0
	"$scripts/vm.sh" "$kernel" --test --mem 4G --timeout 1800 --log "$log" \
		--append 'hugepagesz=1G hugepages=1' -- \
		run-selftests "${left[@]}" unload 2> "$tmp/errors" | tee "$tmp/output" |
		grep --line-buffered -E '^(not )?ok ' |
		progress "selftests on $kernel" 100 ||
		status=${PIPESTATUS[0]}
	awk -f "$scripts/tap.awk" -v label="$kernel" "$tmp/output"
	vm_result "$kernel" "$status" "$tmp/errors"

	mapfile -t begun < <(sed -n 's/^#< //p' "$tmp/output")
	left=("${left[@]:${#begun[@]}}")
	((${#begun[@]})) || break
done
