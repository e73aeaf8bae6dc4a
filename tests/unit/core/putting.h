/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by tests of boards: small objects of so many bytes, each of this value. */
#pragma once

#include "tests/unit/core/sharing.h"

/* A model with two sessions of user 1000 (peers 0 and 1) and one of user 1002 (peer 2). */
struct model *model_for_putting(uint64_t max_physical);

/* A request for that. Its bytes are valid until the next one. */
struct request putting_object(const char *name, size_t bytes, uint8_t value);

const struct reply *put_object(struct model *model, int peer, const char *name, size_t bytes, uint8_t value,
                               enum lifetime lifetime);

/* One that ends with its session, and must be put. */
void put_for_session(struct model *model, int peer, const char *name, size_t bytes, uint8_t value);
const struct reply *remove_object(struct model *model, int peer, const char *name);

/* Names that meet in one bucket of a board with this key. */
enum { MEETING_NAME_SIZE = 16 };
void find_meeting_names(uint64_t key, char names[][MEETING_NAME_SIZE], int count);
