"""The lines on stderr: text for people, or with ``--log-format json`` one JSON object each, for programs."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import pairwise, takewhile
from typing import Any

import click

from schedsync.commands.help import OUTPUT, Option
from schedsync.core.log_lines import JsonFormatter

FORMATS = ("text", "json")
#: The option, and the environment variable that stands for it.
_OPTION, VARIABLE = "--log-format", "SCHEDSYNC_LOG_FORMAT"
#: Under this name our own lines are logged.
_LOGGER = "schedsync.commands"
#: How a text for people begins, and the level of its line.
_LEVELS = {"error: ": logging.ERROR, "warning: ": logging.WARNING}

_is_json: ContextVar[bool] = ContextVar("_is_json", default=False)
#: Whether the command line has named a format before it was parsed.
_is_chosen: ContextVar[bool] = ContextVar("_is_chosen", default=False)
_formatter = JsonFormatter()


@contextmanager
def log_format_of_one_call() -> Iterator[None]:
    """Begin with text, and give other loggers their formatters back at the end: one process may make several calls."""
    token, early = _is_json.set(False), _is_chosen.set(False)
    before = {handler: handler.formatter for handler in _handlers()}
    try:
        yield
    finally:
        _is_json.reset(token)
        _is_chosen.reset(early)
        for handler, formatter in before.items():
            handler.setFormatter(formatter)


def choose_early(words: Sequence[str]) -> None:
    """Use the format that a command line names before it is parsed: a mistyped option may come first."""
    options = list(takewhile(lambda word: word != "--", words))
    named = [os.environ.get(VARIABLE, ""), *(value for option, value in pairwise(options) if option == _OPTION)]
    named += [word.removeprefix(f"{_OPTION}=") for word in options if word.startswith(f"{_OPTION}=")]
    chosen = [value for value in named if value in FORMATS]
    _is_chosen.set(len(chosen) > 0)
    use_format(chosen[-1] if chosen else None)


def log_format() -> click.Option:
    """Return the option ``--log-format``, which each verb has."""
    help_ = f"How to write the lines on stderr: {FORMATS[0]} (the default) or {FORMATS[1]}."
    choice = click.Choice(FORMATS)
    return Option(
        [_OPTION], type=choice, callback=choose, is_eager=True, expose_value=False, metavar="FORMAT",
        heading=OUTPUT, help=help_,
    )  # fmt: skip


def choose(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
    """Use the format of the option ``--log-format``, if it was given; that of the environment is in use already."""
    if ctx.parent is None and _is_chosen.get():
        # The last one on the command line counts, and what stands between the two may be a mistake.
        return
    if ctx.get_parameter_source(str(param.name)) is not click.core.ParameterSource.ENVIRONMENT:
        use_format(value)


def use_format(value: str | None) -> None:
    """Use a format from now on; None changes nothing."""
    if value is not None:
        _is_json.set(value == "json")
        format_other_lines()


def is_json() -> bool:
    """Say whether the lines on stderr are JSON."""
    return _is_json.get()


def format_other_lines() -> None:
    """Let the loggers of the project that write to stderr write JSON too; call it again when Django has set them up."""
    if is_json():
        for handler in _handlers():
            handler.setFormatter(_formatter)


def _handlers() -> set[logging.Handler]:
    loggers = [logging.root, *logging.root.manager.loggerDict.values()]
    handlers = [logging.lastResort, *(handler for logger in loggers for handler in getattr(logger, "handlers", ()))]
    return {handler for handler in handlers if getattr(handler, "stream", None) is sys.stderr and handler is not None}


def _verb(context: click.Context | None) -> str:
    """Return the command as it is typed, such as `apply` or `ledger move`; empty outside of one."""
    if context is None or context.parent is None:
        return ""
    return f"{_verb(context.parent)} {context.command.name}".strip()


def json_line(message: str, error: BaseException | None = None, **extra: Any) -> str:
    """Return a message for people as a line of JSON; ``extra`` are further fields, None for those that do not apply."""
    text = click.unstyle(message).strip()
    prefix = next((prefix for prefix in _LEVELS if text.startswith(prefix)), "")
    exc_info = None if error is None else (type(error), error, error.__traceback__)
    level = logging.CRITICAL if error else _LEVELS.get(prefix, logging.INFO)
    record = logging.LogRecord(_LOGGER, level, "", 0, text.removeprefix(prefix), None, exc_info)
    context = click.get_current_context(silent=True)
    fields = {"verb": _verb(context) or None, **extra}
    record.__dict__.update({name: value for name, value in fields.items() if value is not None})
    return _formatter.format(record)
