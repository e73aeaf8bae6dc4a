# SPDX-License-Identifier: Apache-2.0
"""The sdist, and the wheel that is built from it, as `make python-dist` leaves them."""

import os
import re
import subprocess
import sys
import tarfile
import venv
import zipfile

import membroker
import pytest
from conftest import BUILD

DIST = BUILD / "python/dist"
SMOKE = """
import importlib.util, sys, membroker
assert membroker.__file__.startswith(sys.prefix), membroker.__file__
with membroker.connect(name="smoke") as broker:
    with broker.acquire("1M", name="rows") as lease:
        lease[:4] = b"abcd"
        assert lease[:5] == b"abcd\\0" and broker.leases()[0].name == "rows"
    buffer = broker.buffer(100, zero=True)
    assert bytes(buffer) == bytes(100)
    if importlib.util.find_spec("numpy") is None:
        try:
            broker.zeros(10)
        except ImportError as error:
            assert "numpy" in str(error)
            print("without NumPy")
    else:
        membroker.install_numpy(broker)
        import numpy
        assert numpy.ones(100000).sum() == 100000 and broker.uses > 1
        print("with NumPy")
"""


@pytest.fixture
def wheel():
    (path,) = DIST.glob("*.whl")
    return path


def pip(python, *arguments):
    done = subprocess.run([sys.executable, "-m", "pip", "--python", python, *arguments], text=True, capture_output=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_sdist_is_whole():
    """All sources, the license and the examples; nothing that a build leaves behind."""
    with tarfile.open(DIST / f"membroker-{membroker.__version__}.tar.gz") as archive:
        names = {name.split("/", 1)[1] for name in archive.getnames() if "/" in name}
    files = subprocess.run(["git", "ls-files", "client/python"], text=True, capture_output=True, check=True).stdout.split()
    ours = {name[len("client/python/"):] for name in files if not name.endswith(".mk")} | {"LICENSE"}
    assert ours - names == set()
    assert not [name for name in names if name.endswith((".so", ".o", ".pyc"))]


def test_wheel_is_of_the_stable_abi(wheel):
    assert re.fullmatch(r"membroker-[\d.]+-cp39-abi3-linux_\w+\.whl", wheel.name)
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        metadata = archive.read(next(name for name in names if name.endswith("METADATA"))).decode()
    assert {"membroker/py.typed", "membroker/_native.pyi", "membroker/_native.abi3.so"} <= set(names)
    assert any(name.endswith("/LICENSE") for name in names)
    requirements = re.findall(r"^Requires-Dist: (.*)$", metadata, re.M)
    assert all("extra ==" in requirement for requirement in requirements) and "Requires-Python: >=3.9" in metadata


def test_wheel_in_a_fresh_environment(wheel, tmp_path, run):
    """Without NumPy it has leases and buffers; with the system's it has arrays."""
    if sys.prefix != sys.base_prefix:
        pytest.skip("these tests run in a virtual environment themselves")
    place = tmp_path / "environment"
    venv.create(place)
    python = place / "bin/python"
    pip(python, "install", "--no-index", "--no-deps", wheel)
    nothing = {"PYTHONPATH": "", "PYTHONNOUSERSITE": "1"}
    assert run(SMOKE, python=python, environment=nothing) == "without NumPy\n"
    settings = place / "pyvenv.cfg"
    settings.write_text(settings.read_text().replace("include-system-site-packages = false",
                                                     "include-system-site-packages = true"))
    assert run(SMOKE, python=python, environment=nothing) == "with NumPy\n"
    pip(python, "uninstall", "--yes", "membroker")
    assert not list(place.rglob("membroker*"))


def test_a_build_without_the_library_says_what_is_missing(tmp_path):
    with tarfile.open(DIST / f"membroker-{membroker.__version__}.tar.gz") as archive:
        archive.extractall(tmp_path)
    variables = {name: value for name, value in os.environ.items() if not name.startswith("MEMBROKER_")}
    variables.update(PKG_CONFIG_LIBDIR=str(tmp_path), PKG_CONFIG_PATH=str(tmp_path))
    done = subprocess.run([sys.executable, "setup.py", "-q", "build_ext"], cwd=tmp_path / f"membroker-{membroker.__version__}",
                          env=variables, text=True, capture_output=True)
    assert done.returncode != 0 and "Install libmembroker-dev" in done.stderr
