# SPDX-License-Identifier: GPL-2.0-only
#
# What people type. How things are done is in scripts/; kbuild reads Kbuild.

KERNELS := debian-6.1 debian-6.12

ifeq ($(V),1)
Q :=
else
Q := @
endif

# make KDIR=/lib/modules/$(uname -r)/build: for a kernel of your own.
modules: $(or $(KDIR),$(KERNELS))

$(KDIR) $(KERNELS): FORCE
	$(Q)scripts/build.sh $@ $(if $(V),V=$(V))

selftests:
	$(Q)scripts/deps.sh build
	$(Q)$(MAKE) --no-print-directory -C selftests OUT=$(CURDIR)/build/selftests

check: FORCE
	$(Q)scripts/check.sh

check-quick: FORCE
	$(Q)scripts/check.sh quick

kunit: FORCE
	$(Q)scripts/kunit.sh | scripts/count.sh

# make stress SECONDS=600 SEED=7 KERNEL=debug. bash has a SECONDS of its own.
unexport SECONDS

KERNEL := debian-6.12
SECONDS := 60
SEED := 1

stress: FORCE
	$(Q)scripts/stress.sh $(KERNEL) $(SECONDS) $(SEED) | scripts/count.sh

# make mutants RULE=U12
mutants: FORCE
	$(Q)scripts/mutants.sh $(RULE) | V=1 scripts/count.sh

models: FORCE
	$(Q)scripts/models.sh | scripts/count.sh

demo shell bench: FORCE
	$(Q)scripts/$@.sh

clean:
	$(Q)rm -rf build

help:
	@echo 'make              build umbra.ko for $(KERNELS), into build/'
	@echo 'make KDIR=DIR     build it for the kernel whose build directory is DIR'
	@echo 'make demo         shadow a real process in a guest, and show every step'
	@echo 'make check        all checks and tests, on stock and debug kernels, arm64, riscv64'
	@echo 'make check-quick  most of them, on one stock kernel, in under two minutes'
	@echo 'make kunit        the unit tests, on the debug kernel'
	@echo 'make stress       everything at once, for SECONDS=60 with SEED=1 on KERNEL=debian-6.12'
	@echo 'make mutants      break the code in every way of mutants/: do tests see it? (RULE=U12)'
	@echo 'make models       explore the models of the protocol, and refute broken ones'
	@echo 'make bench        umbra, KVM and others beside each other: a table, and build/bench.json'
	@echo 'make selftests    build the selftests, into build/selftests/'
	@echo 'make shell        a guest with the module loaded, and a prompt'
	@echo 'make clean        remove build/ (fetched and built kernels stay in the cache)'
	@echo
	@echo 'V=1 shows the commands. ACCEL=kvm runs guests with KVM, not emulated.'

FORCE:
.PHONY: modules selftests check check-quick kunit stress mutants models demo shell bench clean help FORCE
