// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a VM cannot have: more than GET_CAPS says, what the host's memory does
 * not allow, what the caller may not know, descriptors that cannot be handed
 * out. After each error the VM is as it was before.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "machine.h"

FIXTURE(limits)
{
	struct machine m;
	struct umbra_get_caps caps;
};

FIXTURE_SETUP(limits)
{
	ASSERT_EQ(0, machine_create(&self->m));
	ASSERT_EQ(0, umbra_get_caps(self->m.g.dev, UMBRA_FMT_X86_NPT,
				    &self->caps));
}

FIXTURE_TEARDOWN(limits)
{
	guest_destroy(&self->m.g);
}

TEST_F(limits, memslot_number)
{
	EXPECT_EQ(-EINVAL, umbra_set_memslot(self->m.g.vm, self->caps.max_slots,
					     0, NO_GPA, PAGE, spare));
	EXPECT_STREQ("", damage(&self->m));
	EXPECT_EQ(0, umbra_set_memslot(self->m.g.vm, self->caps.max_slots - 1,
				       0, NO_GPA, PAGE, spare));
}

TEST_F(limits, memslot_pages)
{
	uint64_t length = self->caps.max_slot_pages * PAGE;

	EXPECT_EQ(-EINVAL, umbra_set_memslot(self->m.g.vm, NO_SLOT, 0, NO_GPA,
					     length + PAGE, NULL));
	EXPECT_STREQ("", damage(&self->m));
	EXPECT_EQ(0, umbra_set_memslot(self->m.g.vm, NO_SLOT, 0, NO_GPA, length,
				       NULL));
}

TEST_F(limits, memslot_flags)
{
	uint32_t flag;

	for (flag = 1; flag; flag <<= 1)
		if (!(flag & self->caps.mem_flags))
			EXPECT_EQ(-EOPNOTSUPP,
				  umbra_set_memslot(self->m.g.vm, NO_SLOT, flag,
						    NO_GPA, PAGE, spare));
	EXPECT_STREQ("", damage(&self->m));
	EXPECT_EQ(0, umbra_set_memslot(self->m.g.vm, NO_SLOT,
				       self->caps.mem_flags, NO_GPA, PAGE,
				       spare));
}

TEST_F(limits, formats)
{
	int dev = self->m.g.dev, format;
	struct umbra_get_caps caps;

	ASSERT_TRUE(self->caps.formats & 1u << UMBRA_FMT_X86_NPT);
	for (format = 0; format < 32; format++) {
		if (!(self->caps.formats & 1u << format)) {
			EXPECT_EQ(-EOPNOTSUPP,
				  umbra_get_caps(dev, format, &caps));
			EXPECT_EQ(-EOPNOTSUPP,
				  umbra_create_vm(dev, 0, format, 0));
			continue;
		}
		ASSERT_EQ(0, umbra_get_caps(dev, format, &caps));
		EXPECT_EQ(-EINVAL, umbra_create_vm(dev, 0, format,
						   caps.gpa_bits_min - 1));
		EXPECT_EQ(-EINVAL, umbra_create_vm(dev, 0, format,
						   caps.gpa_bits_max + 1));
	}
	EXPECT_STREQ("", damage(&self->m));
}

/* A VM of any size that GET_CAPS allows ends where it says. */
TEST_F(limits, gpa_bits)
{
	uint32_t bits;
	uint64_t end;
	int vm;

	for (bits = self->caps.gpa_bits_min; bits <= self->caps.gpa_bits_max;
	     bits++) {
		vm = umbra_create_vm(self->m.g.dev, 0, UMBRA_FMT_X86_NPT, bits);
		ASSERT_LE(0, vm);
		end = 1ULL << bits;
		EXPECT_EQ(-EINVAL, umbra_set_memslot(vm, 0, 0, end, PAGE,
						     spare));
		EXPECT_EQ(-EINVAL, umbra_unmap(vm, 0, end + PAGE));
		EXPECT_EQ(0, umbra_set_memslot(vm, 0, 0, end - PAGE, PAGE,
					       spare));
		EXPECT_EQ(0, umbra_unmap(vm, end - PAGE, PAGE));
		EXPECT_EQ(0, close(vm));
	}
	EXPECT_STREQ("", damage(&self->m));
}

TEST_F(limits, vcpus)
{
	struct rlimit files = { 4096, 4096 };
	int vcpu = -1;
	uint32_t nr;

	ASSERT_GT(files.rlim_cur, self->caps.max_vcpus);
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &files));
	for (nr = self->m.stats.vcpus; nr < self->caps.max_vcpus; nr++) {
		vcpu = umbra_create_vcpu(self->m.g.vm);
		ASSERT_LE(0, vcpu)
			TH_LOG("vCPU %u", nr);
	}
	ASSERT_EQ(0, machine_settle(&self->m));
	EXPECT_EQ(-ENOSPC, umbra_create_vcpu(self->m.g.vm));
	EXPECT_STREQ("", damage(&self->m));
	EXPECT_EQ(0, close(vcpu));
	EXPECT_LE(0, umbra_create_vcpu(self->m.g.vm));
	EXPECT_STREQ("", damage(&self->m));
}

static long translate_without_caps(void *arg)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {};
	const struct machine *m = arg;
	struct umbra_translate t;

	/* The system call, as opposed to the library, is for this thread. */
	if (syscall(SYS_capset, &header, none))
		return -errno;
	return umbra_translate(m->g.vm, 0, 0, &t) ?:
	       umbra_translate(m->g.vm, UMBRA_TRANSLATE_HPA, 0, &t);
}

TEST_F(limits, host_address_needs_capability)
{
	struct umbra_translate t;
	struct task task;

	task_start(&task, translate_without_caps, &self->m);
	EXPECT_EQ(-EPERM, task_join(&task));
	EXPECT_STREQ("", damage(&self->m));

	ASSERT_EQ(0, umbra_translate(self->m.g.vm, UMBRA_TRANSLATE_HPA, 0, &t));
	EXPECT_NE(0, t.hpa);
	ASSERT_EQ(0, umbra_translate(self->m.g.vm, 0, 0, &t));
	EXPECT_EQ(0, t.hpa);
}

TEST_F(limits, vcpu_outlives_vm_descriptor)
{
	struct guest *g = &self->m.g;
	uint64_t value;

	EXPECT_EQ(0, close(g->vm));
	EXPECT_EQ(0, umbra_store(g->vcpu, 8, 8, 42));
	EXPECT_EQ(0, umbra_load(g->vcpu, 8, 8, &value));
	EXPECT_EQ(42, value);
	EXPECT_EQ(0, memcmp(g->mem + 8, &value, 8));
	/* guest_destroy() closes both. */
	g->vm = umbra_create_vm(g->dev, 0, UMBRA_FMT_X86_NPT, 0);
	EXPECT_LE(0, g->vm);
}

/* -------------------------------------- what the host's memory does not allow */

static void *map_anonymous(int prot)
{
	return mmap(NULL, PAGE, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void *map_none(void)
{
	return map_anonymous(PROT_NONE);
}

static void *map_readable(void)
{
	return map_anonymous(PROT_READ);
}

static void *map_nothing(void)
{
	void *p = map_anonymous(PROT_NONE);

	munmap(p, PAGE);
	return p;
}

static void *map_past_the_end(void)
{
	int fd = memfd_create("empty", 0);
	void *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	close(fd);
	return p;
}

/* What has no struct page that could be pinned, as a device's memory. */
static void *map_vvar(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[256];
	void *p = MAP_FAILED;

	while (maps && fgets(line, sizeof(line), maps))
		if (strstr(line, "[vvar]"))
			sscanf(line, "%p", &p);
	fclose(maps);
	return p;
}

FIXTURE(mapping)
{
	struct machine m;
};

/*
 * @map: makes a page of memory
 * @read: error of a read access
 * @write: error of a write access
 */
FIXTURE_VARIANT(mapping)
{
	void *(*map)(void);
	int read;
	int write;
};

FIXTURE_SETUP(mapping)
{
	void *p;

	ASSERT_EQ(0, machine_create(&self->m));
	p = variant->map();
	ASSERT_NE(MAP_FAILED, p);
	ASSERT_EQ(0, umbra_set_memslot(self->m.g.vm, NO_SLOT, 0, NO_GPA, PAGE,
				       p));
	ASSERT_EQ(0, machine_settle(&self->m));
}

FIXTURE_TEARDOWN(mapping)
{
	guest_destroy(&self->m.g);
}

FIXTURE_VARIANT_ADD(mapping, prot_none)
{
	.map = map_none, .read = EACCES, .write = EACCES,
};

FIXTURE_VARIANT_ADD(mapping, prot_read)
{
	.map = map_readable, .write = EACCES,
};

FIXTURE_VARIANT_ADD(mapping, unmapped)
{
	.map = map_nothing, .read = EFAULT, .write = EFAULT,
};

FIXTURE_VARIANT_ADD(mapping, past_end_of_file)
{
	.map = map_past_the_end, .read = EFAULT, .write = EFAULT,
};

FIXTURE_VARIANT_ADD(mapping, pfnmap)
{
	.map = map_vvar, .read = EFAULT, .write = EACCES,
};

TEST_F(mapping, fault)
{
	int vcpu = self->m.g.vcpu;
	uint64_t done;

	EXPECT_EQ(-variant->write, umbra_fault(vcpu, UMBRA_FAULT_WRITE, NO_GPA,
					       PAGE, &done));
	EXPECT_EQ(-variant->write, umbra_fault(vcpu, UMBRA_FAULT_WRITE |
					       UMBRA_FAULT_NOWAIT, NO_GPA,
					       PAGE, &done));
	EXPECT_STREQ("", damage(&self->m));

	EXPECT_EQ(-variant->read, umbra_fault(vcpu, 0, NO_GPA, PAGE, &done));
	EXPECT_EQ(-variant->read, umbra_fault(vcpu, UMBRA_FAULT_NOWAIT, NO_GPA,
					      PAGE, &done));
	if (!variant->read)
		ASSERT_EQ(0, machine_settle(&self->m));
	EXPECT_STREQ("", damage(&self->m));
}

TEST_F(mapping, access)
{
	int vcpu = self->m.g.vcpu;
	uint64_t value;

	EXPECT_EQ(-variant->write, umbra_store(vcpu, NO_GPA, 8, 0));
	EXPECT_EQ(-variant->write, umbra_cmpxchg(vcpu, NO_GPA, 8, 0, 0,
						 &value));
	EXPECT_EQ(-variant->write, umbra_write(vcpu, NO_GPA, &value, 8));
	EXPECT_STREQ("", damage(&self->m));

	EXPECT_EQ(-variant->read, umbra_load(vcpu, NO_GPA, 8, &value));
	EXPECT_EQ(-variant->read, umbra_read(vcpu, NO_GPA, &value, 8));
	if (!variant->read)
		ASSERT_EQ(0, machine_settle(&self->m));
	EXPECT_STREQ("", damage(&self->m));
}

/* ---------------------------------------------------------- descriptors */

FIXTURE(descriptor)
{
	struct machine m;
};

FIXTURE_VARIANT(descriptor)
{
	enum kind of;
	unsigned long cmd;
	uint32_t size;
	size_t fd;
};

FIXTURE_SETUP(descriptor)
{
	ASSERT_EQ(0, machine_create(&self->m));
}

FIXTURE_TEARDOWN(descriptor)
{
	guest_destroy(&self->m.g);
}

FIXTURE_VARIANT_ADD(descriptor, vm)
{
	.of = DEV,
	.cmd = UMBRA_CREATE_VM,
	.size = sizeof(struct umbra_create_vm),
	.fd = offsetof(struct umbra_create_vm, fd),
};

FIXTURE_VARIANT_ADD(descriptor, vcpu)
{
	.of = VM,
	.cmd = UMBRA_CREATE_VCPU,
	.size = sizeof(struct umbra_create_vcpu),
	.fd = offsetof(struct umbra_create_vcpu, fd),
};

static int count_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int nr = 0;

	while (dir && readdir(dir))
		nr++;
	closedir(dir);
	return nr;
}

TEST_F(descriptor, close_on_exec)
{
	uint32_t arg[64] = { variant->size };
	int fd;

	ASSERT_EQ(0, call(self->m.fd[variant->of], variant->cmd, arg));
	fd = arg[variant->fd / sizeof(arg[0])];
	EXPECT_EQ(FD_CLOEXEC, fcntl(fd, F_GETFD));
	EXPECT_EQ(0, close(fd));
	EXPECT_STREQ("", damage(&self->m));
}

TEST_F(descriptor, number_cannot_be_told)
{
	int before = count_descriptors();
	uint32_t *arg = edge() - PAGE;

	arg[0] = variant->size;
	ASSERT_EQ(0, mprotect(arg, PAGE, PROT_READ));
	EXPECT_EQ(-EFAULT, call(self->m.fd[variant->of], variant->cmd, arg));
	EXPECT_EQ(before, count_descriptors());
	EXPECT_STREQ("", damage(&self->m));
}

TEST_F(descriptor, no_number_left)
{
	uint32_t arg[64] = { variant->size };
	struct rlimit files;

	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &files));
	files.rlim_cur = 0;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &files));
	EXPECT_EQ(-EMFILE, call(self->m.fd[variant->of], variant->cmd, arg));
	files.rlim_cur = files.rlim_max;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &files));
	EXPECT_STREQ("", damage(&self->m));
	EXPECT_EQ(0, call(self->m.fd[variant->of], variant->cmd, arg));
}

TEST_HARNESS_MAIN
