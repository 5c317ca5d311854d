"""The words of a timing are short, and say only what is true: read back, they mean the same times and days."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timezone

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from schedsync.calendar.slots import fields_of
from schedsync.core.crontab import FIELDS, can_fire
from schedsync.core.timing import Clocked, Crontab, Interval, Solar, Timing, crontab
from schedsync.render.timing_words import timing_words
from schedsync.render.words import timing_words as from_words

WEEKDAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
CLOCK = r"\d\d:\d\d"
RATE = re.compile(
    r"(?P<unit>hourly|every(?: \d+)? (?:minute|hour)s?)(?: at (?P<past>:\d\d(?: :\d\d)*(?: … \(\d+ times an hour\))?))?"
    r"(?:(?: from)? (?P<first>(?:\d\d)?:\d\d) to (?P<last>(?:\d\d)?:\d\d)(?: of each hour)?)?(?= |$)"
)
CLOCKS = re.compile(rf"{CLOCK}(?:, {CLOCK})*(?: and {CLOCK}| … \([\d,]+ times a day\))?")


def cron(expression: str, zone: str = "UTC") -> Crontab:
    names = [field.name for field in FIELDS]
    return crontab(dict(zip(names, expression.split(), strict=True)), zone)


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("* * * * *", "every minute"),
        ("*/5 * * * *", "every 5 minutes"),
        ("0 * * * *", "every hour at :00"),
        ("8,23,38,53 * * * *", "every hour at :08 :23 :38 :53"),
        ("*/7 * * * *", "every hour at :00 :07 :14 :21 :28 :35 :42 :49 :56"),
        ("1-58/3 * * * *", "every hour at :01 :04 :07 … (20 times an hour)"),
        ("0-14 * * * *", "every minute from :00 to :14 of each hour"),
        ("0 */2 * * *", "every 2 hours at :00"),
        ("0 20 * * *", "daily 20:00"),
        ("0 2,14 * * *", "daily 02:00 and 14:00"),
        ("0 */6 * * *", "daily 00:00, 06:00, 12:00 and 18:00"),
        ("* 3 * * *", "every minute from 03:00 to 03:59 daily"),
        ("*/10 9-17 * * 1-5", "every 10 minutes from 09:00 to 17:50 Mon to Fri"),
        ("0 8-18 * * 1-5", "hourly 08:00 to 18:00 Mon to Fri"),
        ("5,35 0-14 * * *", "hourly at :05 :35 from 00:05 to 14:35 daily"),
        ("5,35 1-5,7-16 * * *", "daily 01:05, 01:35, 02:05 … (30 times a day)"),
        ("0 9 * * 1-5", "Mon to Fri 09:00"),
        ("0 9 * * 0,6", "Sat and Sun 09:00"),
        ("0 9 * * 1", "Mon 09:00"),
        ("0 12 * * */2", "Tue, Thu, Sat and Sun 12:00"),
        ("0 3 1 * *", "1st of the month 03:00"),
        ("0 3 1,15 * *", "1st and 15th of the month 03:00"),
        ("* * 2-4 * *", "every minute on the 2nd to 4th of the month"),
        ("0 0 1 1 *", "1st Jan 00:00 yearly"),
        ("0 0 29 2 *", "29th of Feb 00:00"),
        ("0 0 1 */5 *", "1st of Jan, Jun and Nov 00:00"),
        ("0 9 * 1-3 *", "daily 09:00 in Jan to Mar"),
        ("0 3 13 * 5", "Fri 03:00, only if it is the 13th"),
        ("* * 1-7 6 1", "every minute Mon, only if it is the 1st to 7th of Jun"),
    ],
)
def test_the_words_of_a_crontab(expression: str, words: str) -> None:
    assert timing_words(cron(expression)) == words


@pytest.mark.parametrize(
    ("timing", "words"),
    [
        (Interval(5 * 10**6), "every 5s"),
        (Interval(1800 * 10**6), "every 30m"),
        (Clocked(datetime(2026, 12, 24, 18, tzinfo=timezone.utc)), "once at Thu 24 Dec 2026 18:00 UTC"),
        (Solar("sunrise", "52.520000", "13.405000"), "sunrise at 52.52, 13.405"),
        (Solar("dawn_civil", "-33.000000", "0.000000"), "civil dawn at -33, 0"),
        (Solar("solar_noon", "10.000000", "100.000000"), "solar noon at 10, 100"),
        (cron("0 20 * * *", "Europe/Berlin"), "daily 20:00 Europe/Berlin"),
    ],
)
def test_the_words_of_the_other_timings_and_of_a_zone(timing: Timing, words: str) -> None:
    assert timing_words(timing) == timing_words(timing, with_utc=True) == from_words(timing) == words


def test_utc_is_named_only_where_it_is_asked_for() -> None:
    daily = cron("0 20 * * *")

    assert (timing_words(daily), timing_words(daily, with_utc=True)) == ("daily 20:00", "daily 20:00 UTC")


def some(first: int, last: int) -> st.SearchStrategy[frozenset[int]]:
    """Numbers of a field: all, one, a range, multiples, or a few of any."""
    numbers = st.integers(first, last)
    return st.one_of(
        st.just(frozenset(range(first, last + 1))),
        numbers.map(lambda number: frozenset({number})),
        st.tuples(numbers, numbers).map(lambda ends: frozenset(range(min(ends), max(ends) + 1))),
        st.tuples(numbers, st.integers(2, 12)).map(lambda pair: frozenset(range(pair[0], last + 1, pair[1]))),
        st.integers(2, 30).map(lambda step: frozenset(range(first, last + 1, step))),
        st.frozensets(numbers, min_size=1),
    )


crontabs = st.tuples(some(0, 59), some(0, 23), some(1, 31), some(1, 12), some(0, 6)).filter(
    lambda fields: can_fire(fields[2], fields[3])
)


@settings(max_examples=2_000, deadline=None)
@given(crontabs)
@example((frozenset({0}), frozenset({0, 1, 2, 22, 23}), *(frozenset(range(1, 32)), frozenset({2}), frozenset({0, 6}))))
def test_words_read_back_mean_the_same_crontab(numbers: Sequence[frozenset[int]]) -> None:
    timing = cron(" ".join(",".join(map(str, sorted(field))) for field in numbers))
    fields = fields_of(timing)

    words = timing_words(timing)

    claimed = Claim(words)
    assert_same(claimed.times, list(fields.minutes))
    assert_same(claimed.weekdays, sorted((day - 1) % 7 for day in fields.weekdays))
    assert_same(claimed.days, sorted(fields.days))
    assert_same(claimed.months, sorted(fields.months))
    assert len(words) <= 170


class Part:
    """Values that the words name: all of them, or the first of a number of them."""

    def __init__(self, values: Sequence[int], count: int | None = None) -> None:
        self.values = list(values)
        self.count = len(self.values) if count is None else count


def assert_same(part: Part, values: Sequence[int]) -> None:
    assert (part.values, part.count) == (list(values[: len(part.values)]), len(values))


class Claim:
    """What words say, read by their grammar."""

    def __init__(self, words: str) -> None:
        self.weekdays, self.days, self.months = Part(range(7)), Part(range(1, 32)), Part(range(1, 13))
        words, _, only = words.partition(", only if it is the ")
        if only:
            self.read_dates(only)
        words, _, months = words.partition(" in ")
        if months:
            self.months = names(months, MONTHS, 1)
        if match := RATE.match(words):
            self.times = rate(match)
            self.read_dates(words[match.end() :].removeprefix(" on").strip().removeprefix("the "))
        else:
            [match] = CLOCKS.finditer(words)
            self.times = clocks(match[0])
            self.read_dates(words[: match.start()].strip(), words[match.end() :])

    def read_dates(self, text: str, end: str = "") -> None:
        if end:
            assert end == " yearly"
            text = text.replace(" ", " of ")
        if text in ("", "daily"):
            return
        days, of, months = text.partition(" of ")
        if not of and text[0].isalpha():
            self.weekdays = names(text, WEEKDAYS, 0)
            return
        self.days = names(days, [f"{number}" for number in range(1, 32)], 1)
        if months not in ("", "the month"):
            self.months = names(months, MONTHS, 1)


def names(text: str, known: Sequence[str], first: int) -> Part:
    listed, cut, rest = text.partition(" … (")
    values = [
        first + known.index(re.sub(r"(?<=\d)(st|nd|rd|th)$", "", name)) for name in re.split(r", | and | to ", listed)
    ]
    if " to " in listed:
        return Part(range(values[0], values[1] + 1))
    return Part(values, int(rest.split()[0])) if cut else Part(values)


def clocks(text: str) -> Part:
    count = re.search(r"\(([\d,]+) times", text)
    values = [60 * int(at[:2]) + int(at[3:]) for at in re.findall(CLOCK, text)]
    return Part(values, int(count[1].replace(",", ""))) if count else Part(values)


def rate(match: re.Match[str]) -> Part:
    step = int((re.findall(r"\d+", match["unit"]) or ["1"])[0])
    first, last = (match[end] and [int(part or 0) for part in match[end].split(":")] for end in ("first", "last"))
    if match["first"] and match["first"].startswith(":"):
        return Part([60 * hour + minute for hour in range(24) for minute in range(first[1], last[1] + 1)])
    begin, end = (60 * first[0] + first[1], 60 * last[0] + last[1]) if match["first"] else (0, 1439)
    if "minute" in match["unit"]:
        return Part(range(begin, end + 1, step))
    hours = range(begin // 60, end // 60 + 1, step)
    if not match["past"]:
        return Part([60 * hour + begin % 60 for hour in hours])
    minutes = [int(minute) for minute in re.findall(r":(\d\d)", match["past"])]
    if count := re.search(r"\((\d+) times", match["past"]):
        return Part([60 * hours[0] + minute for minute in minutes], len(hours) * int(count[1]))
    return Part([60 * hour + minute for hour in hours for minute in minutes])
