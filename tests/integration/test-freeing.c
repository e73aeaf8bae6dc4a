/* SPDX-License-Identifier: Apache-2.0 */
/* Large memory is freed off the loop, and sizes changed behind the daemon's back are noticed. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/base/cleanup.h"
#include "tests/integration/fixture.h"

#define MIB UINT64_C(1048576)

TestSuite(freeing, .timeout = 120);

/* Not a matter of timing but of order: were the loop busy freeing, no answer could show bytes on their way. */
Test(freeing, status_is_answered_while_gigabytes_are_being_freed)
{
    struct fixture fixture;
    struct request request = {.kind = REQUEST_STATUS};
    struct reply reply;
    mb_lease *lease;
    void *address;
    int seen = 0;
    fixture_start(&fixture, "");
    mb_client *client = fixture_connect(&fixture, 0);
    cleanup(fd_closep) int monitor = fixture_socket(&fixture);
    cr_assert(fixture_hello(monitor, true, &reply, NULL));
    cr_assert(mb_acquire(client, 2048 * MIB, NULL, &lease) == 0, "%s", mb_last_error());
    cr_assert(mb_map(lease, 0, &address, NULL) == 0);
    for (uint64_t at = 0; at < 2048 * MIB; at += 4096) {
        ((volatile char *)address)[at] = 1;
    }
    cr_assert(fixture_revoke(&fixture, mb_lease_id(lease)) == ERROR_UNSPECIFIED);
    do {
        cr_assert(fixture_exchange(monitor, &request, &reply, NULL));
        seen += reply.status.freeing_bytes == 2048 * MIB;
        cr_assert(reply.status.used_physical_bytes == reply.status.freeing_bytes, "counted until the kernel has it");
    } while (reply.status.used_bytes);
    cr_expect(seen >= 5, "only %d answers came while 2 GiB were being freed", seen);
    mb_disconnect(client);
    fixture_stop(&fixture);
}

enum { PUNCHED = -1 };

/* A lease whose segment was given another length, or a hole. */
static mb_lease *changed_lease(mb_client *client, mb_location location, off_t to)
{
    mb_lease_options options = MB_LEASE_OPTIONS_INIT;
    mb_lease *lease;
    void *address;
    char path[64];
    options.location = location;
    cr_assert(mb_acquire(client, MIB, &options, &lease) == 0);
    cr_assert(mb_map(lease, 0, &address, NULL) == 0);
    /* a client that wants to can get at the file through its own mapping */
    (void)snprintf(path, sizeof path, "/proc/self/map_files/%lx-%lx", (unsigned long)address,
                   (unsigned long)address + MIB);
    cleanup(fd_closep) int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0) {
        cr_skip("opening through map_files needs root");
    }
    if (to == PUNCHED) {
        cr_assert(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, MIB / 2) == 0);
    } else {
        cr_assert(ftruncate(fd, to) == 0);
    }
    return lease;
}

static void expect_noticed(mb_location location, off_t to)
{
    struct fixture fixture;
    fixture_start(&fixture, "");
    mb_client *client = fixture_connect(&fixture, MB_CLIENT_GUARD);
    mb_lease *lease = changed_lease(client, location, to);
    WAIT_UNTIL(mb_lease_end_reason(lease) == MB_END_TAMPERED);
    WAIT_UNTIL(fixture_status(&fixture).used_bytes == 0);
    mb_disconnect(client);
    fixture_stop(&fixture);
}

Test(freeing, a_file_that_was_grown_is_noticed_and_its_lease_revoked)
{
    expect_noticed(MB_LOCATION_MMAP, 64 * 1048576);
}

Test(freeing, a_file_that_was_truncated_is_noticed_and_its_lease_revoked)
{
    expect_noticed(MB_LOCATION_MMAP, 0);
}

Test(freeing, a_file_that_was_punched_is_noticed_and_its_lease_revoked)
{
    expect_noticed(MB_LOCATION_MMAP, PUNCHED);
}

Test(freeing, a_memfd_that_was_truncated_is_noticed_and_its_lease_revoked)
{
    expect_noticed(MB_LOCATION_RAM, 0);
}

/* Nearly every time, so that it is not the look at each second that finds it, and a worker may be slow. */
Test(freeing, a_change_is_noticed_when_its_lease_is_renewed)
{
    enum { ROUNDS = 20 };
    struct fixture fixture;
    struct reply reply;
    int control, segment, others[20], noticed_at_once = 0;
    struct request acquire = {.kind = REQUEST_ACQUIRE}, renew = {.id = 900, .kind = REQUEST_RENEW};
    fixture_start(&fixture, "");
    cleanup(fd_closep) int fd = fixture_socket(&fixture);
    cr_assert(fixture_hello(fd, false, &reply, &control));
    acquire.acquire = (struct acquire_request){.bytes = MIB, .location = LOCATION_RAM, .numa_node = -1};
    for (int i = 0; i < 20; i++) { /* more than one renewal looks at */
        cr_assert(fixture_exchange(fd, &acquire, &reply, &others[i]) && reply.kind == REPLY_GRANT);
    }
    for (int i = 0; i < ROUNDS; i++) {
        int noticed = 0;
        cr_assert(fixture_exchange(fd, &acquire, &reply, &segment) && reply.kind == REPLY_GRANT);
        cr_assert(ftruncate(segment, 4096) == 0);
        (void)close(segment);
        uint64_t lease = reply.grant.lease;
        /* a worker looks after the answer, at a few each time; the timer's looks come after many more renewals */
        for (int renewals = 0; renewals < 5000 && !noticed; renewals++) {
            cr_assert(fixture_send(fd, &renew));
            do {
                cr_assert(fixture_receive(fd, &reply, NULL));
                noticed += reply.kind == EVENT_LEASE_ENDED && reply.lease_ended.lease == lease &&
                           reply.lease_ended.reason == END_TAMPERED;
            } while (reply.kind != REPLY_RENEWED);
        }
        noticed_at_once += noticed;
    }
    cr_expect_geq(noticed_at_once, ROUNDS / 2);
    for (int i = 0; i < 20; i++) {
        (void)close(others[i]);
    }
    (void)close(control);
    fixture_stop(&fixture);
}

static bool log_says(const struct fixture *fixture, const char *what)
{
    char line[1024];
    bool says = false;
    FILE *log = fopen(fixture->log, "re");
    cr_assert(log);
    while (!says && fgets(line, sizeof line, log)) {
        says = strstr(line, what);
    }
    (void)fclose(log);
    return says;
}

Test(freeing, a_changed_segment_is_noticed_at_the_release)
{
    struct fixture fixture;
    fixture_start(&fixture, "");
    mb_client *client = fixture_connect(&fixture, MB_CLIENT_GUARD);
    (void)mb_release(changed_lease(client, MB_LOCATION_RAM, 0));
    WAIT_UNTIL(log_says(&fixture, " 0 allocated"));
    mb_disconnect(client);
    fixture_stop(&fixture);
}

enum { MANY = 1000 };

static int take_many_and_stop(const struct fixture *fixture)
{
    mb_client *client = fixture_connect(fixture, 0);
    mb_lease_options options = MB_LEASE_OPTIONS_INIT;
    mb_lease *lease;
    options.ttl_ms = 1000;
    for (int i = 0; i < MANY; i++) {
        cr_assert(mb_acquire(client, 4096, &options, &lease) == 0, "%s", mb_last_error());
    }
    (void)raise(SIGSTOP);
    return mb_ping(client) == 0 && mb_lease_check(lease) < 0 ? 0 : 1;
}

Test(freeing, a_stopped_client_is_not_disconnected_for_events_about_its_own_losses)
{
    struct fixture fixture;
    struct reply reply;
    struct request list = {.kind = REQUEST_LIST, .list = {.what = LIST_SESSIONS}};
    int status;
    fixture_start(&fixture, "");
    pid_t child = fixture_fork(take_many_and_stop, &fixture);
    WAIT_UNTIL(fixture_status(&fixture).counters.expired == MANY);
    cleanup(fd_closep) int monitor = fixture_socket(&fixture);
    cr_assert(fixture_hello(monitor, true, &reply, NULL) && fixture_exchange(monitor, &list, &reply, NULL));
    cr_assert_eq(reply.listing.session_count, 1);
    cr_expect(reply.listing.sessions[0].connected);
    (void)kill(child, SIGCONT);
    cr_assert(waitpid(child, &status, 0) == child);
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    fixture_stop(&fixture);
}

Test(freeing, five_thousand_leases_end_at_the_same_time)
{
    struct fixture fixture;
    fixture_start(&fixture, "");
    mb_client *client = fixture_connect(&fixture, MB_CLIENT_NO_RENEW);
    mb_lease_options options = MB_LEASE_OPTIONS_INIT;
    mb_lease *lease;
    options.ttl_ms = 1000;
    for (int i = 0; i < 5000; i++) {
        cr_assert(mb_acquire(client, 4096, &options, &lease) == 0, "%s", mb_last_error());
    }
    WAIT_UNTIL(fixture_status(&fixture).counters.expired == 5000);
    WAIT_UNTIL(fixture_status(&fixture).used_bytes == 0);
    mb_disconnect(client);
    fixture_stop(&fixture);
}

/* How many bytes of addresses the daemon has. */
static uint64_t address_space(const struct fixture *fixture)
{
    char path[64];
    unsigned long long pages = 0;
    (void)snprintf(path, sizeof path, "/proc/%d/statm", (int)fixture->daemon);
    FILE *file = fopen(path, "re");
    cr_assert(file && fscanf(file, "%llu", &pages) == 1);
    (void)fclose(file);
    return pages * 4096;
}

Test(freeing, the_first_large_job_needs_no_additional_memory)
{
    struct fixture fixture;
    struct rlimit limit;
    mb_lease_options options = MB_LEASE_OPTIONS_INIT;
    mb_lease *lease;
    fixture_start(&fixture, "");
    mb_client *client = fixture_connect(&fixture, 0);
    cr_assert(prlimit(fixture.daemon, RLIMIT_AS, NULL, &limit) == 0);
    limit.rlim_cur = address_space(&fixture);
    if (limit.rlim_cur > UINT64_C(1) << 40) {
        cr_skip("under a sanitizer there is no bound on addresses");
    }
    cr_assert(prlimit(fixture.daemon, RLIMIT_AS, &limit, NULL) == 0);
    options.location = MB_LOCATION_MMAP;
    int result = mb_acquire(client, MIB, &options, &lease);
    cr_expect(result == 0 || result == -EIO || result == -ENOMEM, "%d: %s", result, mb_last_error());
    cr_expect_eq(mb_ping(client), 0, "%s", mb_last_error());
    limit.rlim_cur = limit.rlim_max;
    cr_assert(prlimit(fixture.daemon, RLIMIT_AS, &limit, NULL) == 0);
    mb_disconnect(client);
    fixture_stop(&fixture);
}
