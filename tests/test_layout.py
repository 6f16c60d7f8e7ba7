"""Folders, packages, import names and what ships: held against each other."""

import ast
import sys
import tomllib
from importlib import import_module
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any, Final

import pytest
from benchmarks.peers.registry import PEERS

PACKAGES: Final = ("exporters", "models", "streams")


@pytest.fixture(scope="module")
def project(root: Path) -> dict[str, Any]:
    return tomllib.loads((root / "pyproject.toml").read_text())


@pytest.fixture(scope="module")
def listed(project: dict[str, Any]) -> set[str]:
    return set(project["tool"]["setuptools"]["packages"])


def modules(root: Path) -> list[Path]:
    return sorted(path for name in PACKAGES for path in (root / name).rglob("*.py"))


def test_every_folder_with_modules_is_a_listed_package_and_every_listed_one_is_there(
    root: Path, listed: set[str]
) -> None:
    folders = {path.parent.relative_to(root) for path in modules(root)}
    assert {"millstream." + ".".join(folder.parts) for folder in folders} == listed


def test_every_package_has_an_init_that_says_what_it_is(root: Path, listed: set[str]) -> None:
    for name in listed:
        folder = root.joinpath(*name.split(".")[1:])
        assert (folder / "__init__.py").read_text().startswith('"""'), name


def test_the_mapping_gives_each_folder_its_import_name(project: dict[str, Any]) -> None:
    mapping = project["tool"]["setuptools"]["package-dir"]
    assert mapping == {f"millstream.{name}": name for name in PACKAGES}


def test_the_links_that_types_are_checked_through_point_at_the_folders(root: Path) -> None:
    links = root / ".ci/namespace/millstream"
    assert sorted(path.name for path in links.iterdir()) == list(PACKAGES)
    for name in PACKAGES:
        assert (links / name).resolve() == root / name


def test_every_other_file_of_a_package_ships_with_it(root: Path, project: dict[str, Any]) -> None:
    data = project["tool"]["setuptools"]["package-data"]
    for name in PACKAGES:
        there = {
            path
            for path in (root / name).rglob("*")
            if path.is_file() and path.suffix != ".py" and "__pycache__" not in path.parts
        }
        shipped = {
            path for pattern in data[f"millstream.{name}"] for path in (root / name).glob(pattern)
        }
        assert shipped == there


def test_imports_come_from_this_tree(root: Path, listed: set[str]) -> None:
    for name in sorted(listed):
        file = import_module(name).__file__
        assert file is not None
        assert Path(file).resolve().is_relative_to(root)


def test_tests_mirror_the_packages(root: Path) -> None:
    folders = {path.name for path in (root / "tests").iterdir() if path.is_dir()}
    assert set(PACKAGES) <= folders - {"__pycache__"}


def test_the_lock_has_a_hash_for_everything_and_names_no_registry(root: Path) -> None:
    lock = (root / "requirements.lock").read_text()
    pins = [line for line in lock.splitlines() if "==" in line]
    assert all(line.endswith("\\") for line in pins)
    assert lock.count("--hash=sha256:") >= len(pins) > 50
    for word in ("http:", "https:", "file:", "--index", "--extra-index", "--find-links", "-i "):
        assert word not in lock


def test_the_lock_pins_every_dependency_that_is_declared(
    root: Path, project: dict[str, Any]
) -> None:
    pinned = {
        line.partition("==")[0].lower()
        for line in (root / "requirements.lock").read_text().splitlines()
        if "==" in line
    }
    declared = project["project"]["dependencies"]
    declared += project["project"]["optional-dependencies"]["dev"]
    for line in declared:
        name = line.partition(";")[0].rstrip("0123456789.,<>=! ")
        assert name.partition("[")[0].lower() in pinned


def imported(paths: list[Path]) -> set[str]:
    """The top-level names that modules import, those of the standard library left out."""
    names: set[str] = set()
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names.update(alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                names.add(node.module.partition(".")[0])
    return names - set(sys.stdlib_module_names) - {"millstream", "tests", "benchmarks"}


def test_what_is_imported_is_declared(root: Path, project: dict[str, Any]) -> None:
    by_module = packages_distributions()

    def declared(lines: list[str]) -> set[str]:
        names = {line.partition(";")[0].rstrip("0123456789.,<>=! ") for line in lines}
        names = {name.partition("[")[0] for name in names}
        return {name.lower().replace("-", "_") for name in names}

    def distributions(paths: list[Path]) -> set[str]:
        found = {by_module.get(name, [name])[0] for name in imported(paths)}
        return {name.lower().replace("-", "_") for name in found}

    runtime = declared(project["project"]["dependencies"])
    # What is installed only where it is wanted is imported by the one module that says so.
    apart = root / "streams" / "sql_items.py"
    sql = declared(project["project"]["optional-dependencies"]["sql"])
    assert distributions([apart]) <= runtime | sql
    assert distributions([path for path in modules(root) if path != apart]) <= runtime
    others = [path for name in ("tests", "benchmarks") for path in (root / name).rglob("*.py")]
    dev = declared(project["project"]["optional-dependencies"]["dev"])
    peers = {path for path in others if path.parent == root / "benchmarks" / "peers"}
    assert distributions([path for path in others if path not in peers]) <= runtime | dev
    installed_apart = declared([pin for peer in PEERS.values() for pin in peer.pins])
    assert distributions([*peers]) <= runtime | dev | installed_apart


def test_only_one_module_reads_our_environment(root: Path) -> None:
    readers = {
        str(path.relative_to(root))
        for path in modules(root)
        if any(word in path.read_text() for word in ("os.environ.get", "os.getenv", "environ["))
    }
    assert readers <= {"streams/settings_reader.py"}
