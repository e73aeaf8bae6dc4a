/* SPDX-License-Identifier: Apache-2.0 */
/* Allocating, freeing, and which pages need no clearing. */
#include "client/python/src/block.h"

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "client/python/src/errors.h"
#include "client/python/src/forks.h"
#include "client/python/src/gil.h"
#include "client/python/src/losses.h"
#include "client/python/src/table.h"
#include "client/python/src/waiting.h"

/*
 * A buffer of up to TINY_BYTES may be aligned to 16 bytes only. The data of a small block never begin on a page: if
 * they would, they begin CLOSER bytes earlier or later.
 */
enum { PAGE_BYTES = 4096, LARGE_BYTES = 32768, PUNCHED_BYTES = 2 << 20, ALIGNMENT = 64, TINY_BYTES = 112, CLOSER = 16 };

struct head {
    uint64_t mark; /* HEAD_MARK ^ the address of the data; 0 if the lease was lost */
    struct owner *owner;
    mb_buffer *buffer; /* NULL: from malloc(), at `plain` */
    union {
        uint64_t epoch;
        void *plain;
    };
};

#define HEAD_MARK UINT64_C(0x6D656D62726F6B65)

static bool is_large(const void *data)
{
    return (uintptr_t)data % PAGE_BYTES == 0;
}

static struct head *head_of(void *data)
{
    return (struct head *)data - 1;
}

/* ---- asking for buffers ---- */

struct request {
    struct owner *owner;
    size_t bytes;
    mb_buffer_options options;
    mb_buffer *buffer;
};

static int create(void *argument)
{
    struct request *request = argument;
    int result = mb_buffer_create(request->owner->client, request->bytes, &request->options, &request->buffer);
    if (result < 0) {
        failure_take(errors_of_thread(), result);
    }
    return result;
}

struct waited {
    struct request *request;
    struct failure failure;
};

static int create_elsewhere(void *argument)
{
    struct waited *waited = argument;
    int result = create(waited->request);
    waited->failure = *errors_of_thread();
    return result;
}

static struct {
    PyObject *type, *value, *traceback;
} kept; /* with the interpreter's lock */

/* A pending call. */
static int raise_kept(void *unused)
{
    (void)unused;
    PyErr_Restore(kept.type, kept.value, kept.traceback);
    kept.type = kept.value = kept.traceback = NULL;
    return PyErr_Occurred() ? -1 : 0;
}

/* The allocator itself can raise nothing but MemoryError, so the main thread raises it soon after. */
static void keep_exception(void)
{
    Py_XDECREF(kept.type);
    Py_XDECREF(kept.value);
    Py_XDECREF(kept.traceback);
    PyErr_Fetch(&kept.type, &kept.value, &kept.traceback);
    (void)Py_AddPendingCall(raise_kept, NULL);
}

static int create_interruptibly(struct request *request)
{
    struct waited waited = {.request = request};
    enum waiting_end end = WAITING_DONE;
    const struct waiting_call call = {request->owner, create_elsewhere, &waited, request->bytes,
                                      request->owner->progress};
    int result = waiting_run(&call, &end);
    *errors_of_thread() = waited.failure;
    if (end == WAITING_RAISED) {
        keep_exception();
    } else if (end == WAITING_CLOSED && result < 0) {
        struct failure *failure = errors_of_thread();
        (void)snprintf(failure->sentence, sizeof failure->sentence, "the broker was closed while the array waited");
    }
    return result;
}

/* PyTorch allocates without the interpreter's lock. A wait of the main thread takes it, since signals must end it. */
static int create_or_wait(struct request *request)
{
    struct gil gil = gil_drop();
    bool waits = request->owner->wait_ms && (gil.thread || gil_is_main_thread());
    int result = waits ? 0 : create(request);
    gil_take(gil);
    if (waits) {
        PyGILState_STATE state = PyGILState_Ensure();
        result = create_interruptibly(request);
        PyGILState_Release(state);
    }
    return result;
}

/* Asks the broker only if it must; other threads run meanwhile. */
static mb_buffer *ask(struct request *request)
{
    request->options.flags |= MB_BUFFER_NO_WAIT;
    int result = mb_buffer_create(request->owner->client, request->bytes, &request->options, &request->buffer);
    if (result == 0) {
        return request->buffer;
    }
    request->options.flags &= ~MB_BUFFER_NO_WAIT;
    result = create_or_wait(request);
    losses_hook();
    return result < 0 ? NULL : request->buffer;
}

static mb_buffer *new_buffer(struct owner *owner, mb_location location, size_t bytes, unsigned flags)
{
    struct request request = {.owner = owner, .bytes = bytes, .options = MB_BUFFER_OPTIONS_INIT};
    request.options.location = location;
    request.options.flags = flags;
    return ask(&request);
}

/* ---- small blocks ---- */

static bool is_tiny(size_t bytes, unsigned flags)
{
    return bytes <= TINY_BYTES - ALIGNMENT && !(flags & BLOCK_ALIGNED);
}

static void *place(char *start, size_t bytes, unsigned flags, const struct head *content)
{
    bool tiny = is_tiny(bytes, flags);
    char *data = start + (tiny ? sizeof(struct head) : ALIGNMENT);
    if (is_large(data) && (flags & BLOCK_ALIGNED)) {
        data += ALIGNMENT;
    } else if (is_large(data)) {
        data += tiny ? CLOSER : -CLOSER;
    }
    struct head *head = head_of(data);
    *head = *content;
    head->mark = HEAD_MARK ^ (uintptr_t)data;
    return data;
}

static size_t with_head(size_t bytes, unsigned flags)
{
    size_t before = flags & BLOCK_ALIGNED ? 2 * (size_t)ALIGNMENT : ALIGNMENT;
    return is_tiny(bytes, flags) ? bytes + sizeof(struct head) + CLOSER : bytes + before;
}

static void *allocate_small(struct owner *owner, mb_location location, size_t bytes, unsigned flags)
{
    mb_buffer *buffer = new_buffer(owner, location, with_head(bytes, flags), 0);
    if (!buffer) {
        return NULL;
    }
    const struct head head = {.owner = owner, .buffer = buffer, .epoch = forks_epoch()};
    return place(mb_buffer_data(buffer), bytes, flags, &head);
}

static void *allocate_plain(size_t bytes, unsigned flags)
{
    size_t whole = (with_head(bytes, flags) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    void *start = whole < bytes ? NULL : aligned_alloc(ALIGNMENT, whole);
    if (!start) {
        return NULL;
    }
    const struct head head = {.plain = start};
    void *data = place(start, bytes, flags, &head);
    return flags & BLOCK_ZEROED ? memset(data, 0, bytes) : data;
}

/* ---- large blocks ---- */

static mb_location ram(void)
{
    static const mb_buffer_options defaults = MB_BUFFER_OPTIONS_INIT;
    return defaults.location;
}

/* Punching the pages out costs little if they were never touched, and as much as munmap() if they were. A file must
 * keep its blocks: without them a full disk would be a signal. */
static void clear(mb_buffer *buffer, size_t bytes)
{
    char *data = mb_buffer_data(buffer);
    size_t whole = bytes / PAGE_BYTES * PAGE_BYTES;
    bool is_punched = bytes >= PUNCHED_BYTES && mb_buffer_location(buffer) == ram() && is_large(data) &&
                      madvise(data, whole, MADV_REMOVE) == 0;
    size_t done = is_punched ? whole : 0;
    memset(data + done, 0, bytes - done);
}

static void *allocate_large(struct owner *owner, mb_location location, size_t bytes, unsigned flags)
{
    mb_buffer *buffer = new_buffer(owner, location, bytes, 0);
    if (!buffer) {
        return NULL;
    }
    const struct table_entry entry = {.data = mb_buffer_data(buffer), .buffer = buffer, .epoch = forks_epoch()};
    if (!is_large(entry.data) || !table_add(&entry)) {
        (void)mb_buffer_unref(buffer);
        return NULL;
    }
    if (flags & BLOCK_ZEROED) {
        clear(buffer, bytes);
    }
    return mb_buffer_data(buffer);
}

/* ---- all blocks ---- */

void *block_allocate(struct owner *owner, mb_location location, size_t bytes, unsigned flags)
{
    if ((flags & BLOCK_PLAIN) || atomic_load_explicit(&owner->is_inherited, memory_order_relaxed)) {
        return allocate_plain(bytes, flags);
    }
    if (bytes > PTRDIFF_MAX) {
        return NULL;
    }
    bool large = bytes > LARGE_BYTES;
    void *data = large ? allocate_large(owner, location, bytes, flags) : allocate_small(owner, location, bytes, flags);
    if (data) {
        owner_ref(owner);
        if (!large && (flags & BLOCK_ZEROED)) {
            memset(data, 0, bytes);
        }
    } else {
        errors_of_thread()->asked_bytes = bytes;
    }
    return data;
}

/* The buffer of a block, which leaves the table. NULL: it is none of ours, or from malloc(). */
static mb_buffer *take(const struct owner *owner, void *data, uint64_t *ret_epoch)
{
    struct table_entry entry = {.epoch = 0};
    if (is_large(data)) {
        (void)table_take(data, &entry);
        *ret_epoch = entry.epoch;
        return entry.buffer;
    }
    const struct head *head = head_of(data);
    bool is_whole = head->mark == (HEAD_MARK ^ (uintptr_t)data);
    *ret_epoch = is_whole ? head->epoch : 0; /* a lost one may be older than any child */
    return is_whole ? head->buffer : mb_buffer_from_address(owner->client, data);
}

static bool is_plain(void *data)
{
    const struct head *head = is_large(data) ? NULL : head_of(data);
    return head && head->mark == (HEAD_MARK ^ (uintptr_t)data) && !head->buffer;
}

void block_free(struct owner *owner, void *data)
{
    uint64_t epoch;
    if (!data) {
        return;
    }
    if (is_plain(data)) {
        free(head_of(data)->plain);
        return;
    }
    if (atomic_load_explicit(&owner->is_inherited, memory_order_relaxed)) {
        return; /* it is the parent's */
    }
    mb_buffer *buffer = take(owner, data, &epoch);
    if (buffer) {
        forks_unref(owner, buffer, epoch);
    }
}

bool block_is_of(const struct owner *owner, const void *data)
{
    return mb_buffer_from_address(owner->client, data) != NULL;
}

/* ---- resizing ---- */

/* From the buffer's record, which a forked child has, too. */
size_t block_size(void *data)
{
    struct table_entry entry = {.buffer = NULL};
    const struct head *head = is_large(data) ? NULL : head_of(data);
    if (!head) {
        (void)table_find(data, &entry);
    } else if (head->mark == (HEAD_MARK ^ (uintptr_t)data)) {
        entry.buffer = head->buffer;
    }
    const char *start = entry.buffer ? mb_buffer_data(entry.buffer) : NULL;
    return start ? mb_buffer_size(entry.buffer) - (size_t)((char *)data - start) : 0;
}

static void *resize_plain(void *data, size_t bytes)
{
    void *moved = allocate_plain(bytes, 0);
    size_t old = malloc_usable_size(head_of(data)->plain) - (size_t)((char *)data - (char *)head_of(data)->plain);
    if (moved) {
        memcpy(moved, data, old < bytes ? old : bytes);
        free(head_of(data)->plain);
    }
    return moved;
}

/* In place or by moving pages; without the interpreter's lock, since it may ask the broker. */
static void *resize_large(void *data, size_t bytes)
{
    struct table_entry entry;
    if (!table_take(data, &entry)) {
        return NULL;
    }
    struct gil gil = gil_drop();
    int result = mb_buffer_resize(&entry.buffer, bytes);
    if (result < 0) {
        failure_take(errors_of_thread(), result);
    }
    gil_take(gil);
    entry.data = mb_buffer_data(entry.buffer);
    (void)table_add(&entry); /* it has room: one was taken */
    return result < 0 ? NULL : mb_buffer_data(entry.buffer);
}

void *block_resize(struct owner *owner, mb_location location, void *data, size_t bytes)
{
    if (!data) {
        return block_allocate(owner, location, bytes, 0);
    }
    if (is_plain(data)) {
        return resize_plain(data, bytes);
    }
    bool is_own = !atomic_load_explicit(&owner->is_inherited, memory_order_relaxed);
    if (is_own && is_large(data) && bytes > LARGE_BYTES && forks_allow_reuse()) {
        return resize_large(data, bytes);
    }
    size_t old = block_size(data);
    void *moved = old > 0 ? block_allocate(owner, location, bytes, 0) : NULL;
    if (moved) {
        memcpy(moved, data, old < bytes ? old : bytes);
        block_free(owner, data);
    }
    return moved;
}
