# SPDX-License-Identifier: Apache-2.0
"""The samples of the README and the examples run as they are."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import membroker
import pytest
from conftest import BUILD

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/samples"))
from extract import samples  # noqa: E402

README = ROOT / "client/python/README.md"
EXAMPLES = ROOT / "client/python/examples"
PLASMA = ROOT / "client/PLASMA.md"
SAMPLES = samples(str(README)) + samples(str(PLASMA))
# what the text around the samples says that there is
GIVEN = "import membroker, numpy, os\nbroker = membroker.connect()\nbatches = range(3)\n"


def is_shell(sample):
    return re.match(r"(make|pip|python3|apt|sudo|membrokerctl)\b", sample.lines[0])


def what_lacks(sample):
    """Why it can't run here; "" if it can."""
    for module in set(re.findall(r"^\s*import (\w+)", sample.text, re.M)) | {"numpy"}:
        if importlib.util.find_spec(module) is None:
            return f"{module} is not installed"
        if module == "torch" and not os.environ.get("MEMBROKER_LIBRARIES"):
            return "check-libraries runs it: something must be compiled first"
    return ""


@pytest.fixture
def daemon(start_daemon):
    """One with the memory that the samples take for granted; they touch little of it."""
    return start_daemon("[limits]\nmax_physical_bytes = 16G\nmax_mapped_bytes = 16G")


@pytest.mark.parametrize("sample", [pytest.param(sample, id="line ".join(Path(sample.place).name.split(":")))
                                    for sample in SAMPLES if not is_shell(sample)])
def test_sample(run, sample):
    if why := what_lacks(sample):
        pytest.skip(why)
    run(GIVEN + sample.text)


def test_samples_about_sharing_in_their_order(run):
    """As a reader types them into one interpreter."""
    text = README.read_text()
    first, last = (text[:text.index(heading)].count("\n") for heading in ("## Sharing arrays", "## In Jupyter"))
    section = [sample for sample in SAMPLES if README.name in sample.place and first < int(sample.place.split(":")[1]) < last]
    assert len(section) >= 5
    run(GIVEN + "".join(sample.text for sample in section if not what_lacks(sample)))


def test_targets_of_make_exist():
    makefiles = [ROOT / "Makefile", *(ROOT / "tests").rglob("*.mk"), *(ROOT / "client").rglob("*.mk"), *(ROOT / "packaging").rglob("*.mk")]
    text = "\n".join(path.read_text() for path in makefiles)
    named = re.findall(r"(?:^    |`)make ([a-z-]+)", README.read_text(), re.M)
    assert named and [target for target in named if not re.search(rf"^{target}:", text, re.M)] == []


def test_calls_that_take_the_place_of_plasmas_exist():
    named = re.findall(r"\bbroker\.(\w+)\(", PLASMA.read_text())
    assert len(named) > 8 and [name for name in named if not hasattr(membroker.Broker, name)] == []
    errors = re.findall(r"\bmembroker\.([A-Z]\w+)", PLASMA.read_text())
    assert errors and [name for name in errors if not hasattr(membroker, name)] == []


def test_there_are_samples():
    assert len(SAMPLES) >= 8 and len(list(EXAMPLES.glob("*.py"))) == 4


def example(daemon, name, *arguments):
    variables = dict(os.environ, MEMBROKER_SOCKET=daemon.socket, PYTHONPATH=str(BUILD / "python"),
                     PYTHONDONTWRITEBYTECODE="1", OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
    done = subprocess.run([sys.executable, EXAMPLES / name, *arguments], env=variables, text=True, capture_output=True,
                          timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_within_a_limit(daemon):
    """The result does not depend on the pieces."""
    pytest.importorskip("numpy")
    small, large = (example(daemon, "within_a_limit.py", rows) for rows in ("1009", "100900"))
    assert small.startswith("1009 rows in pieces of 1009: ") and "reached" not in small
    assert "the client's max_physical_bytes is reached: pieces of 50450 rows" in large
    assert re.search("mean.*", small)[0] == re.search("mean.*", large)[0]


def test_pipeline(daemon):
    pytest.importorskip("numpy")
    assert re.fullmatch(r"8 signals in a region of \d+\.\d MiB, 0 leases granted after the second signal\n",
                        example(daemon, "pipeline.py", "8"))


def test_sharing(start_daemon):
    daemon = start_daemon("[limits]\nmax_physical_bytes = 64M")
    output = example(daemon, "sharing.py", "2")
    assert output == "process 0: 4 of 4 tasks done\nprocess 1: 4 of 4 tasks done\n"
    assert daemon.status().counters.granted == 8
    daemon.await_unused()


def test_published(daemon):
    pytest.importorskip("numpy")
    assert example(daemon, "published.py", "2") == (
        "version 1: 2 readers, sum 1000000\nversion 2: 2 readers, sum 2000000\n")
    assert daemon.status().leases == 0


def test_the_version_is_the_projects():
    pyproject = (ROOT / "client/python/pyproject.toml").read_text()
    makefile = (ROOT / "Makefile").read_text()
    version = re.search(r"^VERSION\s*:= (\S+)", makefile, re.M)[1]
    assert f'version = "{version}"' in pyproject and membroker.__version__ == version == membroker.library_version
