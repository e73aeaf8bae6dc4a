/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Views of published arrays for other libraries, without a copy: DLPack and the Arrow C Data Interface. Included by
 * <membroker.h>. The structures are those of <dlpack/dlpack.h> (version 1) and of Arrow's <arrow/c/abi.h>; a program
 * includes these headers for itself, before or after this one.
 *
 *     struct DLManagedTensorVersioned *tensor;
 *     if (mb_view_dlpack(view, &tensor) < 0) fail(mb_last_error());
 *     use(tensor);                          // which calls tensor->deleter(tensor) at its end
 *
 * The metadata of the block says what its bytes are: see "Types and metadata" in client/BLOCKS.md. On success the view
 * belongs to what was made of it, whose end closes it. Until then the program may call mb_view_check() for it. On
 * failure it is still the caller's. mb_disconnect() closes the view, so nothing may read the memory any more, but the
 * deleter and the release callbacks may be called after it (not while it runs).
 *
 * -EINVAL: the block is no array of a known type, or its metadata does not fit its bytes. -EOPNOTSUPP: the other
 * library's format has no type for such elements. -ESTALE: the view was lost. -EPERM: this is a forked child.
 */
#ifndef MEMBROKER_EXCHANGE_H
#define MEMBROKER_EXCHANGE_H

#ifndef MEMBROKER_H
#error "include <membroker.h>"
#endif

#ifdef __cplusplus
extern "C" {
#endif

struct DLManagedTensorVersioned;
struct ArrowSchema;
struct ArrowArray;

/*
 * A tensor in the host's memory, with the flag that says that it can only be read. Blocks of the type "bytes" are
 * tensors of bytes. Without a type: texts, times, and numbers of the other byte order. Any thread may call the deleter.
 */
MB_PUBLIC int mb_view_dlpack(mb_view *view, struct DLManagedTensorVersioned **ret_tensor);

/*
 * An array without nulls, and its schema, in structures of the caller. Dimensions after the first are lists of a fixed
 * size, in C order. Without a type: what DLPack has none for, booleans (which are single bits in Arrow), bfloat16,
 * complex numbers, Fortran order with more than one dimension, and an array without dimensions. Blocks of the type
 * "bytes" are arrays of bytes; so are those of the type "arrow-stream", which an Arrow library's reader of streams
 * reads. The array's release callback closes the view; any thread may call it.
 */
MB_PUBLIC int mb_view_arrow(mb_view *view, struct ArrowSchema *ret_schema, struct ArrowArray *ret_array);

#ifdef __cplusplus
}
#endif

#endif
