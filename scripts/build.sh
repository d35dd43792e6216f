#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Usage: build.sh [--test] KERNEL|KDIR [VARIABLE=VALUE...]
#
# Build umbra.ko, and umbra-kunit.ko where the kernel has KUnit, for KERNEL (see
# kernel.sh) or for the kernel whose build directory is KDIR, into build/KERNEL.
# --test compiles the hold points in, adds umbra-walk.ko, and builds into
# build/KERNEL-test. The variables are make's, as C=2 for sparse or V=1. For KERNEL,
# a warning is an error.
# The source tree stays clean, as the build takes place in a tree of links.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. "$scripts/arch.sh"

options=(CONFIG_UMBRA=m)
variant=
if [[ ${1:-} == --test ]]; then
	variant=-test
	options+=(CONFIG_UMBRA_TEST=y CONFIG_UMBRA_WALK=m)
	shift
fi
(($#)) || usage
kernel=$1
shift

"$scripts/deps.sh" build
if [[ $kernel == */* ]]; then
	kdir=$kernel
	kernel=$(make -s -C "$kdir" kernelrelease)
else
	kdir=$("$scripts/kernel.sh" "$kernel")/build
	architecture "$kernel"
	options+=(W=1e "${kbuild[@]}")
fi

out=$top/build/$kernel$variant
links=$out/tree
lay_links "$links"
if grep -q '^CONFIG_KUNIT=' "$kdir/.config" && [[ -e $links/kunit/Makefile ]]; then
	options+=(CONFIG_UMBRA_KUNIT_TEST=m)
fi

make --no-print-directory -C "$kdir" M="$links" -j"$(nproc)" "${options[@]}" "$@" modules
find "$links" -name '*.ko' -exec ln -sfrt "$out" {} +
