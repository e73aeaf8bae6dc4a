/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the tests of reservations: an administrator's requests, and what comes of them. */
#pragma once

#include "tests/unit/core/sharing.h"

/* A host with 100 MiB of RAM and as much for files. */
struct model *hundred(void);

/* Of paths each line is one, which ends with a newline. They are valid until four requests more were made. */
struct request to_reserve(const char *name, uint64_t bytes, const char *paths);
struct request to_attach(const char *name, const char *paths);
struct request to_unreserve(const char *name);
struct request to_suspend(const char *name, bool ends);

/* The answer to a request of this user. */
const struct reply *ask_as(struct model *model, struct request *request, uint32_t uid);

/* Of root's: the error's code, or 0. */
enum error_code ask(struct model *model, struct request request);
enum error_code reserve(struct model *model, const char *name, uint64_t bytes, const char *paths);
enum error_code attach(struct model *model, const char *name, const char *paths);
enum error_code unreserve(struct model *model, const char *name);

/* What an administrator is shown of a reservation; all of it is 0 if there is none. */
struct reservation_entry entry_of(struct model *model, const char *name);

/* No process is left in its control groups. */
void empty(struct model *model, const char *name);
void empty_number(struct model *model, uint64_t reservation);

const char *last_sentence(const struct model *model);
void expect_class(struct model *model, int peer, const char *class, enum class_rule rule);
