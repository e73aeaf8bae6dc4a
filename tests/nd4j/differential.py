# SPDX-License-Identifier: Apache-2.0
"""Whether ND4J's workspaces behave the same with the plug-in and without it."""

import os
import re
import time

from broker import Broker
from programs import Program

SEEDS = int(os.environ.get("MEMBROKER_ND4J_SEEDS", "40"))


def differential(build, version):
    """ND4J's own managers and ours, with the same random steps: the same state after each."""
    seed = int(os.environ.get("MEMBROKER_ND4J_SEED", "0")) or int(time.time())
    print(f"   seeds {seed} to {seed + SEEDS - 1}")
    with Program(build, version, "Differential", seed, SEEDS, version) as program:
        own = program.finish()
    with Broker(build) as broker:
        with Program(build, version, "Differential", seed, SEEDS, version, broker=broker) as program:
            leased = program.finish()
        granted = broker.status()["counters"]["granted"]
    assert own[-1] == "finished" and granted > SEEDS, (own[-1], granted)
    for mine, its in zip(leased, own):
        assert mine == its, f"with the plug-in\n{mine}\nwithout it\n{its}"
    assert len(leased) == len(own)
    for what in ("pinned [1-9]", "spilled [1-9]", "MMAP", "Workspace is full", "outside", "borrow W", "copy"):
        assert any(re.search(what, line) for line in own), f"no seed had {what}"
    print(f"   {len(own)} steps and configurations, {granted} leases")
