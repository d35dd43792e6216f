#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Usage: initramfs.sh KERNEL KERNEL_DIR OUT FILES...
#
# Pack a guest: busybox, init, the modules that tests want (as far as this
# kernel has them), and FILES in /umbra; a .ko among them is found by modprobe.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

(($# >= 3)) || usage
busybox=$("$scripts/busybox.sh" "$1") kernel=$2 out=$3
shift 3

modules=(zram lzo lzo-rle brd loop virtio_blk virtio_pci ext4 hwpoison_inject
	test_hmm kunit kvm_amd)

release=$(cat "$kernel/release")
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
lib=$root/lib/modules/$release

mkdir -p "$root/bin" "$root/umbra" "$lib"
cp "$busybox" "$root/bin/busybox"
cp "$scripts/guest/init" "$root/"
cp -r "$scripts/guest/bin" "$root/umbra/"
for file; do
	cp -rL "$file" "$root/umbra/"
done

cp "$kernel/modules/lib/modules/$release"/modules.{builtin,builtin.modinfo,order} "$lib/"
for module in "${modules[@]}"; do
	modprobe -d "$kernel/modules" -S "$release" --show-depends "$module" 2>/dev/null || :
done | sed -n 's/^insmod \([^ ]*\).*/\1/p' | sort -u | xargs -r cp -t "$lib"
find "$root/umbra" -maxdepth 1 -name '*.ko' -exec ln -t "$lib" {} +
depmod -b "$root" "$release"

(cd "$root" && find . | cpio --quiet -o -H newc -R 0:0) > "$out"
