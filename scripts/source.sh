#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Usage: source.sh
#
# Make sure Debian's kernel source is in the cache, and print its directory.
# Test kernels are built from it; checkpatch and kernel-doc are taken from it.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

current=$cache/source/$source_package
lock source

if lists_newer_than "$current/.checked"; then
	version=$(package_version "$source_package")
	dir=$cache/source/$source_package-$version
	if [[ -n $version && ! -e $dir/.checked ]]; then
		rm -rf "$dir.new"
		unpack "$dir.new/deb" "$source_package"
		say "unpacking $source_package $version (about a minute)"
		tar -xf "$dir.new/deb/usr/src/$source_package.tar.xz" \
			-C "$dir.new" --strip-components=1
		rm -r "$dir.new/deb"
		rm -rf "$dir"
		mv "$dir.new" "$dir"
	fi
	[[ -z $version ]] || ln -sfn "$dir" "$current"
	[[ -e $current/Makefile ]] || die "apt knows no $source_package, and none is cached"
	touch "$current/.checked"
fi
readlink -f "$current"
