# SPDX-License-Identifier: Apache-2.0
"""The extension module, for wheels: it needs libmembroker and its headers (pkg-config membroker)."""

import os
import subprocess
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

HERE = Path(__file__).parent


def pkg_config(option):
    """What pkg-config says of libmembroker; MEMBROKER_CFLAGS and MEMBROKER_LIBS say it instead."""
    given = os.environ.get({"--cflags": "MEMBROKER_CFLAGS", "--libs": "MEMBROKER_LIBS"}[option])
    if given:
        return given.split()
    try:
        return subprocess.check_output(["pkg-config", option, "membroker"], text=True).split()
    except (OSError, subprocess.CalledProcessError) as error:
        raise SystemExit(
            "pkg-config does not find libmembroker. Install libmembroker-dev and pkg-config, or set PKG_CONFIG_PATH to the "
            "directory of membroker.pc"
        ) from error


class BuildExtension(build_ext):
    """Looks for the library only when the module is built: an sdist needs none."""

    def build_extensions(self):
        for extension in self.extensions:
            extension.include_dirs.append(self.include_root())
            extension.extra_compile_args += pkg_config("--cflags")
            extension.extra_link_args += pkg_config("--libs")
        super().build_extensions()

    def include_root(self):
        """The sources include each other by their path in the repository."""
        root = Path(self.build_temp).resolve() / "include"
        (root / "client").mkdir(parents=True, exist_ok=True)
        link = root / "client/python"
        link.unlink(missing_ok=True)
        link.symlink_to(HERE.resolve())
        return str(root)


setup(
    cmdclass={"build_ext": BuildExtension},
    ext_modules=[
        Extension(
            "membroker._native",
            sorted(str(path.relative_to(HERE)) for path in (HERE / "src").glob("*.c")),
            depends=sorted(str(path.relative_to(HERE)) for path in (HERE / "src").glob("*.h")),
            define_macros=[("_GNU_SOURCE", None)],
            extra_compile_args=["-std=gnu17", "-fvisibility=hidden"],
            extra_link_args=["-ldl", "-pthread"],
            py_limited_api=True,
        )
    ],
    options={"bdist_wheel": {"py_limited_api": "cp39"}},
)
