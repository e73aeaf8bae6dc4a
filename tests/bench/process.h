/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel says of a process: its number, or "self". These end the program if it can't be read. */
#pragma once

/* The processor time that it has taken so far, in microseconds. */
double process_processor_us(const char *process);

/* Its private memory: without segments, which are shared. */
double process_own_bytes(const char *process);
