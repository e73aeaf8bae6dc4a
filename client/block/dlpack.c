/* SPDX-License-Identifier: Apache-2.0 */
/* DLPack: the structures are its ABI from version 1 on. */
#include <errno.h>
#include <stdlib.h>

#include "client/block/block.h"
#include "client/block/description.h"
#include "client/error.h"
#include "client/thread.h"
#include "proto/base/without_const.h"

enum { DEVICE_CPU = 1, MAJOR = 1, MINOR = 0, READ_ONLY = 1 };

struct tensor {
    void *data;
    int32_t device_type, device_id;
    int32_t dimensions;
    uint8_t type_code, type_bits;
    uint16_t type_lanes;
    int64_t *shape, *strides; /* strides in elements */
    uint64_t byte_offset;
};

struct DLManagedTensorVersioned {
    uint32_t major, minor;
    void *context;
    void (*deleter)(struct DLManagedTensorVersioned *tensor);
    uint64_t flags;
    struct tensor tensor;
};

_Static_assert(sizeof(struct tensor) == 48 && sizeof(struct DLManagedTensorVersioned) == 80, "DLPack's ABI");

struct exported {
    struct DLManagedTensorVersioned managed;
    struct given_view given;
    int64_t shape[DIMENSIONS_MAX], strides[DIMENSIONS_MAX];
};

static uint8_t type_code(char kind)
{
    static const char codes[] = {'i', 'u', 'f', '\0', 'E', 'c', 'b'}; /* by DLPack's numbers */
    uint8_t code = 0;
    while (codes[code] != kind) {
        code++;
    }
    return code;
}

static void set_shape(const struct description *described, struct exported *exported)
{
    int64_t stride = 1;
    for (unsigned i = 0; i < described->dimensions; i++) {
        unsigned at = described->is_fortran ? i : described->dimensions - 1 - i;
        exported->shape[at] = (int64_t)described->shape[at];
        exported->strides[at] = stride;
        /* if another length is 0, this may be more than a number holds, and no element is there */
        stride = (int64_t)((uint64_t)stride * described->shape[at]);
    }
}

static void delete_exported(struct DLManagedTensorVersioned *tensor)
{
    struct exported *exported = tensor->context;
    view_end_given(&exported->given);
    free(exported);
}

static struct exported *export_view(mb_view *view, const struct description *described)
{
    struct exported *exported = calloc(1, sizeof *exported);
    if (!exported) {
        return NULL;
    }
    set_shape(described, exported);
    exported->given = view_give(view);
    exported->managed = (struct DLManagedTensorVersioned){
        .major = MAJOR, .minor = MINOR, .context = exported, .deleter = delete_exported, .flags = READ_ONLY};
    exported->managed.tensor = (struct tensor){.data = without_const(view->address),
                                               .device_type = DEVICE_CPU,
                                               .dimensions = (int32_t)described->dimensions,
                                               .type_code = type_code(described->kind),
                                               .type_bits = (uint8_t)(described->item_bytes * 8),
                                               .type_lanes = 1,
                                               .shape = exported->shape,
                                               .strides = exported->strides};
    return exported;
}

int mb_view_dlpack(mb_view *view, struct DLManagedTensorVersioned **ret_tensor)
{
    struct description described;
    int result = description_read(view, &described);
    if (result < 0) {
        return result;
    }
    struct exported *exported = export_view(view, &described);
    if (!exported) {
        return error_no_memory();
    }
    *ret_tensor = &exported->managed;
    return error_end(0);
}
