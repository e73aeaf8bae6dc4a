/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/simulation/fate.h"

#include <errno.h>

enum { LONGEST_MS = 60, FAILS_OF_100 = 8 };

uint64_t fate_seed;
bool fate_is_kind;

static uint64_t mixed(enum fate_job job, uint64_t number, uint64_t salt)
{
    uint64_t value = fate_seed * UINT64_C(0x9e3779b97f4a7c15) + number * UINT64_C(0xbf58476d1ce4e5b9) + job * 7 + salt;
    value = (value ^ (value >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    value = (value ^ (value >> 27)) * UINT64_C(0x94d049bb133111eb);
    return value ^ (value >> 31);
}

uint64_t fate_delay_ms(enum fate_job job, uint64_t number)
{
    return 1 + mixed(job, number, 1) % LONGEST_MS;
}

int fate_error(enum fate_job job, uint64_t number)
{
    uint64_t drawn = mixed(job, number, 2);
    bool fails = !fate_is_kind && job < FATE_FREE && drawn % 100 < FAILS_OF_100;
    return !fails ? 0 : job == FATE_SEAL ? -EBUSY : (drawn >> 32) & 1 ? -ENOMEM : -EMFILE;
}
