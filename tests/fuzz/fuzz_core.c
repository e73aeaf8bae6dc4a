/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sessions played against the pure core: the input is a list of what happens, of fixed size each, with small numbers
 * for peers and leases so that they meet. The model of the shell checks every invariant after each step.
 */
#include <string.h>

#include "proto/base/size.h"
#include "tests/unit/core/shell_model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PEERS = 6, STEPS_MAX = 400 };

struct happening {
    uint8_t what, peer;
    uint16_t number;
    uint32_t bytes;
};

static void ask(struct model *model, const struct happening *happening, struct request *request)
{
    struct input input = {.kind = INPUT_REQUEST,
                          .session = model->peers[happening->peer % PEERS].session,
                          .peer = (void *)(uintptr_t)(happening->peer % PEERS + 1)};
    if (input.session || request->kind == REQUEST_REVOKE) {
        request->id = ++model->next_request;
        input.request.request = request;
        input.request.identity = (struct identity){.pid = 1, .uid = 1000 + happening->peer % 3U};
        model_feed(model, &input);
    }
}

static void acquire(struct model *model, const struct happening *happening)
{
    struct request request = {.kind = REQUEST_ACQUIRE};
    request.acquire = (struct acquire_request){
        .bytes = happening->bytes,
        .location = (enum location)(1 + happening->number % 3),
        .ttl_ms = happening->number & 16 ? 1000 + (happening->number & 0xff) : 0,
        .name = "fuzz",
        .numa_node = happening->number & 32 ? 0 : -1,
        .prefault = happening->number & 64,
        .huge_pages = (enum huge_pages)(happening->number >> 7 & 1),
        .has_huge_pages = happening->number & 256,
        .wait_ms = happening->number & 512 ? happening->number : 0,
        .learned = happening->number & 1024,
        .use_learned = happening->number & 2048,
        .repeats = happening->number & 4096 ? model->next_request : 0,
    };
    ask(model, happening, &request);
}

static void by_number(struct model *model, const struct happening *happening, enum request_kind kind)
{
    struct request request = {.kind = kind};
    uint64_t lease = 1 + happening->number % 64;
    if (kind == REQUEST_EXTEND) {
        request.extend =
            (struct extend_request){.lease = lease, .bytes = happening->bytes, .wait_ms = happening->number};
    } else if (kind == REQUEST_CANCEL) {
        request.cancel_request = model->next_request - happening->number % 16;
    } else {
        request.release_lease = request.revoke_lease = lease;
    }
    if (kind == REQUEST_RENEW || kind == REQUEST_BYE || kind == REQUEST_TRIMMED) {
        memset(&request, 0, sizeof request);
        request.kind = kind;
    }
    ask(model, happening, &request);
}

static void settings(struct model *model, const struct happening *happening)
{
    struct broker_settings *settings = &model->options.settings;
    settings->limits.max_physical_bytes = 1 + happening->bytes;
    settings->limits.max_bytes = happening->number & 1 ? LIMIT_OFF : happening->bytes * UINT64_C(2);
    settings->pool.bytes = happening->number & 2 ? happening->bytes / 4 : 0;
    settings->policy = happening->number & 4 ? &model_policy : NULL;
    settings->queue.revoke_for_priority = happening->number & 8;
    settings->requests_max = happening->number & 16 ? 4 : 0;
    settings->pause_at = (enum pressure)(happening->number >> 5 & 1);
    model_configure(model);
}

static void happen_to_session(struct model *model, const struct happening *happening, enum input_kind kind)
{
    struct input input = {.kind = kind,
                          .session = model->peers[happening->peer % PEERS].session,
                          .peer = (void *)(uintptr_t)(happening->peer % PEERS + 1)};
    if (input.session) {
        model_feed(model, &input);
    }
}

static void open_session(struct model *model, const struct happening *happening)
{
    static const char *const names[] = {"a", "b", "c"};
    int peer = happening->peer % PEERS;
    if (!model->peers[peer].session && !model->peers[peer].is_over) {
        (void)model_open_as(model, peer, names[happening->number % 3], 1000 + happening->peer % 3U);
    }
}

static void pass_time(struct model *model, const struct happening *happening)
{
    struct input tick = {.kind = INPUT_TICK};
    model->now += happening->bytes * NANOSECONDS_PER_MILLISECOND / 64;
    for (int peer = 0; peer < PEERS; peer++) {
        const struct happening each = {.peer = (uint8_t)peer};
        happen_to_session(model, &each, INPUT_READ);
    }
    model_feed(model, &tick);
}

static void host(struct model *model, const struct happening *happening)
{
    struct input input = {.kind = INPUT_HOST_MEMORY, .host = {happening->bytes, UINT32_MAX}};
    struct input pressure = {.kind = INPUT_PRESSURE, .pressure = (enum pressure)(happening->number % 3)};
    model_feed(model, happening->number & 4 ? &input : &pressure);
}

static void happen(struct model *model, const struct happening *happening)
{
    static const enum request_kind kinds[] = {REQUEST_EXTEND, REQUEST_RELEASE, REQUEST_REVOKE, REQUEST_CANCEL,
                                              REQUEST_RENEW,  REQUEST_TRIMMED, REQUEST_BYE};
    switch (happening->what % 16) {
    case 0:
    case 1:
        open_session(model, happening);
        break;
    case 2:
    case 3:
    case 4:
        acquire(model, happening);
        break;
    case 5:
        settings(model, happening);
        break;
    case 6:
        happen_to_session(model, happening, INPUT_DISCONNECTED);
        break;
    case 7:
        happen_to_session(model, happening, happening->number & 1 ? INPUT_DIED : INPUT_RESUMED);
        break;
    case 8:
        pass_time(model, happening);
        break;
    case 9:
        host(model, happening);
        break;
    case 10:
        model->hold_makes = happening->number & 1;
        model->hold_frees = happening->number & 2;
        model->fail_error = happening->number & 4 ? -12 : 0;
        model_finish(model);
        break;
    default:
        by_number(model, happening, kinds[(happening->what / 16 + happening->what) % 7]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct model *model = model_new(64 << 20, 32 << 20, 32 << 20);
    for (size_t at = 0, steps = 0; at + sizeof(struct happening) <= size && steps < STEPS_MAX; steps++) {
        struct happening happening;
        memcpy(&happening, data + at, sizeof happening);
        happening.bytes %= 64 << 20;
        happen(model, &happening);
        at += sizeof happening;
    }
    model->hold_makes = model->hold_frees = false;
    model_finish(model);
    model_free(model);
    return 0;
}
