/* SPDX-License-Identifier: Apache-2.0 */
/* membrokerctl: what its verbs share. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "proto/message.h"

/* Exit statuses. CTL_NO_DAEMON: there is none, or it does not answer. */
enum { CTL_DONE = 0, CTL_REFUSED = 1, CTL_USAGE = 2, CTL_NO_DAEMON = 3 };

/* What a run was asked to do. */
enum ctl_ask { CTL_ASK_VERB, CTL_ASK_HELP, CTL_ASK_VERSION };

/* What the options that every verb takes say. */
struct ctl_options {
    enum ctl_ask ask;
    const char *socket; /* NULL: the default look-up */
    bool json;
    uint32_t timeout_ms; /* for each answer of the broker; 0: not said */
};

/* A verb: its arguments (argv[0] is the verb) without the options. Returns the exit status. */
typedef int ctl_verb(const struct ctl_options *options, int argc, char **argv);

ctl_verb status_main, sessions_main, leases_main, queue_main, why_main, ping_main, revoke_main, audit_main, reload_main,
    hold_main, reserve_main, attach_main, unreserve_main, suspend_main, resume_main, reservations_main, usage_main,
    slurm_gres_main, metrics_main, events_main, top_main, plot_main, blocks_main, unpublish_main, publish_main,
    put_main, get_main, remove_main, boards_main;

/* ---- asking ---- */

/* One request; all of a run share a connection. Returns CTL_DONE and *ret, the answer that belongs to such a request,
 * valid until the next call; or the exit status after a message. */
int ctl_ask(const struct ctl_options *options, struct request *request, const struct reply **ret);

/* The socket of the broker that was asked last; "": none. */
const char *ctl_socket(void);

/* Ends the connection, if there is one. */
void ctl_hang_up(void);

/* Prints an answer as JSON, on one line if `compact`, and frees it. Returns the exit status. */
int ctl_print(json_t *document, bool compact);

/* ---- failing: a sentence on standard error, or with --json an object on standard output ---- */

/* Errors are printed as JSON from now on. */
void ctl_fail_as_json(void);

/* Usage errors from now on name the help of this verb. */
void ctl_fail_in(const char *verb);

/* And say this sentence, which stays the caller's. */
void ctl_fail_with_hint(const char *sentence);

/* Prints the sentence of mb_last_error() for this negative errno, and returns the exit status that goes with it. */
int ctl_failed(int code);

/* The same with a sentence of its own and CTL_REFUSED. */
__attribute__((format(printf, 2, 3))) int ctl_fail(int code, const char *format, ...);

/* Prints a usage error and returns its exit status. */
__attribute__((format(printf, 1, 2))) int ctl_usage(const char *format, ...);

/* Whether the verb was given no arguments beyond `most`; else a usage error was printed. */
bool ctl_takes(int argc, char **argv, int most);

/* Whether this can be the name of what is said. False after a message. */
bool ctl_takes_name(const char *of, const char *name);

/* ---- values: CTL_DONE, or CTL_USAGE after a message that begins with the option's name ---- */

/* A duration of at least `least` ms that fits 32 bits. */
int ctl_take_duration(const char *option, const char *text, uint32_t least, uint32_t *ret_milliseconds);

/* A size of less than UINT64_MAX bytes. An argument has no option; then `what` is the verb. */
int ctl_take_size(const char *what, const char *text, uint64_t *ret);

int ctl_take_number(const char *option, const char *text, uint32_t least, uint32_t most, uint32_t *ret);

/* Whether the text is a decimal number that fits 64 bits, and nothing else. Prints no message. */
bool ctl_is_number(const char *text, uint64_t *ret);
