/* SPDX-License-Identifier: Apache-2.0 */
/* membrokerctl hold SIZE: takes a lease as any program would, keeps it for a while, and gives it back. */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "client/ctl/ctl.h"
#include "client/ctl/print.h"
#include "membroker.h"
#include "proto/base/cleanup.h"
#include "proto/base/location.h"
#include "proto/base/size.h"

struct hold {
    uint64_t bytes;
    uint64_t for_ms; /* UINT64_MAX: until a signal */
    bool touch, no_renew;
    const char *client; /* NULL: its own name */
    mb_lease_options lease;
};

static int parse_choice(const char *option, const char *text, const char *const *names, int first, int *ret)
{
    for (int i = 0; names[i]; i++) {
        if (strcmp(text, names[i]) == 0) {
            *ret = first + i;
            return CTL_DONE;
        }
    }
    return ctl_usage("%s `%s`: %s, %s or %s is expected", option, text, names[0], names[1], names[2]);
}

static int parse_node(const char *text, int32_t *ret)
{
    char *end;
    long node = strtol(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || node > INT_MAX) {
        return ctl_usage("--numa-node `%s`: a node's number is expected, such as 0", text);
    }
    *ret = (int32_t)node;
    return CTL_DONE;
}

static int parse_location(const char *text, mb_location *ret)
{
    *ret = (mb_location)location_named(text);
    return location_named(text) != LOCATION_UNSPECIFIED
               ? CTL_DONE
               : ctl_usage("--location `%s`: " LOCATION_NAMES " is expected", text);
}

static int take_option(struct hold *hold, int letter)
{
    static const char *const huge[] = {"never", "try", "always", NULL};
    uint32_t milliseconds = 0;
    int choice = 0, result;
    switch (letter) {
    case 'l':
        return parse_location(optarg, &hold->lease.location);
    case 'u':
        result = parse_choice("--huge", optarg, huge, MB_HUGE_PAGES_NEVER, &choice);
        hold->lease.huge_pages = result == CTL_DONE ? (mb_huge_pages)choice : MB_HUGE_PAGES_NEVER;
        return result;
    case 't':
        return ctl_take_duration("--ttl", optarg, 1, &hold->lease.ttl_ms);
    case 'f':
        result = ctl_take_duration("--for", optarg, 0, &milliseconds);
        hold->for_ms = milliseconds;
        return result;
    case 'n':
        hold->lease.name = optarg;
        return CTL_DONE;
    case 'm':
        return parse_node(optarg, &hold->lease.numa_node);
    case 'w':
        return ctl_take_duration("--wait", optarg, 0, &hold->lease.wait_ms);
    case 'c':
        hold->client = optarg;
        return CTL_DONE;
    case 'i':
        hold->lease.interleave = 1;
        return CTL_DONE;
    case 'p':
        hold->lease.prefault = 1;
        return CTL_DONE;
    case 'T':
        hold->touch = true;
        return CTL_DONE;
    case 'R':
        hold->no_renew = true;
        return CTL_DONE;
    default:
        return CTL_USAGE;
    }
}

static int parse_size(const char *text, uint64_t *ret)
{
    int result = size_from_text(text, 0, ret);
    if (result == -ERANGE || (result == 0 && *ret == UINT64_MAX)) {
        return ctl_usage("`%s` is too much: a size has less than 16777216T (2^64 bytes)", text);
    }
    if (result < 0 && strchr(text, '%')) {
        return ctl_usage("`%s`: only the configuration takes shares; hold takes a size, such as 512M or 8G", text);
    }
    if (result < 0) {
        return ctl_usage("`%s`: a size is a whole number with a unit, B, K, M, G or T, such as 512M or 8G (and 1536M, "
                         "not 1.5G)",
                         text);
    }
    return CTL_DONE;
}

static int parse(int argc, char **argv, struct hold *hold)
{
    static const struct option options[] = {{"location", required_argument, NULL, 'l'},
                                            {"ttl", required_argument, NULL, 't'},
                                            {"for", required_argument, NULL, 'f'},
                                            {"name", required_argument, NULL, 'n'},
                                            {"huge", required_argument, NULL, 'u'},
                                            {"numa-node", required_argument, NULL, 'm'},
                                            {"prefault", no_argument, NULL, 'p'},
                                            {"touch", no_argument, NULL, 'T'},
                                            {"no-renew", no_argument, NULL, 'R'},
                                            {"wait", required_argument, NULL, 'w'},
                                            {"interleave", no_argument, NULL, 'i'},
                                            {"client", required_argument, NULL, 'c'},
                                            {NULL, 0, NULL, 0}};
    int letter;
    optind = 0;
    opterr = 0;
    while ((letter = getopt_long(argc, argv, ":", options, NULL)) >= 0) {
        int result = letter == ':'   ? ctl_usage("%s needs a value", argv[optind - 1])
                     : letter == '?' ? ctl_usage("hold has no option %s", argv[optind - 1])
                                     : take_option(hold, letter);
        if (result != CTL_DONE) {
            return result;
        }
    }
    if (optind + 1 != argc) {
        return optind < argc ? ctl_usage("hold takes one size, and no argument `%s`", argv[optind + 1])
                             : ctl_usage("hold needs a size, such as 512M");
    }
    return parse_size(argv[optind], &hold->bytes);
}

static void ending_signals(sigset_t *ret)
{
    (void)sigemptyset(ret);
    (void)sigaddset(ret, SIGINT);
    (void)sigaddset(ret, SIGTERM);
}

/* A person who did not say for how long is told how to end it. */
static void print_grant(const struct ctl_options *options, const mb_client *client, const mb_lease *lease,
                        bool is_until_signal)
{
    char bytes[SIZE_TEXT_BYTES], ttl[SIZE_TEXT_BYTES];
    const char *location = location_name((enum location)mb_lease_location(lease));
    if (options->json) {
        (void)ctl_print(json_pack("{s:I,s:I,s:s,s:I,s:I}", "lease", (json_int_t)mb_lease_id(lease), "bytes",
                                  (json_int_t)mb_lease_bytes(lease), "location", location, "ttl_ms",
                                  (json_int_t)mb_lease_ttl(lease), "session", (json_int_t)mb_client_session(client)),
                        true);
        return;
    }
    printf("lease %llu: %s in %s, TTL %s\n", (unsigned long long)mb_lease_id(lease),
           size_to_text(mb_lease_bytes(lease), bytes), location, duration_to_text(mb_lease_ttl(lease), ttl));
    (void)fflush(stdout);
    if (is_until_signal && isatty(STDERR_FILENO)) {
        (void)fprintf(stderr, "it is held; press Ctrl-C to give it back\n");
    }
}

static bool is_signalled(int signals)
{
    struct pollfd descriptor = {.fd = signals, .events = POLLIN};
    return poll(&descriptor, 1, 0) > 0;
}

/* Writes to every page, until a signal: what is large takes seconds, and a person who gives up does not wait. */
static int touch(mb_lease *lease, int signals)
{
    enum { PAGE = 4096, LOOK_AROUND = 16 << 20 };
    void *address;
    uint64_t bytes;
    int result = mb_map(lease, 0, &address, &bytes);
    if (result < 0) {
        return ctl_failed(result);
    }
    for (uint64_t at = 0; at < bytes && mb_lease_check(lease) == 0; at += PAGE) {
        if (at % LOOK_AROUND == 0) {
            mb_lease_report_use(lease, at);
        }
        if (at % LOOK_AROUND == 0 && is_signalled(signals)) {
            return CTL_DONE;
        }
        ((volatile char *)address)[at] = 1;
    }
    mb_lease_report_use(lease, bytes);
    return CTL_DONE;
}

static void on_event(const mb_event *event, void *user_data)
{
    uint64_t one = 1;
    if (event->type == MB_EVENT_LEASE_LOST) {
        (void)!write(*(const int *)user_data, &one, sizeof one);
    }
}

static uint64_t now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Waits for the time to pass, a signal, or the loss of the lease. In portions: poll() counts no further than 24 days.
 */
static int wait_for_end(const struct hold *hold, const mb_lease *lease, int signals, int lost)
{
    struct pollfd descriptors[2] = {{.fd = signals, .events = POLLIN}, {.fd = lost, .events = POLLIN}};
    uint64_t end = size_add_saturated(now_ms(), hold->for_ms), left = hold->for_ms;
    int ready;
    do {
        ready = poll(descriptors, 2, (int)size_min(left, INT_MAX));
        left = size_subtract_floored(end, now_ms());
    } while (left > 0 && (ready == 0 || (ready < 0 && errno == EINTR)));
    int result = mb_lease_check(lease);
    return result < 0 ? ctl_failed(result) : CTL_DONE;
}

static int hold_lease(const struct ctl_options *options, const struct hold *hold, mb_client *client, int signals,
                      int lost)
{
    mb_lease *lease;
    sigset_t ending;
    int result = mb_acquire(client, hold->bytes, &hold->lease, &lease);
    if (result < 0) {
        return ctl_failed(result);
    }
    ending_signals(&ending); /* only now: while it waits in the queue they end it as they end any program */
    (void)sigprocmask(SIG_BLOCK, &ending, NULL);
    print_grant(options, client, lease, hold->for_ms == UINT64_MAX);
    int status = hold->touch ? touch(lease, signals) : CTL_DONE;
    if (status == CTL_DONE) {
        status = wait_for_end(hold, lease, signals, lost);
    }
    (void)mb_release(lease);
    return status;
}

/* Asks first whether the broker answers at all: a client's calls have more patience than a person. */
static int check_broker(const struct ctl_options *options)
{
    struct request ping = {.kind = REQUEST_PING};
    const struct reply *reply;
    int result = ctl_ask(options, &ping, &reply);
    ctl_hang_up();
    return result;
}

int hold_main(const struct ctl_options *options, int argc, char **argv)
{
    struct hold hold = {.for_ms = UINT64_MAX, .lease = MB_LEASE_OPTIONS_INIT};
    mb_client_options connect = MB_CLIENT_OPTIONS_INIT;
    mb_client *client;
    sigset_t ending;
    int status = parse(argc, argv, &hold);
    if (status == CTL_DONE) {
        status = check_broker(options);
    }
    if (status != CTL_DONE) {
        return status;
    }
    ending_signals(&ending);
    cleanup(fd_closep) int signals = signalfd(-1, &ending, SFD_CLOEXEC);
    cleanup(fd_closep) int lost = eventfd(0, EFD_CLOEXEC);
    if (signals < 0 || lost < 0) {
        return ctl_fail(-errno, "no descriptor to wait on: %s", strerrordesc_np(errno));
    }
    connect.socket = options->socket;
    connect.timeout_ms = options->timeout_ms;
    connect.name = hold.client ? hold.client : "membrokerctl hold";
    connect.flags = MB_CLIENT_GUARD | (hold.no_renew ? MB_CLIENT_NO_RENEW : 0);
    connect.on_event = on_event;
    connect.user_data = &lost;
    int result = mb_connect(&connect, &client);
    if (result < 0) {
        return ctl_failed(result);
    }
    status = hold_lease(options, &hold, client, signals, lost);
    mb_disconnect(client);
    return status;
}
