/* SPDX-License-Identifier: Apache-2.0 */
/* The sentence of the newest error of each thread. */
#pragma once

#include "proto/message.h"

enum { ERROR_SENTENCE_BYTES = 1280 };

/* Remembers a sentence and returns `code`, a negative errno. */
__attribute__((format(printf, 2, 3))) int error_set(int code, const char *format, ...);

/* The same for a table of the library that there is no memory for. Returns -ENOMEM. */
int error_no_memory(void);

/* The same for an error that the broker sent: sets its sentence and returns the code that membroker.h promises. */
int error_from_broker(const struct error_reply *error);
