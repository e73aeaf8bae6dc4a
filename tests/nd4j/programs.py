# SPDX-License-Identifier: Apache-2.0
"""Java programs on real ND4J, with the plug-in or without it."""

import contextlib
import glob
import os
import re
import signal
import subprocess
import threading
import zipfile

from broker import wait_until


class Program:
    """A running JVM, whose lines are collected."""

    def __init__(self, build, version, main, *arguments, broker=None, options=(), environment=(), classes=None, plug_in=None):
        nd4j = build + "/nd4j"
        path = [classes or f"{nd4j}/tests-{version}", f"{nd4j}/{version}/*"]
        if broker:
            # last, so that ND4J's own jars come first: the plug-in must not depend on the order
            path.append(plug_in or plug_in_of(build))
        command = [java(), "-Xmx1g", *options, "-cp", ":".join(path), main, *map(str, arguments)]
        usual = broker.environment if broker else {**os.environ, "MEMBROKER_SOCKET": "/nonexistent"}
        self.lines = []
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                        text=True, bufsize=1, env={**usual, **dict(environment)},
                                        cwd=broker.directory if broker else None)  # DL4J writes reports there
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
        self.process.wait(30)

    @property
    def pid(self):
        return self.process.pid

    def cpu_nanoseconds(self):
        """Of all threads that live: other programs of the machine do not matter."""
        total = 0
        for path in glob.glob(f"/proc/{self.pid}/task/*/schedstat"):
            with contextlib.suppress(OSError), open(path, encoding="ascii") as file:
                total += int(file.read().split()[0])
        return total

    def read(self):
        for line in self.process.stdout:
            if not line.startswith("SLF4J"):
                self.lines.append(line.rstrip("\n"))

    def wait_for(self, pattern, seconds=120):
        """The first line that the pattern matches."""
        def found():
            return next((match for match in map(re.compile(pattern).search, list(self.lines)) if match), None)
        wait_until(lambda: found() or self.process.poll() is not None and not self.reader.is_alive(), seconds,
                   f"no line {pattern}: {self.lines[-20:]}")
        assert found(), f"no line {pattern}: {self.lines[-20:]}"
        return found()

    def go_on(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def finish(self, seconds=300):
        self.process.wait(seconds)
        self.reader.join(30)
        assert self.process.returncode == 0, f"exit status {self.process.returncode}: {self.lines[-20:]}"
        return self.lines

    def send(self, number):
        os.kill(self.pid, number)


def java():
    return sorted(glob.glob("/usr/lib/jvm/java-17-openjdk-*/bin/java"))[0]


def plug_in_of(build):
    return glob.glob(build + "/nd4j/membroker-nd4j-*.jar")[0]


def block_of_the_readme(pattern):
    with open(os.path.dirname(os.path.abspath(__file__)) + "/../../client/nd4j/README.md", encoding="utf-8") as file:
        return re.search(f"```(?:java|xml)?\n({pattern}.*?)```", file.read(), re.S)[1]


def compile_sample(build, version, sample, directory):
    """A program Sample that runs the lines and waits."""
    names = ("factory.Nd4j", "api.ndarray.INDArray", "api.memory.MemoryWorkspace", "api.memory.conf.*", "api.memory.enums.*")
    imports = "".join(f"import org.nd4j.linalg.{name};\n" for name in names)
    with open(directory + "/Sample.java", "w", encoding="utf-8") as file:
        file.write(imports + "public class Sample {\n    public static void main(String[] arguments) throws Exception {\n"
                   + sample + 'System.out.println("ran");\nSystem.in.read();\n}\n}\n')
    subprocess.run([java() + "c", "-nowarn", "-proc:none", "-d", directory, "-cp", f"{build}/nd4j/{version}/*",
                    directory + "/Sample.java"], check=True, timeout=300)


def without_services(jar, copy):
    with zipfile.ZipFile(jar) as whole, zipfile.ZipFile(copy, "w") as rest:
        for name in whole.namelist():
            if not name.startswith("META-INF/services/"):
                rest.writestr(name, whole.read(name))


def resolve(project, directory):
    """The jars that Maven finds for a project, in directory/jars. What it gets of ours stays in the directory."""
    with open(directory + "/pom.xml", "w", encoding="utf-8") as file:
        file.write('<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
                   "<groupId>user</groupId><artifactId>user</artifactId><version>1</version>" + project + "</project>")
    usual = os.path.expanduser("~/.m2/repository")
    os.makedirs(directory + "/local/io")
    for name in os.listdir(usual) if os.path.isdir(usual) else ():
        if name != "io":
            os.symlink(f"{usual}/{name}", f"{directory}/local/{name}")
    subprocess.run(["mvn", "-B", "-q", "-C", "-f", directory + "/pom.xml", "-Dmaven.repo.local=" + directory + "/local",
                    "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies",
                    "-DoutputDirectory=" + directory + "/jars"], check=True, timeout=600)
    return sorted(os.listdir(directory + "/jars"))


def losses(lines):
    return [tuple(line.split()[1:4:2]) for line in lines if line.startswith("iteration")]


def mapped_from(pid, address):
    """The inode of the mapping at an address, and the address's offset in the file."""
    with open(f"/proc/{pid}/maps", encoding="utf-8") as maps:
        for line in maps:
            fields = line.split()
            start, end = (int(number, 16) for number in fields[0].split("-"))
            if start <= address < end:
                return int(fields[4]), int(fields[2], 16) + address - start
    raise AssertionError(f"nothing is mapped at {address:x}")


def open_file_of(pid, inode):
    """Another process's descriptor with that inode, opened to be read."""
    for descriptor in os.listdir(f"/proc/{pid}/fd"):
        path = f"/proc/{pid}/fd/{descriptor}"
        try:
            if os.stat(path).st_ino == inode:
                return open(path, "rb")
        except FileNotFoundError:
            pass
    raise AssertionError(f"process {pid} has no descriptor of inode {inode}")
