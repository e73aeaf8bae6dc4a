# SPDX-License-Identifier: Apache-2.0
"""
NumPy's arrays in leased memory, in NumPy's own and in multiprocessing.shared_memory. `make bench-python` runs it.

The three take turns in one process, so that a busy machine disturbs all of them alike; a figure is the least CPU time of
a turn, of all threads and of the kernel for them. An array is made and freed again in the time that is measured. Each kind
is checked to be what it is called. Usage: bench.py [REPORT]
"""

import contextlib
import gc
import sys
import time
from multiprocessing import shared_memory

import membroker
import numpy
import pyperf

KB, MB = 1 << 10, 1 << 20
SECONDS_OF_A_TURN, SECONDS_OF_A_ROW, TURNS_AT_LEAST = 0.01, 18.0, 5
operands = []


def compute():
    a, b, c = operands
    a * b + c


def share(bytes_):
    """As the documentation of multiprocessing.shared_memory has it. Its pages are zero."""
    segment = shared_memory.SharedMemory(create=True, size=bytes_)
    array = numpy.ndarray((bytes_,), numpy.uint8, segment.buf)
    del array
    segment.close()
    segment.unlink()


def share_result():
    """The result is in shared memory, and its first term as NumPy does it: in the same place."""
    a, b, c = operands
    segment = shared_memory.SharedMemory(create=True, size=a.nbytes)
    result = numpy.ndarray(a.shape, a.dtype, segment.buf)
    numpy.multiply(a, b, out=result)
    numpy.add(result, c, out=result)
    del result
    segment.close()
    segment.unlink()


# what a row is called, its function, the aim for leased memory beside NumPy's own, and the same with shared memory
ROWS = [
    ("np.empty, 1 KB", lambda: numpy.empty(KB, numpy.uint8), None, lambda: share(KB)),
    ("np.empty, 1 MiB", lambda: numpy.empty(MB, numpy.uint8), None, lambda: share(MB)),
    ("np.empty, 100 MiB", lambda: numpy.empty(100 * MB, numpy.uint8), None, lambda: share(100 * MB)),
    ("np.zeros, 100 MiB", lambda: numpy.zeros(100 * MB, numpy.uint8), 1.2, lambda: share(100 * MB)),
    ("a * b + c, 10 million doubles", compute, 1.0, share_result),
]


def time_of(function, loops):
    """After one call that is not measured: free memory goes back to the broker a second after its last use."""
    function()
    start = time.process_time()
    for _ in range(loops):
        function()
    return (time.process_time() - start) / loops


class Kind:
    """One kind of memory, in one row: a function, and the handler to run it with."""

    def __init__(self, function, handler):
        self.function, self.handler, self.times = function, handler, []
        with handler:
            once = min(time_of(function, 2) for _ in range(3))
        self.loops = max(1, min(10000, int(SECONDS_OF_A_TURN / once)))

    def turn(self):
        with self.handler:
            self.times.append(time_of(self.function, self.loops))


def check(broker):
    """Leased arrays are, and NumPy's own are not."""
    handler = broker.numpy()
    used = broker.uses
    own = numpy.empty(MB)
    assert broker.uses == used
    with handler:
        leased = numpy.empty(MB)
    assert broker.uses == used + 1 and own.size == leased.size


def measure(broker, function, shared):
    own = contextlib.nullcontext()
    kinds = {"leased": Kind(function, broker.numpy()), "NumPy": Kind(function, own), "shared_memory": Kind(shared, own)}
    end = time.monotonic() + SECONDS_OF_A_ROW
    while time.monotonic() < end or len(kinds["leased"].times) < TURNS_AT_LEAST:
        for kind in kinds.values():
            kind.turn()
    return {name: kind.times for name, kind in kinds.items()}


def text(seconds):
    return f"{seconds * 1e9:,.0f} ns" if seconds < 1e-4 else f"{seconds * 1e3:,.2f} ms"


def line(name, times, aim):
    least = {kind: min(values) for kind, values in times.items()}
    shared = text(least["shared_memory"])
    ratio = least["leased"] / least["NumPy"]
    return f"| {name} | {text(least['NumPy'])} | {text(least['leased'])} | {ratio:.2f} | {aim or ''} | {shared} |"


def main():
    gc.disable()
    with membroker.connect(name="bench") as broker:
        check(broker)
        operands[:] = [numpy.full(10_000_000, value) for value in (1.0, 2.0, 3.0)]
        print("| made and freed, CPU time | NumPy's own | leased | ratio | aim | shared_memory |\n| --- | --- | --- | --- | --- | --- |")
        benchmarks = []
        for name, function, aim, shared in ROWS:
            times = measure(broker, function, shared)
            print(line(name, times, aim), flush=True)
            benchmarks += [pyperf.Benchmark([pyperf.Run(values, metadata={"name": f"{name}: {kind}"}, collect_metadata=False)])
                           for kind, values in times.items()]
    if len(sys.argv) > 1:
        pyperf.BenchmarkSuite(benchmarks).dump(sys.argv[1], replace=True)


if __name__ == "__main__":
    main()
