# SPDX-License-Identifier: Apache-2.0
"""
Several processes that together want more memory than the host has.

Each one is an asyncio program with more tasks than can have memory at a time. A task waits in the broker's queue, and
the event loop runs on: it counts ticks meanwhile. Nobody polls, nobody fails, and the queue is fair.

    python3 sharing.py [PROCESSES]
"""

import asyncio
import multiprocessing
import sys

import membroker

TASKS = 4


async def work(broker, bytes_):
    """One task: waits for its memory, uses it, and gives it back."""
    with await broker.acquire_async(bytes_, wait=600, name="task") as lease:
        lease[:8] = b"computed"
        await asyncio.sleep(0.05)
        return lease[:8]


async def tick(ticks):
    """What else the event loop has to do."""
    while True:
        ticks.append(None)
        await asyncio.sleep(0.01)


async def run(name):
    """All tasks of one process. Each wants a third of what is free now."""
    ticks = []
    with membroker.connect(name=name) as broker:
        free = broker.status().limits.max_physical_bytes or 3 << 20
        ticker = asyncio.ensure_future(tick(ticks))
        results = await asyncio.gather(*(work(broker, free // 3) for _ in range(TASKS)))
        ticker.cancel()
    return results.count(b"computed"), len(ticks)


def process(name):
    """A process of its own, which connects by itself."""
    return asyncio.run(run(name))


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    with multiprocessing.get_context("spawn").Pool(count) as pool:
        for name, (done, ticks) in zip(range(count), pool.map(process, [f"sharing-{i}" for i in range(count)])):
            assert ticks > 1, "the event loop stood still"
            print(f"process {name}: {done} of {TASKS} tasks done")


if __name__ == "__main__":
    main()
