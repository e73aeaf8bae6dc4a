/* SPDX-License-Identifier: Apache-2.0 */
/* All metrics: the table of what there is. */
#pragma once

#include "client/metrics/exposition.h"
#include "client/metrics/gather.h"

/* The media type of a format. */
const char *families_media_type(enum exposition_format format);

/* What was gathered, as text that the caller frees; NULL when memory is short. */
char *families_to_text(const struct gathered *gathered, enum exposition_format format, size_t *ret_length);
