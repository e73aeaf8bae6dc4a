/* SPDX-License-Identifier: Apache-2.0 */
/* Finds and returns leases of the session that no object here has. */
#include "client/orphans.h"

#include "client/client.h"

void orphans_ask(mb_client *client, uint64_t after)
{
    struct request request = {.id = link_next_id(client), .kind = REQUEST_LIST};
    request.list = (struct list_request){.what = LIST_OWN_LEASES, .after = after};
    client->session.list_id = request.id;
    (void)link_send(client, &request);
}

void orphans_return(mb_client *client, uint64_t lease)
{
    if (!lease_table_find(client, lease)) {
        releases_post_id(client, lease);
    }
}

void orphans_compare(mb_client *client, const struct listing_reply *listing)
{
    uint64_t last = 0;
    client->session.list_id = 0;
    for (size_t i = 0; i < listing->lease_count; i++) {
        last = listing->leases[i].lease;
        orphans_return(client, last);
    }
    if (listing->more && listing->lease_count) {
        orphans_ask(client, last);
    }
}
