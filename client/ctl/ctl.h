/* SPDX-License-Identifier: Apache-2.0 */
/* membrokerctl: what its verbs share. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "proto/message.h"

/* Exit statuses. */
enum { CTL_DONE = 0, CTL_REFUSED = 1, CTL_USAGE = 2, CTL_NO_DAEMON = 3 };

struct ctl_options {
    const char *socket; /* NULL: the default look-up */
    bool json;
};

/* A verb: its arguments (argv[0] is the verb) after the common options were taken out. Returns the exit status. */
typedef int ctl_verb(const struct ctl_options *options, int argc, char **argv);

ctl_verb status_main, sessions_main, leases_main, queue_main, why_main, ping_main, revoke_main, audit_main, reload_main,
    hold_main;

/* Prints the newest error's sentence on standard error and gives the exit status that goes with the code. */
int ctl_failed(int code);

/* Prints a usage error and gives its exit status. */
__attribute__((format(printf, 1, 2))) int ctl_usage(const char *format, ...);

/* One request; all of a run share a connection. Returns CTL_DONE and *ret, the answer that belongs to such a request,
 * valid until the next call; or the exit status after a message. */
int ctl_ask(const struct ctl_options *options, struct request *request, const struct reply **ret);

/* The socket of the broker that was asked last; "": none. */
const char *ctl_socket(void);

/* Prints the lines of a status's warnings, each marked as one. */
void ctl_print_warnings(const char *lines);

/* Prints a JSON document, on one line where `compact`, flushes, and frees it. NULL is what jansson makes of text that
 * is not UTF-8: a message. Returns the exit status. */
int ctl_print_json(json_t *document, bool compact);

/* Numbers as JSON: a limit that is off is null. */
json_t *ctl_json_limit(uint64_t limit);

/* Whether the verb was given no arguments beyond `most`; else a usage error was printed. */
bool ctl_takes(int argc, char **argv, int most);
