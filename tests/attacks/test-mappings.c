/* SPDX-License-Identifier: Apache-2.0 */
/* What a truncation costs does not depend on the segment's size: its borrower may have mapped it very often. */
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/base/cleanup.h"
#include "proto/transport.h"
#include "tests/attacks/party.h"

TestSuite(mappings, .timeout = 120);

#define MIB UINT64_C(1048576)

enum { MAPPINGS = 40000 };

static int map_often(int segment, uint64_t bytes, int to)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (int i = 0; i < MAPPINGS; i++) {
        char *data = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, segment, 0);
        if (data == MAP_FAILED) {
            return 1;
        }
        data[0] = 1;
    }
    (void)transport_send(to, "", 1, -EBADF, true);
    (void)pause();
    return 0;
}

/* Not a matter of time but of order: a loop that truncates answers nothing before the bytes are free. */
static void expect_loop_goes_on(uint64_t bytes, enum location location)
{
    struct fixture fixture;
    int ends[2], seen = 0;
    char byte;
    if (geteuid() != 0) {
        cr_skip("being two users needs root");
    }
    fixture_start(&fixture, "");
    cr_assert(chmod(fixture.socket, 0666) == 0 && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
    struct party mallory = party_join(&fixture, MALLORY), alice = party_join(&fixture, ALICE);
    cr_assert(party_acquire(&mallory, bytes, location, false));
    pid_t child = fork();
    if (child == 0) {
        _exit(map_often(mallory.segment[0], bytes, ends[1]));
    }
    (void)close(ends[1]);
    cr_assert(transport_receive(ends[0], &byte, 1, NULL, true) == 1, "vm.max_map_count is too low");
    party_send_release(&mallory, mallory.lease[0]);
    struct status_reply status;
    do {
        status = party_status(&alice);
        seen += status.freeing_bytes == bytes;
    } while (status.used_bytes);
    cr_expect(seen >= 5, "only %d answers came while %llu bytes were being freed", seen, (unsigned long long)bytes);
    (void)kill(child, SIGKILL);
    (void)waitpid(child, NULL, 0);
    (void)close(ends[0]);
    party_leave(&mallory);
    party_leave(&alice);
    fixture_stop(&fixture);
}

Test(mappings, many_mappings_of_a_small_segment)
{
    expect_loop_goes_on(4 * MIB, LOCATION_RAM);
}

Test(mappings, many_mappings_of_a_file)
{
    expect_loop_goes_on(MIB, LOCATION_MMAP);
}
