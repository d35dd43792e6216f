#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Usage: chart.sh [OUT]
#
# Draw build/bench.json: how many times umbra's cost its peer's is, and the goals.
# OUT is Documentation/performance.svg if not given.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

json=$top/build/bench.json
out=${1:-$top/Documentation/performance.svg}
tmp=$(mktemp)
trap 'rm "$tmp"' EXIT

"$scripts/deps.sh" chart
# name, ratio, goal: of those with a peer, the last row at the bottom
sed -n 's/.*"name": \("[^"]*"\).*"ratio": \([0-9.e+-]*\), "goal": \([0-9.]*\), .*/\1 \2 \3/p' \
	"$json" | tac > "$tmp"
gnuplot << END
set terminal svg size 900,$((60 + 24 * $(wc -l < "$tmp"))) font "sans-serif,12" background "white" noenhanced
set output "$out"
set title "cost with the peer (KVM, if no other is named) / cost with umbra"
set logscale x
set xrange [0.1:*]
set yrange [-0.7:$(wc -l < "$tmp")]
set grid x
set style fill solid
set key bottom right
plot "$tmp" using (0.1):0:(0.1):2:(\$0 - 0.35):(\$0 + 0.35):ytic(1) \
	with boxxyerror linecolor "#4477aa" title "measured", \
	"" using 3:0 with points pointtype 2 linewidth 2 linecolor "#cc3311" title "goal"
END
