/* SPDX-License-Identifier: Apache-2.0 */
#include "client/python/src/object.h"

#include "client/python/src/client.h"
#include "client/python/src/errors.h"
#include "client/python/src/gil.h"

/* What a call has found, without the interpreter's lock. */
struct outcome {
    int result; /* of the library */
    struct failure failure;
};

/* Ends the use of the client. False: an exception is set. */
static bool end(struct owner *owner, const struct outcome *outcome)
{
    owner_unref(owner);
    if (outcome->result < 0) {
        (void)errors_raise(&outcome->failure);
    }
    return outcome->result >= 0;
}

static void note(struct outcome *outcome, int result)
{
    outcome->result = result;
    if (result < 0) {
        failure_take_of_block(&outcome->failure, result);
    }
}

PyObject *object_put(PyObject *module, PyObject *arguments)
{
    mb_object_options options = MB_OBJECT_OPTIONS_INIT;
    struct outcome outcome;
    PyObject *client;
    const char *name, *data;
    Py_ssize_t bytes;
    int lifetime, access;
    unsigned gid;
    (void)module;
    if (!PyArg_ParseTuple(arguments, "Osy#iiI:put", &client, &name, &data, &bytes, &lifetime, &access, &gid)) {
        return NULL;
    }
    struct owner *owner = client_use(client);
    if (!owner) {
        return NULL;
    }
    options.lifetime = (mb_lifetime)lifetime;
    options.access = (mb_access)access;
    options.gid = gid;
    struct gil gil = gil_drop();
    note(&outcome, mb_put(owner->client, name, data, (size_t)bytes, &options));
    gil_take(gil);
    if (!end(owner, &outcome)) {
        return NULL;
    }
    Py_RETURN_NONE;
}

PyObject *object_get(PyObject *module, PyObject *arguments)
{
    char buffer[MB_OBJECT_BYTES_MAX];
    struct outcome outcome;
    PyObject *client;
    const char *name;
    long long uid;
    (void)module;
    if (!PyArg_ParseTuple(arguments, "OsL:get", &client, &name, &uid)) {
        return NULL;
    }
    struct owner *owner = client_use(client);
    if (!owner) {
        return NULL;
    }
    struct gil gil = gil_drop();
    note(&outcome, uid < 0 ? mb_get(owner->client, name, buffer, sizeof buffer)
                           : mb_get_from(owner->client, (uint32_t)uid, name, buffer, sizeof buffer));
    gil_take(gil);
    return end(owner, &outcome) ? PyBytes_FromStringAndSize(buffer, outcome.result) : NULL;
}

PyObject *object_remove(PyObject *module, PyObject *arguments)
{
    struct outcome outcome;
    PyObject *client;
    const char *name;
    (void)module;
    if (!PyArg_ParseTuple(arguments, "Os:remove", &client, &name)) {
        return NULL;
    }
    struct owner *owner = client_use(client);
    if (!owner) {
        return NULL;
    }
    struct gil gil = gil_drop();
    note(&outcome, mb_remove(owner->client, name));
    gil_take(gil);
    if (!end(owner, &outcome)) {
        return NULL;
    }
    Py_RETURN_NONE;
}
