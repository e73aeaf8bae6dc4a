/* SPDX-License-Identifier: Apache-2.0 */
/* The functions that torch.cc calls. */
#include "client/python/src/tensors.h"

#include "client/python/src/block.h"
#include "client/python/src/errors.h"
#include "client/python/src/known.h"

static struct owner *_Atomic active; /* NULL: PyTorch's own allocator allocates */
static _Atomic mb_location active_location;

static int is_active(void)
{
    const struct owner *owner = atomic_load_explicit(&active, memory_order_acquire);
    return owner && !atomic_load_explicit(&owner->is_inherited, memory_order_relaxed);
}

static void *allocate(size_t bytes)
{
    struct owner *owner = atomic_load_explicit(&active, memory_order_acquire);
    return owner ? block_allocate(owner, atomic_load(&active_location), bytes, BLOCK_ALIGNED) : NULL;
}

static int release(void *data)
{
    return known_free(data);
}

static const char *refusal(int *code)
{
    const struct failure *failure = errors_of_thread();
    *code = -failure->code;
    return failure->sentence;
}

bool tensors_install(struct owner *owner, mb_location location)
{
    if (!known_add(owner)) {
        return false;
    }
    atomic_store(&active_location, location);
    atomic_store(&active, owner);
    return true;
}

void tensors_stop(void)
{
    atomic_store(&active, NULL);
}

PyObject *tensors_uninstall(PyObject *module, PyObject *unused)
{
    (void)module;
    (void)unused;
    tensors_stop();
    Py_RETURN_NONE;
}

PyObject *tensors_functions(PyObject *module, PyObject *unused)
{
    (void)module;
    (void)unused;
    return Py_BuildValue("KKKK", (unsigned long long)(uintptr_t)is_active, (unsigned long long)(uintptr_t)allocate,
                         (unsigned long long)(uintptr_t)release, (unsigned long long)(uintptr_t)refusal);
}
