/* SPDX-License-Identifier: Apache-2.0 */
/* Views as DLPack's tensors and Arrow's arrays. The structures are declared here again, as these ABIs have them. */
#include "tests/integration/blocks.h"

TestSuite(blocks_exchange, .timeout = 60);

struct DLTensor {
    void *data;
    int32_t device_type, device_id;
    int32_t ndim;
    uint8_t code, bits;
    uint16_t lanes;
    int64_t *shape, *strides;
    uint64_t byte_offset;
};

struct DLManagedTensorVersioned {
    uint32_t major, minor;
    void *manager_ctx;
    void (*deleter)(struct DLManagedTensorVersioned *self);
    uint64_t flags;
    struct DLTensor dl_tensor;
};

struct ArrowSchema {
    const char *format, *name, *metadata;
    int64_t flags, n_children;
    struct ArrowSchema **children;
    struct ArrowSchema *dictionary;
    void (*release)(struct ArrowSchema *schema);
    void *private_data;
};

struct ArrowArray {
    int64_t length, null_count, offset, n_buffers, n_children;
    const void **buffers;
    struct ArrowArray **children;
    struct ArrowArray *dictionary;
    void (*release)(struct ArrowArray *array);
    void *private_data;
};

/* A view of a new block of that type and metadata. The block is freed with the client. */
static mb_view *view_of(const char *type, const char *metadata)
{
    mb_block_options options = MB_BLOCK_OPTIONS_INIT;
    options.type = type;
    options.metadata = metadata;
    options.metadata_bytes = strlen(metadata);
    options.replace = 1;
    (void)publish_with(client, "array", &options, 7);
    return attach(client, "array");
}

/* What mb_view_dlpack() returns for that metadata. */
static int dlpack_result(const char *type, const char *metadata)
{
    struct DLManagedTensorVersioned *tensor;
    mb_view *view = view_of(type, metadata);
    int result = mb_view_dlpack(view, &tensor);
    if (result == 0) {
        tensor->deleter(tensor);
    } else {
        cr_expect_eq(mb_view_close(view), 0, "after a failure the view is the caller's");
    }
    return result;
}

static int arrow_result(const char *type, const char *metadata)
{
    struct ArrowSchema schema;
    struct ArrowArray array;
    mb_view *view = view_of(type, metadata);
    int result = mb_view_arrow(view, &schema, &array);
    if (result == 0) {
        array.release(&array);
        schema.release(&schema);
    } else {
        cr_expect_eq(mb_view_close(view), 0, "after a failure the view is the caller's");
    }
    return result;
}

#define JSON(dtype, shape, order, bytes)                                                                               \
    "{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"order\":\"" order "\",\"bytes\":" #bytes "}"

Test(blocks_exchange, a_tensor_is_the_block_read_only)
{
    struct DLManagedTensorVersioned *tensor;
    begin("");
    mb_view *view = view_of("array", JSON("<i2", "[2,3,4]", "C", 48));
    cr_assert_eq(mb_view_dlpack(view, &tensor), 0, "%s", mb_last_error());
    const struct DLTensor *inner = &tensor->dl_tensor;
    cr_expect(tensor->major == 1 && tensor->flags == 1 && inner->device_type == 1 && inner->byte_offset == 0);
    cr_expect(inner->data == mb_view_data(view, NULL) && *(const int16_t *)inner->data == 0x0707);
    cr_expect(inner->code == 0 && inner->bits == 16 && inner->lanes == 1 && inner->ndim == 3);
    cr_expect(inner->shape[0] == 2 && inner->shape[1] == 3 && inner->shape[2] == 4);
    cr_expect(inner->strides[0] == 12 && inner->strides[1] == 4 && inner->strides[2] == 1);
    cr_expect_eq(mb_view_check(view), 0);
    tensor->deleter(tensor);
    view = view_of("array", JSON("<f8", "[2,3]", "F", 48));
    cr_assert_eq(mb_view_dlpack(view, &tensor), 0, "%s", mb_last_error());
    cr_expect(tensor->dl_tensor.strides[0] == 1 && tensor->dl_tensor.strides[1] == 2 && tensor->dl_tensor.code == 2);
    tensor->deleter(tensor);
    end();
}

Test(blocks_exchange, each_type_of_element_has_its_number)
{
    static const struct {
        const char *metadata;
        uint8_t code, bits;
    } types[] = {
        {JSON("|b1", "[3]", "C", 3), 6, 8},
        {JSON("|i1", "[3]", "C", 3), 0, 8},
        {JSON("<i8", "[3]", "C", 24), 0, 64},
        {JSON("|u1", "[3]", "C", 3), 1, 8},
        {JSON("<u4", "[3]", "C", 12), 1, 32},
        {JSON("<f2", "[3]", "C", 6), 2, 16},
        {JSON("<f4", "[3]", "C", 12), 2, 32},
        {JSON("<c8", "[3]", "C", 24), 5, 64},
        {JSON("<c16", "[3]", "C", 48), 5, 128},
        {JSON("bfloat16", "[3]", "C", 6), 4, 16},
        {JSON("<f8", "[]", "C", 8), 2, 64},
        {JSON("<f8", "[0, 9]", "C", 0), 2, 64},
        {" { \"bytes\" : 8 , \"x\":{\"a\":[\"]}\\\"\",1]}, \"shape\":[ 1 ],\"dtype\":\"<f8\"} ", 2, 64},
    };
    begin("");
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        struct DLManagedTensorVersioned *tensor;
        mb_view *view = view_of("array", types[i].metadata);
        cr_assert_eq(mb_view_dlpack(view, &tensor), 0, "%s: %s", types[i].metadata, mb_last_error());
        cr_expect(tensor->dl_tensor.code == types[i].code && tensor->dl_tensor.bits == types[i].bits, "%s",
                  types[i].metadata);
        tensor->deleter(tensor);
    }
    cr_expect_eq(dlpack_result("bytes", "{\"bytes\":5}"), 0);
    end();
}

Test(blocks_exchange, metadata_that_is_wrong_is_refused)
{
    static const char *const wrong[] = {
        "",
        "{",
        "{}",
        "[]",
        "{\"bytes\":8}",
        "{\"bytes\":8}x",
        "{\"bytes\":8,}",
        "{\"bytes\":\"8\",\"shape\":[1],\"dtype\":\"<f8\"}",
        "{\"bytes\":8,\"shape\":[1],\"dtype\":\"<f8",
        "{\"bytes\":8,\"shape\":[1],\"dtype\":\"<f8\\",
        "{\"bytes\":08,\"shape\":[1],\"dtype\":\"<f8\"}",
        "{\"bytes\":8,\"shape\":[01],\"dtype\":\"<f8\"}",
        "{\"bytes\":8,\"bytes\":8,\"shape\":[1],\"dtype\":\"<f8\"}",
        "{\"bytes\":8,\"shape\":[1],\"shape\":[1],\"dtype\":\"<f8\"}",
        "{\"bytes\":8,\"shape\":[1],\"dtype\":\"<f8\",\"dtype\":\"<f8\"}",
        "{\"bytes\":8,\"shape\":[1],\"dtype\":\"<f8\",\"order\":\"C\",\"order\":\"C\"}",
        "{\"bytes\":8,\"shape\":[1,],\"dtype\":\"<f8\"}",
        "{\"bytes\":8,\"shape\":1,\"dtype\":\"<f8\"}",
        "{\"bytes\":8,\"shape\":[1],\"dtype\":\"<f8\",\"x\":[}",
        JSON("<f8", "[1.0]", "C", 8),
        JSON("<f8", "[-1]", "C", 8),
        JSON("<f8", "[2]", "C", 8),
        JSON("<f8", "[1]", "A", 8),
        JSON("<f8", "[131073]", "C", 1048584),
        JSON("<f8", "[18446744073709551616]", "C", 8),
        JSON("<f8", "[2305843009213693952,8]", "C", 0),
        JSON("|u1", "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]", "C", 1),
    };
    static const char *const unknown[] = {"O", "<f16", "<M8[D]", "<U1", ">f8", "f8", "", "<f", "<fx", "<i3", "<c4"};
    begin("");
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        cr_expect_eq(dlpack_result("array", wrong[i]), -EINVAL, "%s", wrong[i]);
        cr_expect_eq(arrow_result("array", wrong[i]), -EINVAL, "%s", wrong[i]);
    }
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) {
        char metadata[128];
        (void)snprintf(metadata, sizeof metadata, "{\"dtype\":\"%s\",\"shape\":[1],\"bytes\":8}", unknown[i]);
        cr_expect_eq(dlpack_result("array", metadata), -EOPNOTSUPP, "%s", metadata);
    }
    cr_expect_eq(dlpack_result("acme/frames", "{\"bytes\":8}"), -EINVAL);
    cr_expect_eq(dlpack_result("bytes", "{\"bytes\":1048577}"), -EINVAL);
    EXPECT_SENTENCE("1048576 bytes");
    end();
}

Test(blocks_exchange, an_array_of_arrow_has_a_list_for_each_further_dimension)
{
    struct ArrowSchema schema;
    struct ArrowArray array;
    begin("");
    mb_view *view = view_of("array", JSON("<f4", "[2,3,4]", "C", 96));
    cr_assert_eq(mb_view_arrow(view, &schema, &array), 0, "%s", mb_last_error());
    const struct ArrowSchema *list = schema.children[0], *number = list->children[0];
    cr_expect_str_eq(schema.format, "+w:3");
    cr_expect_str_eq(list->format, "+w:4");
    cr_expect_str_eq(number->format, "f");
    cr_expect(schema.n_children == 1 && list->n_children == 1 && number->n_children == 0 && schema.flags == 0);
    const struct ArrowArray *lists = array.children[0], *numbers = lists->children[0];
    cr_expect(array.length == 2 && lists->length == 6 && numbers->length == 24 && array.null_count == 0);
    cr_expect(array.n_buffers == 1 && !array.buffers[0] && numbers->n_buffers == 2 && !numbers->buffers[0]);
    cr_expect_eq(numbers->buffers[1], mb_view_data(view, NULL));
    schema.release(&schema);
    cr_expect_null(schema.release);
    array.release(&array);
    cr_expect_null(array.release);
    client = fixture_connect(&fixture, 0);
    end();
}

Test(blocks_exchange, a_child_that_was_moved_out_keeps_the_view)
{
    struct ArrowSchema schema;
    struct ArrowArray array;
    begin("");
    mb_view *view = view_of("array", JSON("|u1", "[2,3]", "C", 6));
    cr_assert_eq(mb_view_arrow(view, &schema, &array), 0, "%s", mb_last_error());
    struct ArrowArray moved = *array.children[0];
    struct ArrowSchema moved_schema = *schema.children[0];
    array.children[0]->release = NULL;
    schema.children[0]->release = NULL;
    array.release(&array);
    schema.release(&schema);
    cr_expect_eq(mb_view_check(view), 0);
    cr_expect(((const uint8_t *)moved.buffers[1])[5] == 7 && moved_schema.format[0] == 'C');
    moved.release(&moved);
    moved_schema.release(&moved_schema);
    end();
}

Test(blocks_exchange, what_arrow_has_no_array_for_is_refused)
{
    begin("");
    cr_expect_eq(arrow_result("array", JSON("|b1", "[3]", "C", 3)), -EOPNOTSUPP);
    cr_expect_eq(arrow_result("array", JSON("bfloat16", "[3]", "C", 6)), -EOPNOTSUPP);
    cr_expect_eq(arrow_result("array", JSON("<c8", "[3]", "C", 24)), -EOPNOTSUPP);
    cr_expect_eq(arrow_result("array", JSON("<f8", "[]", "C", 8)), -EOPNOTSUPP);
    cr_expect_eq(arrow_result("array", JSON("<f8", "[2,2]", "F", 32)), -EOPNOTSUPP);
    cr_expect_eq(arrow_result("array", JSON("<f8", "[0,4294967296]", "C", 0)), -EOPNOTSUPP);
    EXPECT_SENTENCE("C order");
    cr_expect_eq(arrow_result("array", JSON("<f8", "[2]", "F", 16)), 0);
    cr_expect_eq(arrow_result("array", JSON("<u2", "[3,0]", "C", 0)), 0);
    cr_expect_eq(arrow_result("arrow-stream", "{\"bytes\":9}"), 0);
    end();
}

static mb_view *view_in_parent;

static int export_in_child(const struct fixture *of)
{
    (void)of;
    struct DLManagedTensorVersioned *tensor;
    return mb_view_dlpack(view_in_parent, &tensor) == -EPERM ? 0 : 1;
}

Test(blocks_exchange, the_end_of_the_tensor_closes_the_view)
{
    struct DLManagedTensorVersioned *tensor;
    begin("");
    mb_view *view = view_of("bytes", "{\"bytes\":5}");
    cr_assert_eq(mb_view_dlpack(view, &tensor), 0);
    unsigned leases = (unsigned)fixture_status(&fixture).leases;
    tensor->deleter(tensor);
    WAIT_UNTIL(fixture_status(&fixture).leases == leases - 1);
    view_in_parent = view_of("bytes", "{\"bytes\":5}");
    cr_expect_eq(run_child(export_in_child), 0);
    cr_expect_eq(mb_view_close(view_in_parent), 0);
    end();
}

Test(blocks_exchange, what_another_library_has_may_end_after_the_client)
{
    struct DLManagedTensorVersioned *tensor;
    struct ArrowSchema schema;
    struct ArrowArray array;
    begin("");
    cr_assert_eq(mb_view_dlpack(view_of("array", JSON("<i2", "[2,3,4]", "C", 48)), &tensor), 0);
    cr_assert_eq(mb_view_arrow(view_of("array", JSON("<i2", "[2,3,4]", "C", 48)), &schema, &array), 0);
    mb_disconnect(client);
    tensor->deleter(tensor);
    array.release(&array);
    schema.release(&schema);
    cr_expect_null(array.release);
    client = fixture_connect(&fixture, 0);
    end();
}
