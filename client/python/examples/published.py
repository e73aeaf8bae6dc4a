# SPDX-License-Identifier: Apache-2.0
"""
One process publishes a table, and several others compute with it. It is in memory once.

Each reader attaches the same pages, read-only, and takes its share of the rows. A worker gets the name of the block, not
its numbers: pickling an array would copy it. A second version of the table takes the name while the readers of the
first one still have theirs.

    python3 published.py [READERS]
"""

import multiprocessing
import sys

import membroker

NAME = "published.py"
ROWS, COLUMNS = 10_000, 100


def fill(broker, version):
    """Publishes a table without a copy: it is made in the block."""
    block = broker.create_block((ROWS, COLUMNS), replace=True)
    block.array[:] = version
    block.publish(NAME)


def read(share):
    """In a process of its own: the sum of some rows, and the number of the block that it saw."""
    first, step = share
    with membroker.connect(name="reader") as broker, broker.view(NAME, wait=60) as view:
        total = float(view.array[first::step].sum())
        view.check()  # all that was read were the block's bytes
        return total, view.number


def main():
    readers = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    shares = [(number, readers) for number in range(readers)]
    with membroker.connect(name="publisher") as broker, multiprocessing.get_context("spawn").Pool(readers) as pool:
        for version in (1, 2):
            fill(broker, version)
            results = pool.map(read, shares)
            assert len({number for _, number in results}) == 1, "the readers saw different tables"
            print(f"version {version}: {readers} readers, sum {sum(total for total, _ in results):.0f}")


if __name__ == "__main__":
    main()
