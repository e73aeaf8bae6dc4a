# SPDX-License-Identifier: Apache-2.0
"""The extension module, for wheels: it needs libmembroker and its headers (pkg-config membroker)."""

import os
import subprocess
from pathlib import Path

from setuptools import Extension, setup

HERE = Path(__file__).parent


def pkg_config(option):
    """What pkg-config says of libmembroker; MEMBROKER_CFLAGS and MEMBROKER_LIBS say it instead."""
    given = os.environ.get({"--cflags": "MEMBROKER_CFLAGS", "--libs": "MEMBROKER_LIBS"}[option])
    return (given or subprocess.check_output(["pkg-config", option, "membroker"], text=True)).split()


def include_root():
    """The sources include each other by their path in the repository."""
    root = HERE / "build" / "include" / "client"
    root.mkdir(parents=True, exist_ok=True)
    link = root / "python"
    if not link.is_symlink():
        link.symlink_to(HERE.resolve())
    return str(root.parent)


setup(
    ext_modules=[
        Extension(
            "membroker._native",
            sorted(str(path.relative_to(HERE)) for path in (HERE / "src").glob("*.c")),
            depends=sorted(str(path.relative_to(HERE)) for path in (HERE / "src").glob("*.h")),
            define_macros=[("_GNU_SOURCE", None)],
            include_dirs=[include_root()],
            extra_compile_args=["-std=gnu17", "-fvisibility=hidden", *pkg_config("--cflags")],
            extra_link_args=[*pkg_config("--libs"), "-ldl", "-pthread"],
            py_limited_api=True,
        )
    ],
    options={"bdist_wheel": {"py_limited_api": "cp39"}},
)
