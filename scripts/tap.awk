# SPDX-License-Identifier: GPL-2.0-only
#
# Usage: awk -f tap.awk -v label=WHERE < OUTPUT
#
# Flatten KTAP, nested to any depth, to one line a test:
#	ok WHERE: SUITE: TEST
#	not ok WHERE: SUITE: TEST
#	ok WHERE: SUITE: TEST # SKIP reason
# with what was printed on the way to a failure in "#" lines below it. Results
# that a plan promised and nobody printed are failures, and so is a suite without
# a plan. Reads a kernel's log as well as a program's output. In the latter,
# run-selftests brackets each program with "#< NAME" and "#> NAME STATUS".

function emit(verdict, name, directive) {
	print verdict " " label ": " name (directive ? " # SKIP " directive : "")
	if (verdict == "not ok")
		printf "%s", said
	said = ""
}

function path(depth, name,   i, all) {
	for (i = 1; i <= depth; i++)
		if (suite[i] != "")
			all = all suite[i] ": "
	return all name
}

function open(depth) {
	is_open[depth] = 1
	plan[depth] = -1
	seen[depth] = failed[depth] = 0
}

function bad(depth, name) {
	emit("not ok", path(depth, name))
	failed[depth] = 1
}

# A suite ends: has it kept its promise?
function close_suite(depth) {
	if (seen[depth] < plan[depth])
		bad(depth, seen[depth] " of " plan[depth] " results")
	else if (depth == 1 && plan[depth] < 0)
		bad(depth, "no plan")
	is_open[depth] = 0
}

function result(depth, ok, name, directive) {
	seen[depth]++
	if (is_open[depth + 1]) {
		suite[depth + 1] = name
		close_suite(depth + 1)
		if (!ok && !failed[depth + 1])
			bad(depth + 1, "failed as a whole")
		failed[depth] += failed[depth + 1]
		suite[depth + 1] = ""
		if (!directive || seen[depth + 1])
			return
	}
	failed[depth] += !ok
	emit(ok ? "ok" : "not ok", path(depth, name), directive)
}

BEGIN { open(0) }

{
	sub(/\r$/, "")
	sub(/^\[ *[0-9]+\.[0-9]+\](\[ *[TC][0-9]+\])? /, "")
	match($0, /^ */)
	depth = inside + int(RLENGTH / 4)
	line = substr($0, RLENGTH + 1)
}

line ~ /^#< / {
	inside = 1
	open(1)
	suite[1] = substr(line, 4)
	next
}

line ~ /^#> / {
	split(line, word, " ")
	inside = 0
	# 4 is what kselftests skipped as a whole end with.
	result(0, word[3] == 0 || word[3] == 4, word[2], "")
	next
}

line ~ /^K?TAP version/ { open(depth); next }
line ~ /^# Subtest: /   { suite[depth] = substr(line, 12); next }

line ~ /^1\.\.[0-9]+/ {
	plan[depth] = substr(line, 4) + 0
	if (match(line, /# SKIP/))
		emit("ok", path(depth - 1, suite[depth]), substr(line, RSTART + 7))
	next
}

line ~ /^(not )?ok [0-9]+/ {
	ok = line !~ /^not/
	directive = ""
	if (match(line, / *# (SKIP|XFAIL)/)) {
		directive = substr(line, RSTART + RLENGTH + 1)
		if (directive == "")
			directive = "no reason given"
		line = substr(line, 1, RSTART - 1)
	}
	sub(/^(not )?ok [0-9]+ *(- )?/, "", line)
	result(depth, ok, line, directive)
	next
}

{ said = said "#   " $0 "\n" }

END {
	for (depth = 0; is_open[depth]; depth++)
		last = depth
	if (last)
		bad(last, "did not finish")
	else if (!seen[0])
		bad(0, "no results")
	else if (seen[0] < plan[0])
		bad(0, seen[0] " of " plan[0] " suites ran")
}
