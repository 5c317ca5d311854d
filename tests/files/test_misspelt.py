"""One mistake is said once, and a schedule with a mistake is still counted."""

from __future__ import annotations

import time

import pytest

from tests.conftest import Project


def found(files: Project, *words: str) -> list[str]:
    """Return place, code, message and hint of each finding, without those of the rules."""
    lines = [" ".join(line.split()) for line in files.validate(*words).out.splitlines() if "  SS2" not in line]
    return [line.removeprefix("schedules/shop.yaml:") for line in lines]


@pytest.mark.parametrize(
    ("fields", "lines"),
    [
        ("task: t, evry: 5m", ["3:16: error SS120 a: unknown key `evry`", "hint: did you mean `every`?"]),
        ("task: t, Every: 5m", ["3:16: error SS120 a: unknown key `Every`", "hint: did you mean `every`?"]),
        ("task: t, cron: '0 2 * * *'", ["3:16: error SS120 a: unknown key `cron`", "hint: did you mean `crontab`?"]),
        ("task: t, schedule: x", ["3:16: error SS120 a: unknown key `schedule`", "hint: did you mean `crontab`?"]),
        ("task: t, interval: x", ["3:16: error SS120 a: unknown key `interval`", "hint: did you mean `every`?"]),
        ("tsk: t, every: 5m", ["3:7: error SS120 a: unknown key `tsk`", "hint: did you mean `task`?"]),
        (
            "task: t, solar: {event: sunset, lat: 5, longitude: 5}",
            ["3:39: error SS120 a: unknown key `lat`", "hint: did you mean `latitude`?"],
        ),
        ("task: t, every: 5m, enabled: false, disabled_reasn: x", [
            "3:43: error SS120 a: unknown key `disabled_reasn`", "hint: did you mean `disabled_reason`?",
        ]),
        ("task: t, every: 5", [
            "3:23: error SS121 a: `every` takes text, not `5`", "hint: write `5s` for seconds, `5m` for minutes",
        ]),
        ("task: t, crontab: '0 2 * * *', timezone: Europe/Berln", [
            "3:48: error SS137 a: unknown time zone `Europe/Berln`", "hint: did you mean `Europe/Berlin`?",
        ]),
    ],
)  # fmt: skip
def test_a_misspelt_key_is_one_mistake(files: Project, fields: str, lines: list[str]) -> None:
    files.schedules(f"  a: {{{fields}}}\n")

    assert found(files) == lines
    assert files.validate().err == "1 error · 1 schedule in 1 file\n"


@pytest.mark.parametrize(
    ("fields", "codes"),
    [
        ("task: t, queu: reports", ["SS130", "SS120"]),
        ("queu: reports, every: 5m", ["SS122", "SS120"]),
        ("every: 5m", ["SS122"]),
        ("evry: 5m", ["SS122", "SS120"]),
        ("task: t, at: '2027-01-01T00:00:00Z', every: 5m, evry: 5m", ["SS130", "SS120"]),
    ],
)
def test_two_mistakes_are_two_findings(files: Project, fields: str, codes: list[str]) -> None:
    files.schedules(f"  a: {{{fields}}}\n")

    assert sorted(line.split()[2] for line in found(files) if "error" in line) == sorted(codes)


@pytest.mark.parametrize(
    ("key", "codes"),
    [("ownr: a", []), ("onwer: a", []), ("owners: a", []), ('owner: ""', ["SS215"]), ("own: 5", ["SS215"])],
)
def test_a_misspelt_owner_is_one_mistake(files: Project, key: str, codes: list[str]) -> None:
    files.write("[lint]\nselect = ['SS215']\n", "schedsync.toml")
    files.schedules(f"  a: {{task: t, every: 5m, {key}}}\n")

    assert [line.split()[2] for line in files.validate().out.splitlines() if "SS215" in line] == codes


@pytest.mark.parametrize(
    ("key", "codes"),
    [("disabled_reasn: x", []), ("disable_reason: x", []), ("reason: x", []), ('disabled_reason: ""', ["SS214"])],
)
def test_a_misspelt_reason_is_one_mistake(files: Project, key: str, codes: list[str]) -> None:
    files.schedules(f"  a: {{task: t, every: 5m, enabled: false, {key}}}\n")

    assert [line.split()[2] for line in files.validate().out.splitlines() if "SS214" in line] == codes


def test_a_misspelt_version_is_one_mistake(files: Project) -> None:
    files.write("verson: 1\nschedules:\n  a: {task: t, every: 5m}\n", "schedules/shop.yaml")

    assert found(files) == ["1:1: error SS120 unknown key `verson`", "hint: did you mean `version`?"]


def test_a_misspelt_key_behind_an_anchor_is_one_mistake_for_all(files: Project) -> None:
    files.write(
        "version: 1\nx-often: &often {evry: 5m}\nschedules:\n  a: {task: t, <<: *often}\n  b: {task: t, <<: *often}\n",
        "schedules/shop.yaml",
    )

    assert found(files) == ["2:18: error SS120 unknown key `evry`", "hint: did you mean `every`?"]
    assert files.validate().err == "1 error · 2 schedules in 1 file\n"


def test_a_misspelt_default_is_one_mistake_for_all(files: Project) -> None:
    files.write("version: 1\ndefaults: {evry: 5m}\nschedules:\n  a: {task: t}\n  b: {task: t}\n", "schedules/shop.yaml")

    assert found(files) == ["2:12: error SS120 unknown key `evry`", "hint: did you mean `every`?"]


def test_many_schedules_with_misspelt_keys_end_soon(files: Project) -> None:
    """Each key is another one: comparing all of them with the known keys would take a minute."""
    files.schedules("".join(f"  a{number}: {{task: t, evry{number}: 5m}}\n" for number in range(50_000)))
    begin = time.process_time()
    done = files.validate()

    assert done.err.endswith(" · 50,000 schedules in 1 file\n")
    assert "SS130" in done.out
    assert time.process_time() - begin < 40


def test_schedules_with_errors_are_counted(files: Project) -> None:
    files.write('environments = ["eu", "us"]\n', "schedsync.toml")
    files.schedules(
        "  good: {task: t, every: 1d}\n"
        "  text: t\n"
        "  nothing:\n"
        "  ' blank': {task: t, every: 1d}\n"
        "  timeless: {task: t}\n"
        "  only-in-us: {task: t, every: 1d, environments: {us: {every: 0s}}}\n"
        "  elsewhere: {task: t, only_in: [us]}\n"
        "  'each-{x}': {task: t, every: 1d, for_each: {x: [a, b, ' ']}}\n"
        "  'broken-{y}': {task: t, every: 1d, for_each: {x: [a, b]}}\n"
    )

    assert files.validate().err.endswith(" · 11 schedules in 1 file\n")
    assert files.validate("-e", "eu").err.endswith(" · 10 schedules in 1 file\n")
