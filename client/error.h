/* SPDX-License-Identifier: Apache-2.0 */
/* The newest error of each thread: its sentence, and the figures of a refusal. */
#pragma once

#include "membroker.h"
#include "proto/message.h"

enum { ERROR_SENTENCE_BYTES = 1280 };

/* Remembers a sentence and returns `code`, a negative errno. */
__attribute__((format(printf, 2, 3))) int error_set(int code, const char *format, ...);

/* The same for a table of the library that there is no memory for. Returns -ENOMEM. */
int error_no_memory(void);

/* The code that membroker.h promises for an error that the broker sent. */
int error_code(const struct error_reply *error);

/* Remembers the broker's sentence and figures, and returns that code. */
int error_from_broker(const struct error_reply *error);

/* Remembers the figures of the newest error, which the broker sent with its sentence. */
void error_add_figures(const struct refusal *refusal);

/* Remembers why what the newest error is about ended. */
void error_add_end(mb_end_reason reason);

/* Remembers a sentence about the lease of that number, which is lost for this reason. Returns -ESTALE. */
int error_set_lost(uint64_t lease, const char *sentence, mb_end_reason reason);

/* Continues the newest error's sentence. Leaves its figures, and errno. */
__attribute__((format(printf, 1, 2))) void error_continue(const char *format, ...);
