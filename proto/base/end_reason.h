/* SPDX-License-Identifier: Apache-2.0 */
/* Why a lease ended. Pure; any thread, and a signal's handler. */
#pragma once

/* The values are the wire's, the control page's and mb_end_reason's. */
enum end_reason {
    END_NONE,
    END_RELEASED,
    END_EXPIRED,
    END_REVOKED,
    END_DIED,
    END_DISCONNECTED,
    END_SHUTDOWN,
    END_TAMPERED,
    END_REASONS
};

/* The reason as a clause: "it was released". */
const char *end_reason_text(enum end_reason reason);
