# SPDX-License-Identifier: Apache-2.0
"""What a program, an administrator or the machine may do at a bad moment, and what debugging tools say of it."""

import shutil
import sys

import membroker
import pytest
from conftest import PERSIST

numpy = pytest.importorskip("numpy")

HEAD = PERSIST + """
import gc, os, sys, threading, time, numpy, membroker
from membroker import _monitor
"""


def test_daemon_killed_and_restarted(run, daemon):
    """The arrays are lost with an exception; new ones work, in the same block and with the same handler."""
    daemon.kill()
    daemon.start()
    assert run(HEAD + """
import signal, subprocess
pid, program, config = int(sys.argv[1]), sys.argv[2], sys.argv[3]
broker = membroker.install_numpy()
old = numpy.full(1 << 20, 7.0)
lost, told = [], threading.Event()
def restart():  # in a thread, since the main thread is told of each lost lease
    global old
    told.wait()
    restarted = subprocess.Popen([program, "--config", config, "--quiet"])
    try:
        broker.wait_connected(30)
        new = numpy.full(1 << 20, 8.0)
        assert (new + 1 == 9.0).all() and not numpy.zeros(1000).any()
        del old
        assert new.sum() == 8.0 * (1 << 20) and broker.leases()
        os.write(1, b"works")
    finally:
        restarted.terminate()
        os._exit(0)  # its end would be a loss, too
threading.Thread(target=restart, daemon=True).start()
def step():
    if not lost:
        os.kill(pid, signal.SIGKILL)
    while not lost:
        try:
            same = numpy.equal(old, 7.0)  # `==` of NumPy before 1.25 swallows the exception
        except MemoryError:
            continue  # the broker is gone before it granted the result
        assert same.all(), "silent zeros"
    told.set()
    time.sleep(60)
persist(step, lost)
""", str(daemon.process.pid), daemon.process.args[0], str(daemon.config)) == "works"
    daemon.process.wait()


def test_limit_in_an_expression(start_daemon):
    """The second temporary does not fit: the first one is freed, the operands are as they were."""
    daemon = start_daemon("[limits]\nmax_physical_bytes = 39M")
    with membroker.connect(daemon.socket, name="greedy") as broker, broker.numpy():
        a, b, c = (numpy.full(1 << 20, value) for value in (1.0, 2.0, 3.0))
        used = broker.uses
        for _ in range(50):
            try:
                (a * b) + (b * c) + (a * c)
                raise AssertionError("it fits")
            except membroker.LimitError as refused:
                assert "max_physical_bytes" in str(refused)
            assert broker.uses == used
        assert a.sum() + b.sum() + c.sum() == 6 << 20
        del c
        assert (a * b + a).sum() == 3 << 20


def test_exit_while_threads_allocate(run):
    """The main thread ends, and daemon threads are in the middle of allocations and waits."""
    assert run(HEAD + """
broker = membroker.install_numpy()
def work():
    while True:
        numpy.ones(100000) + numpy.ones(100000)
        broker.buffer(1000)
for _ in range(8):
    threading.Thread(target=work, daemon=True).start()
threading.Thread(target=lambda: broker.acquire("8G", wait=600), daemon=True).start()
time.sleep(0.3)
print("ok")
""") == "ok\n"


def test_exit_while_waits_end(start_daemon, run):
    """The interpreter ends the threads that wait, and their requests are granted in the same moment."""
    daemon = start_daemon("[limits]\nmax_physical_bytes = 256M")
    for moment in (0.3, 0.45, 0.5, 0.55, 0.6):
        assert run(HEAD + """
import asyncio
holder = membroker.connect()
lease = holder.acquire("250M")
broker = membroker.connect(wait=60, progress=lambda line: time.sleep(0.01))
def block():
    with broker.numpy():
        numpy.ones(30 << 17)
for wait in (block, lambda: broker.acquire("30M", wait=60), lambda: broker.buffer("30M"), lambda: broker.zeros(30 << 17),
             lambda: asyncio.run(broker.acquire_async("30M"))):
    for _ in range(3):
        threading.Thread(target=wait, daemon=True).start()
time.sleep(float(sys.argv[1]))
lease.release()
print("ok")
""", str(moment), environment={"MEMBROKER_SOCKET": daemon.socket}) == "ok\n"


USES = HEAD + """
from membroker import _native
broker = membroker.connect()
handler = broker.numpy()

def refused(call):
    try:
        call()
    except membroker.LimitError:
        return
    raise AssertionError("it fits")

def cycle(number):
    with handler:
        large, small = numpy.empty(100000), numpy.zeros(10)
        large[:3] = small[:3]
    with broker.workspace("scratch", initial="1M") as workspace:
        kept = workspace.ones(100)
    buffer = broker.buffer(1000)
    memoryview(buffer)[0] = 1
    numpy.asarray(buffer)
    if hasattr(numpy, "from_dlpack"):
        numpy.from_dlpack(buffer)
    if number % 50 == 0:
        with broker.acquire(4096) as lease:
            lease[0] = 1
        small.resize(200, refcheck=False)
        broker.status()
        refused(lambda: broker.acquire("64G"))
        refused(lambda: broker.empty(1 << 33))
"""


COUNTS = USES + """
def leaked_by_numpy():
    "References to its type of numbers that 1,000 plain arrays leave behind (NumPy 2.4 keeps one for each)."
    early = sys.getrefcount(numpy.dtype(float))
    for _ in range(1000):
        numpy.empty(10)
    return sys.getrefcount(numpy.dtype(float)) - early

watched = [None, True, False, membroker.Buffer, membroker.Lease, membroker.LimitError, _native.Workspace, _native.Client,
           numpy.ndarray, handler, handler._capsule, broker, broker._client]
if leaked_by_numpy() < 100:
    watched.append(numpy.dtype(float))

def counts():
    gc.collect()
    return [sys.getallocatedblocks(), broker.uses] + [sys.getrefcount(one) for one in watched]

cycles = int(sys.argv[1])
for number in range(1000):
    cycle(number)
before = counts()
for number in range(cycles):
    cycle(number)
grown = [after - early for after, early in zip(counts(), before)]
print("ok" if max(grown) < 100 and grown[1] == 0 else grown)
"""


def test_references_of_everything(run):
    """10,000 cycles of each kind leave no object and no reference behind (test_losses.py has 100,000 of the commonest)."""
    assert run(COUNTS, "10000", timeout=600) == "ok\n"


@pytest.mark.skipif(not shutil.which("python3-dbg"), reason="python3-dbg is not installed")
def test_a_debugging_interpreter(run):
    """It checks each call's result and exception, each free, and the bytes beside each object."""
    assert run(COUNTS, "2000", python=shutil.which("python3-dbg"),
               environment={"PYTHONMALLOC": "debug", "PYTHONDEVMODE": "1", "PYTHONWARNINGS": "error"}) == "ok\n"


@pytest.mark.skipif(not shutil.which("valgrind"), reason="valgrind is not installed")
def test_under_valgrind(run, tmp_path):
    """No wrong access and no use of what nobody wrote in our code, from the first import to the end of the interpreter."""
    program = tmp_path / "program.py"
    program.write_text(USES + "for number in range(2): cycle(number)\nkept = broker.ones(1000)\nprint('ok')\n")
    log = tmp_path / "log"
    assert run("""
import os, sys
os.execvp("valgrind", ["valgrind", "--log-file=" + sys.argv[2], "--error-limit=no", "--num-callers=30",
                       "--suppressions=" + sys.argv[3], sys.executable, sys.argv[1]])
""", str(program), str(log), "/usr/lib/valgrind/python3.supp", environment={"PYTHONMALLOC": "malloc"},
               timeout=600) == "ok\n"
    reports = log.read_text().split("\n\n")
    ours = [report for report in reports if "_native.abi3" in report or "libmembroker" in report]
    assert "ERROR SUMMARY" in log.read_text() and not ours, "\n".join(ours)
