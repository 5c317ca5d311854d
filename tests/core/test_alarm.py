"""Alarms as values and as text: the same key everywhere, no markup, no secret, and a command to type."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from schedsync.core.alarm import NOTICES, Alarm, Kind, Noted, Phase, QuietHours
from schedsync.core.alarm_text import NAMED, harmless, letter, trial_letter
from schedsync.core.quiet_hours import QuietHoursError, is_quiet, quiet_hours


def test_two_alarms_have_one_key_only_if_they_are_the_same() -> None:
    alarm = Alarm(Kind.DRIFT, "nightly", "x", "shop")

    assert alarm.key == Alarm(Kind.DRIFT, "nightly", "another text", "shop").key
    others = [
        Alarm(Kind.OVERDUE, "nightly", "x", "shop"),
        Alarm(Kind.DRIFT, "Nightly", "x", "shop"),
        Alarm(Kind.DRIFT, "nightly", "x", "news"),
        Alarm(Kind.DRIFT, "nightly", "x", "shop", "locked"),
        Alarm(Kind.DRIFT, "\ud800", "x", "shop"),
    ]
    assert len({alarm.key, *(other.key for other in others)}) == 6


def test_one_alarm_names_its_subject_and_the_command_to_type() -> None:
    sent = letter(Phase.BEGUN, [Alarm(Kind.OVERDUE, "nightly report", "due since 02:30")], "production")

    assert sent.title == "schedsync production: nightly report is overdue"
    assert sent.body == "- nightly report: due since 02:30\nNext: schedsync why 'nightly report'"


def test_many_alarms_of_a_kind_are_one_letter() -> None:
    alarms = [Alarm(Kind.FAILING, f"s{number}", "refused") for number in range(12_000)]
    sent = letter(Phase.REPEATED, alarms, None)

    assert sent.title == "schedsync: still: 12,000 schedules are failing"
    assert len(sent.body.splitlines()) == NAMED + 2
    assert sent.body.endswith("… and 11,990 more\nNext: schedsync status")
    assert len(sent.keys) == 12_000


def test_the_end_of_an_alarm_names_no_command() -> None:
    sent = letter(Phase.OVER, [Noted("k", Kind.DRIFT, "nightly")], None)

    assert (sent.title, sent.body) == (
        "schedsync: nightly is as in Git again",
        "schedsync: nightly is as in Git again".removeprefix("schedsync: "),
    )


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("phase", [Phase.BEGUN, Phase.REPEATED, Phase.OVER])
@pytest.mark.parametrize("count", [1, 3])
def test_each_kind_has_its_words(kind: Kind, phase: Phase, count: int) -> None:
    if phase is Phase.OVER and kind in NOTICES:
        return
    sent = letter(phase, [Alarm(kind, f"a{number}") for number in range(count)], None)

    assert "{}" not in sent.title + sent.body
    assert ("Next: schedsync " in sent.body) is (phase is not Phase.OVER)


NAUGHTY = "a\n\x1b[31m`b` *c* [d](http://evil.example/x) <!channel> @everyone \u202eabc\u0000|~&\\"


def test_a_naughty_name_is_sent_without_markup_mentions_or_control_characters() -> None:
    sent = letter(Phase.BEGUN, [Alarm(Kind.OVERDUE, NAUGHTY)] * 2, "prod\n*uction*")
    text = sent.title + sent.body

    assert not set("`*<>[]@|~&\\\x1b\u202e\0") & set(text)
    assert "://" not in text
    assert len(sent.body.splitlines()) == 3
    assert sent.body.splitlines()[-1] == "Next: schedsync status"


def test_a_name_that_cannot_be_sent_as_it_is_is_not_part_of_the_command() -> None:
    assert letter(Phase.BEGUN, [Alarm(Kind.OVERDUE, "a`id`b")], None).body == "Next: schedsync status"
    assert letter(Phase.BEGUN, [Alarm(Kind.OVERDUE, "x" * 200)], None).body == "Next: schedsync status"
    quoted = letter(Phase.BEGUN, [Alarm(Kind.OVERDUE, "a'; rm -r $HOME #")], None).body
    assert quoted == "Next: schedsync why 'a'\"'\"'; rm -r $HOME #'"


def test_long_texts_are_cut() -> None:
    alarms = [Alarm(Kind.FAILING, "ü" * 200, "é" * 10_000) for _ in range(20)]
    sent = letter(Phase.BEGUN, alarms, "e" * 100)

    assert len(sent.title) <= 120
    assert len(sent.body) < 3500
    assert len(letter(Phase.BEGUN, [Alarm(Kind.DRIFT, "x" * 200)], "e" * 100).title) <= 120


def test_secrets_are_masked() -> None:
    assert harmless("amqp://shop:canary@broker: refused") == "∗∗∗"
    assert "canary" not in letter(Phase.BEGUN, [Alarm(Kind.FAILING, "x", "password=canary")], None).body


def test_the_letter_of_a_trial_says_who_asked() -> None:
    assert trial_letter("production", "jo <b>") == trial_letter("production", "jo <b>")
    assert trial_letter(None, "jo").body == "jo asked for it by: schedsync doctor --notify"


@pytest.mark.parametrize(
    ("text", "quiet"),
    [
        ("22:00-07:00 Europe/Berlin", QuietHours(1320, 420, "Europe/Berlin")),
        ("01:30-02:00", QuietHours(90, 120)),
        ("00:00-23:59 Etc/UTC", QuietHours(0, 1439)),
    ],
)
def test_quiet_hours_are_read(text: str, quiet: QuietHours) -> None:
    assert quiet_hours(text) == quiet


@pytest.mark.parametrize(
    "text", ["", "22-07", "24:00-07:00", "22:00-07:60", "22:00-07:00 Mars/Base", "07:00-07:00", "22:00-07:00 UTC\n"]
)
def test_what_is_no_quiet_hours_is_refused(text: str) -> None:
    with pytest.raises(QuietHoursError):
        quiet_hours(text)


@pytest.mark.parametrize(
    ("hour", "minute", "quiet"),
    # 22:00 in Berlin is 20:00 UTC in summer, and 07:00 is 05:00.
    [(19, 59, False), (20, 0, True), (0, 0, True), (4, 59, True), (5, 0, False), (12, 0, False)],
)
def test_quiet_hours_are_by_the_wall_clock_of_their_zone(hour: int, minute: int, quiet: bool) -> None:
    at = datetime(2026, 7, 1, hour, minute, tzinfo=timezone.utc)

    assert is_quiet(quiet_hours("22:00-07:00 Europe/Berlin"), at) is quiet


def test_quiet_hours_within_a_day() -> None:
    hours = quiet_hours("12:00-13:00")

    assert [is_quiet(hours, datetime(2026, 7, 1, hour, tzinfo=timezone.utc)) for hour in (11, 12, 13)] == [
        False,
        True,
        False,
    ]
    assert not is_quiet(None, datetime(2026, 7, 1, 12, tzinfo=timezone.utc))
