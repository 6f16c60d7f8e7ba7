"""The wheel and the sdist: built from a copy, installed apart from this tree, and run."""

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path
from typing import Final

import pytest

SHIPPED: Final = ("models", "streams", "exporters")
LEFT_OUT: Final = shutil.ignore_patterns("__pycache__", ".*", "build", "dist", "*.egg-info")


@pytest.fixture(scope="module")
def built(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist and the wheel that was built from it."""
    copy = tmp_path_factory.mktemp("copy") / "millstream"
    shutil.copytree(root, copy, ignore=LEFT_OUT)
    dist = copy.parent / "dist"
    done = subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(dist), str(copy)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return dist


@pytest.fixture(scope="module")
def installed(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of an environment with the wheel, and dependencies lent from this one."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder, with_pip=False)
    (wheel,) = built.glob("*.whl")
    pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin/python")]
    subprocess.run(
        [*pip, "install", "--quiet", "--no-deps", "--no-index", "--no-cache-dir", str(wheel)],
        check=True,
        capture_output=True,
    )
    # A path file lends the modules but runs no path file of theirs: the editable install of
    # this tree stays out.
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "lent.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder / "bin"


def run(installed: Path, *arguments: str) -> str:
    done = subprocess.run(
        [str(installed / arguments[0]), *arguments[1:]],
        capture_output=True,
        text=True,
        check=False,
        cwd=installed,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_wheel_holds_every_module_and_nothing_else(root: Path, built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    assert wheel.name.endswith("-py3-none-any.whl")
    held = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    there = {
        f"millstream/{path.relative_to(root)}"
        for name in SHIPPED
        for path in (root / name).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert held == there


def test_the_wheel_carries_its_licence(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_the_sdist_holds_what_is_needed_to_work_on_it(built: Path) -> None:
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
        pom = archive.getmember(f"{sdist.name.removesuffix('.tar.gz')}/deploy/kafka/pom.xml")
        assert not pom.issym()
    wanted = {"LICENSE", "README.md", "CHANGELOG.md", "Makefile", "requirements.lock"}
    assert wanted | {"tests/conftest.py", "streams/resources/kafka-pom.xml"} <= names


def test_the_installed_command_runs_from_the_wheel(installed: Path) -> None:
    assert "Commands:" in run(installed, "millstream", "--help")
    where = run(installed, "python", "-c", "import millstream.streams as s; print(s.__file__)")
    assert Path(where.strip()).is_relative_to(installed.parent)


def test_every_command_is_there_with_an_example(installed: Path) -> None:
    script = (
        "from importlib import import_module\n"
        "from millstream.streams.cli import COMMANDS\n"
        "for name in COMMANDS:\n"
        "    command = import_module(f'millstream.streams.cli.{name}').command\n"
        "    assert 'Example' in (command.help or ''), name\n"
    )
    run(installed, "python", "-c", script)


def test_the_installed_package_finds_its_pom(installed: Path) -> None:
    script = (
        "from importlib.resources import files\n"
        "print(files('millstream.streams').joinpath('resources/kafka-pom.xml').read_text())\n"
    )
    assert "kafka_2.13" in run(installed, "python", "-c", script)
