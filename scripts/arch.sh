# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2034 # variables of those who source it
#
# What depends on the architecture of a kernel. Sourced after lib.sh, never run.

# architecture KERNEL: set
#   kbuild    how kbuild is told of it: variables of make's
#   cross     prefix of its compiler and tools; empty for this machine's own
#   image     the bootable image that kbuild makes, and its target
#   packages  the tasks of deps.sh that bring its compiler and emulator
#   qemu      its emulator, with the machine and what that machine needs
#   cpu       an emulated CPU that can walk umbra's tables
#   console   the first serial port, and
#   port      the second one
architecture() {
	kbuild=()
	cross=
	packages=()
	case $1 in
	arm64)
		kbuild=(ARCH=arm64)
		cross=aarch64-linux-gnu-
		image=arch/arm64/boot/Image
		packages=(arm64)
		qemu=(qemu-system-aarch64 -M "virt,virtualization=on,gic-version=3")
		cpu=max
		console=ttyAMA0
		port=hvc0
		;;
	riscv64)
		kbuild=(ARCH=riscv)
		cross=riscv64-linux-gnu-
		image=arch/riscv/boot/Image
		packages=(riscv64)
		qemu=(qemu-system-riscv64 -M virt)
		cpu=rv64,h=true
		console=ttyS0
		port=hvc0
		;;
	*)
		image=arch/x86/boot/bzImage
		qemu=(qemu-system-x86_64)
		cpu=qemu64,+svm,+npt,+nx,+pdpe1gb,+smep,+sse4.1,+sse4.2,+ssse3,+popcnt,+cx16
		console=ttyS0
		port=ttyS1
		;;
	esac
	[[ -z $cross ]] || kbuild+=(CROSS_COMPILE="$cross")
}
