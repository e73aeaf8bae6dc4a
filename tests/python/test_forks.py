# SPDX-License-Identifier: Apache-2.0
"""Forked children read what their parent had, and write to copies of their own."""

import gc
import os
import signal
import subprocess
import sys
import time

import membroker
import pytest
from membroker import _native

numpy = pytest.importorskip("numpy")

PROGRAM = """
import concurrent.futures, multiprocessing, os, signal, sys, threading, numpy, membroker
location = getattr(membroker, sys.argv[1])
broker = membroker.install_numpy(location=location)
big = numpy.arange(1_000_000.0)
small = numpy.arange(10)
mapped = broker.acquire(1 << 20, location=location)
mapped[0] = 7
fork = multiprocessing.get_context("fork")

def work(factor):
    assert big.sum() == 499999500000.0 and small.sum() == 45 and mapped[0] == 7, (big.sum(), small, mapped[0])
    big[::1000] = -1
    small[:] = factor
    mapped[0] = factor
    own = numpy.full(1_000_000, float(factor))
    small.resize(20, refcheck=False)
    return float(big[0]) + small[:10].sum() + own[5] + mapped[0]
"""


locations = pytest.mark.parametrize("location", ["RAM", "MMAP"])


@locations
def test_pool(run, location):
    """Each child of concurrent.futures does one piece of work."""
    assert run(PROGRAM + """
results = []
for factor in (1, 2, 3):
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=fork) as pool:
        results += pool.map(work, [factor])
assert results == [11.0, 23.0, 35.0], results
assert big.sum() == 499999500000.0 and small.sum() == 45 and mapped[0] == 7
with fork.Pool(3) as pool:
    assert pool.map(numpy.sum, [big, small]) == [499999500000.0, 45]
print("ok")
""", location) == "ok\n"


WORKERS = """
import concurrent.futures, multiprocessing, sys, numpy, membroker
from membroker import _native
broker = membroker.install_numpy()

def work(array):
    made = array * 2
    return made, broker.session, _native.is_leased(made.ctypes.data)

def greedy(count):
    return numpy.ones(count)

def main():
    start = multiprocessing.get_context(sys.argv[1])
    arrays = [numpy.full(100_000, float(i)) for i in range(4)]
    with concurrent.futures.ProcessPoolExecutor(2, start, membroker.install_numpy) as pool:
        results = list(pool.map(work, arrays))
        refused = pool.submit(greedy, 1 << 32).exception()
    with start.Pool(2, membroker.install_numpy) as pool:
        results += pool.map(work, arrays)
        try:
            pool.map(greedy, [1 << 32])
        except MemoryError as error:
            again = error
    for number, (made, session, leased) in enumerate(results):
        assert made.sum() == 200_000 * (number % 4) and leased, (number, leased)
        assert (session == broker.session) == (sys.argv[1] == "fork")
    for error in (refused, again):
        assert type(error) is membroker.LimitError and error.limit == "max_physical_bytes", repr(error)
        assert error.asked >= 1 << 35 and "max_physical_bytes" in str(error), str(error)
    print("ok")

if __name__ == "__main__":
    main()
"""


@pytest.mark.parametrize("start", ["fork", "spawn", "forkserver"])
def test_workers_of_pools(run, tmp_path, start):
    """Their arrays are leased, travel to the parent and back, and so does a refusal with its figures."""
    program = tmp_path / "program.py"
    program.write_text(WORKERS)
    assert run("import os, sys; os.execv(sys.executable, [sys.executable, *sys.argv[1:]])", str(program), start) == "ok\n"


@locations
def test_threads_of_a_child_write_the_same_pages(run, location):
    assert run(PROGRAM + """
def write(at):
    for i in range(at, len(big), 8):
        big[i] = i + 1
pid = os.fork()
if pid == 0:
    threads = [threading.Thread(target=write, args=(at,)) for at in range(8)]
    [thread.start() for thread in threads]; [thread.join() for thread in threads]
    os._exit(0 if (big == numpy.arange(1, len(big) + 1)).all() else 1)
assert os.waitpid(pid, 0)[1] == 0 and big[0] == 0
print("ok")
""", location) == "ok\n"


def test_freed_memory_waits_for_children(broker):
    """What a child may read is not used for something else while it lives."""
    for size in (10, 1_000_000):
        arrays = [broker.full(size, 5.0)]
        ready, go = os.pipe(), os.pipe()
        pid = os.fork()
        if pid == 0:
            signal.alarm(60)
            os.read(go[0], 1)
            os._exit(0 if (arrays[0] == 5.0).all() else 1)
        address = arrays[0].ctypes.data
        arrays.clear()
        gc.collect()
        assert _native.blocks_that_wait() == 1
        others = [broker.full(size, 6.0) for _ in range(20)]
        assert address not in [other.ctypes.data for other in others]
        os.write(go[1], b"x")
        assert os.waitpid(pid, 0)[1] == 0
        assert _native.blocks_that_wait() == 0
        for end in ready + go:
            os.close(end)


def test_programs_are_no_children(broker):
    """A child that executes a program reads nothing any more."""
    array = broker.zeros(1_000_000)
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, preexec_fn=lambda: None)
    del array
    deadline = time.monotonic() + 20
    while _native.blocks_that_wait():  # Popen() may return before the program has closed what it does not inherit
        assert time.monotonic() < deadline
        time.sleep(0.01)
    child.communicate(b"\n")


@locations
def test_child_of_its_own(run, location):
    assert run(PROGRAM + """
pid = os.fork()
if pid == 0:
    try:
        broker.acquire(4096)
    except membroker.BrokerPermissionError as error:
        assert "forked" in str(error)
    else:
        os._exit(2)
    own = membroker.install_numpy()
    assert own.session != 0 and own is not broker
    array = numpy.ones(1_000_000)
    used = own.uses
    del array
    child = os.fork()
    if child == 0:
        os._exit(0 if big.sum() == 499999500000.0 else 3)
    os._exit(0 if used == own.uses + 1 and os.waitpid(child, 0)[1] == 0 else 1)
assert os.waitpid(pid, 0)[1] == 0
print("ok")
""", location) == "ok\n"


@locations
def test_parent_loses_its_leases(run, location):
    """The child's arrays are the parent's: their loss is LeaseLost in the child, too."""
    assert run(PROGRAM + """
import signal
from membroker import _monitor
go = os.pipe()
pid = os.fork()
if pid == 0:
    signal.alarm(60)
    code = 1
    try:
        os.read(go[0], 1)
        while True:  # the pages go a moment after the parent was told
            big.sum()
    except membroker.LeaseLost as error:
        code = 0 if "parent" in str(error) else 2
    finally:
        os._exit(code)
try:
    with _monitor.Monitor() as monitor:
        monitor.revoke(max(monitor.leases(), key=lambda lease: lease.bytes).lease)
    while True:
        pass
except membroker.LeaseLost:
    os.write(go[1], b"x")
print(os.waitpid(pid, 0)[1])
""", location) == "0\n"


@locations
def test_children_of_children(run, location):
    """A write to a page that no one copied, and one to a page of the child's own copies."""
    assert run(PROGRAM + """
def check(code):
    pid = os.fork()
    if pid == 0:
        os._exit(code())
    return os.waitpid(pid, 0)[1] == 0

def grandchild():
    big[:] += 1
    own[:] += 1
    mapped[0] += 1
    return 0 if big[0] == 6 and big[-1] == 1_000_000 and own[0] == 2 and mapped[0] == 8 else 1

def child():
    global own
    membroker.install_numpy(location=location)
    own = numpy.ones(1_000_000)
    big[0] = 5
    return 0 if check(grandchild) and big[0] == 5 and big[-1] == 999_999 and own[0] == 1 and mapped[0] == 7 else 1

assert check(child) and big[0] == 0 and mapped[0] == 7
print("ok")
""", location) == "ok\n"


def test_other_shared_mappings_stay_shared(run):
    """Only leased memory is copied: what the program shares itself stays shared."""
    assert run(PROGRAM + """
import mmap, tempfile
own_file = tempfile.TemporaryFile()
own_file.truncate(4096)
shared, anonymous = mmap.mmap(own_file.fileno(), 4096), mmap.mmap(-1, 4096)
pid = os.fork()
if pid == 0:
    shared[0] = anonymous[0] = 9
    mapped[0] = 9
    os._exit(0)
assert os.waitpid(pid, 0)[1] == 0
print(shared[0], anonymous[0], mapped[0])
""", "MMAP") == "9 9 7\n"


@pytest.mark.parametrize("when", ["early", "late"])
def test_a_fault_that_is_none_of_ours(run, when):
    """A child's own fault kills it with its own message, also in a child of a child."""
    printed = run(PROGRAM + """
import ctypes, faulthandler
if sys.argv[2] == "early":
    faulthandler.enable(sys.stdout)
def end_of(pid):
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
pid = os.fork()
if pid == 0:
    membroker.install_numpy()
    arrays = numpy.ones(1_000_000)
    grandchild = os.fork()
    if grandchild == 0:
        if sys.argv[2] == "late":
            faulthandler.enable(sys.stdout)
        big[0] = arrays[0] = 1
        ctypes.memset(4096, 1, 1)
    os._exit(0 if end_of(grandchild) == -signal.SIGSEGV else 1)
sys.exit(end_of(pid))
""", "RAM", when)
    assert printed.count("Fatal Python error: Segmentation fault") == 1


def test_faulthandler_that_only_the_child_imports(run):
    """Its handler, too, comes after the one that makes the copies."""
    assert run(PROGRAM + """
pid = os.fork()
if pid == 0:
    import faulthandler
    faulthandler.enable()
    mapped[0] = 9
    os._exit(0)
assert os.waitpid(pid, 0)[1] == 0 and mapped[0] == 7
print("ok")
""", "RAM") == "ok\n"


def test_a_system_call_that_writes(run):
    """The kernel can't copy a page of ours: the call fails at once, and says so."""
    assert run(PROGRAM + """
pid = os.fork()
if pid == 0:
    try:
        with open("/dev/zero", "rb", buffering=0) as zeros:
            zeros.readinto(mapped)
    except OSError as error:
        os._exit(0 if error.errno == 14 else 2)
    os._exit(1)
assert os.waitpid(pid, 0)[1] == 0 and mapped[0] == 7
print("ok")
""", "MMAP") == "ok\n"


def test_forks_while_threads_connect(run):
    """fork() waits for no thread that connects, and the child can connect."""
    assert run("""
import faulthandler; faulthandler.dump_traceback_later(60, exit=True)
import numpy, membroker, os, signal, threading, time
is_over = False
def connect():
    while not is_over:
        with membroker.connect(name="thread") as broker, broker.numpy():
            numpy.ones(100_000)
threads = [threading.Thread(target=connect) for _ in range(3)]
[thread.start() for thread in threads]
for _ in range(40):
    pid = os.fork()
    if pid == 0:
        signal.alarm(20)
        with membroker.connect(name="child") as broker, broker.numpy():
            os._exit(0 if numpy.ones(100_000).sum() == 100_000 else 1)
    assert os.waitpid(pid, 0)[1] == 0
is_over = True
[thread.join() for thread in threads]
print("ok")
""") == "ok\n"


def test_copies_that_are_neighbours_are_one_mapping(run):
    """Otherwise a child that writes to some GiB has more mappings than the kernel allows."""
    assert run("""
import os, numpy, membroker
broker = membroker.install_numpy()
big = numpy.ones(1 << 25)
def mappings():
    with open("/proc/self/maps") as maps:
        return sum(1 for _ in maps)
pid = os.fork()
if pid == 0:
    before = mappings()
    big[:: 8192 * 2] = 2  # every second piece, then all
    big[::512] = 3
    assert (big[::512] == 3).all() and (big[1::512] == 1).all()
    grown = mappings() - before
    print("ok" if grown < 20 else grown, flush=True)
    os._exit(0)
assert os.waitpid(pid, 0)[1] == 0 and big.sum() == 1 << 25
""") == "ok\n"


def test_a_child_resizes_what_a_block_of_its_parent_made(run):
    assert run("""
import os, numpy, membroker
with membroker.connect() as broker, broker.numpy():
    large, small = numpy.arange(100_000.0), numpy.arange(10.0)
    pid = os.fork()
    if pid == 0:
        for array in (large, small):
            whole = array.sum()
            array.resize(2 * array.size, refcheck=False)
            array[array.size // 2:] = 1
            assert array.sum() == whole + array.size // 2
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0 and large.size == 100_000 and large[-1] == 99_999
print("ok")
""") == "ok\n"
