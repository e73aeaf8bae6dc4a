# SPDX-License-Identifier: Apache-2.0
"""A real daemon for each test that asks for one, with its own socket and configuration."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

BUILD = Path(os.environ.get("MEMBROKER_BUILD", "build")).resolve()
sys.path.insert(0, str(BUILD / "python"))

import membroker  # noqa: E402
from membroker import _monitor  # noqa: E402

# A shell starts what runs in the background with SIGINT ignored, and Python leaves it so.
signal.signal(signal.SIGINT, signal.default_int_handler)


# For programs of which several losses are told, each in an exception of its own. One may arrive while another is handled,
# or at the jump of a loop: no `try` in one function is ready for that, so an outer level catches it and tries again.
PERSIST = """
import membroker
def persist(step, lost, levels=40):
    try:
        if levels and persist(step, lost, levels - 1):
            return True
        step()  # from its beginning after each loss; `lost` has those so far
        return True
    except membroker.LeaseLost as error:
        lost.append(error)
        return False

def end(text):  # in one instruction of the interpreter, so that no loss is told between the two calls
    import functools, os
    calls = functools.partial(os.write, 1, text.encode()), functools.partial(os._exit, 0)
    list(map(functools.partial.__call__, calls))
"""


class Daemon:
    """membrokerd in a directory of its own."""

    def __init__(self, directory, settings):
        self.directory = directory
        self.socket = str(directory / "socket")
        self.config = directory / "config"
        self.log = directory / "log"
        self.process = None
        self.configure(settings)
        self.start()

    def configure(self, settings):
        """The load of the machine must not decide a test: the pressure is ignored."""
        self.config.write_text(
            f"[pressure]\nsome = 0\nfull = 0\n{settings}\n[server]\nsocket = {self.socket}\n"
            f"[mapped]\ndirectory = {self.directory}/spill\n[leases]\nlearned_sizes = {self.directory}/learned\n"
        )

    def start(self):
        with open(self.log, "a") as log:
            self.process = subprocess.Popen(
                [BUILD / "faults/membrokerd", "--config", self.config], stdout=log, stderr=log
            )
        for _ in range(2000):
            try:
                with self.monitor():
                    return
            except OSError:
                assert self.process.poll() is None, self.log.read_text()
                time.sleep(0.005)
        raise AssertionError("the daemon did not come up: " + self.log.read_text())

    def monitor(self):
        return _monitor.Monitor(self.socket)

    def status(self):
        with self.monitor() as monitor:
            return monitor.status()

    def leases(self):
        with self.monitor() as monitor:
            return monitor.leases()

    def revoke(self, lease):
        with self.monitor() as monitor:
            monitor.revoke(lease)

    @staticmethod
    def await_loss(seconds=20):
        """Runs until LeaseLost comes."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            pass

    def await_unused(self, seconds=20):
        """Until all bytes are given back: the kernel frees those of a process that ended a moment later."""
        deadline = time.monotonic() + seconds
        while self.status().used_bytes > 0:
            assert time.monotonic() < deadline, f"{self.status().used_bytes} bytes are still used"
            time.sleep(0.01)

    def audit(self):
        """The ledger against the kernel's own view. Beside workers that are slow it can't look, and is asked again."""
        for _ in range(600):
            done = subprocess.run([BUILD / "membrokerctl", "--socket", self.socket, "audit"], text=True, capture_output=True)
            if "could not look" not in done.stderr:
                break
            time.sleep(0.05)
        assert done.returncode == 0, done.stdout + done.stderr

    def kill(self):
        self.process.kill()
        while self.process.poll() is None:
            pass

    def stop(self):
        if self.process.poll() is None:
            self.audit()
            self.process.send_signal(signal.SIGTERM)
            assert self.process.wait(20) == 0, self.log.read_text()


@pytest.fixture
def start_daemon(tmp_path):
    """start_daemon("[limits]\\nmax_physical_bytes = 64M") starts one."""
    daemons = []

    def start(settings="[limits]\nmax_physical_bytes = 2G\nmax_mapped_bytes = 8G"):
        directory = tmp_path / str(len(daemons))
        directory.mkdir()
        daemons.append(Daemon(directory, settings))
        return daemons[-1]

    yield start
    for daemon in daemons:
        daemon.stop()


@pytest.fixture
def daemon(start_daemon):
    return start_daemon()


@pytest.fixture
def broker(daemon):
    with membroker.connect(daemon.socket, name="test") as broker:
        yield broker


@pytest.fixture
def run(daemon):
    """run("code", ...) runs Python in a process of its own that finds the daemon; returns what it printed."""

    def run_code(code, *arguments, expect=0, python=sys.executable, environment=None, timeout=300):
        variables = dict(os.environ, MEMBROKER_SOCKET=daemon.socket, PYTHONPATH=str(BUILD / "python"),
                         PYTHONDONTWRITEBYTECODE="1", OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1",
                         XDG_CACHE_HOME=str(BUILD / "cache"))
        variables.update(environment or {})
        done = subprocess.run([python, "-c", code, *arguments], env=variables, text=True, capture_output=True,
                              timeout=timeout)
        assert done.returncode == expect, (done.returncode, done.stdout, done.stderr)
        return done.stdout if expect == 0 else done.stdout + done.stderr

    return run_code
