/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Static probes (USDT) for bpftrace, perf and systemtap: a no-op each until a tracer replaces it. membrokerd(8) says
 * what they pass. They are where the shell carries out what the core decided. A build without sys/sdt.h has none.
 */
#pragma once

#include <stdint.h>

#if __has_include(<sys/sdt.h>)
#include <sys/sdt.h>
#define PROBE2(name, a, b)             DTRACE_PROBE2(membroker, name, a, b)
#define PROBE3(name, a, b, c)          DTRACE_PROBE3(membroker, name, a, b, c)
#define PROBE5(name, a, b, c, d, e)    DTRACE_PROBE5(membroker, name, a, b, c, d, e)
#define PROBE6(name, a, b, c, d, e, f) DTRACE_PROBE6(membroker, name, a, b, c, d, e, f)
#else
#define PROBE2(name, a, b)             ((void)(a), (void)(b))
#define PROBE3(name, a, b, c)          ((void)(a), (void)(b), (void)(c))
#define PROBE5(name, a, b, c, d, e)    ((void)(a), (void)(b), (void)(c), (void)(d), (void)(e))
#define PROBE6(name, a, b, c, d, e, f) ((void)(a), (void)(b), (void)(c), (void)(d), (void)(e), (void)(f))
#endif
