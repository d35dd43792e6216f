#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Usage: models.sh | count.sh
#
# Check models/ and print a line a check. Spin goes through all states of each scenario
# of the retry protocol, and has to refute each variant with a rule taken out. The
# litmus tests of the barriers need herd7, which Debian 12 does not have: $HERD7, or
# herd7 in the PATH. Each must be impossible, and possible without its barriers.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

"$scripts/deps.sh" models
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
logs=$top/build/logs/models
mkdir -p "$logs"

# explore NAME DEFINE...: all states (safety), or with LTL=1 all fair cycles (liveness);
# writes pan's report to $logs/NAME, and the steps of an error to $logs/NAME.trail.
explore() {
	local name=$1 compile=(-DSAFETY -DNOCLAIM) run=(-m100000)
	shift

	[[ ! ${LTL:-} ]] || { compile=(-DNFAIR=3); run+=(-a -f); }
	rm -rf "$tmp/pan" && mkdir "$tmp/pan"
	(
		cd "$tmp/pan"
		cp "$top/models/retry.pml" .
		spin "${@/#/-D}" -a retry.pml &&
			gcc -w -O1 "${compile[@]}" -o pan pan.c &&
			./pan "${run[@]}"
		[[ ! -e retry.pml.trail ]] ||
			spin "${@/#/-D}" -p -t retry.pml > "$logs/$name.trail"
	) > "$logs/$name" 2>&1
}

# result NAME EXPECTED: is the line EXPECTED (a regular expression) in the report?
result() {
	if grep -qE "$2" "$logs/$1" && ! grep -q 'max search depth too small' "$logs/$1"; then
		echo "ok models: $1"
	else
		echo "not ok models: $1"
		sed 's/^/#   /' "$logs/$1"
	fi
}

holds() {
	local name scenarios

	mapfile -t scenarios < <(sed -n 's/^#ifdef \([A-Z_]*\)\t.*/\1/p' "$top/models/retry.pml")
	for name in "${scenarios[@]}"; do
		explore "$name is safe" "$name" || :
		result "$name is safe" 'errors: 0$'
		LTL=1 explore "$name: faults end" "$name" || :
		result "$name: faults end" 'errors: 0$'
	done
}

# Each BUG_* of the model, where it shows, and what is violated.
refuted() {
	local bug scenario violation

	while read -r bug scenario violation; do
		LTL=
		[[ $violation != "acceptance cycle" ]] || LTL=1
		LTL=$LTL explore "$bug is refuted" "BUG_$bug" "$scenario" || :
		result "$bug is refuted" "^pan:1: $violation"
	done <<- END
		NO_RETRY		SAME_PAGE	assertion violated .*version
		SAMPLE_LATE		SAME_PAGE	assertion violated .*version
		SAMPLE_ONCE		SAME_PAGE	acceptance cycle
		BEGIN_UNLOCKED		SAME_PAGE	assertion violated .*version
		RANGE_RESET		OVERLAPPING	assertion violated .*version
		COUNT_ZERO		OVERLAPPING	assertion violated .*version
		COUNT_FIRST		OVERLAPPING	assertion violated .*sample>=seen
		HISTORY_UNCHECKED	OVERLAPPING	assertion violated .*version
		FLUSH_UNLOCKED		SAME_PAGE	assertion violated .*tlb
		TOUCH_UNLOCKED		SAME_PAGE	assertion violated .*page
		CHANGE_ANY		CHANGE_PTE	assertion violated .*closed
		DELETE_AT_ONCE		MEMSLOTS	assertion violated .*leaf
		INVALID_USED		MEMSLOTS	assertion violated .*leaf
		PUBLISH_ACTIVE		MEMSLOTS	assertion violated
		NO_SRCU			MEMSLOTS	assertion violated
		WAIT_IN_SRCU		MEMSLOTS	invalid end state
		LEAVE_FORGOTTEN		OVERLAPPING	assertion violated .*in_notifiers
	END
}

# Take the barriers out of a litmus test, and the order out of atomics.
weaken() {
	sed -E '
		s/smp_store_release\(([a-z_]+), /WRITE_ONCE(*\1, /
		s/smp_load_acquire\(([a-z_]+)\)/READ_ONCE(*\1)/
		s/rcu_assign_pointer/WRITE_ONCE/
		s/\<(cmpxchg|xchg)\(/\1_relaxed(/
		/^\t(smp_mb|synchronize_srcu|spin_lock|spin_unlock)/d' "$1"
}

# observed OUTCOME TEST LOG: what herd7 says, in the kernel's memory model.
observed() {
	(cd "$("$scripts/source.sh")/tools/memory-model" &&
		"$herd" -conf linux-kernel.cfg "$2") > "$logs/$3" 2>&1 || :
	result "$3" "^Observation .* $1 "
}

litmus() {
	local test name

	if ! herd=$(command -v "${HERD7:-herd7}"); then
		echo "ok models: litmus tests # SKIP no herd7 (see Documentation/models.rst)"
		return
	fi
	for test in "$top"/models/litmus/*.litmus; do
		name=$(basename "$test" .litmus)
		observed Never "$test" "litmus $name"
		weaken "$test" > "$tmp/$name.litmus"
		observed Sometimes "$tmp/$name.litmus" "litmus $name needs its barriers"
	done
}

# Every variant is asked for, and every litmus test is explained.
complete() {
	local bugs bug test bad=0

	mapfile -t bugs < <(grep -oP '^#ifn?def BUG_\K\w+' "$top/models/retry.pml" | sort -u)
	for bug in "${bugs[@]}"; do
		grep -qP "^\t\t$bug\t" "$0" || { echo "# nobody refutes BUG_$bug"; bad=1; }
	done
	for test in "$top"/models/litmus/*.litmus; do
		test=$(basename "$test" .litmus)
		grep -q "^\`\`$test\`\`" "$top/Documentation/models.rst" ||
			{ echo "# nothing explains $test"; bad=1; }
	done
	((bad == 0))
}

if missing=$(complete); then
	echo "ok models: all variants and litmus tests are there"
else
	echo "not ok models: all variants and litmus tests are there"
	echo "$missing"
fi
holds
refuted
litmus
