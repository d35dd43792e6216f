#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Usage: kunit.sh [KERNEL]
#
# Run the unit tests on KERNEL, debug if not given, and print a line a test.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

kernel=${1:-debug}
log=$top/build/logs/kunit-$kernel.log

"$scripts/build.sh" --test "$kernel" >&2
errors=$(mktemp)
trap 'rm "$errors"' EXIT
status=0
"$scripts/vm.sh" "$kernel" --test --log "$log" -- modprobe umbra-kunit 2> "$errors" || status=$?
kernel_log "$log" | awk -f "$scripts/tap.awk" -v label="kunit on $kernel"
vm_result "kunit on $kernel" "$status" "$errors"
