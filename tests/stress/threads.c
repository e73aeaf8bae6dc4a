/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads on one client, for ThreadSanitizer: acquiring, extending, releasing and checking at once, workspaces that
 * learn, buffers that are handed round, while the background thread renews and tells, and the connection breaks again
 * and again and is resumed. Only a call that was in progress when it broke may fail. Criterion's runner does not start
 * under that sanitizer, hence a plain program. Usage: stress SOCKET SECONDS
 */
#include <errno.h>
#include <membroker.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { THREADS = 9 };

static atomic_int stop; /* 2: also the cancelling */
static atomic_uint events, rounds, failures, broken_calls;

static void on_event(const mb_event *event, void *user_data)
{
    (void)user_data;
    if (event->lease) {
        (void)mb_lease_check(event->lease);
    }
    for (size_t i = 0; i < event->range_count; i++) {
        if (!event->ranges[i].address || event->ranges[i].bytes == 0) {
            atomic_fetch_add(&failures, 1);
        }
    }
    atomic_fetch_add(&events, 1);
}

static void fail(const char *what, int code)
{
    if (code == -ENOTCONN) {
        atomic_fetch_add(&broken_calls, 1);
        (void)usleep(1000);
        return;
    }
    (void)fprintf(stderr, "%s: %s\n", what, mb_last_error());
    atomic_fetch_add(&failures, 1);
}

static void one_round(mb_client *client, unsigned number)
{
    mb_lease_options options = MB_LEASE_OPTIONS_INIT;
    mb_lease *lease;
    void *address;
    options.ttl_ms = 1000;
    int result = mb_acquire(client, 1 << 16, &options, &lease);
    if (result < 0) {
        fail("acquire", result);
        return;
    }
    if (mb_map(lease, 0, &address, NULL) == 0) {
        ((volatile char *)address)[number % 65536] = 1;
    }
    mb_lease_report_use(lease, number);
    if (number % 4 == 0 && (result = mb_extend(lease, 4096, NULL)) < 0) {
        fail("extend", result);
    }
    if (number % 16 == 0) {
        (void)mb_ping(client);
    }
    if ((result = mb_lease_check(lease)) < 0 || (result = mb_release(lease)) < 0) {
        fail("release", result);
    }
    atomic_fetch_add(&rounds, 1);
}

static void *work(void *argument)
{
    for (unsigned number = 0; !atomic_load(&stop); number++) {
        one_round(argument, number);
    }
    return NULL;
}

/* ---- workspaces that learn, grow and spill ---- */

static bool one_cycle(mb_workspace *workspace, unsigned number)
{
    int result = mb_workspace_enter(workspace);
    if (result < 0) {
        fail("enter", result);
        return false;
    }
    for (unsigned i = 0; i < 100; i++) {
        char *bytes = mb_workspace_alloc(workspace, 100 + number % 5000);
        if (!bytes) {
            fail("alloc", -errno);
            break;
        }
        *(volatile char *)bytes = 1;
    }
    (void)mb_workspace_leave(workspace);
    return true;
}

static void *run_workspace(void *argument)
{
    mb_workspace_config config = MB_WORKSPACE_CONFIG_INIT;
    mb_workspace *workspace = NULL;
    config.ttl_ms = 1000;
    config.spill_policy = MB_SPILL_REALLOCATE;
    for (unsigned number = 0; !atomic_load(&stop); number++) {
        if (number % 1000 == 0) {
            mb_workspace_close(workspace);
            workspace = NULL;
        }
        int result = workspace ? 0 : mb_workspace_open(argument, "stress", &config, &workspace);
        if (result < 0) {
            fail("workspace", result);
        } else if (!one_cycle(workspace, number)) {
            break;
        }
    }
    return NULL; /* the thread's end closes it */
}

/* ---- buffers that one thread makes and any other frees ---- */

enum { SLOTS = 64 };
static mb_buffer *_Atomic slots[SLOTS];

static mb_buffer *make_filled(mb_client *client, unsigned number)
{
    mb_buffer *buffer;
    size_t bytes = number % 17 == 0 ? 50000 + number % 300000 : 1 + number % 3000;
    int result = mb_buffer_create(client, bytes, NULL, &buffer);
    if (result < 0) {
        fail("buffer", result);
        return NULL;
    }
    char *data = mb_buffer_data(buffer);
    data[0] = data[bytes - 1] = (char)bytes;
    return buffer;
}

static void check_filled(const mb_buffer *buffer)
{
    const char *data = mb_buffer_data(buffer);
    size_t bytes = mb_buffer_size(buffer);
    if (data[0] != (char)bytes || data[bytes - 1] != (char)bytes) {
        fail("a buffer was written over", 0);
    }
}

static void *run_buffers(void *argument)
{
    mb_weak *weak = NULL;
    for (unsigned number = (unsigned)(uintptr_t)&weak >> 4; !atomic_load(&stop); number++) {
        mb_buffer *made = make_filled(argument, number);
        if (made && number % 32 == 0 && mb_weak_create(made, &weak) < 0) {
            fail("weak", 0);
        }
        const char *data = made ? mb_buffer_data(made) : NULL;
        if (made && mb_buffer_from_address(argument, data + mb_buffer_size(made) - 1) != made) {
            fail("a buffer is not found by its address", 0);
        }
        mb_buffer *other = atomic_exchange(&slots[number * 7919 % SLOTS], made);
        if (other) {
            check_filled(other);
            (void)mb_buffer_unref(other);
        }
        if (weak && number % 32 == 5) {
            mb_buffer *strong = mb_weak_get(weak);
            if (strong) {
                check_filled(strong);
                (void)mb_buffer_unref(strong);
            }
            weak = mb_weak_drop(weak);
        }
        if (number % 10000 == 0) {
            mb_trim(argument);
        }
    }
    (void)mb_weak_drop(weak);
    return NULL;
}

/* ---- waits that another thread cancels, with and without a background thread ---- */

enum { WAITERS = 2 /* of each client */ };

static atomic_uint cancelled;

static void *run_waits(void *argument)
{
    mb_lease_options options = MB_LEASE_OPTIONS_INIT;
    options.location = MB_LOCATION_MMAP;
    options.wait_ms = 60000;
    while (!atomic_load(&stop)) {
        mb_lease *lease;
        int result = mb_acquire(argument, 1 << 20, &options, &lease);
        if (result == 0) {
            (void)mb_release(lease);
        } else if (result == -ECANCELED) {
            atomic_fetch_add(&cancelled, 1);
        } else {
            fail("wait", result);
        }
    }
    return NULL;
}

/* Until they have all ended. */
static void *run_cancels(void *argument)
{
    mb_client *const *clients = argument;
    while (atomic_load(&stop) < 2) {
        (void)usleep(2000);
        mb_cancel_waits(clients[0]);
        mb_cancel_waits(clients[1]);
    }
    return NULL;
}

/* One of them has all that there is in files. */
static bool start_waits(mb_client *clients[2], pthread_t threads[2 * WAITERS + 1])
{
    mb_lease_options options = MB_LEASE_OPTIONS_INIT;
    mb_lease *all;
    options.location = MB_LOCATION_MMAP;
    if (mb_acquire(clients[0], 1 << 20, &options, &all) < 0) {
        fail("all files", 0);
        return false;
    }
    for (int i = 0; i < 2 * WAITERS; i++) {
        (void)pthread_create(&threads[i], NULL, run_waits, clients[i % 2]);
    }
    (void)pthread_create(&threads[2 * WAITERS], NULL, run_cancels, (void *)clients);
    return true;
}

static void end_waits(pthread_t threads[2 * WAITERS + 1])
{
    for (int i = 0; i < 2 * WAITERS; i++) {
        (void)pthread_join(threads[i], NULL);
    }
    atomic_store(&stop, 2);
    (void)pthread_join(threads[2 * WAITERS], NULL);
}

/* Breaks the clients' connections, as a restarted proxy or a lost socket would. */
static void break_connection(void)
{
    for (int fd = 3; fd < 64; fd++) {
        int type = 0;
        socklen_t size = sizeof type;
        if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_SEQPACKET) {
            (void)shutdown(fd, SHUT_RDWR);
        }
    }
}

int main(int argc, char **argv)
{
    mb_client_options options = MB_CLIENT_OPTIONS_INIT;
    mb_client *clients[2], *client;
    pthread_t threads[THREADS], waiters[2 * WAITERS + 1];
    if (argc != 3) {
        (void)fprintf(stderr, "usage: stress SOCKET SECONDS\n");
        return 2;
    }
    options.socket = argv[1];
    options.flags = MB_CLIENT_GUARD;
    options.on_event = on_event;
    if (mb_connect(&options, &clients[0]) < 0) {
        fail("connect", 0);
        return 1;
    }
    options.flags = MB_CLIENT_NO_THREAD;
    if (mb_connect(&options, &clients[1]) < 0 || !start_waits(clients, waiters)) {
        fail("connect without a thread", 0);
        return 1;
    }
    client = clients[0];
    for (int i = 0; i < THREADS; i++) {
        (void)pthread_create(&threads[i], NULL, i < 2 ? run_workspace : i < 5 ? run_buffers : work, client);
    }
    for (unsigned long i = 0; i < 5 * strtoul(argv[2], NULL, 10); i++) {
        (void)usleep(200000);
        break_connection();
    }
    atomic_store(&stop, 1);
    for (int i = 0; i < THREADS; i++) {
        (void)pthread_join(threads[i], NULL);
    }
    end_waits(waiters);
    for (int i = 0; i < SLOTS; i++) {
        (void)mb_buffer_unref(atomic_load(&slots[i]));
    }
    mb_disconnect(clients[1]);
    mb_disconnect(client);
    printf("%u rounds, %u events, %u waits cancelled, %u calls broken off, %u failures\n", atomic_load(&rounds),
           atomic_load(&events), atomic_load(&cancelled), atomic_load(&broken_calls), atomic_load(&failures));
    return atomic_load(&failures) || atomic_load(&cancelled) < 20 || atomic_load(&rounds) < 100 ||
           atomic_load(&events) < 4;
}
