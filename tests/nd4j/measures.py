# SPDX-License-Identifier: Apache-2.0
"""What the plug-in costs, and which share of the memory it leases: a training with it and without it."""

import json
import os
import statistics
import struct

from broker import Broker
from programs import Program

WARM_UP = 30
TURNS = 14
IN_A_TURN = 10


def record(path, name, figures):
    """Puts the figures into the report of `make bench`, or into one of their own."""
    report = {}
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            report = json.load(file)
    report[name] = figures
    with open(path + ".new", "w", encoding="utf-8") as file:
        json.dump(report, file, indent=2)
        file.write("\n")
    os.replace(path + ".new", path)


def take_turns(build, images):
    """Two JVMs take turns, so a drift of the machine meets both. Records the ratio; returns what the two printed."""
    command = ("Training", WARM_UP + TURNS * IN_A_TURN + 1, images, WARM_UP, IN_A_TURN)
    one_thread = {"OMP_NUM_THREADS": "1"}  # others would spin while the other JVM computes
    with Broker(build) as broker, Program(build, "newer", *command, environment=one_thread) as own, \
            Program(build, "newer", *command, broker=broker, environment=one_thread) as leased:
        programs = (own, leased)
        times = ([], [])
        for program in programs:
            program.wait_for("waiting")
        for turn in range(TURNS):
            for which in (0, 1) if turn % 2 else (1, 0):
                before = programs[which].cpu_nanoseconds()
                programs[which].go_on()
                programs[which].wait_for(f"^iteration {WARM_UP + (turn + 1) * IN_A_TURN - 1} ")
                times[which].append(programs[which].cpu_nanoseconds() - before)
        for program in programs:
            program.go_on()
        lines = [program.finish() for program in programs]
    ratio = statistics.median(with_it / without for without, with_it in zip(*times))
    each = [round(statistics.median(turns) / IN_A_TURN / 1000) for turns in times]
    print(f"   CPU time of an iteration, us: {each[0]} without, {each[1]} with the plug-in; "
          f"the median of {TURNS} ratios is {ratio:.3f}")
    record(build + "/bench.json", "nd4j_training", {"ratio": round(ratio, 4), "turns": TURNS, "us_without": each[0],
                                                    "us_with": each[1]})
    return lines


def share_of_leased_bytes(build, version, images):
    """Bytes that are leased, and those that ND4J's native libraries and JavaCPP allocate themselves."""
    with Broker(build) as broker:
        counters = broker.directory + "/counters"
        preload = {"LD_PRELOAD": build + "/tests/count_native.so", "MEMBROKER_COUNTERS": counters}
        with Program(build, version, "Training", 8, images, 6, broker=broker, environment=preload) as program:
            program.wait_for("waiting")
            leased = sum(lease["bytes"] for lease in broker.leases())
            buffers = sum(lease["used_bytes"] or lease["bytes"] for lease in broker.leases("buffers"))
            with open(counters, "rb") as file:
                live, peak, mapped = struct.unpack("<3Q", file.read(24))
            program.go_on()
            program.finish()
    assert live > 0, "nothing was counted"
    print(f"   {leased} bytes are leased; ND4J allocated {live} elsewhere, at most {peak}: "
          f"{100 * leased / (leased + live):.1f} % are leased. OpenBLAS maps {mapped} for itself")
    return leased, peak, buffers
