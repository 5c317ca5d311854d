"""An error in a log line keeps its class, its frames and its causes, and shows no secret."""

from __future__ import annotations

import traceback

import pytest

from schedsync.core.masked_errors import error_line, masked_error, masked_text

CANARY = "hunter2-canary-7f3a9c"


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise RuntimeError(CANARY)


def raised(error: BaseException, cause: BaseException | None = None) -> BaseException:
    try:
        try:
            raise OSError(f"redis://:{CANARY}@h/0 is away")
        except OSError:
            error.__cause__ = cause
            error.__suppress_context__ = cause is not None
            raise error  # noqa: B904
    except BaseException as caught:
        return caught


def printed(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))


def test_a_traceback_keeps_all_but_secrets() -> None:
    text = printed(masked_error(raised(ValueError("no such serializer"))))

    assert CANARY not in text
    assert "OSError: ***\n" in text
    assert "During handling of the above exception" in text
    assert text.endswith("\nValueError: no such serializer\n")
    assert "in raised\n    raise error  # noqa: B904\n" in text


@pytest.mark.parametrize(
    "text", [f"password={CANARY}", f"Object {{'api_key': '{CANARY}'}} is none", f"x\npwd={CANARY}"]
)
def test_no_cause_shows_a_secret(text: str) -> None:
    deep = raised(TypeError(text), raised(KeyError(text)))
    found = printed(masked_error(deep))

    assert CANARY not in found
    assert "The above exception was the direct cause" in found
    assert CANARY not in error_line(deep)


def test_an_error_of_another_package_prints_its_name() -> None:
    from kombu.exceptions import EncodeError

    assert printed(masked_error(EncodeError("x"))).endswith("kombu.exceptions.EncodeError: x\n")


def test_an_error_that_has_no_text_is_logged_too() -> None:
    assert masked_text(Unspeakable()) == "an error without a text"
    assert CANARY not in printed(masked_error(raised(Unspeakable())))
    assert error_line(ValueError()) == "ValueError"


def test_errors_that_are_each_others_cause_end() -> None:
    one, two = ValueError("one"), ValueError("two")
    one.__cause__, two.__cause__ = two, one
    assert "ValueError: two" in printed(masked_error(one))


def test_a_long_chain_and_a_long_text_are_cut() -> None:
    error = ValueError("0")
    for number in range(1, 5000):
        after = ValueError("x" * 100_000 if number == 4999 else str(number))
        after.__context__ = error
        error = after
    text = printed(masked_error(error))

    assert len(text) < 10_000
    assert text.count("ValueError") == 20


def test_a_secret_at_the_cut_is_not_shown_in_part() -> None:
    assert CANARY[:8] not in masked_text(ValueError("x" * 3_990 + f" password={CANARY}"))
