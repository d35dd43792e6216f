# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2034 # variables of those who source it
#
# What the scripts share: messages, the cache, Debian packages, progress.
# Sourced, never run.

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
scripts=$top/scripts
cache=${XDG_CACHE_HOME:-$HOME/.cache}/umbra
export LC_ALL=C
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

# as_root COMMAND...: fails if that is not allowed without a prompt.
as_root() {
	if ((EUID == 0)); then
		"$@"
	else
		command -v sudo > /dev/null && sudo -n "$@"
	fi
}

# with_fresh_lists COMMAND...: if it fails, fetch the package lists and try again.
with_fresh_lists() {
	"$@" || { as_root apt-get update >&2 && "$@"; }
}

# unpack DIR PACKAGE...: download packages and unpack them, installing nothing.
unpack() {
	local dir=$1 debs status
	shift

	debs=$(mktemp -d)
	say "fetching $*"
	mkdir -p "$dir"
	(cd "$debs" && apt-get -o APT::Sandbox::User="$(id -un)" download "$@" >&2) &&
		find "$debs" -name '*.deb' -print0 | xargs -0 -I{} dpkg-deb -x {} "$dir"
	status=$?
	rm -r "$debs"
	return $status
}

# progress LABEL GUESS: count the lines of stdin towards the most there have been,
# or GUESS. A terminal sees one line that changes, a log a line every half minute.
progress() {
	local label=$1 expected=$2 count=0 start=$SECONDS next=$((SECONDS + 5)) passed
	local memory=$cache/progress/${1// /-} format='%s: %d of about %d, %d s, about %d s left\n'
	local interval=30

	if [[ -t 2 ]]; then
		format="\r${format%??}\e[K"
		interval=1
	fi
	[[ ! -e $memory ]] || expected=$(< "$memory")
	while read -r _; do
		count=$((count + 1))
		((SECONDS >= next)) || continue
		((expected > count)) || expected=$count
		passed=$((SECONDS - start))
		next=$((SECONDS + interval))
		# shellcheck disable=SC2059 # a format, not data
		printf "$format" "$label" "$count" "$expected" "$passed" \
			"$((passed * (expected - count) / count))" >&2
	done
	[[ ! -t 2 ]] || printf '\r\e[K' >&2
	mkdir -p "${memory%/*}"
	[[ -e $memory ]] && ((count < expected)) || echo "$count" > "$memory"
	say "$label: done in $((SECONDS - start)) s"
}

# lay_links DIR: make DIR a tree of links to the sources that kbuild needs.
lay_links() {
	mkdir -p "$1"
	(cd "$top" && cp -asf "$top"/{Kbuild,Kconfig,src,include} "$1/")
	[[ ! -e $top/kunit/Makefile ]] || cp -asf "$top/kunit" "$1/"
	if [[ -e $top/selftests/walkers/Makefile ]]; then
		mkdir -p "$1/selftests"
		cp -asf "$top/selftests/walkers" "$1/selftests/"
	fi
	find "$1" -xtype l -delete
}

# kernel_log LOG: what the kernel said since the guest's command started.
kernel_log() { sed '0,/umbra-vm: start/d' "$1"; }

# vm_result LABEL STATUS ERRORS: how a guest ended (see vm.sh), as one more test, with
# the errors of vm.sh if it failed.
vm_result() {
	case $2 in
	0) echo "ok $1: the kernel does not complain"; return ;;
	99) echo "not ok $1: the kernel does not complain" ;;
	*) echo "not ok $1: the guest ends with status $2" ;;
	esac
	sed 's/^/#   /' "$3"
}
