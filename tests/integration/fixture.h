/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A real daemon in a directory of its own, for one test; of the build that aborts if its loop is about to sleep while
 * something is due. Each test ends with fixture_stop(), which audits the ledger
 * against the kernel first, from inside (the daemon's audit) and from outside (/proc), and looks for left-overs.
 */
#pragma once

#include <criterion/criterion.h>
#include <membroker.h>
#include <stdbool.h>
#include <sys/types.h>

#include "proto/message.h"

struct fixture {
    char directory[64];
    char socket[96];
    char config[96];
    char spill[96];
    char log[96];
    pid_t daemon;
    uid_t uid;       /* that the daemon runs as, for a test that is root; 0: the test's own */
    int descriptors; /* that the daemon may have; 0: as many as the test */
};

/*
 * Starts a daemon. `settings` are lines of configuration beyond the socket and the spill directory, which are set
 * ("" for none). The limits at default are far above what a test takes. Fails the test if it does not come up.
 */
void fixture_start(struct fixture *fixture, const char *settings);

/* Only the directory and the configuration: the caller starts the daemon. */
void fixture_prepare(struct fixture *fixture, const char *settings);

/* Starts the daemon of a directory that was prepared, or whose daemon has ended. */
void fixture_launch(struct fixture *fixture);

/* The path of a program of this build. */
void fixture_program(const char *name, char *path, size_t size);

/* The same with the spill directory somewhere else. */
void fixture_start_with_spill(struct fixture *fixture, const char *settings, const char *spill);

/* Audits, stops the daemon with SIGTERM, expects exit status 0 and nothing left behind. */
void fixture_stop(struct fixture *fixture);

/* Removes the directory of a daemon that has ended, and expects no left-overs in it. */
void fixture_remove(struct fixture *fixture);

/* Ends a daemon that a test killed itself, and removes the directory. */
void fixture_discard(struct fixture *fixture);

/* Rewrites the configuration file (the settings as for fixture_start). */
void fixture_write_config(const struct fixture *fixture, const char *settings);

/* Switches the pool off, which else fills behind an audit's back, and waits until nothing is held. */
void fixture_drain_pool(const struct fixture *fixture);

/* False: there is no daemon, or it ended meanwhile. */
bool fixture_try_status(const struct fixture *fixture, struct status_reply *ret);

/* Whether a line of the daemon's log has these words. */
bool fixture_log_has(const struct fixture *fixture, const char *words);

/* The daemon's answers; each opens a connection of its own. */
struct status_reply fixture_status(const struct fixture *fixture);
void fixture_audit(const struct fixture *fixture);

/* Only from inside, which agrees also while leases expire. */
void fixture_audit_inside(const struct fixture *fixture);

/* Ends a lease as an administrator. Returns 0 or the error's code. */
enum error_code fixture_revoke(const struct fixture *fixture, uint64_t lease);

/* Revokes the lease, and waits until its client knows that and its pages are gone. Any process. */
void fixture_lose(const struct fixture *fixture, const mb_lease *lease);

/* Bytes of the daemon's segments by /proc/PID/fd: memfds, and files in the spill directory. */
void fixture_kernel_bytes(const struct fixture *fixture, uint64_t *ret_ram, uint64_t *ret_mapped);

/* How many entries the daemon's directory of open descriptors has. */
size_t fixture_descriptors(const struct fixture *fixture);

/* Waits until `condition` holds, for at most ten seconds; an expression, evaluated again and again. */
#define WAIT_UNTIL(condition)                                                                                          \
    do {                                                                                                               \
        int waited_ms = 0;                                                                                             \
        bool came = (condition); /* looked at once each time: it may do something */                                   \
        for (; !came && waited_ms < 10000; waited_ms += 5) {                                                           \
            sleep_ms(5);                                                                                               \
            came = (condition);                                                                                        \
        }                                                                                                              \
        cr_assert(came, "not within ten seconds: %s", #condition);                                                     \
    } while (0)

void sleep_ms(unsigned milliseconds);
uint64_t now_ms(void); /* monotonic */

/* A client with these flags; fails the test if it can't connect. */
mb_client *fixture_connect(const struct fixture *fixture, unsigned flags);

/* Waits until the client has a session with the daemon of now: its thread may not have noticed yet that the one before
 * ended. */
void fixture_wait_connected(mb_client *client);

/* A raw connection: a socket that has said nothing yet. */
int fixture_socket(const struct fixture *fixture);

/* Sends a request as it is, with its id. False: the daemon hung up. */
bool fixture_send(int socket, const struct request *request);

/* Sends a request and gives its answer (events on the way are skipped); `fd` may be NULL. False: the daemon hung up. */
bool fixture_exchange(int socket, struct request *request, struct reply *ret, int *ret_fd);

/* Receives one frame. False: the daemon hung up. Strings in *ret are valid until the next call in this process. */
bool fixture_receive(int socket, struct reply *ret, int *ret_fd);

/* The same with all descriptors that came, which are the caller's. */
struct packet_descriptors;
bool fixture_receive_all(int socket, struct reply *ret, struct packet_descriptors *ret_descriptors);

/* Sends a hello with the name "test" and gives the answer. */
bool fixture_hello(int socket, bool monitor, struct reply *ret, int *ret_control);

/* Runs `body` in a forked child that ends with its return value as status. */
pid_t fixture_fork(int (*body)(const struct fixture *fixture), const struct fixture *fixture);

/* Waits for the end of a child: its exit status, or 100 and the signal's number. */
int fixture_wait_child(pid_t child);
