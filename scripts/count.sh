#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Usage: kunit.sh | count.sh
#
# Count results as tap.awk writes them. Shows failures as they come (with V=1
# everything), then the skips with their reasons, then the time and the sum.
set -euo pipefail

passed=0 show=${V:-0}
failures=() skips=()

while IFS= read -r line; do
	case $line in
	"not ok "* | *"# SKIP no reason given") failures+=("${line#*ok }"); show=1 ;;
	"ok "*"# SKIP "*) skips+=("${line#ok }"); show=${V:-0} ;;
	"ok "*) passed=$((passed + 1)); show=${V:-0} ;;
	esac
	((show == 0)) || printf '%s\n' "$line"
done

((${#skips[@]} == 0)) || printf '%s\n' "Skipped:" "${skips[@]/#/  }"
((${#failures[@]} == 0)) || printf '%s\n' "Failed:" "${failures[@]/#/  }"
echo "$SECONDS s"
echo "$passed passed, ${#failures[@]} failed, ${#skips[@]} skipped"
((passed && ${#failures[@]} == 0))
