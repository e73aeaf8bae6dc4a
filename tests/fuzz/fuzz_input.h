/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes of an input as a list of choices, each taken from the front; beyond the end all are 0. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct fuzz_input {
    const uint8_t *at;
    size_t left;
};

static inline uint64_t fuzz_take(struct fuzz_input *input, size_t bytes)
{
    uint64_t value = 0;
    size_t taken = bytes < input->left ? bytes : input->left;
    if (taken > 0) {
        memcpy(&value, input->at, taken);
    }
    input->at += taken;
    input->left -= taken;
    return value;
}

static inline uint32_t fuzz_below(struct fuzz_input *input, uint32_t bound)
{
    return (uint32_t)(fuzz_take(input, bound > 256 ? 2 : 1) % bound);
}

static inline _Bool fuzz_choice(struct fuzz_input *input)
{
    return fuzz_take(input, 1) & 1;
}

/* A number of bytes: mostly such as fit beside each other, and all that are close to a bound. */
static inline uint64_t fuzz_size(struct fuzz_input *input)
{
    switch (fuzz_take(input, 1) % 10) {
    case 0:
        return fuzz_take(input, 4);
    case 1:
        return fuzz_take(input, 8);
    case 2:
        return UINT64_C(1) << fuzz_take(input, 1) % 64;
    case 3:
        return (UINT64_C(1) << 56) + 128 - fuzz_take(input, 1);
    case 4:
        return UINT64_MAX - fuzz_take(input, 1);
    case 5:
    case 6:
        return fuzz_take(input, 1) << 12;
    default:
        return fuzz_take(input, 1) << 20;
    }
}
