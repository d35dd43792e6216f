#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Usage: busybox.sh KERNEL
#
# Make sure a static busybox for the architecture of KERNEL is there, and print its
# path. Another architecture's comes from Debian as well, and is not installed.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. "$scripts/arch.sh"

(($# == 1)) || usage
architecture "$1"
if [[ ! $cross ]]; then
	echo /bin/busybox
	exit
fi

# foreign DIR: download and unpack busybox-static for $debian of $suite, with lists
# of our own, so that the machine's apt does not hear of another architecture.
foreign() {
	local dir=$1 uri options

	# shellcheck disable=SC2016 # apt fills it in
	uri=$(. /etc/os-release && apt-get indextargets --format '$(REPO_URI)' \
		'COMPONENT: main' "RELEASE: $VERSION_CODENAME" | head -n 1)
	mkdir -p "$dir"/{lists,archives}/partial
	echo "deb $uri $suite main" > "$dir/sources.list"
	options=(-o APT::Architecture="$debian" -o APT::Architectures::="$debian"
		-o APT::Sandbox::User="$(id -un)" -o Acquire::Languages=none
		-o Dir::Etc::SourceList="$dir/sources.list" -o Dir::Etc::SourceParts=/dev/null
		-o Dir::State::Lists="$dir/lists" -o Dir::Cache="$dir")
	apt-get "${options[@]}" update >&2
	(cd "$dir" && apt-get "${options[@]}" download busybox-static >&2)
	dpkg-deb -x "$dir"/busybox-static_*.deb "$dir/root"
}

busybox=$cache/busybox/$debian
lock busybox
if [[ ! -e $busybox ]]; then
	say "fetching busybox for $debian"
	tmp=$(mktemp -d)
	trap 'rm -r "$tmp"' EXIT
	foreign "$tmp"
	mkdir -p "${busybox%/*}"
	find "$tmp/root" -path '*/bin/busybox' -exec cp {} "$busybox" \;
fi
echo "$busybox"
