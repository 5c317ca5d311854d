"""The pictures of the documentation show what the commands print today."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.pictures.shop import COLUMNS, PICTURES, ROOT, pictures
from tests.pictures.svg import svg, words_of

FILES = sorted(PICTURES.glob("*.svg"))
#: The others are the plots of the benchmarks, which `make benchmark` draws.
OF_TERMINALS = [file for file in FILES if not file.name.startswith("benchmark-")]


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return pictures(tmp_path_factory.mktemp("pictures"))


def test_the_pictures_are_those_that_make_draws(shown: dict[str, str]) -> None:
    assert [file.stem for file in OF_TERMINALS] == sorted(shown)


@pytest.mark.parametrize("file", OF_TERMINALS, ids=lambda file: file.name)
def test_a_picture_shows_what_its_command_prints(file: Path, shown: dict[str, str]) -> None:
    today = words_of(svg(file.stem, shown[file.stem], COLUMNS))

    assert today == words_of(file.read_text(encoding="utf-8")), "the output has changed: run `make pictures`"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_picture_asks_the_net_for_nothing(file: Path) -> None:
    text = file.read_text(encoding="utf-8")

    assert re.findall(r"href|src|url\((?!#)|@font-face|@import|<script|<image|<foreignObject", text) == []


def brightness(colour: str) -> float:
    """Return the relative luminance of a colour, as WCAG defines it."""
    parts = (int(colour[index : index + 2], 16) / 255 for index in (1, 3, 5))
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("file", OF_TERMINALS, ids=lambda file: file.name)
def test_all_text_of_a_picture_can_be_read_on_its_background(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    background = re.search(r'<rect fill="(#\w{6})"', text)
    assert background
    dark = brightness(background[1])
    ratios = {colour: (brightness(colour) + 0.05) / (dark + 0.05) for colour in re.findall(r"fill: (#\w{6})", text)}

    assert {colour: ratio for colour, ratio in ratios.items() if ratio < 4.5} == {}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_picture_is_on_a_page_with_words_for_those_who_cannot_see_it(file: Path) -> None:
    pages = [ROOT / "README.md", *ROOT.glob("docs/**/*.md")]
    alts = [alt for page in pages for alt in re.findall(rf"!\[(.*?)\]\([^)]*{file.name}\)", page.read_text())]

    assert alts
    assert min(len(alt.split()) for alt in alts) >= 5


def test_a_picture_has_the_text_and_the_colours_of_the_terminal() -> None:
    picture = svg("x", "$ do <it>\n\n  \x1b[31mred\x1b[0m  and  plain\n", 40)

    assert words_of(picture) == ["$ do <it>", "red and plain"]
    assert len(set(re.findall(r"fill: (#\w+)", picture))) == 2
    assert "<title>do &lt;it&gt;</title>" in picture
