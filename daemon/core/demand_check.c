/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/core/demand_check.h"

#include "daemon/core/answer.h"
#include "proto/base/size.h"

/* More than any host has; keeps every sum far from overflow. */
#define REQUEST_BYTES_MAX (UINT64_C(1) << 56)

static bool check_size(struct step *step, const struct session *session, const struct demand *demand)
{
    uint64_t bytes = demand->asked_bytes;
    if (bytes == 0 || bytes > REQUEST_BYTES_MAX) {
        answer_error(step, session->peer, demand->request_id, ERROR_INVALID,
                     "%llu bytes can't be leased; ask for at least 1 and at most %llu", (unsigned long long)bytes,
                     (unsigned long long)REQUEST_BYTES_MAX);
        return false;
    }
    return true;
}

bool demand_check_ttl(struct step *step, const struct session *session, uint64_t request_id, uint32_t ttl)
{
    const struct lease_times *times = &step->broker->options.settings.times;
    char asked[SIZE_TEXT_BYTES], least[SIZE_TEXT_BYTES], most[SIZE_TEXT_BYTES];
    if (ttl == 0 || (ttl >= times->ttl_min_ms && ttl <= times->ttl_max_ms)) {
        return true;
    }
    answer_error(step, session->peer, request_id, ERROR_INVALID,
                 "a TTL of %s was asked for, and this broker grants %s to %s ([leases] min_ttl and max_ttl); ask for "
                 "one between them, or 0 for the default",
                 duration_to_text(ttl, asked), duration_to_text(times->ttl_min_ms, least),
                 duration_to_text(times->ttl_max_ms, most));
    return false;
}

static bool check_options(struct step *step, const struct session *session, const struct demand *demand)
{
    const struct page_wish *wish = &demand->wish;
    bool has_options =
        wish->huge_pages != HUGE_PAGES_NEVER || wish->numa_node >= 0 || wish->prefault || wish->interleave;
    if (has_options && !location_has_page_options(location_first(demand->location))) {
        answer_error(
            step, session->peer, demand->request_id, ERROR_INVALID,
            "huge pages, NUMA placement and prefault go with location RAM or AUTO only; a mapped file is always "
            "allocated in full");
        return false;
    }
    if (wish->interleave && wish->numa_node >= 0) {
        answer_error(step, session->peer, demand->request_id, ERROR_INVALID,
                     "pages can be bound to one NUMA node or interleaved between all; ask for one of the two");
        return false;
    }
    return true;
}

static bool check_huge_pages(struct step *step, const struct session *session, const struct demand *demand)
{
    bool asks_itself = demand->wish.huge_pages == HUGE_PAGES_ALWAYS;
    const struct principal *class = session->share->class;
    if (demand->options.huge_pages != HUGE_PAGES_ALWAYS) {
        return true;
    }
    if (!step->broker->options.huge_page_bytes) {
        answer_error(step, session->peer, demand->request_id, ERROR_NOT_SUPPORTED,
                     "this host has no huge pages, and they were asked for always%s%s; ask with TRY, or have the "
                     "administrator reserve some (vm.nr_hugepages)",
                     asks_itself ? "" : " by the lease or by the configuration of ", asks_itself ? "" : class->whose);
        return false;
    }
    if (class->quota.charge == CHARGE_CLIENT) {
        answer_error(step, session->peer, demand->request_id, ERROR_NOT_SUPPORTED,
                     "the clients of %s pay for their pages (charge = client), and huge pages are the broker's: it "
                     "fills them before the grant; ask with TRY or NEVER for ordinary ones",
                     class->whose);
        return false;
    }
    return true;
}

static bool check_file(struct step *step, const struct session *session, const struct demand *demand)
{
    if (demand->file[0] && !location_has_names(demand->location)) {
        answer_error(step, session->peer, demand->request_id, ERROR_INVALID,
                     "a named file goes with location MMAP only");
        return false;
    }
    return true;
}

static bool check_publishable(struct step *step, const struct session *session, const struct demand *demand)
{
    if (demand->publishable && demand->file[0]) {
        answer_error(step, session->peer, demand->request_id, ERROR_NOT_SUPPORTED,
                     "a named file can't be published: it stays its user's, who can write to it at any time; leave its "
                     "name out");
        return false;
    }
    return true;
}

bool demand_check_under_way(struct step *step, const struct session *session, uint64_t request_id)
{
    uint32_t most = step->broker->options.settings.requests_max;
    if (most && session->makings + session->waiting_count >= most) {
        answer_error(step, session->peer, request_id, ERROR_TOO_MANY,
                     "%u requests of this session are in progress, as many as [clients] max_requests allows; wait for "
                     "their answers first",
                     most);
        return false;
    }
    uint32_t most_of_user = step->broker->options.settings.user_requests_max;
    const struct principal *user = session->share->user;
    if (most_of_user && user->under_way >= most_of_user) {
        answer_error(step, session->peer, request_id, ERROR_TOO_MANY,
                     "%llu requests of %s are in progress, as many as [clients] max_requests_per_user allows; wait for "
                     "their answers first",
                     (unsigned long long)user->under_way, user->whose);
        return false;
    }
    return true;
}

bool demand_check(struct step *step, const struct session *session, struct demand *demand)
{
    bool is_valid = check_file(step, session, demand) && check_size(step, session, demand);
    if (is_valid && demand->takes_lease) {
        is_valid = demand_check_ttl(step, session, demand->request_id, demand->ttl_ms) &&
                   check_publishable(step, session, demand) && check_options(step, session, demand);
    }
    demand_resolve(step->broker, session, demand);
    return is_valid && check_huge_pages(step, session, demand);
}
