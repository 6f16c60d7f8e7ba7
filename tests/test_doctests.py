"""The examples in docstrings say what the code does."""

import doctest
from importlib import import_module
from pathlib import Path

PACKAGES = ("models", "exporters", "streams")


def test_every_example_in_a_docstring_is_true(root: Path) -> None:
    tried = 0
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            if ">>>" in path.read_text():
                name = ".".join(path.relative_to(root).with_suffix("").parts)
                result = doctest.testmod(import_module(f"millstream.{name}"))
                assert result.failed == 0, name
                tried += result.attempted
    assert tried > 0
