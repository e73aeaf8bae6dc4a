/* SPDX-License-Identifier: Apache-2.0 */
/* Finds and returns leases of the session that no object here has. */
#include "client/orphans.h"

#include "client/client.h"

void orphans_owe_list(mb_client *client, uint64_t after)
{
    client->session.list_id = link_next_id(client);
    client->session.list_after = after;
    client->session.owes_list = true;
}

void orphans_send_owed(mb_client *client)
{
    struct session *session = &client->session;
    struct request request = {.id = session->list_id, .kind = REQUEST_LIST};
    request.list = (struct list_request){.what = LIST_OWN_LEASES, .after = session->list_after};
    if (session->owes_list && link_send(client, &request) == 0) {
        session->owes_list = false;
    }
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
        orphans_owe_list(client, last);
        orphans_send_owed(client);
    }
}
