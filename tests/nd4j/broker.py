# SPDX-License-Identifier: Apache-2.0
"""A broker of one's own, alone or under a stand-in for the service manager, which keeps its descriptors."""

import fcntl
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

CONFIGURATION = """\
[pressure]
some = 0
full = 0
[limits]
max_physical_bytes = {ram}
max_mapped_bytes = 2G
[mapped]
directory = {directory}/spill
files = {directory}/files
[leases]
min_ttl = 100ms
default_ttl = {ttl}
reconnect_grace = {grace}
"""


def wait_until(condition, seconds, what):
    """However slow the machine is, the end of the time is a failure."""
    end = time.monotonic() + max(seconds, 60)
    while not condition():
        assert time.monotonic() < end, "timeout: " + what
        time.sleep(0.05)


class Broker:
    """membrokerd in a directory of its own. Its end audits it, and expects that nothing is left."""

    def __init__(self, build, ram="4G", ttl="30s", grace="5s"):
        self.build = build
        self.directory = tempfile.mkdtemp(prefix="membroker-nd4j-", dir=os.environ.get("TMPDIR", "/var/tmp"))
        self.socket = self.directory + "/socket"
        self.environment = {**os.environ, "STATE_DIRECTORY": self.directory, "MEMBROKER_SOCKET": self.socket}
        with open(self.directory + "/conf", "w", encoding="utf-8") as file:
            file.write(CONFIGURATION.format(directory=self.directory, ram=ram, ttl=ttl, grace=grace))
        os.mkdir(self.directory + "/files")
        self.process = None

    def __enter__(self):
        self.start()
        wait_until(self.answers, 30, "the broker does not answer")
        return self

    def __exit__(self, kind, *_):
        try:
            if kind is None:
                self.expect_nothing_left()
        finally:
            self.stop()
            shutil.rmtree(self.directory)

    def start(self):
        self.process = subprocess.Popen([self.build + "/membrokerd", "--quiet", "--config", self.directory + "/conf",
                                         "--socket", self.socket], env=self.environment)

    def stop(self):
        self.process.terminate()
        self.process.wait(30)

    def ctl(self, *arguments):
        return subprocess.run([self.build + "/membrokerctl", *arguments], env=self.environment, capture_output=True,
                              text=True, timeout=60, check=False)

    def answers(self):
        return self.ctl("ping").returncode == 0

    def status(self):
        return json.loads(self.ctl("status", "--json").stdout)

    def leases(self, name=None):
        leases = json.loads(self.ctl("leases", "--json").stdout)["leases"]
        return [lease for lease in leases if name in (None, lease["name"])]

    def expect_nothing_left(self):
        wait_until(lambda: not self.leases(), 30, "leases are left")
        audit = self.ctl("audit")
        assert audit.returncode == 0, audit.stdout + audit.stderr


class ManagedBroker(Broker):
    """Under a service manager: started again whenever it ends, with the descriptors that it stored."""

    def start(self):
        self.listening = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.listening.bind(self.socket)
        self.listening.listen(128)
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(self.directory + "/notify")
        self.store = []
        self.starts = 0
        self.stopping = False
        self.run()
        self.thread = threading.Thread(target=self.manage)
        self.thread.start()

    def run(self):
        passed = [self.listening.fileno()] + [descriptor for _, descriptor in self.store]
        names = ":".join(["membroker.socket"] + [name for name, _ in self.store])
        script = 'export LISTEN_PID=$$; exec "$@"'
        # a shell moves the descriptors to 3 and up, where a service finds them, and knows its own number
        moves = "".join(f"exec {3 + i}<&{descriptor} {descriptor}<&-; " for i, descriptor in enumerate(self.parked(passed)))
        environment = {**self.environment, "LISTEN_FDS": str(len(passed)), "LISTEN_FDNAMES": names,
                       "NOTIFY_SOCKET": self.directory + "/notify"}
        self.process = subprocess.Popen(["bash", "-c", moves + script, "bash", self.build + "/membrokerd", "--quiet",
                                         "--config", self.directory + "/conf"], env=environment, pass_fds=self.moved)
        for descriptor in self.moved:
            os.close(descriptor)
        self.starts += 1

    def parked(self, descriptors):
        """Copies that are clear of the numbers that they are to get."""
        self.moved = [fcntl.fcntl(descriptor, fcntl.F_DUPFD, 200) for descriptor in descriptors]
        return self.moved

    def manage(self):
        while not self.stopping:
            if select.select([self.notify], [], [], 0.02)[0]:
                self.receive()
            elif self.process.poll() is not None and not self.stopping:
                self.run()

    def receive(self):
        text, descriptors, _, _ = socket.recv_fds(self.notify, 4096, 16)
        lines = text.decode().split("\n")
        name = next((line[7:] for line in lines if line.startswith("FDNAME=")), "stored")
        if "FDSTORE=1" in lines:
            self.store += [(name, descriptor) for descriptor in descriptors]
        elif "FDSTOREREMOVE=1" in lines:
            for stored in [stored for stored in self.store if stored[0] == name]:
                self.store.remove(stored)
                os.close(stored[1])

    def kill(self):
        """Kills it with its leases; another one is there when this returns."""
        before = self.starts
        os.kill(self.process.pid, signal.SIGKILL)
        wait_until(lambda: self.starts > before and self.answers(), 30, "the broker does not come back")

    def stop(self):
        self.stopping = True
        self.thread.join()
        super().stop()
        self.listening.close()
        self.notify.close()
        for _, descriptor in self.store:
            os.close(descriptor)
