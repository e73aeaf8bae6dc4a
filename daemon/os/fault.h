/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Points at which a test may have the daemon killed, as kill -9 would. Compiled in with MEMBROKER_FAULTS only: the
 * daemon then dies at the point with the number that the environment's MEMBROKER_FAULT says, counted from 1.
 */
#pragma once

#ifdef MEMBROKER_FAULTS
void fault_point(void);
#else
static inline void fault_point(void)
{
}
#endif
