// SPDX-License-Identifier: GPL-2.0-only
/*
 * VMs and vCPUs that come and go beside the others.
 */
#include <string.h>
#include <umbra.h>
#include <unistd.h>

#include "access.h"
#include "report.h"
#include "world.h"

#define LOADS	20

/* A vCPU that uses the memory for a while. */
static bool use(struct actor *actor, struct vm *vm)
{
	actor->vm = vm;
	actor->vcpu = umbra_create_vcpu(vm->fd);
	if (actor->vcpu < 0) {
		wrong(CHECK_CALLS, "CREATE_VCPU: %s", strerror(-actor->vcpu));
		return false;
	}
	for (int i = 0; i < LOADS; i++)
		access_batch(actor, ACCESS_LOAD, 1);
	close(actor->vcpu);
	return true;
}

static bool another_vcpu(struct actor *actor)
{
	return use(actor, &actor->world->vm[rng_below(&actor->rng, NR_VMS)]);
}

static bool another_vm(struct actor *actor)
{
	struct world *world = actor->world;
	struct vm vm;
	int ret;

	ret = vm_create(&vm, world->dev,
			&combinations[rng_below(&actor->rng, NR_COMBINATIONS)],
			MIN_GPA_BITS, world->area);
	vm.number = NR_VMS;
	if (ret)
		wrong(CHECK_CALLS, "create a VM: %s", strerror(-ret));
	else if (use(actor, &vm))
		vm_verify(&vm, 0, 1UL << vm.gpa_bits);
	vm_destroy(&vm);
	return !ret;
}

static struct op ops[] = {
	{ "vcpu", 3, another_vcpu },
	{ "vm", 1, another_vm },
};

struct actor_kind churn_actor = ACTOR_KIND("come and go", ops, .pause = 400000);
