# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What the scripts share: messages, the cache, Debian packages, progress.
# Sourced, never run.

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
scripts=$top/scripts
cache=${XDG_CACHE_HOME:-$HOME/.cache}/umbra
# shellcheck disable=SC2034 # used by those who source this file
source_package=linux-source-6.12

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
die() { say "$*"; exit 1; }

# usage: print the comment at the top of the running script, and fail.
usage() {
	sed -n '3,/^[^#]/ { /^#/ s/^# \{0,1\}//p }' "$0" >&2
	exit 2
}

# lock NAME: one process at a time, until the script ends.
lock() {
	mkdir -p "$cache"
	exec 9>"$cache/$1.lock"
	flock 9
}

# lists_newer_than FILE: has apt fetched package lists since FILE was touched?
lists_newer_than() { [[ ! -e $1 || /var/lib/apt/lists -nt $1 ]]; }

# package_version PACKAGE: the version apt would fetch; empty if it knows none.
package_version() {
	apt-cache show --no-all-versions "$1" 2>/dev/null |
		sed -n 's/^Version: //p;T;q'
}

# unpack DIR PACKAGE...: download packages and unpack them, installing nothing.
unpack() {
	local dir=$1 debs
	shift

	debs=$(mktemp -d)
	say "fetching $*"
	(cd "$debs" && apt-get -o APT::Sandbox::User="$(id -un)" \
		-o Dpkg::Use-Pty=0 download "$@" >&2) || {
		rm -r "$debs"
		return 1
	}
	mkdir -p "$dir"
	for deb in "$debs"/*.deb; do
		dpkg-deb -x "$deb" "$dir"
	done
	rm -r "$debs"
}

# progress LABEL EXPECTED: count the lines of stdin towards EXPECTED. A
# terminal sees one line that changes, a log a line every half a minute.
progress() {
	local label=$1 expected=$2 count=0 start=$SECONDS next=0 passed left

	while read -r _; do
		count=$((count + 1))
		((SECONDS >= next)) || continue
		((expected > count)) || expected=$count
		passed=$((SECONDS - start))
		left=$((passed * (expected - count) / count))
		if [[ -t 2 ]]; then
			printf '\r%s: %d of about %d, %d s passed, about %d s left \e[K' \
				"$label" "$count" "$expected" "$passed" "$left" >&2
			next=$((SECONDS + 1))
		else
			printf '%s: %d of about %d, %d s passed, about %d s left\n' \
				"$label" "$count" "$expected" "$passed" "$left" >&2
			next=$((SECONDS + 30))
		fi
	done
	[[ ! -t 2 ]] || printf '\r\e[K' >&2
	printf '%s: done in %d s\n' "$label" "$((SECONDS - start))" >&2
}

# lay_links DIR: make DIR a tree of links to the sources that kbuild needs.
lay_links() {
	mkdir -p "$1"
	(cd "$top" && cp -asf "$top"/{Kbuild,Kconfig,src,include} "$1/")
	[[ ! -e $top/kunit/Makefile ]] || cp -asf "$top/kunit" "$1/"
	find "$1" -xtype l -delete
}
