/* SPDX-License-Identifier: Apache-2.0 */
/* How leases end: expiry, death, revocation, disconnection; and that a live client never loses one through the daemon.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/integration/fixture.h"

#define MIB UINT64_C(1048576)

TestSuite(endings, .timeout = 60);

static mb_lease *acquire(mb_client *client, uint64_t bytes, uint32_t ttl_ms, char **ret_address)
{
    mb_lease_options options = MB_LEASE_OPTIONS_INIT;
    mb_lease *lease;
    void *address;
    options.ttl_ms = ttl_ms;
    cr_assert(mb_acquire(client, bytes, &options, &lease) == 0, "%s", mb_last_error());
    cr_assert(mb_map(lease, 0, &address, NULL) == 0, "%s", mb_last_error());
    memset(address, 1, bytes);
    *ret_address = address;
    return lease;
}

/* KiB of this mapping that are in memory, by the kernel: a matter of this process alone, whatever else runs. */
static long resident_kib(const void *address)
{
    char line[512];
    long kib = -1;
    unsigned long start, end;
    bool here = false;
    FILE *file = fopen("/proc/self/smaps", "re");
    cr_assert(file);
    while (fgets(line, sizeof line, file)) {
        if (sscanf(line, "%lx-%lx ", &start, &end) == 2) {
            here = start == (unsigned long)address;
        } else if (here && sscanf(line, "Rss: %ld kB", &kib) == 1) {
            break;
        }
    }
    (void)fclose(file);
    return kib;
}

Test(endings, an_unrenewed_lease_expires_and_its_pages_are_free_while_mapped)
{
    struct fixture fixture;
    fixture_start(&fixture, "");
    mb_client *client = fixture_connect(&fixture, MB_CLIENT_NO_RENEW | MB_CLIENT_GUARD);
    char *address;
    mb_lease *lease = acquire(client, 32 * MIB, 3000, &address); /* written long before it expires, on any machine */
    cr_assert_eq(resident_kib(address), 32 * 1024);
    WAIT_UNTIL(mb_lease_check(lease) == -ESTALE);
    cr_expect_eq(mb_lease_end_reason(lease), MB_END_EXPIRED);
    cr_expect(strstr(mb_last_error(), "not renewed"), "%s", mb_last_error());
    WAIT_UNTIL(fixture_status(&fixture).used_bytes == 0);
    cr_expect_eq(resident_kib(address), 0, "the kernel still has the pages");
    cr_expect_eq(fixture_status(&fixture).counters.expired, 1);
    cr_expect_eq(address[5], 0, "with the guard, lost memory reads zero");
    address[6] = 3;
    cr_expect_eq(mb_extend(lease, MIB, NULL), -ESTALE);
    cr_expect_eq(mb_release(lease), -ESTALE);
    mb_disconnect(client);
    fixture_stop(&fixture);
}

Test(endings, renewals_keep_a_lease_far_beyond_its_ttl)
{
    struct fixture fixture;
    fixture_start(&fixture, "");
    mb_client *client = fixture_connect(&fixture, 0);
    char *address;
    mb_lease *lease = acquire(client, MIB, 2000, &address);
    sleep_ms(5000);
    cr_expect(mb_lease_check(lease) == 0, "%s", mb_last_error());
    cr_expect_eq(fixture_status(&fixture).counters.expired, 0);
    mb_disconnect(client);
    fixture_stop(&fixture);
}

Test(endings, a_program_without_a_thread_renews_by_dispatching)
{
    struct fixture fixture;
    fixture_start(&fixture, "");
    mb_client *client = fixture_connect(&fixture, MB_CLIENT_NO_THREAD);
    char *address;
    mb_lease *lease = acquire(client, MIB, 2000, &address);
    for (int i = 0; i < 45; i++) {
        int timeout = mb_client_timeout(client);
        cr_assert(timeout >= 0 && timeout <= 667);
        sleep_ms(100);
        cr_assert(mb_client_dispatch(client) == 0);
    }
    cr_expect(mb_lease_check(lease) == 0, "%s", mb_last_error());
    WAIT_UNTIL(mb_lease_check(lease) == -ESTALE);
    mb_disconnect(client);
    fixture_stop(&fixture);
}

Test(endings, without_the_guard_lost_memory_raises_sigbus, .signal = SIGBUS)
{
    struct fixture fixture;
    fixture_start(&fixture, "");
    mb_client *client = fixture_connect(&fixture, MB_CLIENT_NO_RENEW);
    char *address;
    mb_lease *lease = acquire(client, MIB, 1000, &address);
    WAIT_UNTIL(mb_lease_check(lease) == -ESTALE);
    WAIT_UNTIL(fixture_status(&fixture).used_bytes == 0);
    fixture_stop(&fixture);
    *(volatile char *)address = 1;
}

static volatile sig_atomic_t chained;

static void on_bus(int number)
{
    (void)number;
    chained = 1;
    _exit(42);
}

static int touch_truncated_file(const struct fixture *fixture)
{
    signal(SIGBUS, on_bus);
    mb_client *client = fixture_connect(fixture, MB_CLIENT_GUARD);
    (void)client;
    int fd = memfd_create("other", MFD_CLOEXEC);
    char *address = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    *(volatile char *)address = 1; /* beyond the end: SIGBUS that is none of the guard's */
    return 1;
}

Test(endings, an_unrelated_sigbus_goes_to_the_previous_handler)
{
    struct fixture fixture;
    int status;
    fixture_start(&fixture, "");
    pid_t child = fixture_fork(touch_truncated_file, &fixture);
    cr_assert(waitpid(child, &status, 0) == child);
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 42);
    fixture_stop(&fixture);
}

static int hold_for_ever(const struct fixture *fixture)
{
    char *address;
    mb_client *client = fixture_connect(fixture, 0);
    (void)acquire(client, 64 * MIB, 1000, &address);
    (void)pause();
    return 0;
}

Test(endings, kill_9_frees_at_once)
{
    struct fixture fixture;
    fixture_start(&fixture, "");
    pid_t child = fixture_fork(hold_for_ever, &fixture);
    WAIT_UNTIL(fixture_status(&fixture).used_bytes == 64 * MIB);
    (void)kill(child, SIGKILL);
    (void)waitpid(child, NULL, 0);
    WAIT_UNTIL(fixture_status(&fixture).used_bytes == 0);
    struct status_reply status = fixture_status(&fixture);
    cr_expect_eq(status.counters.died, 1);
    cr_expect_eq(status.sessions, 0);
    fixture_stop(&fixture);
}

static int fork_and_die(const struct fixture *fixture)
{
    char *address;
    mb_client *client = fixture_connect(fixture, 0);
    (void)acquire(client, 16 * MIB, 0, &address);
    if (fork() == 0) {
        (void)sleep(5); /* holds the socket open */
        _exit(0);
    }
    sleep_ms(100);
    _exit(0);
}

Test(endings, death_is_noticed_while_a_forked_child_holds_the_socket)
{
    struct fixture fixture;
    fixture_start(&fixture, "");
    pid_t child = fixture_fork(fork_and_die, &fixture);
    (void)waitpid(child, NULL, 0);
    WAIT_UNTIL(fixture_status(&fixture).sessions == 0);
    cr_expect_eq(fixture_status(&fixture).counters.died, 1);
    fixture_stop(&fixture);
}

Test(endings, a_stopped_client_loses_its_lease_and_learns_of_it_when_it_wakes)
{
    struct fixture fixture;
    fixture_start(&fixture, "");
    pid_t child = fixture_fork(hold_for_ever, &fixture);
    WAIT_UNTIL(fixture_status(&fixture).used_bytes == 64 * MIB);
    (void)kill(child, SIGSTOP);
    WAIT_UNTIL(fixture_status(&fixture).counters.expired == 1);
    WAIT_UNTIL(fixture_status(&fixture).used_bytes == 0);
    cr_expect_eq(fixture_status(&fixture).sessions, 1, "the process lives, and so does its session");
    (void)kill(child, SIGCONT);
    sleep_ms(100);
    (void)kill(child, SIGKILL);
    (void)waitpid(child, NULL, 0);
    fixture_stop(&fixture);
}

Test(endings, the_client_is_told_of_a_revoked_lease)
{
    struct fixture fixture;
    fixture_start(&fixture, "");
    mb_client *client = fixture_connect(&fixture, 0);
    char *address;
    mb_lease *lease = acquire(client, MIB, 0, &address);
    cr_expect_eq(fixture_revoke(&fixture, mb_lease_id(lease)), ERROR_UNSPECIFIED);
    WAIT_UNTIL(mb_lease_end_reason(lease) == MB_END_REVOKED);
    cr_expect_eq(fixture_revoke(&fixture, mb_lease_id(lease)), ERROR_NO_SUCH_LEASE);
    cr_expect_eq(fixture_status(&fixture).counters.revoked, 1);
    mb_disconnect(client);
    fixture_stop(&fixture);
}

Test(endings, no_client_loses_a_lease_because_the_daemon_was_stopped)
{
    struct fixture fixture;
    fixture_start(&fixture, "");
    mb_client *client = fixture_connect(&fixture, 0);
    char *address;
    mb_lease *lease = acquire(client, MIB, 1000, &address);
    mb_workspace_config config = MB_WORKSPACE_CONFIG_INIT;
    mb_workspace *workspace;
    config.initial_size = MIB;
    config.ttl_ms = 1000;
    cr_assert(mb_workspace_open(client, "scratch", &config, &workspace) == 0);
    (void)kill(fixture.daemon, SIGSTOP);
    for (int i = 0; i < 40; i++) { /* four times the TTL */
        cr_assert(mb_workspace_enter(workspace) == 0, "%s", mb_last_error());
        char *bytes = mb_workspace_alloc(workspace, 1000);
        cr_assert(bytes);
        bytes[0] = 1;
        cr_assert(mb_workspace_leave(workspace) == 0);
        sleep_ms(100);
    }
    (void)kill(fixture.daemon, SIGCONT);
    sleep_ms(2500);
    cr_expect(mb_lease_check(lease) == 0, "%s", mb_last_error());
    cr_expect_eq(fixture_status(&fixture).counters.expired, 0);
    cr_expect(fixture_status(&fixture).away_ms >= 3000);
    mb_workspace_close(workspace);
    mb_disconnect(client);
    fixture_stop(&fixture);
}

Test(endings, a_running_daemon_does_not_think_it_was_stopped)
{
    struct fixture fixture;
    char *address;
    fixture_start(&fixture, "");
    for (int i = 0; i < 4; i++) { /* connections come and go, the loop sleeps between */
        mb_client *client = fixture_connect(&fixture, 0);
        (void)acquire(client, MIB, 1000, &address);
        sleep_ms(600);
        mb_disconnect(client);
    }
    uint64_t away = fixture_status(&fixture).away_ms;
    cr_expect(away < 1000, "%llu ms of 2400", (unsigned long long)away);
    fixture_stop(&fixture);
}

Test(endings, a_hung_client_still_expires_after_the_daemon_was_stopped)
{
    struct fixture fixture;
    fixture_start(&fixture, "");
    mb_client *client = fixture_connect(&fixture, MB_CLIENT_NO_RENEW);
    char *address;
    mb_lease *lease = acquire(client, MIB, 3000, &address);
    (void)kill(fixture.daemon, SIGSTOP);
    sleep_ms(5000);
    (void)kill(fixture.daemon, SIGCONT);
    sleep_ms(300);
    cr_expect(mb_lease_check(lease) == 0, "its deadline moved by the time lost: %s", mb_last_error());
    WAIT_UNTIL(mb_lease_check(lease) == -ESTALE);
    mb_disconnect(client);
    fixture_stop(&fixture);
}

struct told {
    _Atomic unsigned count[16];
    _Atomic unsigned reason;
};

static void on_event(const mb_event *event, void *user_data)
{
    struct told *told = user_data;
    atomic_fetch_add(&told->count[event->type], 1);
    if (event->type == MB_EVENT_LEASE_LOST) {
        atomic_store(&told->reason, (unsigned)event->reason);
        cr_assert(mb_lease_id(event->lease) != 0);
    }
}

static mb_client *connect_listening(const struct fixture *fixture, struct told *told, unsigned flags)
{
    mb_client_options options = MB_CLIENT_OPTIONS_INIT;
    mb_client *client;
    options.socket = fixture->socket;
    options.on_event = on_event;
    options.user_data = told;
    options.flags = flags;
    cr_assert(mb_connect(&options, &client) == 0, "%s", mb_last_error());
    return client;
}

Test(endings, shutdown_tells_clients_and_ends_all_leases)
{
    struct fixture fixture;
    static struct told told;
    fixture_start(&fixture, "");
    mb_client *client = connect_listening(&fixture, &told, MB_CLIENT_GUARD);
    char *address;
    mb_lease *lease = acquire(client, 64 * MIB, 0, &address);
    fixture_stop(&fixture);
    WAIT_UNTIL(atomic_load(&told.count[MB_EVENT_LEASE_LOST]) == 1);
    cr_expect_eq(atomic_load(&told.reason), MB_END_SHUTDOWN);
    cr_expect(atomic_load(&told.count[MB_EVENT_SHUTTING_DOWN]) == 1);
    cr_expect_eq(mb_lease_check(lease), -ESTALE);
    cr_expect_eq(address[100], 0);
    mb_disconnect(client);
}

Test(endings, the_client_notices_a_dead_daemon_and_finds_a_new_one)
{
    struct fixture fixture;
    static struct told told;
    fixture_start(&fixture, "[leases]\nreconnect_grace = 60s\n");
    mb_client *client = connect_listening(&fixture, &told, 0);
    char *address;
    mb_lease *lease = acquire(client, MIB, 0, &address);
    (void)kill(fixture.daemon, SIGKILL);
    (void)waitpid(fixture.daemon, NULL, 0);
    WAIT_UNTIL(atomic_load(&told.count[MB_EVENT_DISCONNECTED]) == 1);
    WAIT_UNTIL(mb_lease_check(lease) == -ESTALE); /* immediately: without a service manager no daemon means no leases */
    cr_expect_eq(mb_lease_end_reason(lease), MB_END_BROKER_GONE);
    cr_expect_eq(mb_ping(client), -ENOTCONN);
    struct fixture second = fixture;
    second.daemon = fork();
    if (second.daemon == 0) {
        char self[512];
        ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
        self[length] = '\0';
        *strrchr(self, '/') = '\0';
        (void)strcat(self, "/../membrokerd");
        (void)execl(self, self, "--quiet", "--config", fixture.config, (char *)NULL);
        _exit(127);
    }
    WAIT_UNTIL(mb_ping(client) == 0);
    mb_lease *anew = acquire(client, MIB, 0, &address);
    cr_expect(mb_lease_check(anew) == 0);
    mb_disconnect(client);
    fixture_stop(&second);
}

Test(endings, trim_asks_the_largest_holder)
{
    struct fixture fixture;
    static struct told told;
    fixture_start(&fixture, "[limits]\nmax_physical_bytes = 32M\n");
    mb_client *holder = connect_listening(&fixture, &told, 0);
    mb_client *other = fixture_connect(&fixture, 0);
    char *address;
    (void)acquire(holder, 24 * MIB, 0, &address);
    mb_lease *lease;
    cr_expect_eq(mb_acquire(other, 16 * MIB, NULL, &lease), -ENOMEM);
    WAIT_UNTIL(atomic_load(&told.count[MB_EVENT_TRIM]) == 1);
    mb_disconnect(other);
    mb_disconnect(holder);
    fixture_stop(&fixture);
}

Test(endings, a_forked_child_has_neither_the_mapping_nor_the_client)
{
    struct fixture fixture;
    int status;
    fixture_start(&fixture, "");
    mb_client *client = fixture_connect(&fixture, 0);
    char *address;
    mb_lease *lease = acquire(client, MIB, 0, &address);
    pid_t child = fork();
    if (child == 0) {
        mb_lease *mine;
        int refused =
            mb_ping(client) == -EPERM && mb_release(lease) == -EPERM && mb_acquire(client, MIB, NULL, &mine) == -EPERM;
        unsigned char resident;
        int absent = mincore(address, 4096, &resident) < 0 && errno == ENOMEM;
        mb_disconnect(client);
        mb_client *own = fixture_connect(&fixture, 0);
        int works = mb_acquire(own, MIB, NULL, &mine) == 0;
        mb_disconnect(own);
        _exit(refused && absent && works ? 0 : 1);
    }
    cr_assert(waitpid(child, &status, 0) == child);
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    cr_expect(mb_lease_check(lease) == 0 && address[0] == 1 && mb_ping(client) == 0);
    mb_disconnect(client);
    fixture_stop(&fixture);
}

Test(endings, on_request_children_share_the_mapping)
{
    struct fixture fixture;
    fixture_start(&fixture, "");
    mb_client *client = fixture_connect(&fixture, MB_CLIENT_SHARE_WITH_CHILDREN);
    char *address;
    (void)acquire(client, MIB, 0, &address);
    pid_t child = fork();
    if (child == 0) {
        address[7] = 77;
        _exit(0);
    }
    (void)waitpid(child, NULL, 0);
    cr_expect_eq(address[7], 77);
    mb_disconnect(client);
    fixture_stop(&fixture);
}

static void *use_client(void *argument)
{
    mb_client *client = argument;
    for (int i = 0; i < 200; i++) {
        mb_lease *lease;
        cr_assert(mb_acquire(client, MIB, NULL, &lease) == 0, "%s", mb_last_error());
        cr_assert(mb_release(lease) == 0);
    }
    return NULL;
}

Test(endings, threads_share_a_client)
{
    struct fixture fixture;
    pthread_t threads[4];
    fixture_start(&fixture, "");
    mb_client *client = fixture_connect(&fixture, 0);
    for (int i = 0; i < 4; i++) {
        cr_assert(pthread_create(&threads[i], NULL, use_client, client) == 0);
    }
    for (int i = 0; i < 4; i++) {
        (void)pthread_join(threads[i], NULL);
    }
    cr_assert(mb_ping(client) == 0);
    WAIT_UNTIL(fixture_status(&fixture).counters.released == 800);
    mb_disconnect(client);
    fixture_stop(&fixture);
}

static int as_nobody(const struct fixture *fixture)
{
    if (setgid(65534) < 0 || setuid(65534) < 0) {
        return 2;
    }
    return fixture_revoke(fixture, 1) == ERROR_NOT_PERMITTED ? 0 : 1;
}

Test(endings, another_user_cannot_revoke)
{
    struct fixture fixture;
    int status;
    if (geteuid() != 0) {
        cr_skip("becoming another user needs root");
    }
    fixture_start(&fixture, "[server]\nsocket_mode = 0666\n[limits]\nheap_bytes = 1G\n");
    mb_client *client = fixture_connect(&fixture, 0);
    char *address;
    mb_lease *lease = acquire(client, MIB, 0, &address);
    cr_assert_eq(mb_lease_id(lease), 1);
    pid_t child = fixture_fork(as_nobody, &fixture);
    (void)waitpid(child, &status, 0);
    cr_expect_eq(WEXITSTATUS(status), 0);
    cr_expect(mb_lease_check(lease) == 0);
    mb_disconnect(client);
    fixture_stop(&fixture);
}
