/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/core/reserving.h"

#include <string.h>

#include "proto/base/text.h"

static uint64_t next_request = 1000;

/* Each line is a path, which ends with a newline. Valid until it is called four times more. */
static struct control_group_list list_of(const char *lines)
{
    static struct {
        char text[65536], *paths[512];
    } memory[4];
    static unsigned calls;
    char *copy = memory[++calls % 4].text, **paths = memory[calls % 4].paths;
    struct control_group_list list = {.paths = (const char *const *)paths};
    char *rest = copy, *path;
    cr_assert_lt(strlen(lines), sizeof memory->text);
    (void)strcpy(copy, lines);
    while ((path = strsep(&rest, "\n")) && rest) {
        cr_assert_lt(list.count, sizeof memory->paths / sizeof *memory->paths);
        paths[list.count++] = path;
    }
    return list;
}

const struct reply *ask_as(struct model *model, struct request *request, uint32_t uid)
{
    struct input input = {.kind = INPUT_REQUEST, .peer = (void *)(uintptr_t)MODEL_PEERS}; /* the last one, a monitor */
    request->id = ++next_request;
    input.request = (struct input_request){.identity = {.pid = 1, .uid = uid}, .request = request};
    model_feed(model, &input);
    const struct reply *reply = model_answer(model, request->id);
    cr_assert(reply, "there is no answer");
    return reply;
}

enum error_code ask(struct model *model, struct request request)
{
    const struct reply *reply = ask_as(model, &request, 0);
    return reply->kind == REPLY_DONE ? ERROR_UNSPECIFIED : reply->error.code;
}

struct request to_reserve(const char *name, uint64_t bytes, const char *paths)
{
    struct request request = {.kind = REQUEST_RESERVE};
    request.reserve = (struct reserve_request){.terms = {.bytes = bytes}, .groups = list_of(paths)};
    text_copy(request.reserve.terms.name, MESSAGE_NAME_SIZE, name);
    return request;
}

struct request to_attach(const char *name, const char *paths)
{
    struct request request = {.kind = REQUEST_ATTACH, .attach = {.groups = list_of(paths)}};
    text_copy(request.attach.name, MESSAGE_NAME_SIZE, name);
    return request;
}

struct request to_unreserve(const char *name)
{
    struct request request = {.kind = REQUEST_UNRESERVE};
    text_copy(request.unreserve.name, MESSAGE_NAME_SIZE, name);
    return request;
}

struct request to_suspend(const char *name, bool ends)
{
    struct request request = {.kind = REQUEST_SUSPEND, .suspend = {.ends = ends}};
    text_copy(request.suspend.name, MESSAGE_NAME_SIZE, name);
    return request;
}

enum error_code reserve(struct model *model, const char *name, uint64_t bytes, const char *paths)
{
    return ask(model, to_reserve(name, bytes, paths));
}

enum error_code attach(struct model *model, const char *name, const char *paths)
{
    return ask(model, to_attach(name, paths));
}

enum error_code unreserve(struct model *model, const char *name)
{
    return ask(model, to_unreserve(name));
}

struct reservation_entry entry_of(struct model *model, const char *name)
{
    static struct reservation_entry entries[64];
    bool more;
    size_t count = broker_list_reservations(model->broker, &model_root, 0, model->now, entries, 64, &more);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(entries[i].name, name) == 0) {
            return entries[i];
        }
    }
    return (struct reservation_entry){0};
}

void empty(struct model *model, const char *name)
{
    uint64_t reservation = entry_of(model, name).reservation;
    cr_assert(reservation);
    empty_number(model, reservation);
}

void empty_number(struct model *model, uint64_t reservation)
{
    const struct input input = {.kind = INPUT_EMPTIED, .emptied = {&reservation, 1}};
    model_feed(model, &input);
}

const char *last_sentence(const struct model *model)
{
    return model->replies[model->reply_count - 1].error.sentence;
}

void expect_class(struct model *model, int peer, const char *class, enum class_rule rule)
{
    struct session_entry entry = {0};
    bool more;
    cr_assert_eq(
        broker_list_sessions(model->broker, &model_root, model->peers[peer].session - 1, model->now, &entry, 1, &more),
        1);
    cr_expect_str_eq(entry.class, class);
    cr_expect_eq(entry.class_rule, rule);
}

struct model *hundred(void)
{
    return model_new(0, 100 * MIB, 100 * MIB);
}
