#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Usage: deps.sh fetch|build|kernel|vm|arm64|riscv64|chart|check|models...
#
# Make sure the Debian packages that a task needs are installed: name what is
# missing and install it where that is allowed, or say how and fail.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

declare -A packages=(
	[fetch]="kmod xz-utils"
	[build]="gcc make libc6-dev libelf-dev pahole"
	[kernel]="bc bison flex gcc make libc6-dev libelf-dev libssl-dev perl"
	[vm]="busybox-static cpio kmod qemu-system-x86"
	[arm64]="gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-system-arm"
	[riscv64]="gcc-riscv64-linux-gnu libc6-dev-riscv64-cross qemu-system-misc"
	[chart]="gnuplot-nox"
	[check]="pahole perl shellcheck sparse"
	[models]="gcc libc6-dev spin"
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
lock deps
with_fresh_lists as_root env DEBIAN_FRONTEND=noninteractive "${install[@]}" >&2 ||
	die "cannot install them; as root: apt-get update && ${install[*]}"
