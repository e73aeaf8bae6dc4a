/* SPDX-License-Identifier: Apache-2.0 */
/* A daemon that is killed while a user's inodes are held: the next one serves immediately, and names the user it waits
 * for. */
#include <grp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/base/cleanup.h"
#include "tests/attacks/hold_inode.h"
#include "tests/attacks/party.h"
#include "tests/integration/manager.h"

TestSuite(restarted, .timeout = 120);

#define MIB UINT64_C(1048576)

enum { HELD = 8 };

static struct fixture fixture;
static struct manager manager;
static struct party mallory;
static struct inode_holder *holders[2 * HELD];

/* What the honest program tells of itself. */
struct progress {
    atomic_uint rounds;
    atomic_bool lost; /* its lease, or what was in it */
    char why[256];
};

static struct progress *progress;

static bool once(mb_client *client, mb_lease *kept, const char *data)
{
    mb_lease *lease;
    if (mb_lease_check(kept) < 0 || data[MIB - 1] != 7) {
        atomic_store(&progress->lost, true);
    }
    return mb_acquire(client, 65536, NULL, &lease) == 0 && mb_release(lease) == 0 && !progress->lost;
}

/* Holds a lease all the time, and acquires and releases others. */
static int be_honest(const struct fixture *of)
{
    mb_lease *kept;
    void *data;
    if (setgroups(0, NULL) < 0 || setgid(ALICE) < 0 || setuid(ALICE) < 0) {
        return 1;
    }
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* again: the change of the user reset it */
    mb_client *client = fixture_connect(of, 0);
    if (mb_acquire(client, MIB, NULL, &kept) < 0 || mb_map(kept, 0, &data, NULL) < 0) {
        return 1;
    }
    memset(data, 7, MIB);
    for (;;) {
        if (once(client, kept, data)) {
            atomic_fetch_add(&progress->rounds, 1);
        } else {
            (void)snprintf(progress->why, sizeof progress->why, "%s", mb_last_error());
        }
        sleep_ms(5);
    }
}

static void expect_progress(const char *when)
{
    unsigned before = atomic_load(&progress->rounds);
    for (int waited_ms = 0; waited_ms < 10000 && progress->rounds < before + 5; waited_ms += 5) {
        sleep_ms(5);
    }
    cr_assert(progress->rounds >= before + 5, "%s: an honest program is not served: %s", when, progress->why);
    cr_assert(!progress->lost, "%s: an honest program lost its lease: %s", when, progress->why);
}

/* Half of it segments, half of it files. */
static void hold(size_t count)
{
    for (size_t i = 0; i < count; i++) {
        cr_assert(party_acquire(&mallory, MIB, i % 2 ? LOCATION_MMAP : LOCATION_RAM, false));
        holders[i] = inode_holder_start(MALLORY, mallory.segment[i], INODE_HELD_BY_WRITE);
        cr_assert(holders[i]->is_holding, "%s", holders[i]->refused);
    }
}

static void let_go(size_t count)
{
    for (size_t i = 0; i < count; i++) {
        holders[i] = inode_holder_end(holders[i]);
    }
}

static pid_t begin(void)
{
    party_needs_fuse();
    progress = mmap(NULL, sizeof *progress, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    cr_assert(progress != MAP_FAILED);
    manager_start(&manager, &fixture, "membrokerd", NULL, "[leases]\nreconnect_grace = 2s\n");
    cr_assert(chmod(fixture.socket, 0666) == 0);
    mallory = party_join(&fixture, MALLORY);
    pid_t honest = fixture_fork(be_honest, &fixture);
    expect_progress("before");
    return honest;
}

static void end(pid_t honest)
{
    (void)kill(honest, SIGKILL);
    (void)waitpid(honest, NULL, 0);
    party_leave(&mallory);
    WAIT_UNTIL(fixture_status(&fixture).used_bytes == 0);
    manager_stop(&manager);
}

/* How often the log names the user that work waits for. */
static unsigned named_in_log(void)
{
    char line[1024];
    unsigned count = 0;
    FILE *log = fopen(fixture.log, "re");
    while (log && fgets(line, sizeof line, log)) {
        count += strstr(line, "of user 4001 ") != NULL;
    }
    if (log) {
        (void)fclose(log);
    }
    return count;
}

/* What an administrator sees. */
static bool status_names_mallory(void)
{
    char program[640], command[900], line[512];
    bool names = false;
    fixture_program("membrokerctl", program, sizeof program);
    (void)snprintf(command, sizeof command, "%s --socket %s status", program, fixture.socket);
    FILE *output = popen(command, "re");
    while (output && fgets(line, sizeof line, output)) {
        names = names || (strstr(line, "stuck: ") && strstr(line, "of user 4001;"));
    }
    if (output) {
        (void)pclose(output);
    }
    return names;
}

Test(restarted, while_held_segments_are_being_freed)
{
    pid_t honest = begin();
    hold(HELD);
    for (size_t i = 0; i < HELD; i++) {
        party_send_release(&mallory, mallory.lease[i]);
    }
    expect_progress("with stuck segments");
    for (int round = 0; round < 3; round++) {
        manager_restart(&manager, SIGKILL);
        expect_progress("after a restart");
        cr_expect_geq(fixture_status(&fixture).used_bytes, HELD * MIB, "what is not free is in the ledger");
    }
    let_go(HELD);
    end(honest);
}

Test(restarted, while_living_leases_are_held)
{
    pid_t honest = begin();
    hold(HELD);
    for (int round = 0; round < 3; round++) {
        manager_restart(&manager, SIGKILL);
        expect_progress("after a restart");
    }
    /* that session is not resumed: its leases end, and their memory becomes free when Mallory releases it */
    WAIT_UNTIL(fixture_status(&fixture).freeing_bytes == HELD * MIB);
    expect_progress("with stuck segments");
    let_go(HELD);
    end(honest);
}

Test(restarted, the_next_daemon_names_the_user_whose_work_is_stuck)
{
    pid_t honest = begin();
    hold(2);
    party_send_release(&mallory, mallory.lease[0]);
    party_send_release(&mallory, mallory.lease[1]);
    WAIT_UNTIL(named_in_log() > 0);
    cr_expect(status_names_mallory());
    manager_restart(&manager, SIGKILL);
    unsigned before = named_in_log();
    expect_progress("after a restart");
    WAIT_UNTIL(named_in_log() > before);
    cr_expect(status_names_mallory());
    let_go(2);
    end(honest);
}

/* Segments without a record (no table) are truncated as well, if possible, by workers that are not needed otherwise. */
Test(restarted, with_a_held_segment_without_a_record)
{
    pid_t honest = begin();
    int fd = memfd_create("membroker:segment", MFD_CLOEXEC);
    cr_assert(ftruncate(fd, MIB) == 0 && fchown(fd, MALLORY, MALLORY) == 0);
    holders[0] = inode_holder_start(MALLORY, fd, INODE_HELD_BY_WRITE);
    cr_assert(holders[0]->is_holding, "%s", holders[0]->refused);
    manager_put(&manager, "s4zz", fd);
    manager_restart(&manager, SIGKILL);
    expect_progress("after a restart");
    let_go(1);
    WAIT_UNTIL(lseek(fd, 0, SEEK_END) == 0);
    (void)close(fd);
    end(honest);
}
