#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Usage: bench.sh [MIB]
#
# Measure umbra and others beside each other: what things cost with one CPU that
# counts instructions, then the throughput of two. Prints one table, and writes it
# as build/bench.json. A figure that misses its goal is no failure. Where there
# was a table before, says how far the counts have moved since. MIB is how much memory
# is mapped, 256 if not given.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

kernel=plain
size=${1:-256}
json=$top/build/bench.json
tmp=$(mktemp -d)
trap 'rm -r "$tmp"' EXIT

# measure PART OPTION...: in a guest of its own.
measure() {
	local part=$1
	shift
	"$scripts/vm.sh" "$kernel" "$@" --mem 3G --timeout 3600 \
		--files "$top/build/bench/bench" -- \
		"modprobe -a umbra test_hmm && exec ./bench $part $size" |
		tee -a "$tmp/rows" | progress "bench, $part" 35
}

"$scripts/deps.sh" build vm
"$scripts/build.sh" "$kernel" >&2
make --no-print-directory -C "$top/bench" OUT="$top/build/bench" >&2
measure count --count
measure parallel --smp 2

[[ ! -e $json ]] || mv "$json" "$tmp/before"
awk -f "$scripts/bench.awk" -v json="$json" "$tmp/rows"
[[ ! -e $tmp/before ]] || awk -f "$scripts/bench-moved.awk" "$tmp/before" "$json"
