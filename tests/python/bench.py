# SPDX-License-Identifier: Apache-2.0
"""
NumPy's arrays in leased memory, in NumPy's own and in multiprocessing.shared_memory, and a training step of PyTorch in
leased memory and in PyTorch's own. `make bench-python` runs it.

The kinds take turns in one process, so that a busy machine disturbs all of them alike; a figure is the least CPU time of
a turn, of all threads and of the kernel for them. An array is made and freed again in the time that is measured. What is
measured is checked to be of the kind that it is called. Usage: bench.py [REPORT]
"""

import contextlib
import gc
import sys
import time
from multiprocessing import shared_memory

import membroker
import numpy
import pyperf
from bench_training import training_kinds
from membroker import _native

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


def empty(bytes_):
    return numpy.empty(bytes_, numpy.uint8)


def zeros():
    return numpy.zeros(100 * MB, numpy.uint8)


# what a row is called, its function, what makes its array, the aim beside NumPy's own, and the same with shared memory
ROWS = [
    ("np.empty, 1 KB", lambda: numpy.empty(KB, numpy.uint8), lambda: empty(KB), None, lambda: share(KB)),
    ("np.empty, 1 MiB", lambda: numpy.empty(MB, numpy.uint8), lambda: empty(MB), None, lambda: share(MB)),
    ("np.empty, 100 MiB", lambda: numpy.empty(100 * MB, numpy.uint8), lambda: empty(100 * MB), None, lambda: share(100 * MB)),
    ("np.zeros, 100 MiB", lambda: numpy.zeros(100 * MB, numpy.uint8), zeros, 1.2, lambda: share(100 * MB)),
    ("a * b + c, 10 million doubles", compute, lambda: operands[0] * operands[1], 1.0, share_result),
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

    def __init__(self, function, handler, check=lambda: None):
        self.function, self.handler, self.check, self.times = function, handler, check, []
        with handler:
            once = min(time_of(function, 2) for _ in range(3))
            check()
        self.loops = max(1, min(10000, int(SECONDS_OF_A_TURN / once)))

    def turn(self):
        with self.handler:
            self.times.append(time_of(self.function, self.loops))


def is_leased(array):
    return _native.is_leased(array.ctypes.data)


def array_kinds(broker, function, make, shared):
    """`make` makes an array as the function does."""
    own = contextlib.nullcontext()

    def check_leased():
        assert is_leased(make()), "an array of the leased kind is not leased"

    def check_own():
        assert not is_leased(make()), "an array of NumPy's own kind is leased"

    return {"leased": Kind(function, broker.numpy(), check_leased), "own": Kind(function, own, check_own),
            "shared_memory": Kind(shared, own)}


def measure(kinds):
    """Each turn; the kinds are checked before and after."""
    end = time.monotonic() + SECONDS_OF_A_ROW
    while time.monotonic() < end or len(kinds["leased"].times) < TURNS_AT_LEAST:
        for kind in kinds.values():
            kind.turn()
    for kind in kinds.values():
        with kind.handler:
            kind.check()
    return {name: kind.times for name, kind in kinds.items()}


def text(seconds):
    return f"{seconds * 1e9:,.0f} ns" if seconds < 1e-4 else f"{seconds * 1e3:,.2f} ms"


def line(name, times, aim):
    least = {kind: min(values) for kind, values in times.items()}
    shared = text(least["shared_memory"]) if "shared_memory" in least else ""
    ratio = least["leased"] / least["own"]
    return f"| {name} | {text(least['own'])} | {text(least['leased'])} | {ratio:.2f} | {aim or ''} | {shared} |"


def main():
    gc.disable()
    with membroker.connect(name="bench") as broker:
        operands[:] = [numpy.full(10_000_000, value) for value in (1.0, 2.0, 3.0)]
        rows = [(name, aim, array_kinds, (broker, function, make, shared)) for name, function, make, aim, shared in ROWS]
        rows.append(("training step, PyTorch", 1.02, training_kinds, (broker, Kind)))
        print("| CPU time | own memory | leased | ratio | aim | shared_memory |\n| --- | --- | --- | --- | --- | --- |")
        benchmarks = []
        for name, aim, kinds_of, arguments in rows:
            times = measure(kinds_of(*arguments))
            print(line(name, times, aim), flush=True)
            benchmarks += [pyperf.Benchmark([pyperf.Run(values, metadata={"name": f"{name}: {kind}"}, collect_metadata=False)])
                           for kind, values in times.items()]
    if len(sys.argv) > 1:
        pyperf.BenchmarkSuite(benchmarks).dump(sys.argv[1], replace=True)


if __name__ == "__main__":
    main()
