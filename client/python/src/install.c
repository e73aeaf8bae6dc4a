/* SPDX-License-Identifier: Apache-2.0 */
/* Replacing the functions of NumPy's default handler, which must know their own blocks from NumPy's. */
#include "client/python/src/install.h"

#include <string.h>

#include "client/python/src/block.h"
#include "client/python/src/inherited.h"
#include "client/python/src/numpy_api.h"

/* Blocks of an earlier broker may live on when the next is installed. */
enum { OWNERS_MAX = 16 };

static struct numpy_allocator original;
static struct owner *owners[OWNERS_MAX];
static int owner_count;
static struct owner *active; /* NULL: NumPy's own functions allocate */
static mb_location active_location;

static struct owner *owner_of(const void *data)
{
    for (int i = owner_count - 1; i >= 0; i--) {
        if (block_is_of(owners[i], data)) {
            return owners[i];
        }
    }
    return NULL;
}

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
    struct owner *owner = inherited_has(data) ? NULL : owner_of(data);
    if (owner) {
        block_free(owner, data);
    } else if (!inherited_has(data)) { /* what a child inherited is its parent's */
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
    struct owner *owner = data ? owner_of(data) : NULL;
    if (owner) {
        return block_resize(owner, active_location, data, bytes);
    }
    if (data && inherited_has(data)) {
        return copy_inherited(context, data, bytes);
    }
    return original.realloc(context, data, bytes);
}

/* The owner keeps a use for ever: NumPy may hold blocks of it. */
static bool add_owner(struct owner *owner)
{
    for (int i = 0; i < owner_count; i++) {
        if (owners[i] == owner) {
            return true;
        }
    }
    if (owner_count == OWNERS_MAX) {
        PyErr_Format(PyExc_RuntimeError, "install_numpy() with more than %d brokers", OWNERS_MAX);
        return false;
    }
    owner_ref(owner);
    owners[owner_count++] = owner;
    return true;
}

bool install_default(struct owner *owner, mb_location location)
{
    struct numpy_handler *handler = numpy_api_default();
    if (!handler || !add_owner(owner)) {
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
