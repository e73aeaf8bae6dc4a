# SPDX-License-Identifier: Apache-2.0
"""The shell samples of a document, as one session in their order.

A command must end with 0; one that a comment line follows must print what the comment says instead ("..." is anything).
What runs in the background is waited for until the broker knows of it. A tour is pasted as well: nothing waits for it.
"""

import os
import re
import subprocess

PRELUDE = """\
set -u
failed=0
fail() { echo "$*"; failed=1; }
make() { for target in "${@:-all}"; do grep -qE "^$target:" Makefile packaging/*.mk tests/*.mk tests/*/*.mk || return 1; done; }
# what follows runs until it is ended
membrokerctl() {
    case " $* " in
    *" --follow "*) timeout 1 "$build/membrokerctl" "$@"; [ $? = 124 ] ;;
    *) "$build/membrokerctl" "$@" ;;
    esac
}
# what needs a service manager is tried by the system test
membrokerd() { "$build/membrokerd" "${@/#--service/--quiet}"; }
systemctl() { case $* in *membroker-exporter.socket) exporter & reachable ;; esac; }
exporter() { exec "$build/membroker-exporter" >>"$here/background" 2>&1; }
reachable() { for _ in $(seq 500); do curl -s -o "$here/reached" http://127.0.0.1:9774/metrics && return; sleep 0.02; done; }
# it runs until it is ended
membroker-exporter() { timeout 1 "$build/membroker-exporter" "$@"; [ $? = 124 ]; }
journalctl() { :; }
clients() { membrokerctl status --json 2>/dev/null | jq .sessions; }
wait_for() { for _ in $(seq 1000); do "$@" && return; sleep 0.02; done; fail "in vain: $*"; }
answers() { membrokerctl ping >/dev/null 2>&1; }
more_than() { [ "$(clients)" -gt "$1" ]; }
"""

EPILOGUE = """\
jobs=$(jobs -p)
[ -z "$jobs" ] || { kill $jobs; wait; } 2>/dev/null
exit $failed
"""


# What was given back counts until the kernel has freed it, a moment later. A sample's figures are those after it.
SETTLED = """\
#!/bin/sh
while "{program}" status --json 2>/dev/null | jq -e '.used.freeing_bytes > 0' >/dev/null; do sleep 0.02; done
exec "{program}" "$@"
"""

# of a package that need not be installed
COLLECTED = "/var/lib/prometheus/node-exporter/"


def commands(sample):
    """Pairs of a command and what it must print."""
    found = []
    for line in sample.lines:
        if line.startswith("#") and found:
            found[-1][1].append(line[1:].strip())
        elif line.strip():
            found.append((line, []))
    return found


def in_background(command):
    wait = "answers" if "membrokerd" in command else 'more_than "$before"'
    return f'before=$(clients)\n{{ {command}\n}} >>"$here/background" 2>&1\nwait_for {wait}\n'


def in_foreground(place, command, expected):
    command = re.sub(r"--for \S+", "--for 100ms", command)
    script = f'{{ {command}\n}} >"$here/printed" 2>&1\nstatus=$?\n'
    pieces = [piece.strip() for text in expected for piece in text.split("...") if piece.strip()]
    for piece in pieces:
        script += f"grep -qF -- {quote(piece)} \"$here/printed\" || fail {quote(place + ': ' + command)} prints: \"$(cat \"$here/printed\")\"\n"
    if not pieces:
        script += f"[ $status = 0 ] || fail {quote(place + ': ' + command)} ends with $status: \"$(cat \"$here/printed\")\"\n"
    return script


def quote(text):
    return "'" + text.replace("'", "'\\''") + "'"


def settled_programs(build, here):
    """A directory of the build's programs, of which membrokerctl begins when nothing is being freed."""
    directory = here + "/programs"
    os.makedirs(directory, exist_ok=True)
    for name in ("membrokerd", "membroker-exporter"):
        if not os.path.lexists(f"{directory}/{name}"):
            os.symlink(os.path.abspath(f"{build}/{name}"), f"{directory}/{name}")
    with open(directory + "/membrokerctl", "w", encoding="utf-8") as file:
        file.write(SETTLED.format(program=os.path.abspath(build + "/membrokerctl")))
    os.chmod(directory + "/membrokerctl", 0o755)
    return directory


def play(samples, build, here, environment):
    """Runs the samples; returns what went wrong, or an empty text."""
    script = PRELUDE
    programs = settled_programs(build, here)
    for sample in samples:
        for command, expected in commands(sample):
            command = command.replace("/tmp/", here + "/").replace(" usage.svg", f" {here}/usage.svg")
            command = command.replace("build/membroker", f"{programs}/membroker")
            command = command.replace(COLLECTED, here + "/").replace("--user=alice", "--user=root").replace("$XDG_RUNTIME_DIR", here)
            background = re.search(r"&\s*(#.*)?$", command)
            script += in_background(command) if background else in_foreground(sample.place, command, expected)
    with open(here + "/script", "w", encoding="utf-8") as file:
        file.write(script + EPILOGUE)
    try:
        done = subprocess.run(["bash", here + "/script"], env={**environment, "build": programs, "here": here}, timeout=120,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    except subprocess.TimeoutExpired as late:
        return f"the session does not end: {late.stdout}"
    return "" if done.returncode == 0 else done.stdout or f"the session ends with {done.returncode}"


PASTE_PRELUDE = """\
make() { :; }
trap 'echo "$BASH_COMMAND" >>"$here/failed"' ERR
"""


def paste(samples, build, here, environment):
    """Runs the samples as somebody who pastes all of them at once; returns what went wrong, or an empty text.

    They must come to an end and leave no process, and only those commands may fail for which a comment says so.
    """
    block = "\n".join(line for sample in samples for line in sample.lines)
    block = block.replace("/tmp/", here + "/").replace("build/membroker", f"{settled_programs(build, here)}/membroker")
    with open(here + "/failed", "w", encoding="utf-8"):
        pass
    try:
        done = subprocess.run(["bash", "-s"], input=PASTE_PRELUDE + block + "\nwait\n", stdout=subprocess.PIPE,
                              env={**environment, "here": here}, stderr=subprocess.STDOUT, timeout=120, text=True, check=False)
    except subprocess.TimeoutExpired as late:
        return f"pasted as a block, it does not end: {late.stdout}"
    pairs = [pair for sample in samples for pair in commands(sample)]
    pieces = [piece.strip() for _, expected in pairs for text in expected for piece in text.split("...") if piece.strip()]
    wrong = [f"pasted as a block, it does not print: {piece}\n" for piece in pieces if piece not in done.stdout]
    may_fail = [command.split("#")[0].split("membrokerctl", 1)[-1].strip() for command, expected in pairs if expected]
    with open(here + "/failed", encoding="utf-8") as file:
        failed = [line.strip() for line in file]
    wrong += [f"pasted as a block, this fails: {line}\n" for line in failed
              if line.split("membrokerctl", 1)[-1].strip() not in may_fail]
    return "".join(wrong) + (done.stdout if wrong else "")
