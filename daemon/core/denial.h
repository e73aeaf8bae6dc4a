/* SPDX-License-Identifier: Apache-2.0 */
/* Why a request does not fit now, as a value: which limit of which account, and by how much. */
#pragma once

#include "daemon/core/ledger.h"
#include "daemon/core/principal.h"

struct denial {
    enum error_code code;         /* ERROR_LIMIT, ERROR_HOST_MEMORY, ERROR_BUSY or ERROR_TOO_MANY */
    const struct principal *full; /* of leases; NULL: it is bytes that lack */
    bool is_paused;               /* grants of RAM are, for the machine's memory pressure */
    struct ledger_excess excess;
    enum location location;
    enum error_code in_ram_code;
    uint64_t pool_bytes;         /* the pool's that count against the limit and can't be freed now */
    struct ledger_excess in_ram; /* AUTO, to which RAM would do as well: what lacks there; else without an account */
};

/* The denial of a request for a lease, if this principal may have no more of them. */
struct denial denial_of_leases(const struct principal *full);

/* The limit of the ledger that the denial is about. */
enum ledger_limit denial_limit(const struct denial *denial);

/* The figures, and the names of the limit and the account, as they go to a client. */
void denial_figures(const struct denial *denial, struct refusal *ret);
