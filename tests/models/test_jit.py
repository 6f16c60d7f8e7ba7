"""Compiled kernels are kept, and never outlive what they were compiled from."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from millstream.models import jit

CALLEE = "from jit import {0}\n@{0}\ndef callee(x):\n    return x + {1}\n"
CALLER = (
    "from callee import callee\nfrom jit import kernel\n@kernel\ndef caller(x):\n"
    "    return callee(x)\n"
)
PROGRAM = "from caller import caller; print(caller(1), sum(caller.stats.cache_hits.values()))"


def run(folder):
    found = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    return found.stdout.split()


@pytest.mark.parametrize("of", ["kernel", "loose_kernel"])
def test_a_kernel_is_compiled_again_when_one_that_it_calls_changes(tmp_path, of):
    shutil.copy(jit.__file__, tmp_path / "jit.py")
    (tmp_path / "callee.py").write_text(CALLEE.format(of, 1))
    (tmp_path / "caller.py").write_text(CALLER)
    assert run(tmp_path) == ["2", "0"]
    assert run(tmp_path) == ["2", "1"]
    (tmp_path / "callee.py").write_text(CALLEE.format(of, 5))
    assert run(tmp_path) == ["6", "0"]


def test_kernels_compile_in_memory_where_nothing_can_be_written(tmp_path):
    shutil.copy(jit.__file__, tmp_path / "jit.py")
    program = (
        "import numba.core.caching as c\n"
        "c.CacheImpl._locator_classes = []\n"
        "from jit import kernel\n"
        "print(kernel(lambda x: x + 1)(1))"
    )
    found = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert found.stdout.split() == ["2"]


def test_only_sums_that_are_exact_in_any_order_are_loose() -> None:
    """Others would differ between a process that compiles them and one that loads them."""
    loose = r"@loose_kernel\ndef (\w+)"
    sources = [path.read_text() for path in sorted(Path(jit.__file__).parent.glob("*.py"))]
    assert [name for source in sources for name in re.findall(loose, source)] == ["dot_codes"]
