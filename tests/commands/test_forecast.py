"""What `forecast` shows, as its words and its options say."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import click
import pytest

from schedsync.planning.snapshot import Snapshot, snapshot_from
from schedsync.schemas.validator import FORECAST, SNAPSHOT, problems
from tests.commands.test_terminal import on_terminal, schedsync
from tests.conftest import NOW, Project

SCHEDULES = """\
  heartbeat: {task: t, every: 5s, expires_after: 5s}
  nightly: {task: t, crontab: "30 2 * * *", timezone: Europe/Berlin}
  sync-a: {task: t, crontab: "8,38 * * * *", timezone: Europe/Berlin}
  sync-b: {task: t, crontab: "8,38 * * * *", timezone: Europe/Berlin}
  sync-c: {task: t, crontab: "8,38 * * * *", timezone: Europe/Berlin}
  off: {task: t, crontab: "0 4 * * *", timezone: Europe/Berlin, enabled: false, disabled_reason: broken}
"""
RUN = re.compile(r"  \w{3} \d\d? \w{3} \d\d:\d\d(:\d\d)?  ")


@pytest.fixture
def shop(files: Project, clock: Any) -> Project:
    files.schedules(SCHEDULES)
    return files


def lines_of(project: Project, *words: str) -> list[str]:
    done = project.command("forecast", *words)
    assert (done.code, done.err) == (0, ""), done
    return list(done.out.splitlines())


def test_all_schedules_are_a_table_with_the_load_below(shop: Project) -> None:
    assert lines_of(shop) == [
        "name       timing                 runs          next two, Europe/Berlin",
        "heartbeat  every 5s               17,280 a day  from its last run",
        "nightly    daily 02:30            1 a day       Tue 24 Nov 02:30 · Wed 25 Nov 02:30",
        "off        daily 04:00            disabled      no run: broken",
        "sync-a     every hour at :08 :38  48 a day      Mon 23 Nov 11:08 · 11:38",
        "sync-b     every hour at :08 :38  48 a day      Mon 23 Nov 11:08 · 11:38",
        "sync-c     every hour at :08 :38  48 a day      Mon 23 Nov 11:08 · 11:38",
        "",
        "Load: about 145 starts a day, at most 3 a minute; and 12 a minute, steadily: heartbeat",
        "  3 start together every hour at :08 :38 Europe/Berlin: sync-a, sync-b, sync-c",
        "(--map draws the week)",
    ]


def test_a_named_schedule_shows_ten_runs_and_several_a_table(shop: Project) -> None:
    nightly = lines_of(shop, "nightly")
    two = lines_of(shop, "nightly", "sync-a")
    many = lines_of(shop, "sync-*", "nightly")

    assert nightly[:3] == [
        "nightly  daily 02:30 Europe/Berlin, 1 a day",
        "  Europe/Berlin     UTC",
        "  Tue 24 Nov 02:30  Tue 24 Nov 01:30",
    ]
    assert len([line for line in nightly if RUN.match(line)]) == 10
    assert len([line for line in two if RUN.match(line)]) == 20
    assert many[0].split() == ["name", "timing", "runs", "next", "two,", "Europe/Berlin"]


def test_count_and_until_list_the_runs_of_every_schedule(shop: Project) -> None:
    assert len([line for line in lines_of(shop, "--count", "3") if RUN.match(f"{line}  ")]) == 5 * 3
    assert len([line for line in lines_of(shop, "--until", "1d", "--name", "sync-*") if RUN.match(line)]) == 3 * 48


def test_the_map_is_drawn_where_it_is_asked_for(shop: Project) -> None:
    plain, drawn = lines_of(shop), lines_of(shop, "--map")

    assert not [line for line in plain if line.endswith("UTC")]
    assert [line for line in drawn if line.endswith("UTC")] == [
        "Worst minute of each hour, UTC",
        "Starts in each minute of Tue 24 Nov, UTC",
    ]
    assert "(--map draws the week)" not in drawn


@pytest.mark.parametrize(
    "words", [("--format", "json"), ("--format", "svg"), ("--compare", "settings"), ("--timeline",)]
)
def test_only_a_text_has_a_map(shop: Project, words: tuple[str, ...]) -> None:
    done = shop.command("forecast", "--map", *words)

    assert done.code == 64
    assert "`--map` belongs to the text of a forecast" in done.out + done.err


def test_the_timeline_has_a_line_for_each_definition(shop: Project) -> None:
    lines = lines_of(shop, "--timeline")

    assert lines[0] == "24 hours from Mon 23 Nov 11:00, Europe/Berlin"
    assert lines[2] == "without a queue: 5 schedules, 17,424 runs, at most 15 a minute (11:08)"
    assert [line.split()[0] for line in lines[4:9]] == ["heartbeat", "sync-a", "sync-b", "sync-c", "nightly"]
    assert lines[-2:] == [
        "1 schedule does not run in this time",
        "how long runs take is not in the files: each is drawn as a point",
    ]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--count", "3"), "takes neither `--compare` nor `--count`"),
        (("--compare", "settings"), "takes neither `--compare` nor `--count`"),
        (("--until", "32d"), "a timeline has at most 31 days"),
        (("--until", "0s"), "a timeline needs some time"),
    ],
)
def test_a_timeline_that_cannot_be_drawn_is_wrong_usage(shop: Project, words: tuple[str, ...], message: str) -> None:
    done = shop.command("forecast", "--timeline", *words)

    assert done.code == 64
    assert message in done.err


def test_all_formats_have_the_timeline(shop: Project) -> None:
    asked = ("forecast", "--timeline", "--from", "2026-11-23T10:00:00Z")
    document = json.loads(shop.command(*asked, "--format", "json").out)
    queue = document["timeline"]["queues"][0]
    nightly = next(lane for lane in queue["lanes"] if lane["name"] == "nightly")

    assert list(problems(document, FORECAST)) == []
    assert (document["timeline"]["until"], document["timeline"]["idle"]) == ("2026-11-24T10:00:00Z", 1)
    assert nightly["runs"] == [{"first": "2026-11-24T01:30:00Z", "last": "2026-11-24T01:30:00Z", "starts": 1}]
    assert 'class="timeline"' in shop.command(*asked, "--format", "svg").out
    assert 'class="timeline"' in shop.command(*asked, "--format", "html").out


def test_a_snapshot_tells_how_long_runs_take(shop: Project) -> None:
    taken = Snapshot("default", NOW, durations={"nightly": 5430.4, "gone": 1.0})
    document = taken.document()
    shop.write(json.dumps(document), "snapshot.json")
    lines = lines_of(shop, "--timeline", "--against", "snapshot.json")

    assert list(problems(document, SNAPSHOT)) == []
    assert snapshot_from(document).durations == taken.durations
    assert "02:30, 1h 30m each" in next(line for line in lines if line.strip().startswith("nightly"))
    assert lines[-1] == "1 schedule does not run in this time"


def test_runs_that_are_cut_say_so(shop: Project) -> None:
    cut = lines_of(shop, "heartbeat", "--until", "7d")
    whole = lines_of(shop, "nightly", "--until", "7d")

    assert len([line for line in cut if RUN.match(f"{line}  ")]) == 10_000
    assert "  and more until Mon 30 Nov 10:00 UTC" in cut
    assert not any("and more" in line for line in whole)
    assert not any("and more" in line for line in lines_of(shop, "nightly", "--count", "3"))


def test_of_many_schedules_some_are_shown(files: Project, clock: Any) -> None:
    files.schedules("  'sync-{n}': {task: t, crontab: '0 2 * * *', for_each: {n: " + str(list(range(60))) + "}}\n")
    some, every, named = (lines_of(files, *words) for words in ((), ("--verbose",), ("sync-*",)))

    assert [len([line for line in lines if line.startswith("sync-")]) for lines in (some, every, named)] == [50, 60, 60]
    assert "and 10 more schedules (name some, such as `'sync-*'`, or list all: --verbose)" in some
    assert "Load: about 60 starts a day, at most 60 a minute" in some


def test_a_file_gets_the_table_at_any_width(shop: Project) -> None:
    shop.command("forecast", "--out", "forecast.txt")

    assert Path("forecast.txt").read_text(encoding="utf-8").splitlines() == lines_of(shop)


@pytest.mark.parametrize(("width", "head"), [(100, "name "), (60, "Next two runs, Europe/Berlin")])
def test_a_terminal_gets_what_fits_its_width(files: Project, width: int, head: str) -> None:
    files.schedules(SCHEDULES)
    shown = click.unstyle(on_terminal(schedsync("forecast", "schedules"), width)).splitlines()

    assert shown[0].startswith(head)
    assert max(map(len, shown)) <= width


def test_a_name_with_a_slash_is_no_path_unless_there_is_one(files: Project, clock: Any) -> None:
    files.schedules('  team/nightly: {task: t, crontab: "0 2 * * *"}\n  other: {task: t, every: 1h}\n')

    assert lines_of(files, "team/nightly")[0].startswith("team/nightly")
    assert files.command("forecast", "./team/nightly").code == 64
