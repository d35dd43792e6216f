#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Usage: check.sh [quick]
#
# Run all checks and tests, and count (see count.sh). "quick" is for daily work: no
# sparse, and one stock kernel.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

quick=${1:-}
kernels=(debian-6.12)
[[ $quick ]] || kernels+=(debian-6.1 debug arm64 riscv64)

# stage NAME COMMAND...: a part that must bring results.
stage() {
	local name=$1
	shift
	say "$name (after $SECONDS s)"
	"$@" || echo "not ok $name: ${1##*/} ends with status $?"
}

everything() {
	"$scripts/deps.sh" build kernel vm check
	rm -rf "$top/build"/{,arm64/,riscv64/}selftests # programs whose source is gone are no tests
	stage "static checks" "$scripts/static.sh" "$quick"
	[[ $quick ]] || stage models "$scripts/models.sh"
	[[ $quick ]] || stage "unit tests" "$scripts/kunit.sh" debug
	for kernel in "${kernels[@]}"; do
		stage "selftests on $kernel" "$scripts/selftests.sh" "$kernel"
	done
	[[ $quick ]] || stage "stress on debian-6.1" "$scripts/stress.sh" debian-6.1 20
	stage "stress on debian-6.12" "$scripts/stress.sh" debian-6.12 20
	[[ $quick ]] || stage "stress on debug" "$scripts/stress.sh" debug 120
}

everything | "$scripts/count.sh"
