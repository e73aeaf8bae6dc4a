/* SPDX-License-Identifier: Apache-2.0 */
/* Whether broker_check() notices what a test breaks in the tables of `broker`. */
#pragma once

#include <criterion/criterion.h>
#include <string.h>

/* Breaks something, expects that sentence of a check, and mends it. */
#define EXPECT_OF(check, breaks, mends, sentence)                                                                      \
    do {                                                                                                               \
        breaks;                                                                                                        \
        const char *wrong = check(broker);                                                                             \
        cr_expect(wrong &&strstr(wrong, sentence), "%s: said %s", #breaks, wrong ? wrong : "nothing");                 \
        mends;                                                                                                         \
    } while (0)

#define EXPECT_NOTICED_WHILE(breaks, mends, sentence) EXPECT_OF(broker_check, breaks, mends, sentence)

/* By a check that is not the first to notice. */
#define EXPECT_NOTICED_BY(check, place, value, sentence)                                                               \
    do {                                                                                                               \
        __typeof__(place) was = (place);                                                                               \
        EXPECT_OF(check, (place) = (value), (place) = was, sentence);                                                  \
    } while (0)

#define EXPECT_NOTICED(place, value, sentence)                                                                         \
    do {                                                                                                               \
        __typeof__(place) was = (place);                                                                               \
        EXPECT_NOTICED_WHILE((place) = (value), (place) = was, sentence);                                              \
    } while (0)
