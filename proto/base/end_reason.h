/* SPDX-License-Identifier: Apache-2.0 */
/* Why a lease ended. Pure; any thread, and a signal's handler. */
#pragma once

/* The values are the wire's, the control page's and mb_end_reason's. */
enum end_reason {
    END_NONE,         /* it has not ended */
    END_RELEASED,     /* the client released it */
    END_EXPIRED,      /* the client did not renew it in time */
    END_REVOKED,      /* an administrator or its owner ended it, or a request of higher priority took it */
    END_DIED,         /* the client's process ended */
    END_DISCONNECTED, /* the connection broke and was not resumed in time */
    END_SHUTDOWN,     /* the daemon ended */
    END_TAMPERED,     /* something else changed the size of a segment */
    END_UNPUBLISHED,  /* its block was unpublished */
    END_REPLACED,     /* another block took its block's name */
    END_EVICTED,      /* its block was evicted because memory was short */
    END_REASONS
};

/* The reason as a clause: "it was released". */
const char *end_reason_text(enum end_reason reason);

/* The same, said of a block. */
const char *end_reason_text_of_block(enum end_reason reason);

/* The same, said of a view, which may end on its own or with its block. */
const char *end_reason_text_of_view(enum end_reason reason);
