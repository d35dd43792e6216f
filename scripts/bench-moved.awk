# SPDX-License-Identifier: GPL-2.0-only
#
# Usage: awk -f bench-moved.awk BEFORE.json AFTER.json
#
# Say which count has moved most between two runs of bench.

{
	if (!match($0, /"name": "[^"]*"/))
		next
	name = substr($0, RSTART + 9, RLENGTH - 10)
	match($0, /"umbra": [^,]*/)
	umbra = substr($0, RSTART + 9, RLENGTH - 9)
	if (FILENAME == ARGV[1])
		before[name] = umbra
	else if (/"instructions/ && before[name] > 0) {
		moved = 100 * (umbra / before[name] - 1)
		if (moved * moved >= most * most) {
			most = moved
			which = name
		}
	}
}

END {
	if (which)
		printf "since the last run, the count that moved most: %+.2f %%, %s\n",
			most, which
}
