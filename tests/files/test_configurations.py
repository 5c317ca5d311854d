"""Which directories have a configuration: also one with an error, and directories that cannot be read."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from schedsync.errors import SchedsyncError
from schedsync.files.configurations import is_configuration, sets_below


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('[tool.schedsync]\nset = "a"\n', True),
        ('name = "x\n[tool.schedsync]\nset = "a"\n', True),
        ('[ tool . schedsync ]\nset = "a\n', True),
        ('[tool.schedsync.lint]\nignore = ["SS201"\n', True),
        ("[[tool.schedsync.safety.allow]]\nuntil =\n", True),
        ("[tool]\nschedsync = 1\n", True),
        ("name = {{ schedsync }}\n", False),
        ("[tool.schedsync-like]\nx = \n", False),
        ('[tool.poetry.dependencies]\nschedsync = "^1\n', False),
        ("[tool.other]\nname = 'schedsync'\n", False),
        ('dependencies = ["schedsync"\n', False),
    ],
)
def test_a_pyproject_with_our_table_configures_a_set_although_it_has_an_error(text: str, expected: bool) -> None:
    assert is_configuration("a/pyproject.toml", lambda: text.encode()) is expected


@pytest.fixture
def readable_by_all() -> Iterator[Path]:
    """A directory in which a user without rights may look around; pytest's own is closed to others."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        (Path(name) / "a").mkdir()
        (Path(name) / "a/schedsync.toml").write_text("")
        yield Path(name)
        for path in Path(name).rglob("*"):
            path.chmod(0o700)


def without_rights(function: Callable[[], object]) -> str:
    """Return what a function returns or raises in a process of a user without rights."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            if os.getuid() == 0:
                os.setuid(65534)
            os.write(write, str(function()).encode())
        except SchedsyncError as error:
            os.write(write, f"{error.exit_code} {error.message}".encode())
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read) as stream:
        said = stream.read()
    os.waitpid(child, 0)
    return said


@pytest.mark.parametrize("mode", [0o000, 0o444])
def test_a_directory_that_cannot_be_read_is_named(readable_by_all: Path, mode: int) -> None:
    data = readable_by_all / "pgdata"
    data.mkdir()
    (data / "pyproject.toml").write_text("")
    data.chmod(mode)
    said = without_rights(lambda: sets_below(readable_by_all))
    beside = without_rights(lambda: sets_below(readable_by_all / "a"))
    data.rename(readable_by_all / ".pgdata")
    hidden = without_rights(lambda: [str(path.relative_to(readable_by_all)) for path in sets_below(readable_by_all)])

    assert said.startswith(f"1 cannot read `{data}"), said
    assert said.endswith(", which may have a set: Permission denied")
    assert beside == str([readable_by_all / "a"])
    assert hidden == "['a']"


def test_a_configuration_that_cannot_be_read_is_named(readable_by_all: Path) -> None:
    (readable_by_all / "pyproject.toml").write_text("[tool.schedsync]\n")
    (readable_by_all / "pyproject.toml").chmod(0o000)

    assert without_rights(lambda: sets_below(readable_by_all)) == (
        f"1 cannot read `{readable_by_all}/pyproject.toml`, which may have a set: Permission denied"
    )
