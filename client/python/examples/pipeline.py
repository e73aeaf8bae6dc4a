# SPDX-License-Identifier: Apache-2.0
"""
Filters a stream of signals in a workspace.

The first cycle learns how much memory a cycle needs. From then on all temporaries of a cycle are in one region, and an
allocation moves a pointer: the broker is not asked again. A result that is kept keeps its region, so nothing overwrites
it.

    python3 pipeline.py [SIGNALS]
"""

import sys

import membroker
import numpy

SAMPLES = 1 << 16


def record(number):
    """A tone of its own for each signal, and noise."""
    time = numpy.arange(SAMPLES) / SAMPLES
    noise = numpy.random.default_rng(number).normal(size=SAMPLES)
    return numpy.sin(2 * numpy.pi * (50 + 10 * number) * time) + noise


def loudest(signal):
    """The strongest frequency, after a window against leakage."""
    window = 0.5 - 0.5 * numpy.cos(2 * numpy.pi * numpy.arange(SAMPLES) / SAMPLES)
    spectrum = numpy.abs(numpy.fft.rfft(signal * window)) ** 2
    return int(spectrum.argmax())


def main():
    signals = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    with membroker.connect(name="pipeline") as broker:
        granted = 0
        for number in range(signals):
            with broker.workspace("signal") as workspace, workspace.numpy():
                frequency = loudest(record(number))
            assert frequency == 50 + 10 * number, frequency
            if number == 1:
                granted = broker.status().counters.granted
        later = broker.status().counters.granted - granted
        print(f"{signals} signals in a region of {workspace.size / 2**20:.1f} MiB, "
              f"{later} leases granted after the second signal")


if __name__ == "__main__":
    main()
