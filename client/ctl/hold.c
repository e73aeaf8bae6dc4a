/* SPDX-License-Identifier: Apache-2.0 */
/* membrokerctl hold SIZE: takes a lease as any program would, keeps it for a while, and gives it back. */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "client/ctl/ctl.h"
#include "client/ctl/options.h"
#include "membroker.h"
#include "proto/base/cleanup.h"
#include "proto/base/location.h"
#include "proto/base/size.h"

/* What the command line asks for. */
struct hold {
    uint64_t bytes;
    uint64_t for_ms; /* UINT64_MAX: until a signal */
    bool touch, no_renew;
    const char *client; /* NULL: its own name */
    mb_lease_options lease;
};

/* ---- options ---- */

static struct hold asked = {.for_ms = UINT64_MAX, .lease = MB_LEASE_OPTIONS_INIT};

static int take_location(struct ctl_options *options, const char *value)
{
    enum location location = location_named(value);
    (void)options;
    if (location == LOCATION_UNSPECIFIED) {
        return ctl_usage("--location `%s`: " LOCATION_NAMES " is expected", value);
    }
    asked.lease.location = (mb_location)location;
    return CTL_DONE;
}

static int take_ttl(struct ctl_options *options, const char *value)
{
    (void)options;
    return ctl_take_duration("--ttl", value, 1, &asked.lease.ttl_ms);
}

static int take_for(struct ctl_options *options, const char *value)
{
    uint32_t milliseconds = 0;
    int result = ctl_take_duration("--for", value, 0, &milliseconds);
    (void)options;
    asked.for_ms = milliseconds;
    return result;
}

static int take_touch(struct ctl_options *options, const char *value)
{
    (void)options, (void)value;
    asked.touch = true;
    return CTL_DONE;
}

static int take_no_renew(struct ctl_options *options, const char *value)
{
    (void)options, (void)value;
    asked.no_renew = true;
    return CTL_DONE;
}

static int take_name(struct ctl_options *options, const char *value)
{
    (void)options;
    asked.lease.name = value;
    return CTL_DONE;
}

static int take_prefault(struct ctl_options *options, const char *value)
{
    (void)options, (void)value;
    asked.lease.prefault = 1;
    return CTL_DONE;
}

static int take_huge(struct ctl_options *options, const char *value)
{
    static const char *const words[] = {"never", "try", "always"};
    (void)options;
    for (int i = 0; i < 3; i++) {
        if (strcmp(value, words[i]) == 0) {
            asked.lease.huge_pages = (mb_huge_pages)(MB_HUGE_PAGES_NEVER + i);
            return CTL_DONE;
        }
    }
    return ctl_usage("--huge `%s`: never, try or always is expected", value);
}

static int take_node(struct ctl_options *options, const char *value)
{
    uint64_t node;
    (void)options;
    if (!ctl_is_number(value, &node) || node > INT_MAX) {
        return ctl_usage("--numa-node `%s`: a node's number is expected, such as 0", value);
    }
    asked.lease.numa_node = (int32_t)node;
    return CTL_DONE;
}

static int take_interleave(struct ctl_options *options, const char *value)
{
    (void)options, (void)value;
    asked.lease.interleave = 1;
    return CTL_DONE;
}

static int take_wait(struct ctl_options *options, const char *value)
{
    (void)options;
    return ctl_take_duration("--wait", value, 0, &asked.lease.wait_ms);
}

static int take_client(struct ctl_options *options, const char *value)
{
    (void)options;
    asked.client = value;
    return CTL_DONE;
}

static const struct ctl_option own_options[] = {
    {"location", '\0', "ram|mmap|auto", "where the memory lies (default ram)", take_location},
    {"ttl", '\0', "TIME", "for how long it is granted without renewal (default: the broker's)", take_ttl},
    {"for", '\0', "TIME", "give it back after this time (default: at Ctrl-C, or SIGTERM)", take_for},
    {"touch", '\0', NULL, "write to every page", take_touch},
    {"no-renew", '\0', NULL, "let it expire", take_no_renew},
    {"name", '\0', "NAME", "the lease's name in listings", take_name},
    {"prefault", '\0', NULL, "the broker allocates every page before it grants", take_prefault},
    {"huge", '\0', "never|try|always", "huge pages", take_huge},
    {"numa-node", '\0', "NODE", "bind the pages to a node", take_node},
    {"interleave", '\0', NULL, "let the pages alternate between the nodes", take_interleave},
    {"wait", '\0', "TIME", "wait in the queue for so long if the memory is not free (default: not at all)", take_wait},
    {"client", '\0', "NAME", "connect under this name (default: membrokerctl hold)", take_client},
};

const struct ctl_option_list hold_options = {own_options, sizeof own_options / sizeof *own_options};

/* ---- holding ---- */

static void ending_signals(sigset_t *ret)
{
    (void)sigemptyset(ret);
    (void)sigaddset(ret, SIGINT);
    (void)sigaddset(ret, SIGTERM);
}

/* If no duration was given, a person is told how to end it. */
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

/* Writes to every page, and stops at a signal: a large lease takes seconds. */
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
static int wait_for_end(const mb_lease *lease, int signals, int lost)
{
    struct pollfd descriptors[2] = {{.fd = signals, .events = POLLIN}, {.fd = lost, .events = POLLIN}};
    uint64_t end = size_add_saturated(now_ms(), asked.for_ms), left = asked.for_ms;
    int ready;
    do {
        ready = poll(descriptors, 2, (int)size_min(left, INT_MAX));
        left = size_subtract_floored(end, now_ms());
    } while (left > 0 && (ready == 0 || (ready < 0 && errno == EINTR)));
    int result = mb_lease_check(lease);
    return result < 0 ? ctl_failed(result) : CTL_DONE;
}

static int hold_lease(const struct ctl_options *options, mb_client *client, int signals, int lost)
{
    mb_lease *lease;
    sigset_t ending;
    int result = mb_acquire(client, asked.bytes, &asked.lease, &lease);
    if (result < 0) {
        return ctl_failed(result);
    }
    ending_signals(&ending); /* only now: during the wait in the queue, signals end the program as usual */
    (void)sigprocmask(SIG_BLOCK, &ending, NULL);
    print_grant(options, client, lease, asked.for_ms == UINT64_MAX);
    int status = asked.touch ? touch(lease, signals) : CTL_DONE;
    if (status == CTL_DONE) {
        status = wait_for_end(lease, signals, lost);
    }
    (void)mb_release(lease);
    return status;
}

/* Checks first that the broker answers at all: the library's calls wait longer than a person wants to. */
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
    mb_client_options connect = MB_CLIENT_OPTIONS_INIT;
    mb_client *client;
    sigset_t ending;
    if (argc != 2) {
        return argc > 2 ? ctl_usage("hold takes one size, and no argument `%s`", argv[2])
                        : ctl_usage("hold needs a size, such as 512M");
    }
    int status = ctl_take_size("hold", argv[1], &asked.bytes);
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
    connect.name = asked.client ? asked.client : "membrokerctl hold";
    connect.flags = MB_CLIENT_GUARD | (asked.no_renew ? MB_CLIENT_NO_RENEW : 0);
    connect.on_event = on_event;
    connect.user_data = &lost;
    int result = mb_connect(&connect, &client);
    if (result < 0) {
        return ctl_failed(result);
    }
    status = hold_lease(options, client, signals, lost);
    mb_disconnect(client);
    return status;
}
