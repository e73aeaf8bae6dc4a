# SPDX-License-Identifier: Apache-2.0
"""4 GiB of NumPy arrays where the broker lends 1 GiB of RAM: in files, and the kernel keeps the process to 1 GiB, too."""

import contextlib
import os
import re
import shutil
from pathlib import Path

import pytest

pytest.importorskip("numpy")

GIB = 1 << 30

PROGRAM = """
import numpy
rows = numpy.empty((64, 1 << 23))  # 4 GiB
ramp = numpy.arange(1 << 23, dtype=float)
for number, row in enumerate(rows):
    numpy.multiply(ramp, number + 1, out=row)
total = numpy.zeros(1 << 23)
for row in rows[::-1]:
    total += row
print("total", float(total.sum()).hex(), float(total[-1]).hex(), float(numpy.dot(rows[3], rows[60])).hex())
"""

MAPPED = "import membroker\nbroker = membroker.install_numpy(location=membroker.MMAP)\n"
IN_RAM = "import membroker\nbroker = membroker.install_numpy()\n"

JOIN = """
import sys
for procs in sys.argv[1:]:
    with open(procs, "w") as file:
        file.write("0")
"""

HELD = """
from membroker import _native
assert _native.is_leased(rows.ctypes.data) and _native.is_leased(rows.ctypes.data + rows.nbytes - 1)
mapped = sum(lease.bytes for lease in broker.leases() if lease.location == membroker.MMAP)
assert mapped >= 4 << 30, mapped
for line in open("/proc/self/status"):
    if line.startswith(("VmHWM", "RssAnon", "RssShmem")):
        print(*line.split()[:2])
"""


@contextlib.contextmanager
def group_of(limit):
    """The files that a process joins a control group by that has so much memory; none if this user can't make one."""
    made = []
    for root, name in (("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max")):
        group = Path(root) / f"membroker-test-{os.getpid()}"
        try:
            group.mkdir()
            made.append(group)
            (group / name).write_text(str(limit))
        except OSError:
            continue
        break
    try:
        yield [str(group / "cgroup.procs") for group in made if (group / name).exists()]
    finally:
        for group in made:
            group.rmdir()


def test_four_gibibytes_beside_one(start_daemon, run, tmp_path, capsys):
    if shutil.disk_usage(tmp_path).free < 6 * GIB:
        pytest.skip("6 GiB of free disk space are needed")
    daemon = start_daemon("[limits]\nmax_physical_bytes = 1G\nmax_mapped_bytes = 5G")
    environment = {"MEMBROKER_SOCKET": daemon.socket}
    refused = run(IN_RAM + PROGRAM, expect=1, environment=environment)
    assert "LimitError" in refused and "max_physical_bytes" in refused
    plain = run(PROGRAM, timeout=300)
    with group_of(GIB) as procs:
        printed = run(JOIN + MAPPED + PROGRAM + HELD, *procs, environment=environment, timeout=300)
    assert printed.startswith(plain)
    peak, anonymous, shared = (1024 * int(number) for number in re.findall(r"^\w+: (\d+)$", printed, re.MULTILINE))
    with capsys.disabled():
        print(f"\n4 GiB of arrays: peak RSS {peak >> 20} MiB{' of 1024 allowed' if procs else ''}, "
              f"at the end {(anonymous + shared) >> 20} MiB that files don't back")
    assert anonymous + shared < GIB // 4
    assert peak < GIB + GIB // 8 or not procs  # pages of libraries that another process loaded are not the group's
