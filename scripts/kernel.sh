#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Usage: kernel.sh NAME
#
# Make sure a kernel is in the cache, and print its directory:
#   vmlinuz   the bootable image
#   build     what external modules are built against (make -C)
#   modules   a root with lib/modules/RELEASE
#   config    the kernel's configuration
#   release   its release; written last, so it marks a complete kernel
#
# NAME is debian-6.1 or debian-6.12: the newest cloud kernel apt knows, unpacked
# and not installed; or plain, debug, kcsan, arm64 or riscv64: built from Debian's
# 6.12 source with the fragments in scripts/kernels.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. "$scripts/arch.sh"

(($# == 1)) || usage
name=$1
kernels=$cache/kernels

releases() {
	apt-cache pkgnames "linux-$1-${name#debian-}." |
		sed -n "s/^linux-$1-\(.*-cloud-amd64\)\$/\1/p" | sort
}

# Fetch the newest release that has both image and headers, unless it is here.
# Sets release and dir.
fetch() {
	local headers packages

	release=$(comm -12 <(releases image) <(releases headers) | sort -V | tail -n 1)
	[[ $release ]] || return
	dir=$kernels/$name-${release%-cloud-amd64}-$(package_version "linux-image-$release")
	[[ ! -e $dir/release ]] || return 0

	headers=linux-headers-$release
	mapfile -t packages < <(apt-cache depends "$headers" |
		sed -n 's/^  Depends: \(linux-headers-.*-common\|linux-kbuild-.*\)$/\1/p')
	rm -rf "$dir"
	unpack "$dir/root" "linux-image-$release" "$headers" "${packages[@]}"
}

# Turn the unpacked packages into what is promised above. The headers name
# /usr/src: point them to where they are.
prepare() {
	local headers=$dir/root/usr/src/linux-headers-$release

	sed -i "s|/usr/src/|$dir/root&|" "$headers/Makefile"
	ln -s "$headers" "$dir/build"
	mkdir "$dir/modules"
	mv "$dir/root/lib" "$dir/modules/"
	find "$dir/modules" -name '*.ko.xz' -exec xz -d {} +
	depmod -b "$dir/modules" "$release"
	cp "$dir/root/boot/vmlinuz-$release" "$dir/vmlinuz"
	cp "$dir/root/boot/config-$release" "$dir/config"
	echo "$release" > "$dir/release"
}

debian() {
	local current=$kernels/$name release dir

	if lists_newer_than "$current/.checked"; then
		"$scripts/deps.sh" fetch
		if with_fresh_lists fetch; then
			[[ -e $dir/release ]] || prepare
			ln -sfn "$dir" "$current"
		fi
		[[ -e $current/release ]] || die "cannot fetch $name, and none is cached"
		touch "$current/.checked"
	fi
	readlink -f "$current"
}

# not_applied WANTED CONFIG: the options of WANTED that CONFIG does not have.
not_applied() {
	comm -23 <(sed 's/^\(CONFIG_[^=]*\)=n$/# \1 is not set/' "$1" | sort -u) \
		<(sort -u "$2")
}

build() {
	local source=$1 dir=$2 missing

	kmake() { make -C "$source" O="$dir/build" "${kbuild[@]}" "$@"; }
	kmake KCONFIG_ALLCONFIG="$dir/wanted" allnoconfig > "$dir/log"
	missing=$(not_applied "$dir/wanted" "$dir/build/.config")
	[[ -z $missing ]] || die "kernel $name: options that do not stick: ${missing//$'\n'/, }"

	say "building kernel $name (some 6 minutes on 2 cores; log in $dir/log)"
	{ kmake -j"$(nproc)" "${image##*/}" modules 2>&1 || echo failed; } | tee -a "$dir/log" |
		progress "kernel $name" 2000
	[[ $(tail -n 1 "$dir/log") != failed ]] || {
		tail -n 30 "$dir/log" >&2
		die "kernel $name does not build"
	}

	kmake INSTALL_MOD_PATH="$dir/modules" modules_install >> "$dir/log"
	cp "$dir/build/$image" "$dir/vmlinuz"
	cp "$dir/build/.config" "$dir/config"
	cp "$dir/build/include/config/kernel.release" "$dir/release"
}

# built FRAGMENT...: a kernel of our own; the cache knows it by source and options.
built() {
	local source wanted dir

	architecture "$name"
	"$scripts/deps.sh" kernel "${packages[@]}"
	source=$("$scripts/source.sh")
	wanted=$(cd "$scripts/kernels" && grep -h '^CONFIG_' "${@/%/.config}" | sort -u)
	dir=$kernels/$name-${source##*-6.12-}-$(sha256sum <<< "$wanted" | cut -c1-12)
	if [[ ! -e $dir/release ]]; then
		mkdir -p "$dir/build"
		echo "$wanted" > "$dir/wanted"
		build "$source" "$dir" >&2
	fi
	echo "$dir"
}

mkdir -p "$kernels"
lock "kernel-$name"
case $name in
debian-6.1 | debian-6.12) debian ;;
plain) built base x86_64 ;;
debug) built base x86_64 debug ;;
kcsan) built base x86_64 kcsan ;;
arm64 | riscv64) built base "$name" ;;
*) usage ;;
esac
