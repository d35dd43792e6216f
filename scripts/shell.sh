#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Usage: shell.sh [KERNEL]
#
# A guest with the module loaded, hold points included, and a prompt.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

kernel=${1:-debian-6.12}
"$scripts/build.sh" --test "$kernel" >&2
exec "$scripts/vm.sh" "$kernel" --test --interactive -- modprobe umbra
