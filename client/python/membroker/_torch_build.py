# SPDX-License-Identifier: Apache-2.0
"""Compiles torch.cc for the PyTorch that is installed, once, and keeps the result."""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import os
import shlex
import subprocess
import sysconfig
import tempfile
from pathlib import Path
from typing import Any, List

_SOURCE = Path(__file__).with_name("torch.cc")
_NEEDED = "a C++ compiler and the headers of PyTorch, Python and pybind11 (Debian: g++ libtorch-dev python3-dev pybind11-dev)"


def _command(torch: Any, extension: Any, result: str) -> List[str]:
    includes = [*extension.include_paths(), sysconfig.get_path("include")]
    return [
        *shlex.split(os.environ.get("CXX", "c++")), "-std=c++17", "-O2", "-fPIC", "-shared", "-w",
        f"-D_GLIBCXX_USE_CXX11_ABI={int(torch._C._GLIBCXX_USE_CXX11_ABI)}",
        *(argument for path in includes for argument in ("-isystem", path)),
        "-o", result, str(_SOURCE),
        *(f"-L{path}" for path in extension.library_paths()), "-lc10",
    ]


def _compile(command: List[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise ImportError(f"membroker.torch needs {_NEEDED}; {command[0]}: {error.strerror}") from error
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if "error" in line.lower()] or done.stderr.splitlines()
        reason = lines[0] if lines else f"{command[0]} failed"
        raise ImportError(f"membroker.torch needs {_NEEDED}: {reason}")


def _directory() -> Path:
    """Where results are kept. A program without a home has them in a directory of its own."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()) / "membroker"
    with contextlib.suppress(OSError):
        cache.mkdir(mode=0o700, parents=True, exist_ok=True)
        if os.access(cache, os.W_OK) and cache.stat().st_uid == os.geteuid():
            return cache
    return Path(tempfile.mkdtemp(prefix="membroker-"))


def library() -> str:
    """The path of the compiled allocator. ImportError: it can't be compiled."""
    torch = importlib.import_module("torch")
    extension = importlib.import_module("torch.utils.cpp_extension")
    build = f"{torch.__version__} {torch.__file__} {_command(torch, extension, '')}".encode() + _SOURCE.read_bytes()
    result = _directory() / f"torch-{torch.__version__}-{hashlib.sha256(build).hexdigest()[:16]}.so"
    if not result.exists():
        with tempfile.TemporaryDirectory(dir=result.parent) as temporary:
            made = os.path.join(temporary, result.name)
            _compile(_command(torch, extension, made))
            os.replace(made, result)  # another process may have made the same
    return str(result)
