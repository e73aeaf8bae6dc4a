/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Arrow C Data Interface: the structures are its ABI. A consumer may move a child out of its parent and release
 * both in any order, so each structure holds a reference to what was made for all of them.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/block/block.h"
#include "client/block/description.h"
#include "client/error.h"
#include "client/thread.h"

struct ArrowSchema {
    const char *format, *name, *metadata;
    int64_t flags, child_count;
    struct ArrowSchema **children;
    struct ArrowSchema *dictionary;
    void (*release)(struct ArrowSchema *schema);
    void *context;
};

struct ArrowArray {
    int64_t length, null_count, offset, buffer_count, child_count;
    const void **buffers;
    struct ArrowArray **children;
    struct ArrowArray *dictionary;
    void (*release)(struct ArrowArray *array);
    void *context;
};

_Static_assert(sizeof(struct ArrowSchema) == 72 && sizeof(struct ArrowArray) == 80, "Arrow's ABI");

/* The first dimension is in the caller's structure, the others are here. */
struct exported_array {
    atomic_uint references;
    struct given_view given;
    const void *nulls[1]; /* of lists: there are none */
    const void *data[2];  /* of numbers: the nulls, and the numbers */
    struct ArrowArray inner[DIMENSIONS_MAX - 1];
    struct ArrowArray *children[DIMENSIONS_MAX - 1];
};

enum { FORMAT_BYTES = 16 };

struct exported_schema {
    atomic_uint references;
    char formats[DIMENSIONS_MAX][FORMAT_BYTES];
    struct ArrowSchema inner[DIMENSIONS_MAX - 1];
    struct ArrowSchema *children[DIMENSIONS_MAX - 1];
};

/* ---- the end ---- */

static void release_array(struct ArrowArray *array)
{
    struct exported_array *exported = array->context;
    for (int64_t i = 0; i < array->child_count; i++) {
        if (array->children[i]->release) {
            array->children[i]->release(array->children[i]);
        }
    }
    array->release = NULL;
    if (atomic_fetch_sub(&exported->references, 1) == 1) {
        view_end_given(&exported->given);
        free(exported);
    }
}

static void release_schema(struct ArrowSchema *schema)
{
    struct exported_schema *exported = schema->context;
    for (int64_t i = 0; i < schema->child_count; i++) {
        if (schema->children[i]->release) {
            schema->children[i]->release(schema->children[i]);
        }
    }
    schema->release = NULL;
    if (atomic_fetch_sub(&exported->references, 1) == 1) {
        free(exported);
    }
}

/* ---- the types ---- */

/* '\0': Arrow has none. */
static char format_of(const struct description *described)
{
    static const struct {
        char kind;
        char of_bytes[9];
    } formats[] = {
        {'i', {[1] = 'c', [2] = 's', [4] = 'i', [8] = 'l'}},
        {'u', {[1] = 'C', [2] = 'S', [4] = 'I', [8] = 'L'}},
        {'f', {[2] = 'e', [4] = 'f', [8] = 'g'}},
    };
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        if (formats[i].kind == described->kind) {
            return formats[i].of_bytes[described->item_bytes];
        }
    }
    return '\0';
}

static bool has_arrow_type(const struct description *described)
{
    bool has =
        format_of(described) && described->dimensions > 0 && (!described->is_fortran || described->dimensions == 1);
    for (unsigned i = 1; i < described->dimensions; i++) {
        has = has && described->shape[i] <= INT32_MAX;
    }
    return has;
}

static int check_type(const mb_view *view, const struct description *described)
{
    return has_arrow_type(described)
               ? 0
               : error_set(
                     -EOPNOTSUPP,
                     "Arrow has no array for block \"%s\": only for integers and floating point numbers, in C order",
                     view->lease->name);
}

/* ---- the beginning ---- */

static void set_schemas(const struct description *described, struct exported_schema *exported,
                        struct ArrowSchema *first)
{
    unsigned last = described->dimensions - 1;
    atomic_init(&exported->references, described->dimensions);
    for (unsigned i = 0; i <= last; i++) {
        struct ArrowSchema *schema = i == 0 ? first : &exported->inner[i - 1];
        *schema = (struct ArrowSchema){.format = exported->formats[i],
                                       .name = i == 0 ? "" : "item",
                                       .release = release_schema,
                                       .context = exported};
        if (i == last) {
            exported->formats[i][0] = format_of(described);
            return;
        }
        (void)snprintf(exported->formats[i], FORMAT_BYTES, "+w:%d", (int)described->shape[i + 1]);
        exported->children[i] = &exported->inner[i];
        schema->children = &exported->children[i];
        schema->child_count = 1;
    }
}

static void set_arrays(const struct description *described, struct exported_array *exported, struct ArrowArray *first)
{
    unsigned last = described->dimensions - 1;
    int64_t length = 1;
    atomic_init(&exported->references, described->dimensions);
    exported->data[1] = exported->given.view->address;
    for (unsigned i = 0; i <= last; i++) {
        struct ArrowArray *array = i == 0 ? first : &exported->inner[i - 1];
        length *= (int64_t)described->shape[i];
        *array = (struct ArrowArray){.length = length, .release = release_array, .context = exported};
        if (i == last) {
            array->buffers = exported->data;
            array->buffer_count = 2;
            return;
        }
        exported->children[i] = &exported->inner[i];
        array->buffers = exported->nulls;
        array->buffer_count = 1;
        array->children = &exported->children[i];
        array->child_count = 1;
    }
}

static int export_view(mb_view *view, const struct description *described, struct ArrowSchema *ret_schema,
                       struct ArrowArray *ret_array)
{
    struct exported_schema *schema = calloc(1, sizeof *schema);
    struct exported_array *array = calloc(1, sizeof *array);
    if (!schema || !array) {
        free(schema);
        free(array);
        return error_no_memory();
    }
    array->given = view_give(view);
    set_schemas(described, schema, ret_schema);
    set_arrays(described, array, ret_array);
    return error_end(0);
}

int mb_view_arrow(mb_view *view, struct ArrowSchema *ret_schema, struct ArrowArray *ret_array)
{
    struct description described;
    int result = description_read(view, &described);
    if (result == 0) {
        result = check_type(view, &described);
    }
    return result < 0 ? result : export_view(view, &described, ret_schema, ret_array);
}
