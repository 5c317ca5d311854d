"""Maps of the load: which numbers and shades they show, and that nothing steady hides a peak."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime, timedelta
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schedsync.calendar.load import Load, load_of
from schedsync.calendar.stock_beat import slots
from schedsync.calendar.window import week_of
from schedsync.core.location import Location
from schedsync.core.schedule import Schedule, Spec
from schedsync.core.timing import Timing, crontab, interval
from schedsync.render.load import maps
from schedsync.render.load.maps import Scale
from schedsync.render.page import load as page_load
from schedsync.render.page import svg
from tests.conftest import NOW

SVG = "{http://www.w3.org/2000/svg}"
HEARTBEAT = interval(5, 10**6)


def cron(minute: str, hour: str = "*") -> Timing:
    return crontab({"minute": minute, "hour": hour}, "UTC")


def load(*timings: Timing, since: datetime = NOW) -> Load:
    schedules = [Schedule(f"s{n}", Spec("t", timing), Location("a.yaml", n, 1)) for n, timing in enumerate(timings, 1)]
    return load_of(schedules, week_of(since), slots)


def values(picture: maps.Picture, day: int) -> list[int | None]:
    return [cell.value for cell in picture.rows[day][1]]


def test_a_heartbeat_is_said_in_words_and_hides_no_peak() -> None:
    value = load(HEARTBEAT, cron("0", "3"), cron("0", "3"))

    assert values(maps.week(value), 1) == [0, 0, 0, 2, *[0] * 20]
    assert maps.steady_text(value) == "and 12 a minute, steadily: s1"
    assert maps.steady_text(load(cron("0"))) == ""
    assert maps.worst_day(value).most == 2


def test_of_equally_bad_days_a_whole_one_is_shown() -> None:
    since = NOW + timedelta(minutes=5)
    everywhere, at_the_beginning = (
        maps.worst_day(load(*timings, since=since))
        for timings in (
            (cron("0", "12"), cron("0", "12")),
            (cron("0", "12"), crontab({"minute": "0", "hour": "12", "day_of_week": "mon"}, "UTC")),
        )
    )

    assert everywhere.title == "Starts in each minute of Tue 24 Nov, UTC"
    assert {cell.value is None for cell in everywhere.cells} == {False}
    assert at_the_beginning.title == "Starts in each minute of Mon 23 Nov, UTC"


def test_a_map_has_whole_days_and_marks_what_is_outside() -> None:
    week = maps.week(load(cron("*/10"), since=NOW + timedelta(minutes=5)))

    assert [label for label, _ in week.rows[:2]] == ["Mon 23 Nov", "Tue 24 Nov"]
    assert {len(cells) for _, cells in week.rows} == {24}
    assert values(week, 0) == [*[None] * 10, *[1] * 14]
    assert values(week, 7) == [*[1] * 11, *[None] * 13]
    assert week.rows[0][1][9].words == "Mon 23 Nov 09:00 UTC: outside of the week"
    assert week.rows[0][1][10].words == "Mon 23 Nov 10:00 UTC: 5 starts, 1 in the worst minute"


@given(st.integers(1, 3000), st.integers(1, 9))
def test_the_ranges_of_a_legend_are_all_numbers_up_to_the_largest(most: int, shades: int) -> None:
    found = maps.ranges(most, shades)

    assert [number for _, low, high in found for number in range(low, high + 1)] == list(range(1, most + 1))
    for shade, low, high in found:
        assert {maps.shade_of(number, most, shades) for number in (low, high)} == {shade}


def test_two_weeks_of_one_scale_have_one_legend() -> None:
    before, after = maps.week(load(cron("0"))), maps.week(load(*[cron("0")] * 12))
    legend = Scale.of(before, after).legend(before, after)

    assert [entry.words for entry in legend] == [
        "none", "1 to 3", "4 to 5", "6 to 8", "9 to 10", "11 to 12", "outside of the week",
    ]  # fmt: skip


def test_a_difference_says_where_the_load_rises_falls_or_moves() -> None:
    before, after = (
        load(cron("0", "2"), cron("0", "5"), cron("7", "9")),
        load(cron("0", "3"), cron("30", "5"), cron("7", "9")),
    )
    picture = maps.difference(before, after)
    cells = picture.rows[1][1]
    scale = Scale.of(picture)

    assert [cells[hour].value for hour in (2, 3, 5, 9)] == [-1, 1, 0, 0]
    assert [scale.css(cells[hour]) for hour in (2, 3, 5, 9)] == ["f1", "r1", "moved", "s0"]
    assert cells[3].words == "Tue 24 Nov 03:00 UTC: 0 → 1 start, worst minute 0 → 1"
    assert [entry.words for entry in scale.legend(picture)] == [
        "−1", "no change", "+1", "other minutes of the hour", "outside of the week",
    ]  # fmt: skip
    assert maps.differs(before, after)
    assert not maps.differs(before, before)


def test_load_in_unknown_minutes_or_other_queues_is_a_difference_that_no_map_shows() -> None:
    before, unknown = load(cron("0")), load(cron("0"), interval(5, 60 * 10**6))
    for after in (unknown, replace(before, queues={"fast": before.total})):
        assert maps.differs(before, after)
        assert not maps.maps_differ(before, after)
        section = page_load.before_and_after(before, after)
        assert section.maps == []
        assert section.sentences[0] == "The maps stay as they are: each known minute has as many starts as before."
    assert page_load.before_and_after(before, unknown).sentences[1:] == [
        "After: The maps leave out about 288 starts a day of s2: only the last runs decide their minutes."
    ]


def test_load_in_unknown_minutes_is_a_part_of_all_starts() -> None:
    assert page_load.of_a_week(load(interval(5, 60 * 10**6))).sentences == [
        "Load: about 288 starts a day.",
        "Of these, about 288 starts a day of s1 are in no map: only the last runs decide their minutes.",
    ]


def test_steady_load_that_grows_is_a_difference() -> None:
    assert maps.differs(load(cron("0")), load(cron("0"), HEARTBEAT))


def test_a_picture_alone_has_a_ground_a_title_and_a_legend_within_it() -> None:
    value = load(HEARTBEAT, *[cron("0")] * 300)
    picture = maps.week(value)
    root = ElementTree.fromstring(svg.alone(picture, maps.steady_text(value)))
    width, height = (float(root.attrib[side]) for side in ("width", "height"))
    texts = [element for element in root.iter(f"{SVG}text") if element.text]
    said = [element.text for element in texts]

    assert root.find(f"{SVG}rect").attrib == {"class": "ground", "width": "100%", "height": "100%"}  # type: ignore[union-attr]
    assert {"and 12 a minute, steadily: s1", "241 to 300", "outside of the week", "starts per minute"} <= set(said)
    assert root.attrib["aria-label"].startswith("Worst minute of each hour, UTC. ")
    assert all(float(text.attrib["x"]) < width - 20 for text in texts if "to" in str(text.text))
    assert all(float(text.attrib["y"]) < height for text in texts)
    assert "prefers-color-scheme: dark" in svg.alone(picture)


def test_a_cell_has_its_number_where_it_fits_and_always_its_words() -> None:
    few, many = (svg.within_a_page(maps.week(load(*[cron("0")] * count))) for count in (7, 1200))

    assert few.count('pointer-events="none">7</text>') == 7 * 24
    assert "pointer-events" not in many
    assert many.count("1,200 starts, 1,200 in the worst minute</title></rect>") == 7 * 24
    assert re.search(r'<rect class="out"[^>]*><title>Mon 23 Nov 00:00 UTC: outside of the week</title>', few)


def test_a_map_of_nothing_is_a_map() -> None:
    value = load()
    picture = maps.week(value)

    assert [entry.words for entry in Scale.of(picture).legend(picture)] == ["none", "outside of the week"]
    assert "No start" in svg.within_a_page(picture)
    assert maps.difference(value, value).most == 0


@pytest.mark.parametrize(("dark", "ground"), [(False, "#ffffff"), (True, "#0d1117")])
def test_numbers_can_be_read_in_their_cells(dark: bool, ground: str) -> None:
    """By the contrast that WCAG asks of text, and each shade differs from the ground or has a number in it."""
    colours = svg.DARK if dark else svg.LIGHT
    for css, (fill, ink) in colours.items():
        assert contrast(fill, ink) >= 4.5, (css, contrast(fill, ink))
    assert contrast(ground, svg.GROUND[dark][1]) >= 4.5


def contrast(one: str, other: str) -> float:
    bright, dim = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_a_picture_alone_breaks_its_notes_into_lines_within_it() -> None:
    notes = [f"and 12 a minute, steadily: {', '.join(f'heartbeat-of-a-tenant-{n}' for n in range(12))}", "2 starts <a>"]
    root = ElementTree.fromstring(svg.alone(maps.week(load()), *notes))
    width, rows = float(root.attrib["width"]), [each for each in root.findall(f"{SVG}text") if each.text]
    group = root.find(f"{SVG}g")
    said = [(float(each.attrib["y"]), str(each.text)) for each in rows if float(each.attrib["y"]) < 200][1:]

    assert " ".join(words for _, words in said) == " ".join(notes)
    assert len(said) > 2
    assert len({y for y, _ in said}) == len(said)
    assert max(len(words) for _, words in said) * 6.6 <= width - 20
    assert group is not None
    assert group.attrib["transform"] == f"translate(0 {22 * (len(said) + 1)})"
    assert root.attrib["aria-label"].endswith(". No start. " + ". ".join(notes))
