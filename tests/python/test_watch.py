# SPDX-License-Identifier: Apache-2.0
"""Watching the names of blocks."""

import asyncio
import threading

import membroker
import pytest
from conftest import PERSIST

HEAD = PERSIST + """
import os, signal, threading, time, membroker
broker = membroker.connect(name="watcher")
"""


def told(watch):
    """All that there is to tell now."""
    changes = []
    while (change := watch.wait(0)) is not None:
        changes.append(f"{'-' if change.ended else '+'}{change.name}")
    return changes


def test_what_there_is_comes_first_and_then_what_happens(broker):
    broker.publish("n2", b"2")
    broker.publish("n1", b"1", type="acme/one")
    broker.publish("other", b"3")
    watch = broker.watch("n")
    first = watch.wait(0)
    view = broker.view("n1")
    assert first == membroker.BlockChange("n1", False, view.number, first.bytes, "acme/one", membroker.EndReason.NONE)
    assert first.bytes == 4096
    view.close()
    assert told(watch) == ["+n2"]
    broker.publish("n1", b"new", replace=True)
    assert watch.wait().reason is membroker.EndReason.REPLACED
    assert told(watch) == ["+n1"]
    broker.unpublish("n1")
    broker.unpublish("other")
    change = watch.wait(10)
    assert change.ended and change.name == "n1" and change.reason is membroker.EndReason.UNPUBLISHED
    assert told(watch) == []


def test_an_iterator_ends_if_nothing_happens(broker):
    broker.publish("a", b"1")
    watch = broker.watch(timeout=0)
    assert [change.name for change in watch] == ["a"]
    assert list(watch) == []
    broker.unpublish("a")
    assert [change.ended for change in watch] == [True]


def test_a_thread_that_waits_is_told(broker):
    watch, changes = broker.watch("n"), []
    thread = threading.Thread(target=lambda: changes.append(watch.wait(60)))
    thread.start()
    broker.publish("other", b"1")
    broker.publish("name", b"1")
    thread.join()
    assert changes[0].name == "name"


def test_coroutines_are_told(broker):
    """A task that is cancelled while it waits takes no change with it."""
    watch = broker.watch(timeout=20)

    async def follow():
        waiting = asyncio.ensure_future(watch.wait_async())
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        broker.publish("a", b"1")
        broker.publish("b", b"1")
        names = []
        async for change in watch:
            names.append(change.name)
            if len(names) == 2:
                return names

    assert asyncio.run(follow()) == ["a", "b"]
    assert asyncio.run(watch.wait_async(0)) is None


def test_other_users_and_wrong_prefixes(broker):
    with pytest.raises(ValueError):
        broker.watch("a\nb")
    with pytest.raises(ValueError):
        broker.watch("a" * 64)
    with pytest.raises(TypeError):
        broker.watch(3)
    broker.publish("n", b"1")
    assert told(broker.watch(user=4242)) == []


def test_prefixes(broker):
    """A prefix may be empty, and end with a blank, which a name may not."""
    broker.publish("a b", b"x")
    for prefix in ("", "a "):
        assert next(broker.watch(prefix, timeout=60)).name == "a b"
    for prefix in ("x" * 64, "a\n"):
        with pytest.raises(ValueError, match="can't be the beginning of a name: it may have 63 bytes"):
            broker.watch(prefix)
    with pytest.raises(TypeError, match="a prefix is a text"):
        broker.watch(b"")



def test_ctrl_c_ends_the_wait_and_loses_no_change(run):
    assert run(HEAD + """
watch = broker.watch()
signal.signal(signal.SIGALRM, lambda number, frame: (_ for _ in ()).throw(KeyboardInterrupt))
signal.setitimer(signal.ITIMER_REAL, 0.2)
try:
    watch.wait()
except KeyboardInterrupt:
    print("interrupted")
broker.publish("n", b"1")
print(watch.wait(20).name)
""") == "interrupted\nn\n"


def test_closing_the_broker_ends_the_wait(run):
    assert run(HEAD + """
watch = broker.watch()
def wait():
    try:
        watch.wait()
    except ValueError as error:
        print("closed" in str(error))
thread = threading.Thread(target=wait)
thread.start()
time.sleep(0.2) # it waits by now, most likely; what follows does not depend on it
broker.close()
thread.join()
try:
    watch.wait(0)
except ValueError as error:
    print("closed" in str(error))
""") == "True\nTrue\n"
