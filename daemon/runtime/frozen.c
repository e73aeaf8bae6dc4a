/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/runtime/frozen.h"

#include <errno.h>
#include <stdlib.h>

#include "daemon/core/control_group.h"
#include "daemon/os/freezer.h"
#include "daemon/os/process.h"
#include "daemon/runtime/group_paths.h"
#include "daemon/runtime/peer.h"
#include "daemon/runtime/server.h"

enum { TEXT_SIZE = 65536 }; /* of /proc/PID/cgroup */

/* A client, and who of its reservation was found. */
struct frozen_target {
    uint64_t session;
    int32_t pid;
    char *paths; /* as group_paths.h has them; NULL: being stopped does not count */
    bool is_frozen, is_stopped;
    bool has_stopped_user, has_running_user, has_running_root;
};

struct look {
    uv_work_t work;
    struct server *server;
    struct frozen_target *targets;
    size_t count;
};

static void free_targets(struct frozen_target *targets, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(targets[i].paths);
    }
    free(targets);
}

/* ---- on the thread pool ---- */

static bool is_stopped(char state)
{
    return state == 'T';
}

static bool has_ended(char state)
{
    return state == 'Z' || state == 'X';
}

static void look_at_client(struct frozen_target *target, char *text)
{
    char state;
    uint32_t uid;
    target->is_frozen = process_read_groups(target->pid, text, TEXT_SIZE) == 0 && freezer_holds(text);
    target->is_stopped =
        !target->is_frozen && target->paths && process_read_state(target->pid, &state, &uid) == 0 && is_stopped(state);
}

static void count_process(struct frozen_target *target, char state, uint32_t uid)
{
    if (!has_ended(state)) {
        target->has_stopped_user |= uid != 0 && is_stopped(state);
        target->has_running_user |= uid != 0 && !is_stopped(state);
        target->has_running_root |= uid == 0 && !is_stopped(state);
    }
}

static void look_at_process(void *argument, int32_t pid, const char *text)
{
    struct look *look = argument;
    char groups[CONTROL_GROUPS_SIZE], state;
    uint32_t uid;
    if (control_groups_parse(text, groups) < 0) {
        return;
    }
    for (size_t i = 0; i < look->count; i++) {
        struct frozen_target *target = &look->targets[i];
        if (target->is_stopped && group_paths_have(target->paths, groups) &&
            process_read_state(pid, &state, &uid) == 0) {
            count_process(target, state, uid);
        }
    }
}

/* A scheduler's own helpers may run on among the job's processes, as root: they count in a job of root's alone. */
static bool is_all_stopped(const struct frozen_target *target)
{
    return target->is_stopped && !target->has_running_user && (target->has_stopped_user || !target->has_running_root);
}

static void look_at_jobs(struct look *look, char *text)
{
    bool any = false;
    for (size_t i = 0; i < look->count; i++) {
        any = any || look->targets[i].is_stopped;
    }
    bool all = any && process_each(text, TEXT_SIZE, look_at_process, look) == 0;
    for (size_t i = 0; i < look->count && all; i++) {
        look->targets[i].is_frozen = look->targets[i].is_frozen || is_all_stopped(&look->targets[i]);
    }
}

static void look_work(uv_work_t *work)
{
    struct look *look = work->data;
    char *text = malloc(TEXT_SIZE);
    for (size_t i = 0; i < look->count && text; i++) {
        look_at_client(&look->targets[i], text);
    }
    if (text) {
        look_at_jobs(look, text);
    }
    free(text);
}

/* ---- on the loop ---- */

static void begin(struct server *server);

static void look_done(uv_work_t *work, int status)
{
    struct look *look = work->data;
    struct server *server = look->server;
    (void)status; /* jobs are never cancelled */
    server->frozen.is_looking = false;
    for (size_t i = 0; i < look->count && !server->is_closing; i++) {
        const struct frozen_target *target = &look->targets[i];
        const struct input looked = {.kind = INPUT_LOOKED, .session = target->session, .is_frozen = target->is_frozen};
        server->frozen.feed(server, &looked);
    }
    free_targets(look->targets, look->count);
    free(look);
    begin(server);
}

/* One at a time: who is asked for meanwhile is looked at next. */
static void begin(struct server *server)
{
    struct frozen *frozen = &server->frozen;
    if (frozen->is_looking || frozen->count == 0 || server->is_closing) {
        return;
    }
    struct look *look = calloc(1, sizeof *look);
    if (look) {
        *look = (struct look){.server = server, .targets = frozen->wanted, .count = frozen->count};
        frozen->wanted = NULL;
        frozen->count = frozen->room = 0;
        frozen->is_looking = true;
        look->work.data = look;
        (void)uv_queue_work(&server->loop, &look->work, look_work, look_done); /* fails for no work only */
    }
}

static bool make_room(struct frozen *frozen)
{
    if (frozen->count < frozen->room) {
        return true;
    }
    size_t room = 2 * frozen->room + 8;
    struct frozen_target *wanted = reallocarray(frozen->wanted, room, sizeof *wanted);
    if (wanted) {
        frozen->wanted = wanted;
        frozen->room = room;
    }
    return wanted;
}

void frozen_look(struct server *server, const struct effect_session *session)
{
    const struct peer *peer = session->peer;
    struct frozen *frozen = &server->frozen;
    struct reservation_groups groups;
    if (make_room(frozen)) {
        struct frozen_target target = {.session = session->session, .pid = peer->identity.pid};
        if (server->config->hold_while_stopped && broker_find_groups(server->broker, session->session, &groups)) {
            target.paths = group_paths_copy(&groups);
        }
        frozen->wanted[frozen->count++] = target;
    }
    begin(server);
}

void frozen_close(struct frozen *frozen)
{
    free_targets(frozen->wanted, frozen->count);
    frozen->wanted = NULL;
    frozen->count = 0;
}
