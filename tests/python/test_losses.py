# SPDX-License-Identifier: Apache-2.0
"""Lost leases: always an exception, never a dead interpreter, and no zeros without one."""

import pathlib
import textwrap

import pytest
from conftest import PERSIST

numpy = pytest.importorskip("numpy")

HEAD = PERSIST + """
import os, sys, threading, time, numpy, membroker
from membroker import _monitor
broker = membroker.install_numpy()
lost = []
def revoke_largest():
    with _monitor.Monitor() as monitor:
        monitor.revoke(max(monitor.leases(), key=lambda lease: lease.bytes).lease)
"""


def test_product(run):
    """The leases go while a matrix product runs, which is one call into C."""
    assert run(HEAD + """
a = numpy.ones((700, 700)); b = numpy.ones((700, 700))
def step():
    if lost:
        end("lost" if "revoked" in str(lost[0]) else repr(lost[0]))
    threading.Timer(0.05, revoke_largest).start()
    while True:
        c = a @ b
        assert c[0, 0] == 700 and c[-1, -1] == 700, "silent zeros"
persist(step, lost)
""") == "lost"


def test_touch_without_an_event_first(run):
    """The thread that touches lost memory gets the exception before it can use what it read."""
    assert run(HEAD + """
a = numpy.ones(1 << 20)
go = os.pipe()
child = os.fork()
if child == 0:
    os.read(go[0], 1)
    time.sleep(0.1)
    revoke_largest()
    os._exit(0)
def step():
    if lost:
        end("lost")
    os.write(go[1], b"x")
    while True:
        s = a.sum()
        assert s == 1 << 20, s
persist(step, lost)
""") == "lost"


def test_thread_that_touches(run):
    """A thread that computes with lost memory gets the exception, too."""
    assert run(HEAD + """
a = numpy.ones(1 << 20)
found = []
def compute():
    while not found:
        s = float(a.sum())
        if s != 1 << 20:
            time.sleep(2)
            end(f"silent: {s}")
threading.Thread(target=persist, args=(compute, found), daemon=True).start()
def step():
    if not lost:
        threading.Timer(0.05, revoke_largest).start()
    while not found or not lost:
        time.sleep(0.01)
    end("lost" if "revoked" in str(found[0]) and found[0].errno == 116 else repr(found[0]))
persist(step, lost)
""", timeout=60) == "lost"


def test_a_thread_that_imported_the_package(run):
    """It is no main thread for that."""
    assert run("""
import threading, time, numpy
lost, found = [], []
imported, go = threading.Event(), threading.Event()
def work():
    global broker, array
    exec(PROGRAM, globals())
    broker = membroker.install_numpy()
    array = numpy.ones(1 << 20)
    imported.set()
    go.wait()
    persist(compute, found)
def compute():
    if not found:
        broker.revoke(max(broker.leases(), key=lambda lease: lease.bytes).lease)
    while not found:
        array.sum()
        time.sleep(0.05)
def step():
    go.set()
    while not found or not lost:
        time.sleep(0.01)
    end("lost" if "revoked" in str(found[0]) and type(lost[0]).__name__ == "LeaseLost" else repr((lost, found)))
PROGRAM = %r
threading.Thread(target=work, daemon=True).start()
imported.wait()
persist(step, lost)
""" % PERSIST, timeout=60) == "lost"


def test_daemon_killed_in_an_expression(run, daemon):
    """Its leases end when the library finds no daemon; until then the arrays are right."""
    assert run(HEAD + """
import signal
a = numpy.ones(1 << 20)
def step():
    if lost:
        end("lost")
    os.kill(int(sys.argv[1]), signal.SIGKILL)
    while True:
        try:
            s = float((a + a).sum())
        except MemoryError:
            continue  # the broker is gone before it granted the temporary
        assert s == 2 << 20, s
persist(step, lost)
""", str(daemon.process.pid)) == "lost"
    daemon.process.wait()


def test_exit_with_live_arrays(run):
    assert run(HEAD + """
a = numpy.ones(1 << 20)
class Late:
    def __init__(self): self.array = numpy.ones(1000)
    def __del__(self): assert numpy is None or self.array.sum() == 1000
late = Late(); late.me = late
sys.keep = numpy.ones(100), late
print("ok")
""") == "ok\n"


def test_lost_while_exiting(run):
    assert run(HEAD + """
import atexit
a = numpy.ones(1 << 20)
atexit.register(lambda: (revoke_largest(), time.sleep(0.1), a.sum()))
print("ok")
""") == "ok\n"


def test_many_threads(run):
    assert run("""
import threading, time, numpy, membroker
broker = membroker.install_numpy()
started, sums = [], []
def work(number):
    a = numpy.full(2000, float(number))
    started.append(number)
    while len(started) < 1000: time.sleep(0.05)
    sums.append((a + numpy.ones(2000)).sum())
threading.stack_size(256 * 1024)
threads = [threading.Thread(target=work, args=(number,)) for number in range(1000)]
[thread.start() for thread in threads]; [thread.join() for thread in threads]
assert sum(sums) == 2000 * (sum(range(1000)) + 1000), sum(sums)
print("ok")
""") == "ok\n"


def test_subinterpreters_are_refused(run):
    assert run("""
try:
    import _xxsubinterpreters as interpreters
except ImportError:
    import _interpreters as interpreters
import membroker
made = interpreters.create()
try:
    failed = interpreters.run_string(made, "import sys; sys.path.insert(0, %r)\\nimport membroker" % membroker.__path__[0][:-10])
except Exception as error:
    failed = error
print("refused" if "interpreter" in str(failed) else failed)
""") == "refused\n"


def test_references(broker):
    """100,000 cycles leave no object, no use and no lease behind."""
    import gc
    import sys

    def cycle(count):
        for _ in range(count):
            with broker.numpy():
                numpy.empty(10)
            memoryview(broker.buffer(100)).release()

    cycle(1000)
    gc.collect()
    blocks, uses = sys.getallocatedblocks(), broker.uses
    cycle(100000)
    gc.collect()
    assert broker.uses == uses and sys.getallocatedblocks() - blocks < 100


LATER = {
    "faulthandler": "import faulthandler; faulthandler.enable()",
    "signal": "import signal; signal.signal(signal.SIGBUS, signal.default_int_handler)",
    "default": "import signal; signal.signal(signal.SIGBUS, signal.SIG_DFL)",
    "faulthandler and off": "import faulthandler; faulthandler.enable(); broker.acquire(4096); faulthandler.disable()",
}


@pytest.mark.parametrize("what", LATER)
def test_a_handler_of_the_program_that_came_later(run, what):
    """The next grant, or the event of the loss, puts membroker's handler before it."""
    assert run(HEAD + """
a = numpy.ones(1 << 20)
%s
try:
    deadline = time.monotonic() + 40
    revoke_largest()
    while time.monotonic() < deadline: pass
except membroker.LeaseLost:
    print("told")
try:
    while time.monotonic() < deadline: a.sum()
except membroker.LeaseLost:
    print("touched")
""" % LATER[what]) == "told\ntouched\n"


@pytest.mark.parametrize("what", ["none", *LATER])
def test_a_fault_of_the_programs_own(run, what):
    """A fault outside of leased memory goes to the program's handler, and ends the process."""
    printed = run(HEAD + """
import mmap, signal, tempfile
lease = broker.acquire(4096)
%s
lease.release(); lease = broker.acquire(4096)
own = tempfile.TemporaryFile(); own.truncate(8192)
memory = mmap.mmap(own.fileno(), 8192); own.truncate(0)
signal.alarm(30)
memory[5000]
""" % LATER.get(what, ""), expect=-7)
    assert ("Fatal Python error: Bus error" in printed) == (what == "faulthandler")


def test_a_signal_that_was_sent(run):
    """It is the program's, whoever's handler is first."""
    assert run(HEAD + """
import os, signal
signal.signal(signal.SIGBUS, lambda number, frame: print("got", number))
lease = broker.acquire(4096)
os.kill(os.getpid(), signal.SIGBUS)
os.kill(os.getpid(), signal.SIGBUS)
print("ok")
""") == "got 7\ngot 7\nok\n"


def until_lost():
    """The function of the README."""
    readme = pathlib.Path(__file__).resolve().parents[2] / "client/python/README.md"
    lines = readme.read_text(encoding="utf-8").splitlines()
    begin = lines.index("    async def until_lost(service):")
    end = lines.index("    while True:", begin)
    return textwrap.dedent("\n".join(lines[begin:end]))


@pytest.mark.parametrize("where", ["task", "callback"])
def test_a_service_of_asyncio_begins_again(run, where):
    """The README's way: a lost view ends the event loop and cancels the other tasks, and the next loop attaches again."""
    assert run("""
import asyncio, sys, membroker
broker, publisher = membroker.connect(name="service"), membroker.connect(name="publisher")
publisher.publish("model", b"weights")
told = []
""" + until_lost() + """
async def other():
    try:
        while True: # whatever runs next gets the exception
            await asyncio.sleep(0.001)
    finally:
        told.append("cleaned up")

def lose(view):
    broker.revoke(view.id)
    while sys.argv[1] == "callback": # the exception comes here
        pass

async def serve():
    task = asyncio.create_task(other())
    view = await broker.view_async("model", wait=5)
    told.append(bytes(view).decode())
    await asyncio.sleep(0)
    if "lost" not in told:
        asyncio.get_running_loop().call_soon(lose, view)
        await task
    task.cancel()

while True:
    try:
        asyncio.run(until_lost(serve()))
        break
    except membroker.LeaseLost:
        told.append("lost")
print(*told, sep=", ")
""", where, timeout=60) == "weights, cleaned up, lost, weights, cleaned up\n"
