# SPDX-License-Identifier: Apache-2.0
"""Closing a broker while other threads use it: their calls end, with an exception if they wait."""

import threading
import time

import membroker
import pytest

RACE = """
import sys, threading, time, membroker
def work(broker):
    try:
        while True:
            %s
    except ValueError as error:
        found.append(str(error))
found = []
for i in range(25):
    broker = membroker.connect(name="race")
    threads = [threading.Thread(target=work, args=(broker,)) for _ in range(3)]
    [thread.start() for thread in threads]
    time.sleep(0.003)
    broker.close()
    [thread.join(30) for thread in threads]
    assert not any(thread.is_alive() for thread in threads)
assert found == ["the broker was closed"] * 75, found
with membroker.connect(name="last") as broker:
    assert [session.name for session in broker.sessions() if session.name] == ["last"]
print("ok")
"""


@pytest.mark.parametrize("call", ["broker.acquire(4096).release()", "broker.buffer(1 << 20)", "broker.trim()",
                                  "broker.ping()", "broker.wait_connected(1)"])
def test_threads_in_calls(run, call):
    assert run(RACE % call) == "ok\n"


def outcomes(call, count, is_ready, broker):
    """What `count` threads that are in a call get when the broker is closed; None: they still wait."""
    found = [None] * count

    def work(at):
        try:
            call(broker)
        except Exception as error:
            found[at] = error

    threads = [threading.Thread(target=work, args=(at,), daemon=True) for at in range(count)]
    for thread in threads:
        thread.start()
    while not is_ready():
        time.sleep(0.005)
    broker.close()
    for thread in threads:
        thread.join(20)
    return found


@pytest.fixture
def full(start_daemon):
    daemon = start_daemon("[limits]\nmax_physical_bytes = 16M")
    with membroker.connect(daemon.socket, name="holder") as holder, holder.acquire("16M"):
        yield daemon


def test_waits_in_the_queue(full):
    broker = membroker.connect(full.socket, name="waiter")
    found = outcomes(lambda broker: broker.acquire("1M", wait=600), 3, lambda: full.status().waiting == 3, broker)
    assert [str(error) for error in found] == ["the broker was closed"] * 3 and full.status().sessions == 1


def test_arrays_that_wait(full):
    numpy = pytest.importorskip("numpy")
    broker = membroker.connect(full.socket, name="waiter", wait=600)

    def make(broker):
        with broker.numpy():
            numpy.ones(1 << 20)

    (error,) = outcomes(make, 1, lambda: full.status().waiting == 1, broker)
    assert isinstance(error, membroker.WaitCancelled) and "the broker was closed" in str(error)


def test_waits_for_the_connection(daemon):
    broker = membroker.connect(daemon.socket)
    broker.ping()
    daemon.kill()
    with pytest.raises(membroker.BrokerConnectionError):
        broker.ping()  # so that the client knows
    found = outcomes(lambda broker: broker.wait_connected(600), 2, lambda: time.sleep(0.2) or True, broker)
    daemon.start()
    assert [str(error) for error in found] == ["the broker was closed"] * 2


def test_a_wait_for_the_connection_ends(daemon):
    broker = membroker.connect(daemon.socket)
    daemon.kill()
    with pytest.raises(membroker.BrokerConnectionError):
        broker.ping()  # so that the client knows
    with pytest.raises(membroker.BrokerTimeout, match="within 300 ms"):
        broker.wait_connected(0.3)
    broker.close()
    daemon.start()


def test_no_arrays_after_closing(daemon):
    """A closed broker makes no arrays, and its session ends with the last one that lives."""
    pytest.importorskip("numpy")
    broker = membroker.connect(daemon.socket)
    array = broker.ones(100_000)
    broker.close()
    for call in (lambda: broker.zeros(5), lambda: broker.numpy(), lambda: broker.buffer(5)):
        with pytest.raises(ValueError, match="closed"):
            call()
    assert array.sum() == 100_000 and daemon.status().sessions == 1
    del array
    assert daemon.status().sessions == 0


def test_the_shared_broker_is_connected_again(run):
    """A program that closed it by mistake can go on."""
    assert run("""
import numpy, membroker
membroker.shared().close()
broker = membroker.install_numpy()
assert numpy.ones(1000).sum() == 1000 and broker.uses and broker is membroker.shared()
print("ok")
""") == "ok\n"
