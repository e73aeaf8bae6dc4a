/* SPDX-License-Identifier: Apache-2.0 */
/* From a member to the structure around it. */
#pragma once

#include <stddef.h>

/* The structure of this type whose member this points to. */
#define container_of(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))
