"""The rules as text for a terminal: a list, and one rule with what it finds and what it passes."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from schedsync.lint.rule import Rule
from schedsync.render.terminal.paint import Paint, plain
from schedsync.render.words import printable

_STYLES = {"error": "red", "warning": "yellow", "info": "cyan", "off": "dim"}
#: In columns. A summary with less room is in a line of its own.
_NARROW = 40
_LABEL = 11
_NEEDS_APPLICATION = (
    "Compares with the application: needs `--against FILE`, a snapshot. For queues the configuration is enough."
)


def rules(found: Sequence[Rule], paint: Paint = plain, width: int | None = None) -> str:
    """Write a line for each rule: code, name, severity, and what it finds; ``width`` is None for a pipe."""
    codes, names = (max(len(getattr(rule, part)) for rule in found) for part in ("code", "name"))
    lines: list[str] = []
    for rule in found:
        state = "off" if rule.opt_in else rule.severity
        columns = (f"{rule.code:<{codes}}", f"{rule.name:<{names}}", f"{state:<7}")
        head = "  ".join((*columns, ""))
        painted = "  ".join((paint(columns[0], "bold"), columns[1], paint(columns[2], _STYLES[state]), ""))
        summary = printable(f"{rule.summary} ({rule.package})" if rule.package else rule.summary)
        if width is not None and width - len(head) < _NARROW:
            lines += [painted.rstrip(), *_wrapped(summary, " " * (codes + 2), width)]
        else:
            first, *rest = _wrapped(summary, " " * len(head), width)
            lines += [f"{painted}{first.lstrip()}", *rest]
    return "\n".join(lines)


def rule(value: Rule, paint: Paint = plain, width: int | None = None) -> str:
    """Write everything that is known about a rule, with its examples."""
    severity = paint(value.severity, _STYLES[value.severity])
    lines = [f"{paint(value.code, 'bold')}  {paint(value.name, 'bold')}  {severity}"]
    lines += _wrapped(_sentence(value.summary), "", width)
    for note in _notes(value):
        lines += _wrapped(note, "", width)
    lines.append("")
    for label, text in (("why", value.why), ("remedy", value.remedy)):
        lines += _labelled(label, _wrapped(printable(text), "", width and width - _LABEL) if text else [], paint)
    for label, example in (("finds", value.bad), ("passes", value.good)):
        lines += _labelled(label, [printable(line) for line in example.strip().splitlines()], paint)
    lines += _labelled("silence", [f"end the line with # schedsync: ignore[{value.code}]"], paint)
    return "\n".join(lines)


def finding(code: str, meaning: str) -> str:
    """Write what the code of a finding means that is no rule."""
    return f"{code}\n{_sentence(meaning)}\nThis is no rule: neither a comment nor the configuration turns it off."


def _notes(value: Rule) -> Iterator[str]:
    if value.package:
        yield f"From the package {printable(value.package)}."
    if value.opt_in:
        yield f'Off by default: extend_select = ["{value.code}"] under [lint] turns it on.'
    if value.needs_application:
        yield _NEEDS_APPLICATION


def _labelled(label: str, lines: Sequence[str], paint: Paint) -> Iterator[str]:
    """Yield lines with a word at the left of the first; nothing without lines."""
    for number, line in enumerate(lines):
        word = "" if number else label
        yield f"  {paint(word, 'bold') if word else ''}{' ' * (_LABEL - 2 - len(word))}{line}".rstrip()


def _wrapped(text: str, indent: str, width: int | None) -> list[str]:
    """Return a text as lines of at most a width, each with an indent; a long word stays whole."""
    if width is None:
        return [f"{indent}{text}"]
    return textwrap.wrap(
        text, width, initial_indent=indent, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def _sentence(text: str) -> str:
    first = text[:1] if text.startswith("`") else text[:1].upper()
    return printable(f"{first}{text[1:]}.")
