"""Draws the pictures of the documentation: ``make pictures``."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.pictures.shop import COLUMNS, PICTURES, ROOT, pictures
from tests.pictures.svg import svg

if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as directory:
        for name, shown in pictures(Path(directory)).items():
            file = PICTURES / f"{name}.svg"
            file.parent.mkdir(exist_ok=True)
            file.write_text(svg(name, shown, COLUMNS), encoding="utf-8")
            print(f"wrote {file.relative_to(ROOT)}")
