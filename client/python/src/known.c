/* SPDX-License-Identifier: Apache-2.0 */
/* An array that only grows: blocks of an earlier broker may live on when the next is installed. */
#include "client/python/src/known.h"

#include "client/python/src/block.h"
#include "client/python/src/compat.h"
#include "client/python/src/inherited.h"

enum { OWNERS_MAX = 16 };

static struct owner *owners[OWNERS_MAX];
static atomic_int owner_count;

bool known_add(struct owner *owner)
{
    int count = atomic_load(&owner_count);
    for (int i = 0; i < count; i++) {
        if (owners[i] == owner) {
            return true;
        }
    }
    if (count == OWNERS_MAX) {
        PyErr_Format(PyExc_RuntimeError, "more than %d brokers were installed in this process", OWNERS_MAX);
        return false;
    }
    owner_ref(owner);
    owners[count] = owner;
    atomic_store(&owner_count, count + 1);
    return true;
}

struct owner *known_of(const void *data)
{
    for (int i = atomic_load(&owner_count) - 1; i >= 0; i--) {
        if (block_is_of(owners[i], data)) {
            return owners[i];
        }
    }
    return NULL;
}

bool known_free(void *data)
{
    if (inherited_has(data)) {
        return true;
    }
    struct owner *owner = known_of(data);
    if (owner) {
        block_free(owner, data);
    }
    return owner != NULL;
}
