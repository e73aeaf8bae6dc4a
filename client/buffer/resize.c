/* SPDX-License-Identifier: Apache-2.0 */
/* Changes a buffer's size: in its place if it fits, else by a copy. */
#define MB_NO_INLINE
#include <errno.h>
#include <string.h>

#include "client/buffer/block.h"
#include "client/buffer/scope_list.h"
#include "client/buffer/weak.h"
#include "client/client.h"
#include "client/error.h"
#include "client/misuse.h"
#include "client/owner.h"

/* A block of which no more than this part is used is exchanged for a smaller one. */
enum { SHRINK_SHARE = 2 };

static int check(mb_buffer *buffer, size_t bytes)
{
    int result = owner_check(buffer_heap(buffer)->client);
    if (result < 0) {
        return result;
    }
    if (bytes == 0) {
        return error_set(-EINVAL, "a buffer has at least 1 byte");
    }
    if (mb_buffer_references(buffer) != 1 || (buffer_has(buffer, BUFFER_WEAK) && !weak_clear_unused(buffer))) {
        return error_set(-EBUSY, "a buffer that has other references, or weak ones, can't be resized");
    }
    return mb_buffer_check(buffer);
}

/* The room that a buffer has where it is. In misuse mode the last page of a large one must stay untouched. */
static uint64_t room_of(const mb_buffer *buffer)
{
    uint64_t guard = buffer_is_large(buffer) && buffer_heap(buffer)->catch_misuse ? HEAP_PAGE_BYTES : 0;
    return block_bytes(buffer) - guard;
}

static void resize_in_place(mb_buffer *buffer, size_t bytes)
{
    size_t before = buffer->head.size;
    char *data = buffer->head.data;
    __atomic_store_n(&buffer->head.size, bytes, __ATOMIC_RELAXED);
    if (buffer_heap(buffer)->catch_misuse && bytes < before) {
        misuse_poison(data + bytes, before - bytes);
    } else if (buffer_heap(buffer)->catch_misuse) {
        misuse_alive(data + before, bytes - before, false);
    }
}

/* The new buffer takes the old one's place in its scope. */
static bool move_scope(mb_buffer *from, mb_buffer *to)
{
    if (!buffer_has(from, BUFFER_SCOPED)) {
        return true;
    }
    if (!scope_list_add(from->extra->scope, to)) {
        return false;
    }
    scope_list_remove(from);
    return true;
}

/* The lease may end while the broker is asked for the new place, and during the copy. */
static int copy_content(const mb_buffer *from, mb_buffer *to)
{
    int result = mb_buffer_check(from);
    if (result < 0) {
        return result;
    }
    memcpy(to->head.data, from->head.data, to->head.size < from->head.size ? to->head.size : from->head.size);
    return mb_buffer_check(from);
}

/* `flags`: of the new buffer. */
static int move(mb_buffer **buffer, size_t bytes, unsigned flags)
{
    mb_buffer *from = *buffer;
    const char *name = buffer_has(from, BUFFER_NAMED) ? from->extra->name : NULL;
    const struct block_wish wish = {.bytes = bytes, .flags = flags, .name = name};
    struct thread *thread = thread_get();
    mb_buffer *to = thread ? block_create(thread, buffer_heap(from), &wish) : NULL;
    if (!to) {
        return -errno;
    }
    int result = copy_content(from, to);
    if (result == 0 && !move_scope(from, to)) {
        result = error_no_memory();
    }
    if (result < 0) {
        block_free(to);
        return result;
    }
    (void)mb_buffer_unref(from);
    *buffer = to;
    return 0;
}

int mb_buffer_resize(mb_buffer **buffer, size_t bytes)
{
    int result = check(*buffer, bytes);
    if (result < 0) {
        return result;
    }
    bool fits = bytes <= room_of(*buffer);
    bool is_small_part = bytes <= room_of(*buffer) / SHRINK_SHARE;
    if (!fits || is_small_part) {
        result = move(buffer, bytes, fits ? MB_BUFFER_NO_WAIT : 0);
    }
    if (fits && result != -ESTALE && (result < 0 || !is_small_part)) { /* a smaller block is worth no error or wait */
        resize_in_place(*buffer, bytes);
        result = 0;
    }
    return error_end(result);
}
