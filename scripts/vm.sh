#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Usage: vm.sh KERNEL [OPTION...] -- COMMAND...
#        vm.sh KERNEL [OPTION...] --interactive -- [COMMAND...]
#
# Boot KERNEL (see kernel.sh) in QEMU, run COMMAND there by a shell as root, and
# end with its exit status, its output on stdout. A complaint of the kernel in
# its log is status 99, and a guest that dies or hangs 98, whatever COMMAND says.
# --interactive leaves you with a prompt after COMMAND.
#
#   --smp N          CPUs (2)
#   --count          one CPU, and a clock that counts its instructions: one a ns
#   --mem SIZE       memory (2G)
#   --append TEXT    more kernel command line
#   --timeout SECONDS (600; a day if interactive)
#   --files PATH     a file or a directory to put into the guest's /umbra
#   --test           take the module built with hold points
#   --log FILE       where the kernel's log goes (build/logs/)
#
# In the guest, /umbra holds the modules built for KERNEL and selftests/; modprobe
# finds them; swap-on [SIZE] turns on swap. ACCEL=kvm in the environment uses KVM.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. "$scripts/arch.sh"

(($#)) || usage
kernel=$1
shift
smp=2 count='' mem=2G append='' timeout='' interactive='' variant='' log=
files=()
while (($#)); do
	case $1 in
	--smp) smp=$2; shift ;;
	--count) count=1 ;;
	--mem) mem=$2; shift ;;
	--append) append=$2; shift ;;
	--timeout) timeout=$2; shift ;;
	--files) files+=("$2"); shift ;;
	--log) log=$2; shift ;;
	--test) variant=-test ;;
	--interactive) interactive=1 ;;
	--) shift; break ;;
	*) usage ;;
	esac
	shift
done
(($#)) || [[ $interactive ]] || usage

architecture "$kernel"
"$scripts/deps.sh" vm "${packages[@]}"
dir=$("$scripts/kernel.sh" "$kernel")
log=${log:-$top/build/logs/$kernel-$$.log}
mkdir -p "$(dirname "$log")"

if [[ $count ]]; then
	smp=1
	accel=(-accel tcg -icount "shift=0,sleep=off" -cpu "$cpu")
elif [[ ${ACCEL:-tcg} == tcg ]]; then
	accel=(-accel 'tcg,thread=multi' -cpu "$cpu")
else
	accel=(-accel "$ACCEL" -cpu host)
fi

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

echo "$*" > "$tmp/command"
files+=("$tmp/command")
for file in "$top/build/$kernel$variant"/*.ko "$top/build${cross:+/$debian}/selftests"; do
	[[ ! -e $file ]] || files+=("$file")
done
cmdline="console=$console port=$port panic=-1 $boot"
if [[ $interactive ]]; then
	cmdline+=" quiet interactive=1" # the latter is a variable of init's
	timeout=${timeout:-86400}
	serial=(-chardev "stdio,id=con,mux=on,signal=off,logfile=$log"
		-serial chardev:con -mon chardev=con)
else
	cmdline+=" ignore_loglevel printk.devkmsg=on"
	serial=(-serial "file:$log" "${second[@]}" -monitor none)
	# KCSAN also reports races that are not umbra's.
	[[ $kernel == kcsan ]] || cmdline+=" panic_on_warn=1 oops=panic"
fi
"$scripts/initramfs.sh" "$kernel" "$dir" "$tmp/initramfs" "${files[@]}"

run=(timeout --foreground -k 5 "${timeout:-600}" "${qemu[@]}" "${accel[@]}"
	-smp "$smp" -m "$mem" -kernel "$dir/vmlinuz" -initrd "$tmp/initramfs"
	-append "$cmdline $append" -display none -nodefaults -no-reboot "${serial[@]}")
if [[ $interactive ]]; then
	say "Ctrl-a x ends the machine"
	"${run[@]}"
	exit
fi

status=0
"${run[@]}" < /dev/null || status=$?

"$scripts/splat.sh" "$log" >&2 || {
	say "log in $log"
	exit 99
}
ended=$(sed -n 's/.*umbra-vm: exit \([0-9]*\).*/\1/p' "$log")
if [[ -z $ended ]]; then
	tail -n 20 "$log" >&2
	say "the guest did not finish (qemu's status is $status, 124 is a timeout), log in $log"
	exit 98
fi
exit "$ended"
