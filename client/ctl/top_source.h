/* SPDX-License-Identifier: Apache-2.0 */
/* The connection to a broker that may be restarted: it is opened when it is needed, and again after it was lost. */
#pragma once

#include "client/ctl/monitor.h"

enum { SOURCE_SENTENCE_BYTES = 512 };

struct source {
    const char *socket; /* NULL: the default look-up */
    uint32_t timeout_ms;
    struct monitor *monitor;              /* NULL: there is none */
    char sentence[SOURCE_SENTENCE_BYTES]; /* about the last failure */
};

/* A gather_ask whose data is a source. After a failure but a refusal the connection is closed. */
int source_ask(void *data, struct request *request, const struct reply **ret);

void source_close(struct source *source);
