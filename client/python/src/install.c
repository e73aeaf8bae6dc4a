/* SPDX-License-Identifier: Apache-2.0 */
/* Replacing the functions of NumPy's default handler, which must know their own blocks from NumPy's. */
#include "client/python/src/install.h"

#include <string.h>

#include "client/python/src/block.h"
#include "client/python/src/inherited.h"
#include "client/python/src/known.h"
#include "client/python/src/numpy_api.h"

static struct numpy_allocator original;
static struct owner *active; /* NULL: NumPy's own functions allocate */
static mb_location active_location;

static bool allocates(void)
{
    return active && !atomic_load_explicit(&active->is_inherited, memory_order_relaxed);
}

static void *default_malloc(void *context, size_t bytes)
{
    return allocates() ? block_allocate(active, active_location, bytes, 0) : original.malloc(context, bytes);
}

static void *default_calloc(void *context, size_t count, size_t bytes)
{
    size_t all;
    if (!allocates()) {
        return original.calloc(context, count, bytes);
    }
    return __builtin_mul_overflow(count, bytes, &all) ? NULL
                                                      : block_allocate(active, active_location, all, BLOCK_ZEROED);
}

static void default_free(void *context, void *data, size_t bytes)
{
    if (!known_free(data)) {
        original.free(context, data, bytes);
    }
}

/* A forked child gets a block of its own in the place of its parent's. */
static void *copy_inherited(void *context, void *data, size_t bytes)
{
    size_t old = block_size(data);
    void *moved = original.malloc(context, bytes);
    return moved ? memcpy(moved, data, old < bytes ? old : bytes) : NULL;
}

static void *default_realloc(void *context, void *data, size_t bytes)
{
    struct owner *owner = data ? known_of(data) : NULL;
    if (owner) {
        return block_resize(owner, active_location, data, bytes);
    }
    if (data && inherited_has(data)) {
        return copy_inherited(context, data, bytes);
    }
    return original.realloc(context, data, bytes);
}

bool install_default(struct owner *owner, mb_location location)
{
    struct numpy_handler *handler = numpy_api_default();
    if (!handler || !known_add(owner)) {
        return false;
    }
    if (!original.malloc) {
        original = handler->allocator;
    }
    active_location = location;
    active = owner;
    handler->allocator =
        (struct numpy_allocator){original.context, default_malloc, default_calloc, default_realloc, default_free};
    return true;
}

PyObject *install_undo(PyObject *module, PyObject *unused)
{
    (void)module;
    (void)unused;
    active = NULL;
    Py_RETURN_NONE;
}
