#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Usage: static.sh [quick]
#
# Check what can be checked without running anything, and print a line a check.
# "quick" leaves out sparse, and the builds for all but one kernel.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

quick=${1:-}
"$scripts/deps.sh" build check
linux=$("$scripts/source.sh")
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$top"

# check NAME COMMAND...: one result, with the command's output if it fails.
check() {
	local name=$1
	shift
	if "$@" > "$tmp/output" 2>&1; then
		echo "ok static: $name"
	else
		echo "not ok static: $name"
		sed 's/^/#   /' "$tmp/output"
	fi
}

# ours GLOB...: our files of these names.
ours() {
	local glob names=()

	for glob; do
		names+=(-o -name "$glob")
	done
	find . -path ./.git -prune -o -path ./build -prune -o -path ./selftests/kselftest -prune -o \
		-type f \( "${names[@]:1}" \) -printf '%P\n'
}

# builds [--test] KERNEL: without a warning of the compiler, of modpost or of sparse.
builds() {
	local sparse=C=2

	[[ -z $quick ]] || sparse=
	"$scripts/build.sh" "$@" $sparse > "$tmp/build" 2>&1 || { cat "$tmp/build"; return 1; }
	! grep -iE '(warning|error):' "$tmp/build"
}

ignored=(
	LINUX_VERSION_CODE	# has its place in compat.h, see kernel_versions
	CONSTANT_COMPARISON	# misreads KERNEL_VERSION() and assertions on constants
	MACRO_ARG_REUSE		# types and names of fields have no side effects,
	MACRO_ARG_PRECEDENCE	# and take no parentheses
)

# What checkpatch asks of kernel code, and programs of user space do not have.
programs='^(selftests|bench)/(stress/)?[^/]*$'
ignored_in_programs=(
	PREFER_KERNEL_TYPES
	ARRAY_SIZE
	LONG_LINE_STRING
	BIT_MACRO
	PREFER_DEFINED_ATTRIBUTE_MACRO
	VOLATILE
	MACRO_WITH_FLOW_CONTROL
)

# checked TYPE...: checkpatch the files on stdin, but for these types. It leaves a
# file where it runs.
checked() {
	cd "$tmp/links" && xargs -r "$linux/scripts/checkpatch.pl" --no-tree --strict \
		--terse --no-summary --show-types --ignore "$(IFS=,; echo "$*")" --file
}

style() {
	local bad=0

	mkdir "$tmp/links" && ln -s "$top"/* "$tmp/links/"
	ours '*.[ch]' | grep -vE "$programs" | checked "${ignored[@]}" || bad=1
	ours '*.[ch]' | grep -E "$programs" |
		checked "${ignored[@]}" "${ignored_in_programs[@]}" || bad=1
	return $bad
}

kernel_doc() {
	ours '*.h' | xargs "$linux/scripts/kernel-doc" -none -Wall -Werror
}

kernel_versions() {
	! grep -rnE 'LINUX_VERSION_CODE|KERNEL_VERSION' src kunit --include='*.[ch]' --exclude=compat.h
}

shell() {
	{ ours '*.sh'; find scripts/guest -type f; } | xargs shellcheck -x
}

# The ABI header stands alone, and means the same to a 32-bit program.
uapi() {
	local bits

	for bits in 32 64; do
		echo '#include <linux/umbra.h>' |
			gcc -x c -std=c99 -Wall -Wextra -Wpadded -Werror -ffreestanding \
				-m$bits -g -fno-eliminate-unused-debug-types \
				-Iinclude/uapi -isystem /usr/include/x86_64-linux-gnu \
				-c - -o "$tmp/uapi$bits.o" || return
		pahole -y umbra_ "$tmp/uapi$bits.o" > "$tmp/uapi$bits"
	done
	[[ -s $tmp/uapi64 ]] && diff "$tmp/uapi32" "$tmp/uapi64"
}

licences() {
	! ours '*.[chS]' '*.sh' '*.awk' '*.py' '*.rst' '*.pml' '*.litmus' '*.config' Makefile Kbuild Kconfig |
		xargs grep -L SPDX-License-Identifier | grep .
}

local_paths() {
	! ours '*' | xargs grep -nE "(^|[^[:alnum:]_}/.])($HOME|$top)/"
}

for kernel in debian-6.12 ${quick:-debian-6.1}; do
	[[ $kernel != quick ]] || continue
	check "builds for $kernel" builds "$kernel"
	check "builds for $kernel with hold points" builds --test "$kernel"
done
check "checkpatch" style
check "kernel-doc" kernel_doc
check "kernel versions only in compat.h" kernel_versions
check "layers" "$scripts/layers.sh"
check "shellcheck" shell
check "UAPI header stands alone, the same in 32 bits" uapi
check "every file names its licence" licences
check "no path of this machine" local_paths
