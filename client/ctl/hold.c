/* SPDX-License-Identifier: Apache-2.0 */
/* membrokerctl hold SIZE: takes a lease as any program would, keeps it for a while, and gives it back. */
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client/ctl/ctl.h"
#include "client/ctl/holding.h"
#include "client/ctl/options.h"
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

/* Writes to every page, and stops at a signal: a large lease takes seconds. */
static int touch(mb_lease *lease, const struct holding *holding)
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
        if (at % LOOK_AROUND == 0 && holding_is_signalled(holding)) {
            return CTL_DONE;
        }
        ((volatile char *)address)[at] = 1;
    }
    mb_lease_report_use(lease, bytes);
    return CTL_DONE;
}

static int hold_lease(const struct ctl_options *options, const struct holding *holding)
{
    mb_lease *lease;
    int result = mb_acquire(holding->client, asked.bytes, &asked.lease, &lease);
    if (result < 0) {
        return ctl_failed(result);
    }
    holding_block_signals(); /* only now: during the wait in the queue, signals end the program as usual */
    print_grant(options, holding->client, lease, asked.for_ms == UINT64_MAX);
    int status = asked.touch ? touch(lease, holding) : CTL_DONE;
    if (status == CTL_DONE) {
        status = holding_wait(holding, lease, asked.for_ms);
    }
    (void)mb_release(lease);
    return status;
}

int hold_main(const struct ctl_options *options, int argc, char **argv)
{
    struct holding holding;
    if (argc != 2) {
        return argc > 2 ? ctl_usage("hold takes one size, and no argument `%s`", argv[2])
                        : ctl_usage("hold needs a size, such as 512M");
    }
    int status = ctl_take_size("hold", argv[1], &asked.bytes);
    if (status == CTL_DONE) {
        status = holding_open(options, asked.client ? asked.client : "membrokerctl hold",
                              MB_CLIENT_GUARD | (asked.no_renew ? MB_CLIENT_NO_RENEW : 0), &holding);
    }
    if (status == CTL_DONE) {
        status = hold_lease(options, &holding);
        holding_close(&holding);
    }
    return status;
}
