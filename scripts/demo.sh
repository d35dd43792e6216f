#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Usage: demo.sh
#
# Build the module and the demo, and run it on Debian's own kernel.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

kernel=debian-6.12
"$scripts/deps.sh" build vm
"$scripts/build.sh" "$kernel" >&2
make --no-print-directory -C "$top/tools/demo" OUT="$top/build/demo" >&2
"$scripts/vm.sh" "$kernel" --mem 2G --timeout 300 --files "$top/build/demo/demo" -- \
	'modprobe umbra && swap-on && exec ./demo'
