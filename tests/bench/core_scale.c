/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The broker's core with 100 leases of one session, then with 100,000 of a thousand: what acquiring with releasing, and
 * renewing a session of 100 leases, cost; the tables' bytes a lease; the longest step while a thousand requests
 * wait, and while leases are taken for them; the longest explanation of them; and the longest step while all expire at
 * one instant. Without segments, sockets or a kernel's limit of descriptors: the shell is a list of answers.
 */
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/core/broker.h"
#include "proto/base/size.h"
#include "tests/bench/measure.h"

enum {
    SESSIONS = 1000,
    LEASES_EACH = 100,
    ROUNDS = 2000,
    PAGE = 4096,
    DONE_MAX = 1 << 20,
    WAITERS = 1000,
    WAITING_SESSIONS = 20,
};

static struct broker *broker;
static struct broker_settings settings = {
    .limits = {LIMIT_OFF, LIMIT_OFF, LIMIT_OFF},
    .times = {.ttl_min_ms = 1000, .ttl_max_ms = 3600000, .ttl_default_ms = 30000, .reconnect_grace_ms = 10000},
    .queue = {.waiting_max = 1024,
              .waiting_per_user_max = 1024,
              .waiting_per_session_max = 64,
              .wait_max_ms = 3600000,
              .trim_ms = 200,
              .revoke_for_priority = true,
              .revoke_grace_ms = 1000},
};
static uint64_t now = NANOSECONDS_PER_SECOND, requests, sessions[SESSIONS + WAITING_SESSIONS], granted;
static size_t session_count;
static double longest_us;

/* Results that are to be told to the core. */
static struct input *done;
static size_t done_count;

static void note(enum input_kind kind, uint64_t segment)
{
    if (done_count == DONE_MAX)
        measure_fail("core_scale", "too many results at once");
    done[done_count] = (struct input){.kind = kind};
    done[done_count++].segment = (struct input_segment){.segment = segment, .handle = &done};
}

static void feed(const struct input *input)
{
    static struct effect_list effects;
    double begun = clock_us();
    broker_step(broker, input, now, &effects);
    double took = clock_us() - begun;
    longest_us = took > longest_us ? took : longest_us;
    for (size_t i = 0; i < effects.count; i++) {
        const struct effect *effect = &effects.effects[i];
        if (effect->kind == EFFECT_MAKE_SEGMENT)
            note(INPUT_SEGMENT_MADE, effect->make.segment);
        else if (effect->kind == EFFECT_FREE_SEGMENT)
            note(INPUT_SEGMENT_FREED, effect->free.segment);
        else if (effect->kind == EFFECT_SESSION_OPENED)
            sessions[session_count++] = effect->session.session;
        else if (effect->kind == EFFECT_REPLY && effect->reply.reply.kind == REPLY_GRANT)
            granted = effect->reply.reply.grant.lease;
    }
}

static void settle(void)
{
    while (done_count > 0) {
        struct input input = done[--done_count];
        feed(&input);
    }
}

static void ask(uint64_t session, struct request *request)
{
    struct input input = {.kind = INPUT_REQUEST, .session = session, .peer = &sessions};
    request->id = ++requests;
    input.request.request = request;
    feed(&input);
    settle();
}

static void acquire(uint64_t session)
{
    struct request request = {.kind = REQUEST_ACQUIRE};
    granted = 0;
    request.acquire =
        (struct acquire_request){.bytes = PAGE, .location = LOCATION_RAM, .name = "scale", .numa_node = -1};
    ask(session, &request);
    if (!granted)
        measure_fail("core_scale", "an acquire was refused");
}

static void open_sessions(size_t count, const char *name)
{
    while (session_count < count) {
        struct input input = {.kind = INPUT_OPEN_SESSION, .peer = &sessions[session_count]};
        input.open.identity = (struct identity){.pid = 1 + (int32_t)session_count, .uid = 1000};
        input.open.hello = (struct hello_request){
            .heap_bytes = LIMIT_DEFAULT, .max_bytes = LIMIT_DEFAULT, .max_physical_bytes = LIMIT_DEFAULT};
        (void)stpncpy(input.open.hello.name, name, sizeof input.open.hello.name - 1);
        feed(&input);
    }
}

static void measure_verbs(const char *acquire_name, const char *renew_name)
{
    static double took[ROUNDS];
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t session = sessions[(size_t)i * 7919 % session_count];
        double begun = clock_ns();
        acquire(session);
        struct request release = {.kind = REQUEST_RELEASE, .release_lease = granted};
        ask(session, &release);
        took[i] = clock_ns() - begun;
    }
    values_sort(took, ROUNDS);
    figure_print(acquire_name, values_quantile(took, ROUNDS, 0.5));
    for (int i = 0; i < ROUNDS; i++) {
        struct request renew = {.kind = REQUEST_RENEW};
        double begun = clock_ns();
        ask(sessions[(size_t)i * 7919 % session_count], &renew);
        took[i] = clock_ns() - begun;
    }
    values_sort(took, ROUNDS);
    figure_print(renew_name, values_quantile(took, ROUNDS, 0.5) / LEASES_EACH);
}

/* ---- a queue of a thousand ---- */

static void configure(struct policy *policy, uint64_t max_physical)
{
    struct input input = {.kind = INPUT_CONFIGURE, .settings = settings};
    input.settings.policy = policy;
    input.settings.limits.max_physical_bytes = max_physical;
    feed(&input);
}

/* Whether anything can be taken for them or not: of a priority, and willing to wait. */
static void let_wait(size_t first)
{
    for (int i = 0; i < WAITERS; i++) {
        struct request request = {.kind = REQUEST_ACQUIRE};
        request.acquire = (struct acquire_request){
            .bytes = 64 * PAGE, .location = LOCATION_RAM, .name = "wait", .numa_node = -1, .wait_ms = 3600000};
        ask(sessions[first + (size_t)i % WAITING_SESSIONS], &request);
    }
}

static void look_again(int times)
{
    for (int i = 0; i < times; i++) {
        struct input tick = {.kind = INPUT_TICK};
        now += 250 * NANOSECONDS_PER_MILLISECOND;
        feed(&tick);
    }
}

static void explain(void)
{
    static struct why_entry entries[MESSAGE_WHY_MAX];
    static const struct identity root = {.pid = 1};
    double longest = 0;
    for (int i = 0; i < 20; i++) {
        double begun = clock_us();
        (void)broker_explain(broker, &root, 0, now, entries, MESSAGE_WHY_MAX);
        double took = clock_us() - begun;
        longest = took > longest ? took : longest;
    }
    figure_print("core_longest_why_us", longest);
}

static void leave(size_t first)
{
    for (size_t i = 0; i < WAITING_SESSIONS; i++) {
        struct input died = {.kind = INPUT_DIED, .session = sessions[first + i]};
        feed(&died);
        settle();
    }
    session_count = first;
}

/* All is lent, to leases of lower priority or of higher, and a thousand requests wait. */
static void measure_waiting(bool has_victims, const char *name)
{
    struct policy_rule rules[] = {{.kind = PRINCIPAL_CLASS, .name = "scale"},
                                  {.kind = PRINCIPAL_CLASS, .name = "wait"}};
    struct policy_member members[] = {{.kind = MEMBER_CLIENT, .name = "scale"},
                                      {.kind = MEMBER_CLIENT, .name = "wait"}};
    struct policy policy = {.rules = rules, .rule_count = 2};
    struct status_reply status;
    size_t first = session_count;
    for (int i = 0; i < 2; i++) {
        rules[i].quota = quota_none();
        rules[i].quota.has_priority = true;
        rules[i].members = &members[i];
        rules[i].member_count = 1;
    }
    rules[has_victims ? 1 : 0].quota.priority = 9;
    rules[has_victims ? 0 : 1].quota.priority = 5;
    broker_fill_status(broker, &status);
    configure(&policy, status.used_physical_bytes);
    open_sessions(first + WAITING_SESSIONS, "wait");
    longest_us = 0;
    let_wait(first);
    look_again(50); /* past the grace time */
    figure_print(name, longest_us);
    if (!has_victims) {
        explain();
    }
    leave(first);
    configure(NULL, LIMIT_OFF);
}

/* All leases at one instant, each client's input having been read, as the shell does it. */
static void expire_all(void)
{
    struct status_reply status;
    double begun = clock_ms();
    longest_us = 0;
    now += 3600 * NANOSECONDS_PER_SECOND;
    for (;;) {
        void *peers[64];
        struct input tick = {.kind = INPUT_TICK};
        broker_fill_status(broker, &status);
        if (status.leases == 0)
            break;
        size_t count = broker_peers_to_read(broker, now, peers, sizeof peers / sizeof *peers);
        for (size_t i = 0; i < count; i++) {
            struct input heard = {.kind = INPUT_READ, .session = sessions[(uint64_t *)peers[i] - sessions]};
            feed(&heard);
        }
        feed(&tick);
        settle();
    }
    figure_print("core_expire_all_ms", clock_ms() - begun);
    figure_print("core_longest_step_us", longest_us);
}

int main(void)
{
    struct broker_options options = {.page_bytes = PAGE, .settings = settings};
    broker = broker_new(&options);
    done = calloc(DONE_MAX, sizeof *done);
    if (!broker || !done)
        measure_fail("core_scale", "out of memory");
    open_sessions(1, "scale");
    for (int i = 0; i < LEASES_EACH; i++)
        acquire(sessions[0]);
    measure_verbs("core_acquire_ns_100", "core_renew_ns_100");
    open_sessions(SESSIONS, "scale");
    size_t before = mallinfo2().uordblks;
    for (int i = 0; i < LEASES_EACH; i++) {
        for (size_t session = 1; session < SESSIONS; session++)
            acquire(sessions[session]);
    }
    figure_print("core_bytes_a_lease", (double)(mallinfo2().uordblks - before) / ((SESSIONS - 1) * LEASES_EACH));
    measure_verbs("core_acquire_ns_100000", "core_renew_ns_100000");
    measure_waiting(false, "core_longest_step_waiting_us");
    measure_waiting(true, "core_longest_step_revoking_us");
    expire_all();
    broker_free(broker);
    free(done);
    return 0;
}
