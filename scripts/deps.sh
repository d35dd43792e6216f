#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Usage: deps.sh build|kernel|vm|check...
#
# Make sure the Debian packages that a task needs are installed: name what is
# missing and install it where that is allowed, or say how and fail.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

declare -A packages=(
	[build]="gcc make libc6-dev libelf-dev kmod"
	[kernel]="bc bison flex gcc make libc6-dev libelf-dev libssl-dev kmod perl xz-utils"
	[vm]="busybox-static cpio kmod qemu-system-x86"
	[check]="pahole perl shellcheck sparse"
)

(($#)) || usage
wanted=()
for task; do
	read -ra more <<< "${packages[$task]}"
	wanted+=("${more[@]}")
done

missing=()
installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "${wanted[@]}" 2>/dev/null || :)
for package in "${wanted[@]}"; do
	[[ $'\n'$installed$'\n' == *$'\n'"installed $package"$'\n'* ]] ||
		missing+=("$package")
done
((${#missing[@]})) || exit 0

say "missing packages: ${missing[*]}"
install=(apt-get install -y --no-install-recommends "${missing[@]}")
if ((EUID == 0)); then
	run=(env DEBIAN_FRONTEND=noninteractive)
elif sudo -n true 2>/dev/null; then
	run=(sudo -n env DEBIAN_FRONTEND=noninteractive)
else
	die "not allowed to install; run: sudo apt-get update && sudo ${install[*]}"
fi
lock deps
"${run[@]}" "${install[@]}" >&2 || {
	"${run[@]}" apt-get update >&2
	"${run[@]}" "${install[@]}" >&2
}
