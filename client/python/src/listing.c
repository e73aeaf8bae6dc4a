/* SPDX-License-Identifier: Apache-2.0 */
#include "client/python/src/listing.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "client/python/src/client.h"
#include "client/python/src/errors.h"
#include "client/python/src/gil.h"

enum { TEXT_BYTES = 64 /* of a name or a type */ };

struct listed {
    mb_block_info info; /* without the texts, which are the library's */
    char name[TEXT_BYTES], type[TEXT_BYTES];
};

/* What was listed without the interpreter's lock. */
struct blocks {
    struct listed *listed;
    size_t count, room;
};

static int note(const mb_block_info *info, void *user_data)
{
    struct blocks *blocks = user_data;
    if (blocks->count == blocks->room) {
        size_t room = blocks->room ? 2 * blocks->room : 16;
        struct listed *more = reallocarray(blocks->listed, room, sizeof *more);
        if (!more) {
            return ENOMEM;
        }
        blocks->listed = more;
        blocks->room = room;
    }
    struct listed *listed = &blocks->listed[blocks->count++];
    listed->info = *info;
    (void)snprintf(listed->name, sizeof listed->name, "%s", info->name);
    (void)snprintf(listed->type, sizeof listed->type, "%s", info->type);
    return 0;
}

/* NULL: an exception is set. */
static PyObject *number_or_none(uint64_t number, uint64_t none)
{
    return number == none ? Py_BuildValue("") : PyLong_FromUnsignedLongLong(number);
}

static PyObject *tuple_of(const struct listed *listed)
{
    const mb_block_info *info = &listed->info;
    return Py_BuildValue("KIyyKIiiIKNNii", (unsigned long long)info->number, info->owner, listed->name, listed->type,
                         (unsigned long long)info->bytes, info->views, (int)info->lifetime, (int)info->access,
                         info->gid, (unsigned long long)info->age_ms, number_or_none(info->keep_ms, UINT64_MAX),
                         number_or_none(info->publisher, 0), (int)info->ended, (int)info->location);
}

static PyObject *list_of(const struct blocks *blocks)
{
    PyObject *list = PyList_New((Py_ssize_t)blocks->count);
    for (size_t i = 0; list && i < blocks->count; i++) {
        PyObject *tuple = tuple_of(&blocks->listed[i]);
        if (!tuple || PyList_SetItem(list, (Py_ssize_t)i, tuple) < 0) {
            Py_CLEAR(list);
        }
    }
    return list;
}

PyObject *listing_blocks(PyObject *module, PyObject *client)
{
    struct owner *owner = client_use(client);
    struct blocks blocks = {0};
    struct failure failure;
    PyObject *list = NULL;
    (void)module;
    if (!owner) {
        return NULL;
    }
    struct gil gil = gil_drop();
    int result = mb_list_blocks(owner->client, note, &blocks);
    if (result < 0) {
        failure_take(&failure, result);
    }
    gil_take(gil);
    owner_unref(owner);
    if (result < 0) {
        (void)errors_raise(&failure);
    } else {
        list = result > 0 ? PyErr_NoMemory() : list_of(&blocks);
    }
    free(blocks.listed);
    return list;
}
