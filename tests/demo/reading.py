# SPDX-License-Identifier: Apache-2.0
"""Reads a table that another process publishes, and keeps its view until the input ends. Usage: reading.py NAME"""

import sys

import membroker

with membroker.connect(name="python") as broker, broker.view(sys.argv[1], wait=60) as view:
    table = view.array
    total = table.sum()
    view.check()  # until here, all that was read were the block's bytes
    print(f"Python: read {table.shape[0]} x {table.shape[1]} numbers, sum {total:.0f}", flush=True)
    sys.stdin.read()
