/* SPDX-License-Identifier: Apache-2.0 */
/* Restarts under a service manager: no lease, no byte and no account is lost. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "proto/base/cleanup.h"
#include "tests/integration/sweep.h"
#include "tests/integration/workspaces.h"

TestSuite(restart, .timeout = 120);

static struct manager manager;

static void begin_kept(const char *settings)
{
    manager_start(&manager, &fixture, "membrokerd", NULL, settings);
    client = fixture_connect(&fixture, 0);
}

static void end_kept(void)
{
    mb_disconnect(client);
    manager_stop(&manager);
}

static mb_lease *acquire_filled(uint64_t bytes, mb_location location, int value, char **ret_data)
{
    mb_lease_options options = MB_LEASE_OPTIONS_INIT;
    mb_lease *lease;
    void *data;
    options.location = location;
    options.name = "kept";
    cr_assert(mb_acquire(client, bytes, &options, &lease) == 0 && mb_map(lease, 0, &data, NULL) == 0, "%s",
              mb_last_error());
    memset(data, value, bytes);
    *ret_data = data;
    return lease;
}

static uint64_t restarts_counted(void)
{
    struct request request = {.kind = REQUEST_METRICS};
    struct reply reply;
    cleanup(fd_closep) int fd = fixture_socket(&fixture);
    cr_assert(fixture_hello(fd, true, &reply, NULL));
    cr_assert(fixture_exchange(fd, &request, &reply, NULL) && reply.kind == REPLY_METRICS);
    return reply.metrics.restarts;
}

static void restart_and_compare(int signal)
{
    char *ram, *file;
    mb_lease *first = acquire_filled(3 * MIB, MB_LOCATION_RAM, 1, &ram);
    mb_lease *second = acquire_filled(2 * MIB, MB_LOCATION_MMAP, 2, &file);
    uint64_t session = mb_client_session(client);
    for (int round = 0; round < 5; round++) {
        manager_restart(&manager, signal);
        cr_expect_eq(fixture_status(&fixture).used_physical_bytes, 3 * MIB, "right from the first moment");
        cr_expect_eq(fixture_status(&fixture).used_mapped_bytes, 2 * MIB);
        cr_expect_eq(fixture_status(&fixture).leases, 2);
        cr_expect_eq(restarts_counted(), round + 1);
        fixture_wait_connected(client);
        cr_expect_eq(mb_client_session(client), session);
        cr_expect(mb_lease_check(first) == 0 && mb_lease_check(second) == 0, "%s", mb_last_error());
        cr_expect(ram[3 * MIB - 1] == 1 && file[2 * MIB - 1] == 2);
        fixture_audit(&fixture);
    }
    mb_lease *third;
    cr_assert(mb_acquire(client, MIB, NULL, &third) == 0);
    cr_expect_gt(mb_lease_id(third), mb_lease_id(second));
    cr_assert(mb_release(first) == 0 && mb_release(third) == 0 && mb_release(second) == 0);
    WAIT_UNTIL(used() == 0);
    WAIT_UNTIL(manager_stored(&manager) == 3); /* the table, the history and the session's control page */
}

Test(restart, kill_9_loses_nothing)
{
    begin_kept("");
    restart_and_compare(SIGKILL);
    end_kept();
}

Test(restart, a_clean_restart_loses_nothing)
{
    begin_kept("");
    restart_and_compare(SIGTERM);
    end_kept();
}

/* The next daemon's pool must not take the numbers of segments that are leased. */
Test(restart, leases_are_kept_beside_a_pool_that_fills_itself)
{
    enum { LEASES = 6 };
    mb_lease *leases[LEASES];
    char *data[LEASES];
    begin_kept("[pool]\npool_bytes = 4M\nsizes = 1M\n");
    for (int i = 0; i < LEASES; i++) {
        leases[i] = acquire_filled(MIB, MB_LOCATION_RAM, i + 1, &data[i]);
    }
    for (int round = 0; round < 3; round++) {
        manager_restart(&manager, SIGKILL);
        cr_expect_eq(fixture_status(&fixture).leases, LEASES);
        fixture_wait_connected(client);
        for (int i = 0; i < LEASES; i++) {
            cr_expect(mb_lease_check(leases[i]) == 0 && data[i][MIB - 1] == i + 1, "%s", mb_last_error());
        }
    }
    mb_disconnect(client);
    fixture_drain_pool(&fixture); /* which fills itself behind an audit's back */
    manager_stop(&manager);
}

Test(restart, a_named_file_is_kept_with_what_its_lease_grew_by)
{
    char directory[] = "/tmp/membroker-named-XXXXXX", settings[128], path[64], *data;
    mb_lease_options options = MB_LEASE_OPTIONS_INIT;
    mb_lease *lease;
    void *more;
    unsigned extent;
    cr_assert(mkdtemp(directory));
    (void)snprintf(settings, sizeof settings, "[mapped]\nfiles = %s\n", directory);
    begin_kept(settings);
    options.location = MB_LOCATION_MMAP;
    options.file = "grown";
    cr_assert(mb_acquire(client, MIB, &options, &lease) == 0, "%s", mb_last_error());
    cr_assert(mb_map(lease, 0, (void **)&data, NULL) == 0 && mb_extend(lease, 2 * MIB, &extent) == 0 &&
                  mb_map(lease, extent, &more, NULL) == 0,
              "%s", mb_last_error());
    memset(data, 1, MIB);
    memset(more, 2, 2 * MIB);
    for (int round = 0; round < 3; round++) {
        manager_restart(&manager, SIGKILL);
        fixture_wait_connected(client);
        cr_expect(mb_lease_check(lease) == 0 && data[0] == 1 && ((char *)more)[2 * MIB - 1] == 2, "%s",
                  mb_last_error());
        cr_expect_eq(fixture_status(&fixture).used_mapped_bytes, 3 * MIB);
    }
    cr_expect(mb_release(lease) == 0);
    WAIT_UNTIL(used() == 0);
    end_kept();
    (void)snprintf(path, sizeof path, "%s/grown", directory);
    (void)unlink(path);
    cr_expect(rmdir(directory) == 0);
}

/* Whether this process still has the page; a read that can fail, where a load would be SIGBUS. */
static bool has_page(char *at)
{
    char byte;
    struct iovec to = {&byte, 1}, from = {at, 1};
    return process_vm_readv(getpid(), &to, 1, &from, 1, 0) == 1;
}

/* While the service manager can't be reached, leases are granted, but no other process has their segments. */
Test(restart, leases_that_cannot_be_handed_over_are_reclaimed)
{
    char elsewhere[128], *kept_data, *unkept_data;
    begin_kept("");
    mb_lease *kept = acquire_filled(MIB, MB_LOCATION_RAM, 1, &kept_data);
    (void)snprintf(elsewhere, sizeof elsewhere, "%s.away", manager.notify_path);
    cr_assert(rename(manager.notify_path, elsewhere) == 0);
    mb_lease *unkept = acquire_filled(6 * MIB, MB_LOCATION_RAM, 2, &unkept_data);
    cr_assert(rename(elsewhere, manager.notify_path) == 0);
    manager_restart(&manager, SIGTERM);
    cr_expect(has_page(kept_data));
    cr_expect_not(has_page(unkept_data), "it lives on in nobody's account");
    cr_expect_eq(fixture_status(&fixture).leases, 1);
    fixture_wait_connected(client);
    cr_expect_eq(mb_lease_check(kept), 0, "%s", mb_last_error());
    cr_expect_lt(mb_lease_check(unkept), 0);
    mb_release(kept);
    mb_release(unkept);
    end_kept();
}

Test(restart, calls_in_progress_are_finished_by_the_next_daemon)
{
    begin_kept("");
    for (int round = 0; round < 20; round++) {
        mb_lease *lease;
        unsigned before = manager.starts;
        (void)kill(fixture.daemon, SIGKILL);
        cr_assert(mb_acquire(client, MIB, NULL, &lease) == 0, "round %d: %s", round, mb_last_error());
        cr_assert(mb_extend(lease, 4096, NULL) == 0, "%s", mb_last_error());
        cr_assert(mb_release(lease) == 0);
        WAIT_UNTIL(manager.starts > before);
        manager_wait(&manager);
    }
    WAIT_UNTIL(used() == 0);
    end_kept();
}

Test(restart, workspaces_and_buffers_continue)
{
    begin_kept("");
    mb_workspace *workspace = open_named(client, "steady", default_config());
    cycle_of(workspace, MIB);
    mb_buffer *buffer;
    cr_assert(mb_buffer_create(client, 100000, NULL, &buffer) == 0);
    memset(mb_buffer_data(buffer), 9, 100000);
    for (int round = 0; round < 3; round++) {
        (void)kill(fixture.daemon, SIGKILL);
        for (int i = 0; i < 1000; i++) {
            cycle_of(workspace, MIB);
        }
        manager_wait(&manager);
        cr_expect_eq(((char *)mb_buffer_data(buffer))[99999], 9);
        cr_expect_eq(mb_buffer_check(buffer), 0);
    }
    cr_expect_eq(stats_of(workspace).total_spilled_count, 1);
    (void)mb_buffer_unref(buffer);
    mb_workspace_close(workspace);
    end_kept();
}

static int hold_and_die(const struct fixture *with)
{
    mb_lease *lease;
    client = fixture_connect(with, 0);
    if (mb_acquire(client, 5 * MIB, NULL, &lease) < 0) {
        return 1;
    }
    (void)pause();
    return 0;
}

Test(restart, a_client_that_died_in_the_meantime_loses_its_leases)
{
    begin_kept("");
    pid_t child = fixture_fork(hold_and_die, &fixture);
    WAIT_UNTIL(used() == 5 * MIB);
    unsigned before = manager.starts;
    (void)pthread_mutex_lock(&manager.lock); /* no daemon is started yet */
    (void)kill(fixture.daemon, SIGKILL);
    (void)kill(child, SIGKILL);
    (void)waitpid(child, NULL, 0);
    (void)pthread_mutex_unlock(&manager.lock);
    WAIT_UNTIL(manager.starts > before);
    manager_wait(&manager);
    WAIT_UNTIL(used() == 0);
    end_kept();
}

Test(restart, descriptors_without_a_record_are_closed)
{
    begin_kept("");
    int fd = memfd_create("membroker:segment", MFD_CLOEXEC);
    cr_assert(ftruncate(fd, 4096) == 0);
    manager_put(&manager, "s4zz", fd);
    manager_put(&manager, "c4zz", fd);
    char spill[96];
    (void)snprintf(spill, sizeof spill, "%s/spill", fixture.directory);
    int file = open(spill, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    cr_assert(file >= 0 && ftruncate(file, 8192) == 0);
    manager_put(&manager, "s5zz", file);
    manager_restart(&manager, SIGKILL);
    WAIT_UNTIL(lseek(fd, 0, SEEK_END) == 0); /* truncated: its pages are free */
    WAIT_UNTIL(lseek(file, 0, SEEK_END) == 0);
    WAIT_UNTIL(manager_stored(&manager) == 3);
    WAIT_UNTIL(used() == 0 && fixture_status(&fixture).freeing_bytes == 0);
    (void)close(fd);
    (void)close(file);
    end_kept();
}

Test(restart, a_damaged_table_is_refused_and_the_memory_given_back)
{
    begin_kept("[leases]\nreconnect_grace = 1s\n");
    char *data;
    mb_lease *lease = acquire_filled(MIB, MB_LOCATION_RAM, 1, &data);
    int fd = memfd_create("garbage", MFD_CLOEXEC);
    cr_assert(ftruncate(fd, 8192) == 0 && pwrite(fd, "garbage", 7, 0) == 7);
    manager_replace(&manager, "membroker-table", fd);
    manager_restart(&manager, SIGKILL);
    WAIT_UNTIL(mb_lease_check(lease) == -ESTALE);
    WAIT_UNTIL(used() == 0); /* its segments are freed by workers */
    (void)close(fd);
    cr_expect_eq(mb_release(lease), -ESTALE);
    char *again;
    lease = acquire_filled(MIB, MB_LOCATION_RAM, 2, &again);
    manager_restart(&manager, SIGKILL);
    cr_expect_eq(mb_lease_check(lease), 0);
    end_kept();
}

static int stored(const char *name)
{
    int fd = -1;
    (void)pthread_mutex_lock(&manager.lock);
    for (size_t i = 0; i < manager.stored && fd < 0; i++) {
        fd = strcmp(manager.store[i].name, name) == 0 ? manager.store[i].fd : -1;
    }
    (void)pthread_mutex_unlock(&manager.lock);
    cr_assert(fd >= 0, "no %s is stored", name);
    return fd;
}

Test(restart, a_table_of_an_earlier_version_is_taken_over)
{
    begin_kept("");
    char *data;
    mb_lease *lease = acquire_filled(MIB, MB_LOCATION_RAM, 7, &data);
    for (uint32_t before = 1; before <= 4; before++) {
        uint32_t version = 0;
        int table = stored("membroker-table");
        cr_assert(pread(table, &version, sizeof version, 8) == sizeof version);
        cr_assert_eq(version, 5, "this test knows the steps from 1, 2, 3 and 4 to 5");
        cr_assert(pwrite(table, &before, sizeof before, 8) == sizeof before);
        manager_restart(&manager, SIGKILL);
        fixture_wait_connected(client);
        cr_expect_eq(mb_lease_check(lease), 0);
        cr_expect_eq(data[MIB - 1], 7);
        cr_assert(pread(table, &version, sizeof version, 8) == sizeof version);
        cr_expect_eq(version, 5, "it goes on as one of today");
    }
    end_kept();
}

Test(restart, the_watchdog_is_answered_and_readiness_is_reported)
{
    begin_kept("");
    WAIT_UNTIL(manager.alive >= 3);
    unsigned ready = manager.ready;
    (void)kill(fixture.daemon, SIGHUP);
    WAIT_UNTIL(manager.ready > ready);
    end_kept();
}

static double milliseconds(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

enum { MANY = 9000 }; /* as many as the usual limit of 20,000 descriptors has room for, here and in the store */

static mb_lease *many[MANY];

/* Microseconds for one of them. */
static double acquire_many(void)
{
    double begun = milliseconds();
    for (int i = 0; i < MANY; i++) {
        void *data;
        cr_assert(mb_acquire(client, 4096, NULL, &many[i]) == 0 && mb_map(many[i], 0, &data, NULL) == 0, "%s",
                  mb_last_error());
        *(int *)data = i;
    }
    return (milliseconds() - begun) * 1000 / MANY;
}

static void release_many(void)
{
    for (int i = 0; i < MANY; i++) {
        void *data;
        cr_assert(mb_map(many[i], 0, &data, NULL) == 0, "%s", mb_last_error());
        cr_assert_eq(*(int *)data, i);
        cr_assert(mb_release(many[i]) == 0);
    }
    WAIT_UNTIL(used() == 0);
}

/* `make bench` reads the line that it logs. */
Test(restart, nine_thousand_leases_survive)
{
    begin("");
    double without = acquire_many();
    release_many();
    end();
    begin_kept("");
    double with = acquire_many();
    WAIT_UNTIL(manager_stored(&manager) == MANY + 9); /* the table, the history and seven control pages */
    double killed = milliseconds();
    manager_restart(&manager, SIGKILL);
    cr_expect_eq(fixture_status(&fixture).leases, MANY);
    double answered = milliseconds();
    fixture_wait_connected(client);
    double back = milliseconds();
    cr_log_info("figures leases %d acquire_us %.1f acquire_kept_us %.1f answering_ms %.1f back_ms %.1f\n", MANY,
                without, with, answered - killed, back - killed);
    fixture_audit(&fixture);
    release_many();
    WAIT_UNTIL(manager_stored(&manager) == 9);
    end_kept();
}

/* ---- killed at every point ---- */

/* Whatever point of this the daemon dies at, every call works and every byte is kept. */
static void work(void)
{
    char *first_data, *second_data, *third_data;
    void *more;
    unsigned extent;
    client = sweep_connect(&fixture, NULL);
    mb_lease *first = acquire_filled(MIB, MB_LOCATION_RAM, 1, &first_data);
    mb_lease *second = acquire_filled(2 * MIB, MB_LOCATION_MMAP, 2, &second_data);
    cr_assert(mb_extend(second, MIB, &extent) == 0, "%s", mb_last_error());
    cr_assert(mb_map(second, extent, &more, NULL) == 0);
    memset(more, 3, MIB);
    cr_assert(mb_release(first) == 0);
    mb_lease *third = acquire_filled(8 * MIB, MB_LOCATION_RAM, 4, &third_data);
    cr_assert(second_data[2 * MIB - 1] == 2 && ((char *)more)[MIB - 1] == 3 && third_data[8 * MIB - 1] == 4);
    cr_assert(mb_lease_check(second) == 0 && mb_lease_check(third) == 0, "%s", mb_last_error());
    WAIT_UNTIL(sweep_uses(&fixture, 11 * MIB));
    cr_assert(mb_lease_extents(second) == 2 && fixture_status(&fixture).leases == 2);
    fixture_audit(&fixture);
    cr_assert(mb_release(third) == 0 && mb_release(second) == 0);
    WAIT_UNTIL(sweep_uses(&fixture, 0));
    mb_disconnect(client);
}

Test(restart, killed_at_every_point_of_an_acquire_and_a_release, .timeout = 300)
{
    sweep_faults(&manager, &fixture, "", work, 40);
}
