# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2034 # variables of those who source it
#
# What depends on the architecture of a kernel. Sourced after lib.sh, never run.

# architecture KERNEL: set
#   kbuild    how kbuild is told of it: variables of make's
#   cross     prefix of its compiler and tools; empty for this machine's own
#   image     the bootable image that kbuild makes, and its target
#   debian    Debian's name of it, and
#   suite     the release of Debian that has it
#   packages  the tasks of deps.sh that bring its compiler and emulator
#   qemu      its emulator, with the machine and what that machine needs
#   cpu       an emulated CPU that can walk umbra's tables
#   boot      what its kernels need to be told
#   console   the first serial port, for the kernel's log
#   port      the second one, for output, and
#   second    what makes QEMU connect it to its own stdout
architecture() {
	kbuild=()
	cross=
	packages=()
	second=(-device virtio-serial-device -chardev "stdio,id=out"
		-device "virtconsole,chardev=out")
	port=hvc0
	boot=
	case $1 in
	arm64)
		kbuild=(ARCH=arm64)
		cross=aarch64-linux-gnu-
		debian=arm64
		suite=bookworm
		image=arch/arm64/boot/Image
		packages=(arm64)
		qemu=(qemu-system-aarch64 -M "virt,virtualization=on,gic-version=3")
		cpu=max
		console=ttyAMA0
		;;
	riscv64)
		kbuild=(ARCH=riscv)
		cross=riscv64-linux-gnu-
		debian=riscv64
		suite=trixie
		image=arch/riscv/boot/Image
		packages=(riscv64)
		qemu=(qemu-system-riscv64 -M virt)
		cpu=rv64,h=true
		console=ttyS0
		;;
	*)
		image=arch/x86/boot/bzImage
		qemu=(qemu-system-x86_64)
		cpu=qemu64,+svm,+npt,+nx,+pdpe1gb,+smep,+sse4.1,+sse4.2,+ssse3,+popcnt,+cx16
		# Nested tables have as many levels as the host's: five here, four elsewhere.
		[[ $1 != debian-6.12 ]] || cpu+=,+la57
		# QEMU before 8.1 may run a stale breakpoint of a kernel that patches its
		# code while another CPU executes it. Boot does most of that; so init
		# starts the other CPUs.
		# KVM is not to keep from others what no guest of its uses.
		boot='maxcpus=1 kvm.enable_virt_at_load=0'
		console=ttyS0
		port=ttyS1
		second=(-serial stdio)
		;;
	esac
	[[ -z $cross ]] || kbuild+=(CROSS_COMPILE="$cross")
}
