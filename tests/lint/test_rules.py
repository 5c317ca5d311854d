"""Every rule finds something in its bad example, and nothing in its good one; its page says what it says itself."""

from __future__ import annotations

import json
import re
import textwrap
from datetime import timedelta
from pathlib import Path

import pytest

from schedsync.config import read_config
from schedsync.core.application import Application, Task, TaskParameter
from schedsync.core.finding import CODES, Finding
from schedsync.files.schedule_set import read_set, resolve_set
from schedsync.lint import RULES, explained, lint
from schedsync.lint.rule import Context, Options
from tests.conftest import NOW, Project

PAGES = Path(__file__).parents[2] / "docs/reference/rules"
KIND = TaskParameter("kind", "positional_or_keyword", False)
APPLICATION = Application(
    tasks={"shop.tasks.report": Task((KIND,)), "shop.tasks.slow": Task((), time_limit=600)},
    queues=("celery", "reports"),
)


def found(files: Project, schedules: str, options: Options | None = None, *, known: bool = False) -> list[Finding]:
    files.schedules(textwrap.indent(schedules.strip(), "  ") + "\n")
    reading = read_set(read_config("schedules"))
    desired, wrong = resolve_set(reading, None)
    assert wrong == []
    context = Context(tuple(desired.schedules.values()), NOW, options or Options(), APPLICATION if known else None)
    return lint(context, reading.ignores)


@pytest.mark.parametrize("code", RULES)
def test_a_rule_finds_its_bad_example_and_not_its_good_one(files: Project, code: str) -> None:
    options, known = Options(select=(code,)), RULES[code].needs_application
    bad = found(files, RULES[code].bad, options, known=known)
    good = found(files, RULES[code].good, options, known=known)

    assert {one.code for one in bad} == {code}
    assert good == []


@pytest.mark.parametrize("code", RULES)
def test_a_good_example_offends_no_other_rule(files: Project, code: str) -> None:
    assert [one for one in found(files, RULES[code].good) if one.severity != "info"] == []


@pytest.mark.parametrize("code", RULES)
def test_a_rule_has_its_page(code: str) -> None:
    page = PAGES / f"{code}.md"

    assert page.read_text() == "\n".join(explained(RULES[code])) + "\n", (
        f"schedsync rules {code} --format markdown > {page}"
    )
    assert CODES[code] == RULES[code].summary


CASES: list[tuple[str, str, list[str]]] = [
    ("several runs in the gap", 'a: {task: t, crontab: "15,45 2 * * *", timezone: Europe/Berlin}',
     ["SS201 2027-03-28 02:15 to 02:45 does not exist in Europe/Berlin: it runs at 03:15, the others are skipped",
      "SS202 2027-10-31 02:00 to 03:00 occurs twice in Europe/Berlin: nothing runs the second time"]),
    ("an hourly crontab loses nothing", 'a: {task: t, crontab: "0 * * * *", timezone: Europe/Berlin}',
     ["SS202 2027-10-31 02:00 to 03:00 occurs twice in Europe/Berlin: nothing runs the second time"]),
    ("only on Mondays", 'a: {task: t, crontab: "30 2 * * mon", timezone: Europe/Berlin}', []),
    ("the gap of a half hour", 'a: {task: t, crontab: "15 2 * * *", timezone: Australia/Lord_Howe}',
     ["SS201 2027-10-03 02:15 does not exist in Australia/Lord_Howe: it runs at 02:45"]),
    ("minutes that don't divide", 'a: {task: t, crontab: "*/7 * * * *"}',
     ["SS204 every 7 minutes does not divide the hour: the last step lasts 4"]),
    *((text, f"a: {{task: t, crontab: {text}}}", [f"SS204 {message}"]) for text, message in (
        ('"*/40 * * * *"', "every 40 minutes does not divide the hour: the last step lasts 20"),
        ('"*/45 * * * *"', "every 45 minutes does not divide the hour: the last step lasts 15"),
        ('"0 */13 * * *"', "every 13 hours does not divide the day: the last step lasts 11"),
        ('"0 9 */2 * *"', "every 2 days starts again on day 1 of each month: the last step lasts 1 to 2"),
        ('"0 9 */5 * *"', "every 5 days starts again on day 1 of each month: the last step lasts 1 to 5"),
        ('"0 9 1 */5 *"', "every 5 months does not divide the year: the last step lasts 2"),
        ('"0 9 1 */7 *"', "every 7 months does not divide the year: the last step lasts 5"),
        ('"0 9 * * */2"', "every 2 days does not divide the week: the last step lasts 1"),
        ('"0 9 * * */4"', "every 4 days does not divide the week: the last step lasts 3"),
        ('"H/7 9-17 * * *"', "every 7 minutes does not divide the hour: the last step lasts 11"),
        ('"0 H/5 * * *"', "every 5 hours does not divide the day: the last step lasts 9"),
        ('"0 H/20 * * *"', "every 20 hours does not divide the day: the last step lasts 24"),
        ('"0 9 */30 * *"', "every 30 days starts again on day 1 of each month: the last step lasts 1 to 30"),
        ('"0 9 H/9 * *"', "every 9 days starts again on day 4 of each month: the last step lasts 10 to 13"),
        ('{minute: "*/7"}', "every 7 minutes does not divide the hour: the last step lasts 4"),
        ('{minute: 0, hour: 9, day_of_week: "*/3"}', "every 3 days does not divide the week: the last step lasts 1"),
    )),
    *((text, f'a: {{task: t, crontab: "{text}"}}', []) for text in (
        "0,40 * * * *", "*/20 * * * *", "H/15 * * * *", "0 8-18/3 * * *", "5-59/9 * * * *", "0 9 1 */4 *",
        "0 9 * * 1,3,5", "0 9 1-31/1 * *", "0 9 */1 * */1", "@hourly", "0 6,13,20 * * *", "H(0-29)/7 * * * *",
    )),
    *((f"days {days}", f'a: {{task: t, crontab: "0 9 {days} *"}}', [f"SS225 {message}"]) for days, message in (
        ("31 *", "day 31 does not exist in February, April, June, September and November: nothing runs for it then"),
        ("15,30 *", "day 30 does not exist in February: nothing runs for it then"),
        ("30,31 *", "day 30 does not exist in February: nothing runs for it then"),
        ("31 1-4", "day 31 does not exist in February and April: nothing runs for it then"),
        ("29-31 *", "day 29 exists in February only in leap years"),
        ("29 feb", "day 29 exists in February only in leap years"),
        ("28,31 6,9,12", "day 31 does not exist in June and September: nothing runs for it then"),
    )),
    *((f"days {days}", f'a: {{task: t, crontab: "0 9 {days}"}}', []) for days in (
        "28-31 * *", "20-31 * *",  "31 1,3,5,7,8,10,12 *", "29,30 3-12 *", "1,15,28 * *", "H * *", "29-31 * mon",
    )),
    *((f"{days} on a weekday", f'a: {{task: t, crontab: "0 9 {days} * {weekday}"}}', [])
      for days, weekday in (("1-7", "mon"), ("8-14", "tue"), ("25-31", "fri"), ("1-3", "mon-fri"), ("7,1-6", "1,2"))),
    *((f"{days} and a weekday", f'a: {{task: t, crontab: "0 9 {days} * {weekday}"}}',
       [f"SS203 day of month `{days}` and day of week `{number}` must both match"])
      for days, weekday, number in (("1", "mon", "1"), ("1-8", "mon", "1"), ("1,3", "fri", "5"), ("1,15", "sun", "0"))),
    ("an interval in microseconds", "a: {task: t, every: 250us, expires_after: 1s}",
     ["SS205 every 250us: Beat cannot send that often, only a few thousand messages a second at most"]),
    *((f"{task} skips its next run", f"a: {{task: {task}, every: {every}, overlap: skip, max_runtime: 20m}}",
       ["SS221 stock Beat does not know `overlap`: it works only with `schedsync.beat:Scheduler`"])
      for task, every in (("t", "10s"), ("shop.tasks.slow", "5m"))),
    ("an expiry between two intervals", "a: {task: t, every: 1500000us, expires_after: 2s}",
     ["SS208 `expires_after: 2s` is longer than the 1.5s to the next run"]),
    ("faster than the limit", "a: {task: shop.tasks.slow, every: 5m}",
     ["SS205 starts every 300 s, but its time limit lets a run take 600 s"]),
    ("a quick interval", "a: {task: t, every: 10s}",
     ["SS207 every 10s without `expires_after`: an hour without workers leaves 360 messages"]),
    *((text, f'a: {{task: t, crontab: "{text}"}}',
       ["SS207 every 1m without `expires_after`: an hour without workers leaves 60 messages"])
      for text in ("* * * * *", "* 9-17 * * mon-fri", "*/1 * * * *")),
    *((text, f'a: {{task: t, crontab: "* * * * *", {text}}}', [])
      for text in ("expires_after: 1m", "expires_at: 2099-01-01T00:00:00Z", "enabled: false, disabled_reason: r")),
    ("every other minute", 'a: {task: t, crontab: "*/2 * * * *"}', []),
    ("an open minute is SS223's alone", 'a: {task: t, crontab: "* 9 * * *"}',
     ["SS223 runs 60 times a day: its minute is left open"]),
    ("a late expiry on weekdays", 'a: {task: t, crontab: "0 9 * * mon-fri", expires_after: 2d}',
     ["SS208 `expires_after: 2d` is longer than the 1d to the next run"]),
    ("an end before its instant", "a: {task: t, at: 2030-01-02T00:00:00Z, expires_at: 2030-01-01T00:00:00Z}",
     ["SS210 it ends at 2030-01-01T00:00:00Z, before its instant 2030-01-02T00:00:00Z: it never runs"]),
    ("a start after its instant", "a: {task: t, at: 2030-01-02T00:00:00Z, start_at: 2030-01-03T00:00:00Z}",
     ["SS210 it starts at 2030-01-03T00:00:00Z, after its instant 2030-01-02T00:00:00Z: it runs at the start"]),
    ("an end that has passed", "a: {task: t, every: 1h, expires_at: 2020-01-01T00:00:00Z}",
     ["SS211 `expires_at` has passed: 2020-01-01T00:00:00Z"]),
    ("secrets", 'a: {task: t, every: 1h, args: ["postgres://me:pw@db/x"], kwargs: {d: {password: x}, token_name: y}}',
     ["SS212 `[0]` looks like a secret", "SS212 `d.password` looks like a secret"]),
    ("a secret header", "a: {task: t, every: 1h, headers: {Authorization: z}}",
     ["SS212 `Authorization` looks like a secret"]),
    ("the protocol's own headers", "a: {task: t, every: 1h, headers: {id: x, tenant: y}}",
     ["SS217 header `id` replaces Celery's own, which workers need"]),
    ("a zone that moved", 'a: {task: t, crontab: "0 12 * * *", timezone: Antarctica/Casey}',
     ["SS218 django-celery-beat loads it up to 19 h late in Antarctica/Casey"]),
    ("too many arguments", "a: {task: shop.tasks.report, every: 1h, args: [1, 2]}",
     ["SS220 the arguments don't fit the task: too many positional arguments"]),
    ("an unknown argument", "a: {task: shop.tasks.report, every: 1h, kwargs: {kin: 1}}",
     ["SS220 the task takes no argument `kin`"]),
]  # fmt: skip


@pytest.mark.parametrize(("schedules", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_what_is_found_is_said_in_words(files: Project, schedules: str, expected: list[str]) -> None:
    known = "shop.tasks" in schedules

    assert [f"{one.code} {one.message}" for one in found(files, schedules, known=known)] == expected


@pytest.mark.parametrize("timing", [
    "every: 250us", "every: 999999us", "every: 1s", "every: 1500000us", "every: 2s", "every: 59s", "every: 1m",
    "every: 1h", 'crontab: "* * * * *"', 'crontab: "*/7 * * * *"', 'crontab: "0 0 29 2 *"',
    "solar: {event: sunset, latitude: 52, longitude: 13}",
])  # fmt: skip
@pytest.mark.parametrize("expiry", ["", ", expires_after: 1s", ", expires_after: 2s", ", expires_after: 100d"])
@pytest.mark.parametrize("waits", [{}, {"*": 60}])
def test_the_expiry_that_a_hint_proposes_is_right(
    files: Project, timing: str, expiry: str, waits: dict[str, int]
) -> None:
    options = Options(select=("SS207", "SS208", "SS226"), queue_waits=waits)
    findings = found(files, f"a: {{task: t, {timing}{expiry}}}", options)
    proposals = re.findall(r"`(expires_after: \w+)`", " ".join(str(one.hint) for one in findings))
    for proposal in proposals:
        left = found(files, f"a: {{task: t, {timing}, {proposal}}}", options)
        # Where messages wait longer than the time to the next run, no expiry is right.
        assert [one.code for one in left if "add workers" not in str(one.hint)] == []
    assert bool(proposals) == any("add workers" not in str(one.hint) for one in findings)


WAITS = {"reports": 600, "*": 30}


@pytest.mark.parametrize(
    ("schedule", "waits", "message", "hint"),
    [
        ("every: 1h, expires_after: 4s", {}, "4s` is shorter than the 5s that a message may wait in its queue",
         "`expires_after: 5s` or more"),
        ("every: 1h, expires_after: 5s", {}, None, None),
        ("every: 4s, expires_after: 4s", {}, None, None),
        ("every: 1h, expires_after: 2s", {"*": 0}, None, None),
        ("every: 1h, expires_after: 9m, queue: reports", WAITS,
         "9m` is shorter than the 10m that a message may wait in queue `reports`", "`expires_after: 10m` or more"),
        ("every: 1h, expires_after: 10m, queue: reports", WAITS, None, None),
        ("every: 1m, expires_after: 1m, queue: reports", WAITS,
         "1m` is shorter than the 10m that a message may wait in queue `reports`", "run it less often, or add workers"),
        ("every: 1h, expires_after: 20s, queue: other", WAITS,
         "20s` is shorter than the 30s that a message may wait in queue `other`", "`expires_after: 30s` or more"),
        ("every: 1h, expires_after: 20s", WAITS,
         "20s` is shorter than the 30s that a message may wait in its queue", "`expires_after: 30s` or more"),
        ("every: 1h, expires_after: 3s, queue: other", {"reports": 600},
         "3s` is shorter than the 5s that a message may wait in queue `other`", "`expires_after: 5s` or more"),
        ("every: 1h, expires_after: 3s", {"*": 10**16},
         "3s` is shorter than the 10000000000000000s that a message may wait in its queue",
         "run it less often, or add workers"),
        ("at: 2099-01-01T00:00:00Z, expires_after: 3s", {},
         "3s` is shorter than the 5s that a message may wait in its queue", "`expires_after: 5s` or more"),
    ],
)  # fmt: skip
def test_an_expiry_is_compared_with_the_wait_of_its_queue(
    files: Project, schedule: str, waits: dict[str, int], message: str | None, hint: str | None
) -> None:
    findings = found(files, f"a: {{task: t, {schedule}}}", Options(select=("SS226",), queue_waits=waits))

    expected = [(f"`expires_after: {message}", hint)] if message else []
    assert [(one.message, one.hint) for one in findings] == expected


def test_a_herd_is_named_once_with_an_offset_that_stays(files: Project) -> None:
    herd = "\n".join(f'job-{n:02}: {{task: t, crontab: "0 3 * * *", args: [{n}]}}' for n in range(12))
    first = found(files, herd, Options(max_starts=10))
    again = found(files, herd, Options(max_starts=10))

    assert [one.message for one in first] == ["12 schedules start at Mon 03:00 UTC, more than 10"]
    assert first == again
    assert str(first[0].hint).startswith(
        "job-00, job-01, job-02 and 9 more; spread them: `H 3 * * *` puts this one at minute "
    )
    assert found(files, herd, Options(max_starts=12)) == []


def test_where_all_minutes_are_busy_nobody_is_a_herd(files: Project) -> None:
    busy = "\n".join(
        f'job-{n:02}: {{task: t, crontab: "* * * * *", expires_after: 1m, args: [{n}]}}' for n in range(40)
    )

    assert found(files, busy) == []


IGNORED = """
a:
  task: t
  crontab: "*/7 * * * *"  # schedsync: ignore[SS204]
b:  # schedsync: ignore[SS204, SS208]
  task: t
  crontab: "*/7 1 * * *"
  expires_after: 1h
# schedsync: ignore[SS204]
c: {task: t, crontab: "*/7 2 * * *"}
d: {task: t, crontab: "*/7 3 * * *", description: "# schedsync: ignored[SS204]"}
"""


def test_a_comment_passes_over_a_rule_at_its_line(files: Project) -> None:
    assert [(one.code, one.location and one.location.line) for one in found(files, IGNORED)] == [("SS204", 12)]


def test_a_comment_that_ignores_no_rule_is_named(files: Project) -> None:
    files.schedules("  a: {task: t, every: 1h}  # schedsync: ignore[SS999, SS101, SS20]\n")
    done = files.validate()

    assert [line.split("  SS112  ")[1] for line in done.out.splitlines() if "SS112" in line] == [
        "no rule `SS101` to ignore", "no rule `SS20` to ignore", "no rule `SS999` to ignore",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("configuration", "expected"),
    [
        ("", ["SS214 warning", "SS204 warning"]),
        ('[lint]\nignore = ["SS204"]\n', ["SS214 warning"]),
        ('[lint]\nselect = ["SS204"]\n', ["SS204 warning"]),
        ('[lint]\nselect = []\nextend_select = ["SS215"]\n', ["SS215 warning"]),
        ('[lint.severity]\nSS204 = "error"\nSS214 = "info"\n', ["SS214 info", "SS204 error"]),
    ],
)
def test_the_configuration_chooses_rules_and_severities(
    files: Project, configuration: str, expected: list[str]
) -> None:
    files.write(configuration, "schedsync.toml")
    files.schedules('  a: {task: t, enabled: false, crontab: "*/7 * * * *"}\n')
    done = files.command("validate", "--format", "json")
    said = [f"{one['code']} {one['severity']}" for one in json.loads(done.out)["findings"]]
    assert sorted(said) == sorted(expected)
    assert done.code == int(any("error" in one for one in expected))


@pytest.mark.parametrize(
    ("configuration", "message"),
    [
        ('[lint]\nselect = ["SS999"]\n', "`lint.select`: no rule `SS999`"),
        (
            '[lint]\nseverity = {SS204 = "fatal"}\n',
            "`lint.severity.SS204` takes one of error",
        ),
        ("[lint]\nmax_start = 3\n", "unknown key `lint.max_start`"),
        ("[lint]\nmax_starts = -3\n", "`lint.max_starts` must be at least 0"),
    ],
)
def test_a_wrong_configuration_of_rules_is_named(files: Project, configuration: str, message: str) -> None:
    files.write(configuration, "schedsync.toml")
    files.schedules("  a: {task: t, every: 1h}\n")
    done = files.command("validate")

    assert (done.code, message in done.err) == (1, True), done.err


def test_rules_are_listed_and_explained(files: Project) -> None:
    listed = files.command("rules")
    explained_one = files.command("rules", "ss206")
    unknown = files.command("rules", "SS299")

    assert [line.split()[0] for line in listed.out.splitlines()] == list(RULES)
    assert "SS215  owner-missing            off      a schedule without an `owner`\n" in listed.out
    assert explained_one.out.startswith("SS206  herd  warning\nMore than `max_starts` schedules that start")
    assert (unknown.code, "no rule `SS299`" in unknown.err) == (64, True)


def test_a_finding_that_is_no_rule_is_explained_too(files: Project) -> None:
    done = files.command("rules", "ss222")

    assert (done.code, done.out) == (
        0,
        "SS222\nA change after which a schedule runs at least ten times as often.\n"
        "This is no rule: neither a comment nor the configuration turns it off.\n",
    )


def test_the_next_change_of_the_clock_is_what_counts(files: Project) -> None:
    late = 'a: {task: t, crontab: "30 2 * * *", timezone: Europe/Berlin}'
    files.schedules(f"  {late}\n")
    reading = read_set(read_config("schedules"))
    desired, _ = resolve_set(reading, None)
    context = Context(tuple(desired.schedules.values()), NOW + timedelta(days=200), Options(select=("SS201",)))

    assert [one.message[:10] for one in lint(context, {})] == ["2028-03-26"]
