/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever a block's metadata holds, reading it is safe, and what is read fits the block. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "client/block/block.h"
#include "client/block/description.h"
#include "client/error.h"
#include "client/owner.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What the reader calls of the library. */
int error_set(int code, const char *format, ...)
{
    (void)format;
    return code;
}

int owner_check(const mb_client *client)
{
    (void)client;
    return 0;
}

int mb_view_check(const mb_view *view)
{
    (void)view;
    return 0;
}

static void check(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void check_description(const struct description *description, uint64_t most)
{
    unsigned __int128 product = description->item_bytes;
    check(description->dimensions <= DIMENSIONS_MAX && description->bytes <= most);
    for (unsigned i = 0; i < description->dimensions && product; i++) {
        product *= description->shape[i];
        check(product <= UINT64_MAX);
    }
    check(product == description->bytes);
}

/* The room behind the metadata is none of the view's, as in the library. The first byte chooses the type. */
static void read_metadata(const char *type, const uint8_t *data, size_t size)
{
    static mb_lease lease;
    struct description description;
    mb_view *view = calloc(1, offsetof(mb_view, attached.metadata) + size);
    check(view);
    view->lease = &lease;
    view->bytes = 4096;
    view->attached.metadata_bytes = size;
    memcpy(view->attached.type, type, strlen(type) + 1);
    memcpy((uint8_t *)view + offsetof(mb_view, attached.metadata), data, size);
    if (description_read(view, &description) == 0) {
        check_description(&description, view->bytes);
    }
    free(view);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const types[] = {"array", "bytes", "arrow-stream", ""};
    if (size > 0 && size <= MB_BLOCK_METADATA_MAX) {
        read_metadata(types[data[0] % (sizeof types / sizeof *types)], data + 1, size - 1);
    }
    return 0;
}
