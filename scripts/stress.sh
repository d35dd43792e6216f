#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Usage: stress.sh [KERNEL [SECONDS [SEED]]]
#
# Run the stress test on KERNEL, debian-6.12 if not given, for 60 seconds, with seed
# 1, and print a line for each thing checked. If any is wrong, says how to try again.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

kernel=${1:-debian-6.12} length=${2:-60} seed=${3:-1}
(($# <= 3)) || usage
log=$top/build/logs/stress-$kernel-$seed.log

"$scripts/deps.sh" build
make --no-print-directory -C "$top/selftests" OUT="$top/build/selftests" >&2
"$scripts/build.sh" --test "$kernel" >&2

tmp=$(mktemp -d)
trap 'rm -r "$tmp"' EXIT
status=0
"$scripts/vm.sh" "$kernel" --test --mem 2G --timeout $((3 * length + 300)) --log "$log" -- \
	run-stress --seconds "$length" --seed "$seed" > "$tmp/output" 2> "$tmp/errors" ||
	status=$?

label="stress on $kernel"
{
	awk -f "$scripts/tap.awk" -v label="$label" "$tmp/output"
	vm_result "$label" "$status" "$tmp/errors"
} | tee "$tmp/results"
sed -n "s/^# //p" "$tmp/output" >&2
! grep -q '^not ok' "$tmp/results" ||
	say "to try again: make stress KERNEL=$kernel SECONDS=$length SEED=$seed"
