"""What is installed is what was tested: nothing of the package is missing from the wheel."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_the_wheel_holds_the_whole_package_and_the_schemas(tmp_path: Path) -> None:
    if not (ROOT / "schedsync").is_dir():
        pytest.skip("the package is installed, not checked out")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(tmp_path), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        held = set(wheel.namelist())
    package = {path.relative_to(ROOT).as_posix() for path in (ROOT / "schedsync").rglob("*.py")}

    assert package <= held
    assert {
        "schedsync/py.typed",
        *(f"schedsync/schemas/{path.name}" for path in (ROOT / "schemas").glob("*.json")),
        *(f"schedsync/templates/{path.name}" for path in (ROOT / "schedsync/templates").glob("*.html")),
    } <= held
    assert not any(name.startswith(("tests/", "examples/")) for name in held)
