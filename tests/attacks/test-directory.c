/* SPDX-License-Identifier: Apache-2.0 */
/* The directory of named files is its users': one of them lists it into a page that never comes. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/base/cleanup.h"
#include "proto/base/text.h"
#include "tests/attacks/hold_inode.h"
#include "tests/attacks/party.h"

TestSuite(directory, .timeout = 120);

#define MIB UINT64_C(1048576)

static struct fixture fixture;
static struct party mallory, alice;
static char files[64];
static struct inode_holder *holder;

static void begin(void)
{
    char settings[128];
    party_needs_fuse();
    strcpy(files, "/tmp/membroker-named-XXXXXX");
    cr_assert(mkdtemp(files) && chmod(files, 01777) == 0);
    (void)snprintf(settings, sizeof settings, "[mapped]\nfiles = %s\n", files);
    party_begin(&fixture, settings);
    mallory = party_join(&fixture, MALLORY);
    alice = party_join(&fixture, ALICE);
}

static void hold(void)
{
    cleanup(fd_closep) int fd = open(files, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    holder = inode_holder_start(MALLORY, fd, INODE_HELD_BY_LISTING);
    cr_assert(holder->is_holding, "%s: %s", holder->refused, strerror(holder->error));
}

static struct acquire_request named(const char *name)
{
    struct acquire_request acquire = {.bytes = MIB, .location = LOCATION_MMAP, .numa_node = -1};
    text_copy(acquire.file, sizeof acquire.file, name);
    return acquire;
}

/* Its answer comes when there is one, perhaps a refusal. */
static void send_named(struct party *party, const char *name)
{
    const struct request request = {.id = 4242, .kind = REQUEST_ACQUIRE, .acquire = named(name)};
    cr_assert(fixture_send(party->socket, &request));
}

static bool is_answered_at_last(struct party *party)
{
    struct reply reply;
    int fd;
    while (fixture_receive(party->socket, &reply, &fd)) {
        (void)fd_close(fd);
        if (reply.is_answer && reply.reply_to == 4242) {
            return true;
        }
    }
    return false;
}

static void end(void)
{
    char path[128];
    static const char *const names[] = {"made", "hers", "late"};
    party_leave(&mallory);
    party_leave(&alice);
    WAIT_UNTIL(fixture_status(&fixture).used_bytes == 0);
    fixture_stop(&fixture);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", files, names[i]);
        (void)unlink(path);
    }
    cr_expect(rmdir(files) == 0);
}

Test(directory, the_directory_is_held_when_a_file_is_created)
{
    begin();
    hold();
    send_named(&mallory, "made");
    party_works(&alice);
    struct party friend = party_join(&fixture, MALLORY);
    cr_expect(party_ping(&friend));
    party_leave(&friend);
    party_works(&alice);
    holder = inode_holder_end(holder);
    cr_expect(is_answered_at_last(&mallory));
    end();
}

/* She may have to wait for her file, and for nothing else. */
Test(directory, another_user_holds_the_directory_when_a_user_names_a_file)
{
    begin();
    hold();
    struct party waiting = party_join(&fixture, ALICE);
    for (int i = 0; i < 3; i++) {
        send_named(&mallory, "made");
    }
    send_named(&waiting, "hers");
    party_works(&alice);
    party_works(&alice);
    holder = inode_holder_end(holder);
    cr_expect(is_answered_at_last(&waiting));
    party_leave(&waiting);
    end();
}

/* She holds nothing: her other work continues, however many named files she waits for. */
Test(directory, another_user_holds_the_directory_when_a_user_names_many_files)
{
    struct party waiting[8];
    begin();
    hold();
    for (size_t i = 0; i < sizeof waiting / sizeof *waiting; i++) {
        waiting[i] = party_join(&fixture, ALICE);
        send_named(&waiting[i], "hers");
    }
    sleep_ms(500); /* what can be stuck is */
    party_works(&alice);
    holder = inode_holder_end(holder);
    for (size_t i = 0; i < sizeof waiting / sizeof *waiting; i++) {
        cr_expect(is_answered_at_last(&waiting[i]));
        party_leave(&waiting[i]);
    }
    end();
}

/* One holds, many wait for that one directory. */
Test(directory, one_user_holds_the_directory_when_many_users_name_files)
{
    enum { USERS = 70, FIRST = 5000 };
    struct party waiting[USERS];
    begin();
    hold();
    for (size_t i = 0; i < USERS; i++) {
        waiting[i] = party_join(&fixture, FIRST + (uid_t)i);
        send_named(&waiting[i], "made");
    }
    sleep_ms(500);
    party_works(&alice);
    holder = inode_holder_end(holder);
    for (size_t i = 0; i < USERS; i++) {
        cr_expect(is_answered_at_last(&waiting[i]));
        party_leave(&waiting[i]);
    }
    end();
}

Test(directory, the_directory_is_held_when_named_leases_end)
{
    struct reply reply;
    begin();
    const struct acquire_request made = named("made");
    cr_assert(party_try(&mallory, &made, &reply) && reply.kind == REPLY_GRANT);
    hold();
    party_send_release(&mallory, mallory.lease[0]);
    party_works(&alice);
    send_named(&mallory, "late");
    party_works(&alice);
    holder = inode_holder_end(holder);
    end();
}
