/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/core/demand.h"

#include <string.h>

#include "daemon/core/broker_state.h"
#include "proto/base/size.h"

static void read_acquire(const struct acquire_request *asked, uint64_t file_bytes, struct demand *ret)
{
    bool has_longer_file = asked->file[0] && file_bytes > asked->bytes;
    ret->takes_lease = true;
    ret->repeats = asked->repeats;
    ret->asked_bytes = has_longer_file ? file_bytes : asked->bytes;
    ret->wait_ms = asked->wait_ms;
    ret->ttl_ms = asked->ttl_ms;
    ret->learned = asked->learned;
    ret->use_learned = asked->use_learned;
    ret->publishable = asked->publishable;
    ret->location = asked->location == LOCATION_UNSPECIFIED ? LOCATION_DEFAULT : asked->location;
    if (asked->publishable && location_is_choice(asked->location)) {
        ret->location =
            location_first(asked->location); /* no block becomes a file unasked: only its own user may attach that */
    }
    memcpy(ret->name, asked->name, sizeof ret->name);
    memcpy(ret->file, asked->file, sizeof ret->file);
    ret->wish = (struct page_wish){.has_huge_pages = asked->has_huge_pages,
                                   .huge_pages = asked->huge_pages,
                                   .numa_node = asked->numa_node,
                                   .interleave = asked->interleave,
                                   .prefault = asked->prefault};
}

static void read_extend(const struct extend_request *asked, struct demand *ret)
{
    ret->lease = asked->lease;
    ret->repeats = asked->repeats;
    ret->asked_bytes = asked->bytes;
    ret->wait_ms = asked->wait_ms;
    ret->location = LOCATION_DEFAULT;
    ret->wish = (struct page_wish){.numa_node = -1, .prefault = asked->prefault};
}

void demand_read(const struct request *request, uint64_t file_bytes, struct demand *ret)
{
    *ret = (struct demand){.request_id = request->id};
    if (request->kind == REQUEST_ACQUIRE) {
        read_acquire(&request->acquire, file_bytes, ret);
    } else {
        read_extend(&request->extend, ret);
    }
}

uint64_t demand_key(const struct demand *demand)
{
    return demand->repeats ? demand->repeats : demand->request_id;
}

/* ---- resolving ---- */

/* The broker fills huge pages and pays for them. If the clients of a class are to pay, TRY gets ordinary pages. */
static enum huge_pages huge_pages_under(const struct quota *class, enum huge_pages wish)
{
    return class->charge == CHARGE_CLIENT && wish == HUGE_PAGES_TRY ? HUGE_PAGES_NEVER : wish;
}

static bool broker_prefaults(const struct quota *class, const struct page_wish *wish)
{
    return class->charge != CHARGE_CLIENT && (wish->prefault || class->charge == CHARGE_BROKER);
}

static struct segment_options options_of_new(const struct quota *class, const struct demand *demand)
{
    const struct page_wish *wish = &demand->wish;
    bool has_options = location_has_page_options(location_first(demand->location));
    bool inherits = !wish->has_huge_pages && class->has_huge_pages && has_options;
    return (struct segment_options){
        .huge_pages = huge_pages_under(class, inherits ? class->huge_pages : wish->huge_pages),
        .numa_node = wish->numa_node,
        .interleave = wish->interleave,
        .prefault = has_options && broker_prefaults(class, wish),
    };
}

/* An extension of RAM is as the lease's first segment. */
static struct segment_options options_of_extension(const struct quota *class, const struct lease *lease,
                                                   const struct page_wish *wish)
{
    struct segment_options options = {.numa_node = -1};
    if (lease && location_has_page_options(lease->location)) {
        options = lease->options;
        options.huge_pages = huge_pages_under(class, options.huge_pages);
        options.prefault = broker_prefaults(class, wish);
    }
    return options;
}

/* A size that is too large to be rounded stays as it is: it is refused. */
static uint64_t round_to(uint64_t bytes, uint64_t page_bytes)
{
    uint64_t rounded;
    return page_bytes && size_round_up(bytes, page_bytes, &rounded) ? rounded : bytes;
}

void demand_resolve(const struct broker *broker, const struct session *session, struct demand *demand)
{
    const struct quota *class = &session->share->class->quota;
    if (demand->takes_lease) {
        demand->options = options_of_new(class, demand);
    } else {
        const struct lease *lease = lease_table_find(&broker->leases, demand->lease);
        lease = lease && lease->session == session ? lease : NULL;
        demand->location = lease ? lease->location : LOCATION_DEFAULT;
        demand->options = options_of_extension(class, lease, &demand->wish);
    }
    bool is_huge = demand->options.huge_pages != HUGE_PAGES_NEVER;
    demand->least_bytes = round_to(demand->asked_bytes, broker->options.page_bytes);
    demand->bytes = round_to(demand->least_bytes, is_huge ? broker->options.huge_page_bytes : 0);
    demand->settings_number = broker->settings_number;
}
