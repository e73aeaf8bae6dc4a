/* SPDX-License-Identifier: Apache-2.0 */
/* What the model of the shell needs of a test framework, for fuzzing: a failed assertion is a crash. */
#pragma once

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#define FUZZ_CHECK(condition, ...)                                                                                     \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            (void)fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                                      \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

#define cr_assert(...)                 FUZZ_CHECK(__VA_ARGS__, "")
#define cr_assert_not(condition, ...)  FUZZ_CHECK(!(condition), "")
#define cr_assert_eq(left, right, ...) FUZZ_CHECK((left) == (right), "")
#define cr_assert_fail(...)            FUZZ_CHECK(false, "")
