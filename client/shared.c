/* SPDX-License-Identifier: Apache-2.0 */
/* The client that the libraries of one process share. */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "client/error.h"
#include "client/thread.h"
#include "membroker.h"
#include "proto/base/without_const.h"

/* A forked child's copy may be from the middle of a change, so the child reads only the two clients. */
static struct shared {
    mb_client *_Atomic client;  /* NULL: none */
    mb_client *_Atomic parents; /* in a forked child: the parent's client, whose descriptors are still open here */
    size_t users;
    mb_client_options options; /* the first caller's; the strings are copies */
} shared;

/* Held while a thread connects. It notices that a callback of that client asks for the client again. */
static pthread_mutex_t lock = PTHREAD_ERRORCHECK_MUTEX_INITIALIZER_NP;

/* The thread that held the lock is not in the child. */
static void in_child(void)
{
    static const pthread_mutex_t unlocked = PTHREAD_ERRORCHECK_MUTEX_INITIALIZER_NP;
    mb_client *client = atomic_load(&shared.client);
    if (client) {
        atomic_store(&shared.parents, client);
    }
    atomic_store(&shared.client, NULL);
    lock = unlocked;
}

__attribute__((constructor)) static void shared_watch_forks(void)
{
    (void)pthread_atfork(NULL, NULL, in_child);
}

/* ---- the options ---- */

static const struct {
    const char *name;
    size_t offset, bytes; /* 0 bytes: a string */
} members[] = {
#define MEMBER(name)                                                                                                   \
    {                                                                                                                  \
#name, offsetof(mb_client_options, name), sizeof(((mb_client_options *)NULL)->name)                            \
    }
#define STRING(name)                                                                                                   \
    {                                                                                                                  \
#name, offsetof(mb_client_options, name), 0                                                                    \
    }
    STRING(socket),      STRING(name),          MEMBER(heap_bytes),  MEMBER(max_bytes),  MEMBER(max_physical_bytes),
    MEMBER(flags),       MEMBER(on_event),      MEMBER(user_data),   MEMBER(timeout_ms), MEMBER(on_reclaim),
    MEMBER(max_retries), MEMBER(retry_wait_ms), MEMBER(cache_bytes), MEMBER(wait_ms),
#undef MEMBER
#undef STRING
};

static const char *string_at(const mb_client_options *options, size_t offset)
{
    return *(const char *const *)(const void *)((const char *)options + offset);
}

static bool strings_are_equal(const char *one, const char *other)
{
    return one && other ? strcmp(one, other) == 0 : one == other;
}

/* The name of an option in which they differ; NULL: none. */
static const char *find_difference(const mb_client_options *one, const mb_client_options *other)
{
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        size_t offset = members[i].offset, bytes = members[i].bytes;
        bool is_equal = bytes ? memcmp((const char *)one + offset, (const char *)other + offset, bytes) == 0
                              : strings_are_equal(string_at(one, offset), string_at(other, offset));
        if (!is_equal) {
            return members[i].name;
        }
    }
    return NULL;
}

static void forget_options(void)
{
    free(without_const(shared.options.socket));
    free(without_const(shared.options.name));
    shared.options = (mb_client_options){0};
}

static int copy_string(const char *string, const char **ret)
{
    *ret = string ? strdup(string) : NULL;
    return string && !*ret ? error_no_memory() : 0;
}

static int keep_options(const mb_client_options *options)
{
    const mb_client_options given = *options;
    shared.options = given;
    int socket = copy_string(given.socket, &shared.options.socket);
    int name = copy_string(given.name, &shared.options.name);
    if (socket < 0 || name < 0) {
        forget_options();
        return -ENOMEM;
    }
    return 0;
}

/* ---- using it ---- */

static int begin(const mb_client_options *options)
{
    static const mb_client_options defaults = MB_CLIENT_OPTIONS_INIT;
    mb_client *client, *parents = atomic_exchange(&shared.parents, NULL);
    mb_disconnect(parents);
    int result = mb_connect(options, &client);
    if (result == 0 && keep_options(options ? options : &defaults) < 0) {
        mb_disconnect(client);
        result = error_no_memory();
    }
    if (result == 0) {
        shared.users = 0; /* in a forked child it is the parent's number */
        atomic_store(&shared.client, client);
    }
    return result;
}

static int join(const mb_client_options *options)
{
    if (!options) {
        return 0;
    }
    if (options->size < sizeof *options) {
        return error_set(-EINVAL, "the options must begin as MB_CLIENT_OPTIONS_INIT");
    }
    const char *name = find_difference(&shared.options, options);
    return name ? error_set(-EEXIST,
                            "this process has a shared client whose option %s differs; pass the same options, or NULL "
                            "to accept its options, or connect a client of your own",
                            name)
                : 0;
}

int mb_client_shared(const mb_client_options *options, mb_client **ret_client)
{
    if (pthread_mutex_lock(&lock) == EDEADLK) {
        return error_set(-EDEADLK, "this thread is connecting the shared client; its callback must return first");
    }
    int result = atomic_load(&shared.client) ? join(options) : begin(options);
    if (result == 0) {
        shared.users++;
        *ret_client = atomic_load(&shared.client);
    }
    (void)pthread_mutex_unlock(&lock);
    return error_end(result);
}

/* Disconnecting comes after the lock: it waits for callbacks, which may ask for the shared client. */
void mb_client_shared_release(mb_client *client)
{
    mb_client *ended = NULL;
    if (!client || pthread_mutex_lock(&lock) == EDEADLK) {
        return;
    }
    if (client == atomic_load(&shared.parents)) {
        ended = atomic_exchange(&shared.parents, NULL);
    } else if (client == atomic_load(&shared.client) && --shared.users == 0) {
        ended = atomic_exchange(&shared.client, NULL);
        forget_options();
    }
    (void)pthread_mutex_unlock(&lock);
    mb_disconnect(ended);
}
