"""Letters reach real services by a process of its own; one that fails or hangs delays nothing and betrays nothing."""

from __future__ import annotations

import logging
import time
from typing import Any

import pytest

from schedsync.alarms import postbag
from schedsync.alarms.postbag import Postbag
from schedsync.alarms.services import send_letters
from schedsync.alarms.settings import NotifySetting, SecretUrl
from schedsync.alarms.tell import deliver, try_services
from schedsync.core.alarm import Kind, Letter, Phase
from tests.alarms.http_service import CANARY, service

LETTER = Letter("title", "body", Phase.BEGUN, Kind.OVERDUE, ("k",))
OTHER = Letter("over", "body", Phase.OVER, Kind.OVERDUE, ("k",))


def test_what_became_of_a_letter_at_each_service(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with service() as good, service(429) as busy, service(500) as broken, service("garbage") as odd:
        urls = [good.url, busy.url, broken.url, odd.url, "json://127.0.0.1:1/x", f"nosuch://{CANARY}"]
        services = [SecretUrl(url, f"{number}") for number, url in enumerate(urls)]
        answers = send_letters({each: [LETTER] for each in services}, 60)

        assert [answer.problem for answer in answers] == [
            "",
            "it answered 429",
            "it answered 500",
            "it did not accept it, or cannot be reached",
            "it did not accept it, or cannot be reached",
            "Apprise does not understand this URL",
        ]
        assert [answer.is_final for answer in answers] == [False] * 5 + [True]
        assert [(got["title"], got["message"], got["type"]) for got in good.got] == [("title", "body", "failure")]
    assert CANARY not in caplog.text + repr(answers)


def test_the_letters_of_a_service_are_sent_in_order() -> None:
    with service() as good:
        answers = send_letters({SecretUrl(good.url, "json://…"): [LETTER, OTHER]}, 60)

        assert [(answer.letter, answer.problem) for answer in answers] == [(LETTER, ""), (OTHER, "")]
        assert [(got["title"], got["type"]) for got in good.got] == [("title", "failure"), ("over", "success")]


def test_a_service_that_hangs_keeps_no_other_one_from_its_letters() -> None:
    with service("hang") as hangs, service() as good:
        services = [SecretUrl(f"{hangs.url}?rto=60", "hangs"), SecretUrl(good.url, "good")]
        answers = send_letters({each: [LETTER] for each in services}, 3)

        assert [(answer.service.name, answer.problem) for answer in answers] == [
            ("hangs", "no answer within 3 s"),
            ("good", ""),
        ]
        assert (hangs.titles, good.titles) == (["title"], ["title"])


def test_a_letter_that_is_refused_for_now_is_sent_again_to_that_service_only() -> None:
    with service(500, 200) as shaky, service() as good:
        services = (SecretUrl(shaky.url, "shaky"), SecretUrl(good.url, "good"))
        bag = Postbag(services, (0.0, 0.0))
        bag.put([LETTER])
        first, second = bag.send(60), bag.send(60)

        assert [(answer.service.name, answer.problem) for answer in [*first, *second]] == [("good", ""), ("shaky", "")]
        assert (len(shaky.got), len(good.got)) == (2, 1)
        assert bag.wait is None


def test_a_letter_is_given_up_after_its_last_try(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    tried: list[int] = []

    def refuse(letters: Any, seconds: float) -> list[postbag.Answer]:
        tried.append(int(now[0]))
        return [postbag.Answer(each, one, "no") for each, some in letters.items() for one in some]

    monkeypatch.setattr(postbag, "send_letters", refuse)
    bag = Postbag([SecretUrl("json://x", "x")], (10.0, 60.0), clock=lambda: now[0])
    bag.put([LETTER])
    answers = []
    while (wait := bag.wait) is not None:
        now[0] += wait
        answers += bag.send(1)

    assert tried == [0, 10, 70]
    assert [answer.problem for answer in answers] == ["no"]


def test_too_many_letters_leave_the_oldest_out() -> None:
    bag = Postbag([SecretUrl("json://x", "x")], ())
    letters = [Letter(f"{number}", "", Phase.BEGUN) for number in range(502)]

    assert [answer.letter.title for answer in bag.put(letters)] == ["0", "1"]
    assert len(bag.give_up()) == 500


def test_a_command_waits_for_all_services_together_no_longer_than_its_time() -> None:
    began = time.monotonic()
    with service("hang") as hangs:
        setting = NotifySetting(tuple(SecretUrl(f"{hangs.url}?rto=60", f"{number}") for number in range(3)))
        answers = deliver(setting, [LETTER], 3)

    assert [answer.problem for answer in answers] == ["it did not accept it in time"] * 3
    assert time.monotonic() - began < 30


def test_a_trial_says_for_each_service_whether_it_arrived() -> None:
    with service() as good:
        setting = NotifySetting((SecretUrl(good.url, "json://…"), SecretUrl(f"nosuch://{CANARY}", "nosuch://…")))

        assert [(each.name, problem) for each, problem in try_services(setting, LETTER)] == [
            ("json://…", ""),
            ("nosuch://…", "Apprise does not understand this URL"),
        ]


def test_without_a_process_nothing_is_sent_and_nothing_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/nonexistent/python")
    (answer,) = send_letters({SecretUrl("json://x", "x"): [LETTER]}, 5)

    assert answer.problem == "no process for Apprise can be started: FileNotFoundError"
