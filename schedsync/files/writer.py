"""Values become the YAML that a person would write; ruamel.yaml writes it, and our own reader reads it back.

Text that editors could read as something else is in quotes, and characters that cannot be seen are escapes.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping
from functools import lru_cache
from io import StringIO
from typing import Any, Final

import yaml
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.emitter import Emitter
from ruamel.yaml.representer import RoundTripRepresenter

from schedsync.files.scalar import WORDS, number

#: In characters. A longer list or mapping has a line for each item, and a longer comment is wrapped.
_WIDTH: Final = 80
#: In characters. No line is broken within a value, and no key is written with `?`.
_UNBROKEN: Final = 2**24
_TEXT: Final = "tag:yaml.org,2002:str"
#: Editors with YAML 1.1 read more words as something else than text: `on`, `08:30`, `1_000`.
_YAML_1_1: Final = yaml.resolver.Resolver()
_ESCAPES: Final = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}


class Quoted(str):
    """Text that is always in quotes, such as a crontab."""

    __slots__ = ()


class Instant(str):
    """The text of an instant, which needs no quotes."""

    __slots__ = ()


class _Representer(RoundTripRepresenter):
    """Chooses the style of each scalar."""

    def text(self, text: str) -> Any:
        """Represent text: plain, in quotes, or as a block of lines."""
        return self.represent_scalar(_TEXT, text, style=_style(text))

    def quoted(self, text: str) -> Any:
        """Represent text that is always in quotes."""
        return self.represent_scalar(_TEXT, str(text), style='"')

    def instant(self, text: str) -> Any:
        """Represent an instant without quotes."""
        return self.represent_scalar("tag:yaml.org,2002:timestamp", str(text))

    def null(self, _value: None) -> Any:
        """Represent null by its word; an empty value is easily overlooked."""
        return self.represent_scalar("tag:yaml.org,2002:null", "null")


_Representer.add_representer(str, _Representer.text)
_Representer.add_representer(Quoted, _Representer.quoted)
_Representer.add_representer(Instant, _Representer.instant)
_Representer.add_representer(type(None), _Representer.null)


class _Emitter(Emitter):
    """Prefers double quotes, escapes what cannot be seen, and never breaks a line within a value."""

    MAX_SIMPLE_KEY_LENGTH = 1000

    def choose_scalar_style(self) -> Any:
        """Return the style of the scalar that is next; text with quotes or backslashes is in single quotes."""
        style = super().choose_scalar_style()
        return '"' if style == "'" and not _has_quotes(self.event.value) else style

    def write_indicator(self, indicator: str, *rest: Any, **options: Any) -> None:
        """Write a mark; blanks before the bracket of a list within lists would align it with nothing."""
        mark = indicator.lstrip(" ") if indicator.endswith(("[", "{")) else indicator
        super().write_indicator(mark, *rest, **options)

    def write_double_quoted(self, text: Any, split: Any = True) -> None:  # noqa: ARG002
        """Write text in double quotes, on one line."""
        self.write_indicator(f'"{escaped(text)}"', True)


def yaml_text(values: Mapping[str, Any], levels: int = 1) -> str:
    """Return a mapping as the lines of a block.

    Below the first ``levels``, a short list or mapping stays on one line.
    """
    writer = YAML()
    writer.Representer, writer.Emitter = _Representer, _Emitter
    writer.width = _UNBROKEN
    writer.brace_single_entry_mapping_in_flow_sequence = True
    writer.allow_unicode = True
    writer.indent(mapping=2, sequence=4, offset=2)
    stream = StringIO()
    writer.dump(_block(values, levels), stream)
    return stream.getvalue()


@lru_cache(maxsize=1)
def _analyser() -> Any:
    # YAML() looks for plug-ins on the disk each time.
    emitter = _Emitter(StringIO(), dumper=YAML())
    emitter.allow_unicode = True
    return emitter


@lru_cache(maxsize=65536)
def needs_quotes(text: str, *, in_flow: bool) -> bool:
    """Say whether text of one line is written in quotes; ``in_flow`` is within `[…]` or `{…}`."""
    if _style(text) is not None:
        return True
    analysis = _analyser().analyze_scalar(text)
    return not (analysis.allow_flow_plain if in_flow else analysis.allow_block_plain)


def quoted(text: str) -> str:
    """Return text of one line in quotes: double ones, unless it has double quotes or backslashes itself."""
    if not text.isprintable() or not _has_quotes(text):
        return f'"{escaped(text)}"'
    return "'" + text.replace("'", "''") + "'"


def _block(values: Mapping[str, Any], levels: int = 1) -> CommentedMap:
    block = CommentedMap({key: _styled(value, levels - 1) for key, value in values.items()})
    block.fa.set_block_style()
    return block


def _styled(value: Any, levels: int = 0) -> Any:
    if isinstance(value, dict):
        return _flow(CommentedMap(value)) if levels < 1 and _is_short(value) else _block(value, levels)
    if isinstance(value, (list, tuple)):
        if _is_short(value):
            return _flow(CommentedSeq(value))
        lines = CommentedSeq([_styled(item) for item in value])
        lines.fa.set_block_style()
        return lines
    return value


def _flow(values: Any) -> Any:
    values.fa.set_flow_style()
    return values


def _is_short(value: Any) -> bool:
    if not value:
        return True
    text = json.dumps(value, ensure_ascii=False)
    return len(text) <= _WIDTH and "\\n" not in text


def _style(text: str) -> str | None:
    """Return the style of a text, None where the emitter may choose between plain and quotes."""
    if "\n" in text and _fits_a_block(text):
        return "|"
    if not text or not text.isprintable():
        return '"'
    return ("'" if _has_quotes(text) else '"') if _reads_as_other(text) else None


def _has_quotes(text: str) -> bool:
    return '"' in text or "\\" in text


def _fits_a_block(text: str) -> bool:
    """Say whether a block of lines shows text as it is: no white space at the ends of its lines, all to be seen."""
    lines = text.removesuffix("\n").split("\n")
    return text[0] != " " and lines[-1] != "" and all(line.isprintable() and line == line.rstrip() for line in lines)


def _reads_as_other(text: str) -> bool:
    """Say whether plain text could be taken for a number, a word such as null, a time, or a part of the syntax."""
    resolver: Any = _YAML_1_1
    tag = resolver.resolve(yaml.ScalarNode, text, (True, False))
    looks_like_number = text[0].isdigit() and not any(map(str.isalpha, text))
    # Parsers disagree on these between brackets; ruamel.yaml writes them without quotes.
    is_doubtful = text[0] in "-?:" or any(not part[:1].isalnum() and part[:1] != "/" for part in text.split(":")[1:])
    return tag != _TEXT or looks_like_number or is_doubtful or text in WORDS or number(text)[0] is not text


def escaped(text: str) -> str:
    """Return text for double quotes; a character that cannot be seen becomes an escape."""
    return "".join(_ESCAPES.get(character) or visible(character) for character in text)


def visible(text: str) -> str:
    """Return text in which each character that cannot be seen, or that breaks a line, is an escape."""
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else _escape(ord(character)) for character in text)


def _escape(code: int) -> str:
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def comment(text: str, hang: int = 0) -> str:
    """Return text as lines of a comment, wrapped between words; none of its characters can end the comment.

    ``hang`` indents all lines but the first.
    """
    # A comment with this word could switch a rule off.
    harmless = visible(text).replace("schedsync:", "schedsync\\u003a")
    wrapper = textwrap.TextWrapper(_WIDTH, break_long_words=False, break_on_hyphens=False)
    wrapper.subsequent_indent = " " * hang
    lines = wrapper.wrap(harmless)
    return "".join(f"# {line}\n" for line in lines or [""])
