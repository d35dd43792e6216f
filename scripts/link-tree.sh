#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Usage: link-tree.sh KERNEL_SOURCE
#
# Put umbra into a kernel source tree as drivers/umbra, by links to this one, so
# that "make menuconfig" and "kunit.py run" there know it. Running it again
# brings the links up to date.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

(($# == 1)) || usage
tree=$1
[[ -e $tree/drivers/Kconfig ]] || die "$tree is no kernel source tree"

# add_line FILE LINE [BEFORE]: append LINE, or insert it before the line BEFORE.
add_line() {
	grep -qxF "$2" "$1" && return
	if (($# == 3)); then
		sed -i "s|^$3\$|$2\n\n&|" "$1"
	else
		printf '%s\n' "$2" >> "$1"
	fi
}

lay_links "$tree/drivers/umbra"
(cd "$top" && cp -sf "$top"/include/uapi/linux/umbra.h "$tree/include/uapi/linux/")
add_line "$tree/drivers/Kconfig" 'source "drivers/umbra/Kconfig"' endmenu
# shellcheck disable=SC2016 # make's variable, not ours
add_line "$tree/drivers/Makefile" 'obj-$(CONFIG_UMBRA) += umbra/'
