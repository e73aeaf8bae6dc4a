# SPDX-License-Identifier: Apache-2.0
"""Lost leases: always an exception, never a dead interpreter, and no zeros without one."""

import pytest

numpy = pytest.importorskip("numpy")

HEAD = """
import os, sys, threading, time, numpy, membroker
from membroker import _monitor
broker = membroker.install_numpy()
def revoke_largest():
    with _monitor.Monitor() as monitor:
        monitor.revoke(max(monitor.leases(), key=lambda lease: lease.bytes).lease)
"""


def test_product(run):
    """The leases go while a matrix product runs, which is one call into C."""
    assert run(HEAD + """
a = numpy.ones((700, 700)); b = numpy.ones((700, 700))
threading.Timer(0.05, revoke_largest).start()
try:
    for _ in range(10000):
        c = a @ b
        assert c[0, 0] == 700 and c[-1, -1] == 700, "silent zeros"
except membroker.LeaseLost as error:
    print("lost" if "revoked" in str(error) else error)
""") == "lost\n"


def test_touch_without_an_event_first(run):
    """The thread that touches lost memory gets the exception before it can use what it read."""
    assert run(HEAD + """
a = numpy.ones(1 << 20)
pid = os.getpid()
child = os.fork()
if child == 0:
    time.sleep(0.2)
    revoke_largest()
    os._exit(0)
try:
    while True:
        s = a.sum()
        assert s == 1 << 20, s
except membroker.LeaseLost:
    print("lost")
os.waitpid(child, 0)
""") == "lost\n"


def test_thread_that_touches(run):
    """A thread that computes with lost memory gets the exception, too."""
    assert run(HEAD + """
a = numpy.ones(1 << 20)
found = []
def work():
    try:
        while True:
            s = float(a.sum())
            if s != 1 << 20:
                time.sleep(2)
                found.append(s)
    except membroker.LeaseLost as error:
        found.append("lost" if "revoked" in str(error) and error.errno == 116 else repr(error))
thread = threading.Thread(target=work, daemon=True); thread.start()
threading.Timer(0.05, revoke_largest).start()
main, deadline = [], time.monotonic() + 30
while not found and time.monotonic() < deadline:
    try:
        time.sleep(0.01)
    except membroker.LeaseLost:
        main.append("lost")
print(main[0], found)
""") == "lost ['lost']\n"


def test_a_thread_that_imported_the_package(run):
    """It is no main thread for that."""
    assert run("""
import sys, threading, time, numpy
found = []
def work():
    import membroker
    broker = membroker.install_numpy()
    a = numpy.ones(1 << 20)
    try:
        broker.revoke(max(broker.leases(), key=lambda lease: lease.bytes).lease)
        for _ in range(100):
            a.sum()
            time.sleep(0.05)
    except membroker.LeaseLost as error:
        found.append("lost" if "revoked" in str(error) else repr(error))
thread = threading.Thread(target=work, daemon=True)
thread.start()
main = []
while thread.is_alive():
    try:
        time.sleep(0.01)
    except Exception as error:
        main.append(type(error).__name__)
print(sorted(set(main)), found)
""") == "['LeaseLost'] ['lost']\n"


def test_daemon_killed_in_an_expression(run, daemon):
    """Its leases end when the library finds no daemon; until then the arrays are right."""
    assert run(HEAD + """
import signal
a = numpy.ones(1 << 20)
try:
    os.kill(int(sys.argv[1]), signal.SIGKILL)
    while True:
        try:
            s = float((a + a).sum())
        except MemoryError:
            continue  # the broker is gone before it granted the temporary
        assert s == 2 << 20, s
except membroker.LeaseLost as error:
    print("lost")
for _ in range(50):  # each of its leases is lost in its own exception
    try:
        time.sleep(0.01)
    except membroker.LeaseLost:
        pass
""", str(daemon.process.pid)) == "lost\n"
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
