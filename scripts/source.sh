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

# Fetch the newest version, unless it is here. Sets version and dir.
fetch() {
	version=$(package_version "$source_package")
	[[ $version ]] || return
	dir=$cache/source/$source_package-$version
	[[ ! -e $dir/.checked ]] || return 0
	rm -rf "$dir"
	unpack "$dir/deb" "$source_package"
}

lock source
if lists_newer_than "$current/.checked"; then
	"$scripts/deps.sh" fetch
	if with_fresh_lists fetch; then
		if [[ -e $dir/deb ]]; then
			say "unpacking $source_package $version (some 10 seconds)"
			tar -xf "$dir/deb/usr/src/$source_package.tar.xz" -C "$dir" --strip-components=1
			rm -r "$dir/deb"
		fi
		ln -sfn "$dir" "$current"
	fi
	[[ -e $current/Makefile ]] || die "cannot fetch $source_package, and none is cached"
	touch "$current/.checked"
fi
readlink -f "$current"
