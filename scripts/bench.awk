# SPDX-License-Identifier: GPL-2.0-only
#
# Usage: awk -f bench.awk -v json=FILE ROWS
#
# Make a table of what bench prints, and write the same to FILE as JSON: a list of
# objects. "kvm" is the figure of the peer, which is KVM unless the name says
# otherwise, or null; "ratio" is kvm / umbra. It is the ratio, or without a peer
# umbra's figure, that should be at least the goal, or at most if "better" is "less".

BEGIN {
	FS = "\t"
	line = "%-60s %10s %10s %8s %6s  %s\n"
	printf line, "", "umbra", "peer", "ratio", "goal", ""
	printf "[" > json
}

# Figures have four digits that count.
function figure(value) { return value == "-" ? "null" : sprintf("%.4g", value) + 0 }

{
	name = $1; unit = $2; umbra = $3; peer = $4; goal = $5; better = $6
	# What is less than one instruction is none.
	ratio = peer == "-" ? "-" : peer / (umbra > 1e-3 ? umbra : 1e-3)
	judged = peer == "-" ? umbra : ratio
	met = better == "more" ? judged >= goal : judged <= goal
	if (unit != last)
		print last = unit
	printf line, "  " name, figure(umbra), (peer == "-" ? "" : figure(peer)),
		(peer == "-" ? "" : sprintf("%.3g", ratio)), goal, (met ? "met" : "MISSED")
	printf "%s\n  {\"name\": \"%s\", \"unit\": \"%s\", \"umbra\": %s, \"kvm\": %s, " \
		"\"ratio\": %s, \"goal\": %s, \"better\": \"%s\"}", (rows ? "," : ""), name,
		unit, figure(umbra), figure(peer), figure(ratio), goal, better > json
	rows++
	goals += met
}

END {
	print "\n]" > json
	printf "%d rows, %d goals met, %d missed\n", rows, goals, rows - goals
}
