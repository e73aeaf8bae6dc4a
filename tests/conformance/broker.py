# SPDX-License-Identifier: Apache-2.0
"""A broker of one's own, whose messages are all checked and counted."""

import os
import signal
import subprocess
import time

from checks import CHECKS
from wire import Connection

CONFIGURATION = """\
[server]
socket = {directory}/socket
[mapped]
directory = {directory}/spill
files = {directory}/files
[leases]
min_ttl = 100ms
reconnect_grace = 5s
learned_sizes = {directory}/learned-sizes
{settings}
"""


class CountingConnection(Connection):
    """Counts which requests were sent."""

    def send(self, kind, request_id=None, **fields):
        Broker.sent.add(kind)
        return super().send(kind, request_id, **fields)


class Broker:
    """membrokerd in a directory of its own."""

    sent = set()
    seen = set()

    def __init__(self, program, directory, settings, environment):
        self.directory = directory
        self.connections = []
        os.makedirs(directory + "/files")
        self.configure(settings)
        if "MEMORY_PRESSURE_WATCH" in environment:
            environment = {"MEMORY_PRESSURE_WATCH": directory + "/pressure"}
            os.mkfifo(directory + "/pressure")
        self.log_file = open(directory + "/log", "w+", encoding="utf-8")
        self.process = subprocess.Popen([program, "--config", directory + "/conf"], stderr=self.log_file,
                                        env={**os.environ, **environment})
        self.wait_until_ready()

    def configure(self, settings):
        with open(self.directory + "/conf", "w", encoding="utf-8") as file:
            file.write(CONFIGURATION.format(directory=self.directory, settings=settings))
            if "[pressure]" not in settings:  # the load of the machine must not decide a case
                file.write("[pressure]\nsome = 0\nfull = 0\n")

    def wait_until_ready(self):
        for _ in range(1000):
            try:
                Connection(self.directory + "/socket").close()
                return
            except OSError:
                time.sleep(0.02)
        raise RuntimeError("the broker does not start: " + self.log())

    def log(self):
        with open(self.directory + "/log", encoding="utf-8") as file:
            return file.read()

    def connect(self):
        connection = CountingConnection(self.directory + "/socket", check_message)
        self.connections.append(connection)
        return connection

    def session(self, **hello):
        connection = self.connect()
        connection.hello(**hello)
        return connection

    def kill(self, number):
        self.process.send_signal(number)
        self.process.wait(30)

    def end(self):
        for connection in self.connections:
            connection.close()
        if self.process.poll() is None:
            self.kill(signal.SIGINT)
        self.log_file.close()


def check_message(message, fd):
    """Checks a message that came, by its kind, and counts it."""
    kind = message.WhichOneof("body")
    assert kind, "a message without a body"
    CHECKS[kind](message, getattr(message, kind), fd)
    Broker.seen.add(kind)
