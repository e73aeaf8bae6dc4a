/* SPDX-License-Identifier: Apache-2.0 */
/* Creating blocks, and publishing them. */
#include "client/python/src/published.h"

#include <errno.h>

#include "client/python/src/acquire.h"
#include "client/python/src/client.h"
#include "client/python/src/errors.h"
#include "client/python/src/gil.h"
#include "client/python/src/held.h"

struct block_object {
    struct held_object base;
    mb_block *block; /* valid as long as the lease is */
};

/* ---- creating ---- */

struct wish {
    unsigned long long bytes;
    mb_block_options options;
    PyObject *progress; /* borrowed; NULL: none */
};

static bool read_wish(PyObject *arguments, PyObject **ret_client, struct wish *wish)
{
    int lifetime, access, huge, location;
    unsigned keep, gid, wait;
    Py_ssize_t metadata_bytes;
    const char *metadata;
    mb_block_options *options = &wish->options;
    *options = (mb_block_options)MB_BLOCK_OPTIONS_INIT;
    if (!PyArg_ParseTuple(arguments, "OKiIiIpsy#IiiO:Block", ret_client, &wish->bytes, &lifetime, &keep, &access, &gid,
                          &options->replace, &options->type, &metadata, &metadata_bytes, &wait, &huge, &location,
                          &wish->progress)) {
        return false;
    }
    options->lifetime = (mb_lifetime)lifetime;
    options->keep_ms = keep;
    options->access = (mb_access)access;
    options->gid = gid;
    options->metadata = metadata;
    options->metadata_bytes = (size_t)metadata_bytes;
    options->wait_ms = wait;
    options->huge_pages = (mb_huge_pages)huge;
    options->location = (mb_location)location;
    wish->progress = wish->progress == Py_None ? NULL : wish->progress;
    return true;
}

static PyObject *new_block(PyTypeObject *type, PyObject *arguments, PyObject *keywords)
{
    struct acquired acquired;
    struct wish wish;
    PyObject *client;
    (void)keywords;
    struct owner *owner = read_wish(arguments, &client, &wish) ? client_use(client) : NULL;
    if (!owner) {
        return NULL;
    }
    if (!acquire_block(owner, wish.bytes, &wish.options, wish.progress, &acquired)) {
        owner_unref(owner);
        return NULL;
    }
    const struct held held = {.owner = owner,
                              .lease = acquired.lease,
                              .data = acquired.data,
                              .bytes = acquired.bytes,
                              .waits_for_children = true};
    PyObject *self = held_new(type, &held);
    if (self) {
        ((struct block_object *)self)->block = acquired.block;
    }
    return self;
}

/* ---- publishing ---- */

/* Its memory can't be written to from here on, also if the call fails. Another thread may release the block meanwhile.
 */
static int publish_unlocked(struct block_object *self, const char *name, struct failure *failure)
{
    struct held *held = &self->base.held;
    struct owner *owner = held->owner;
    owner_ref(owner);
    held->is_read_only = true;
    held_keep(held);
    struct gil gil = gil_drop();
    int result = mb_block_publish(self->block, name);
    if (result == -ESTALE) { /* that is its own lease */
        failure_take(failure, result);
    } else {
        failure_take_of_block(failure, result);
    }
    gil_take(gil);
    held_let_go(held);
    owner_unref(owner);
    return result;
}

static PyObject *publish(PyObject *object, PyObject *argument)
{
    struct block_object *self = (struct block_object *)object;
    struct failure failure;
    if (!held_check(&self->base.held)) {
        return NULL;
    }
    PyObject *name = PyUnicode_AsUTF8String(argument);
    if (!name) {
        return NULL;
    }
    int result = publish_unlocked(self, PyBytes_AsString(name), &failure);
    Py_DECREF(name);
    if (result < 0) {
        return errors_raise(&failure);
    }
    Py_RETURN_NONE;
}

/* ---- the type ---- */

static PyMethodDef methods[] = {
    {"release", METHOD(held_release), METH_NOARGS,
     "Give the block back now, or when the last array of it is gone. May be called again."},
    {"check", METHOD(held_check_method), METH_NOARGS, "Raise LeaseLost if its lease has ended. One load, no message."},
    {"_publish", METHOD(publish), METH_O, "_publish(name): from here on nobody can write to it."},
    {"_set_length", METHOD(held_set_length), METH_O, "_set_length(bytes): how many bytes are exported"},
    {NULL, NULL, 0, NULL},
};

int published_add_type(PyObject *module)
{
    static char doc[] = "Memory to publish. Broker.create_block() makes it.";
    const struct held_type type = {"membroker._native.Block", sizeof(struct block_object), new_block, methods, doc};
    return held_add_type(module, &type);
}
