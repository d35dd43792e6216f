#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Usage: layers.sh
#
# Check the layering of src/, whose rows are the lines of objects in src/Makefile: a
# file includes only what a row above its own provides, a header without an object
# (row 0), and what bears its own name. Prints what breaks this, and fails.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

cd "$top/src"

# noun FILE: fmt.h and fmt/x86_npt.c are both fmt.
noun() { echo "${1%%[./]*}"; }

declare -A row=()
number=0
while read -ra objects; do
	number=$((number + 1))
	for object in "${objects[@]}"; do
		row[$(noun "$object")]=$number
	done
done < <(sed -n 's/^umbra-[^=]*=//p' Makefile)

bad=0
while IFS=: read -r file included; do
	own=$(noun "$file")
	other=$(noun "$included")
	if [[ $own != "$other" ]] && ((${row[$other]:-0} >= ${row[$own]:-1})); then
		echo "src/$file includes $included"
		bad=1
	fi
done < <(grep -roP '^#include "\K[^"]+' --include='*.[ch]' . | sed 's|^\./||')
exit $bad
