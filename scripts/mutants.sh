#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Usage: mutants.sh [NAME...]
#        mutants.sh --list
#
# Break the code on purpose, in each way that a file of mutants/ whose name begins
# with a NAME says ("U12" or "U12-unlock-first"; all if none is given), and see that
# the tests named there fail. Prints a line a mutant: "ok" if it was killed. Before
# that the same tests must pass on the code as it is.
#
# A file has lines "FIELD: VALUE", then replacements:
#
#	what: what is wrong with this mutant
#	kernel: where it shows; debian-6.12 if not given
#	fails: PROGRAM TEST...		(one line for each program)
#	--- src/file.c
#	text that stands there exactly once
#	+++
#	text that takes its place
#
# A mutant that does not apply or does not build is an error.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

# Mutants are made in a copy of the tree, which keeps what was built from one to
# the next.
copy=$top/build/mutants
tmp=$(mktemp -d)
trap 'rm -r "$tmp"' EXIT

fresh_copy() {
	mkdir -p "$copy"
	find "$copy" -mindepth 1 -maxdepth 1 ! -name build -exec rm -r {} +
	tar -C "$top" -c --exclude=./build --exclude=./.git . | tar -C "$copy" -x -m
	rm -rf "$copy/build/selftests"
	make --no-print-directory -s -C "$copy/selftests" OUT="$copy/build/selftests" >&2
}

# field NAME FILE
field() { sed -n "/^---/q; s/^$1: //p" "$2"; }

kernel_of() {
	local kernel

	kernel=$(field kernel "$1")
	echo "${kernel:-debian-6.12}"
}

# replace FILE OLD NEW: in the copy. OLD, with the line end after it, occurs once.
replace() {
	local text rest

	text=$(< "$copy/$1")$'\n'
	[[ $text == *"$2"* ]] || { say "not in $1:"; printf '%s' "$2" >&2; return 1; }
	rest=${text#*"$2"}
	[[ $rest != *"$2"* ]] || { say "more than once in $1:"; printf '%s' "$2" >&2; return 1; }
	printf '%s' "${text%%"$2"*}$3$rest" > "$copy/$1"
}

# mutate FILE: prints the files it has changed.
mutate() {
	local line part='' file='' old='' new=''

	while IFS= read -r line; do
		if [[ $line == '--- '* && $file ]]; then
			replace "$file" "$old" "$new" || return
			echo "$file"
			file=
		fi
		case $line in
		'--- '*) file=${line#--- } part=old old='' new='' ;;
		+++) part=new ;;
		*) [[ $part != old ]] || old+=$line$'\n'
			[[ $part != new ]] || new+=$line$'\n' ;;
		esac
	done < <(cat "$1"; echo "--- ")
}

# run KERNEL: the tests of "PROGRAM TEST..." lines on stdin, and print results.
run() {
	local program tests name command=run-selftests status=0

	while read -r program tests; do
		command+=" '$program"
		for name in $tests; do
			command+=" -t $name"
		done
		command+="'"
	done
	"$copy/scripts/vm.sh" "$1" --test --timeout 240 --log "$copy/build/mutant.log" -- \
		"export TIMEOUT=60; $command" > "$tmp/output" 2> "$tmp/errors" < /dev/null || status=$?
	awk -f "$scripts/tap.awk" -v label="$1" "$tmp/output"
	vm_result "$1" "$status" "$tmp/errors"
}

build() { "$copy/scripts/build.sh" --test "$1" > "$tmp/build" 2>&1; }

# survivors RESULTS: tests on stdin that have not failed.
survivors() {
	local program tests name

	grep -q '^not ok .*: the ' "$1" && return
	while read -r program tests; do
		for name in ${tests:-.}; do
			grep -qE "^not ok .*: $program: .*$name( |\$)" "$1" || echo "$program $name"
		done
	done
}

# try FILE: one result.
try() {
	local name=${1##*/} kernel file alive
	local start=$SECONDS

	kernel=$(kernel_of "$1")
	if ! mutate "$1" > "$tmp/changed" 2> "$tmp/errors"; then
		echo "not ok mutants: $name # does not apply"
		sed 's/^/#   /' "$tmp/errors"
	elif ! build "$kernel"; then
		echo "not ok mutants: $name # does not build"
		grep -m 3 error: "$tmp/build" | sed 's/^/#   /'
	else
		field fails "$1" | run "$kernel" > "$tmp/results"
		alive=$(field fails "$1" | survivors "$tmp/results")
		if [[ -z $alive ]]; then
			echo "ok mutants: $name"
		else
			echo "not ok mutants: $name: survives"
			printf '#   %s\n' "$alive"
		fi
	fi
	while read -r file; do
		cp "$top/$file" "$copy/$file"
	done < "$tmp/changed"
	say "$name, $((SECONDS - start)) s"
}

if [[ ${1:-} == --list ]]; then
	for file in "$top"/mutants/*; do
		printf '%-28s %s\n' "${file##*/}" "$(field what "$file")"
		field fails "$file" | sed 's/^/    /'
	done
	exit
fi

"$scripts/deps.sh" build vm
names=("$@")
((${#names[@]})) || names=(U)
files=()
for name in "${names[@]}"; do
	for file in "$top/mutants/$name" "$top/mutants/$name"-*; do
		[[ ! -e $file ]] || files+=("$file")
	done
	[[ $name != U ]] || files=("$top"/mutants/U*)
done
((${#files[@]})) || die "no such mutant: ${names[*]}"

fresh_copy
for kernel in $(for file in "${files[@]}"; do kernel_of "$file"; done | sort -u); do
	build "$kernel" || { tail -n 20 "$tmp/build" >&2; die "does not build for $kernel"; }
	# Several mutants name the same test: it runs once.
	for file in "${files[@]}"; do
		[[ $(kernel_of "$file") != "$kernel" ]] || field fails "$file"
	done | awk '{ for (i = 2; i <= NF || i == 2; i++) if (!seen[$1 " " $i]++) tests[$1] = tests[$1] " " $i }
		END { for (program in tests) print program tests[program] }' |
		run "$kernel" > "$tmp/results"
	! grep -A 20 '^not ok' "$tmp/results" >&2 || die "fails without a mutant, on $kernel"
done
for file in "${files[@]}"; do
	try "$file"
done
