"""Lines wrapped to the width of a terminal, and a line of progress; pipes and files get neither.

``rich`` is imported only where a line is too long, or where a step takes longer than a second.
"""

from __future__ import annotations

import os
import shutil
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from io import StringIO
from typing import TYPE_CHECKING, Any

import click

from schedsync.commands.logs import is_json

if TYPE_CHECKING:
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

#: In columns.
_NARROWEST = 60
#: In columns. The rest of a line is indented by this more than its beginning.
_HANG = 4
#: In widths: how much of a long line is looked at to find its next break.
_AHEAD = 3
#: In seconds. Work that takes less shows no progress.
_SLOW = 1.0
#: The shades of a load picture; its rows cannot be wrapped.
_SHADES = frozenset("░▒▓█")


def is_terminal(stream: Any) -> bool:
    """Say whether a stream writes to a terminal."""
    return bool(getattr(stream, "isatty", lambda: False)())


def wrapped(data: str, stream: Any) -> str:
    """Return text for people as a stream should show it: a terminal's lines break between words, at its width."""
    if not is_terminal(stream):
        return data
    width = columns(stream)
    return "\n".join(part for line in data.split("\n") for part in _parts(line, width))


def columns(stream: Any) -> int:
    """Return the width of the terminal that the stream writes to: not always that of stdout, which may be a pipe.

    A narrower terminal than the narrowest breaks the lines itself.
    """
    return max(_NARROWEST, _columns(stream))


def _columns(stream: Any) -> int:
    if "COLUMNS" in os.environ:
        return shutil.get_terminal_size().columns
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80
    except (OSError, ValueError):
        return 80


def _parts(line: str, width: int) -> Iterable[str]:
    plain = click.unstyle(line)
    if (plain.isascii() and len(plain) <= width) or not _SHADES.isdisjoint(plain):
        return [line]
    from rich.cells import cell_len

    return [line] if cell_len(plain) <= width else _wrapped_line(line, width)


def _wrapped_line(line: str, width: int) -> Iterator[str]:
    """Yield the lines that one line becomes; a word that is longer than the width stays whole, as it can be copied."""
    from rich.console import Console
    from rich.text import Text

    console, text = Console(file=StringIO()), Text.from_ansi(line)
    indent = len(text.plain) - len(text.plain.lstrip()) + _HANG
    ends = list(_breaks(text.plain, width, indent))
    # What is between the end of a line and the beginning of the next one are blanks.
    parts = text.divide([index for pair in ends for index in pair])[::2]
    for number, part in enumerate(parts):
        if part.plain or not number:
            yield " " * (indent if number else 0) + _ansi(part, console)


def _breaks(plain: str, width: int, indent: int) -> Iterator[tuple[int, int]]:
    """Yield where each line ends, and where the next one begins."""
    from rich.console import Console
    from rich.text import Text

    console, start = Console(file=StringIO()), 0
    while start < len(plain):
        room = width - (indent if start else 0)
        # Only the beginning is wrapped: else the time would grow with the square of the length.
        first = Text(plain[start : start + _AHEAD * width]).wrap(console, room)[0]
        end = _end_of_word(plain, start + len(first.plain.rstrip()))
        start = _next_word(plain, end)
        yield end, start


def _end_of_word(plain: str, index: int) -> int:
    """Return the index at which the word around an index ends."""
    return next((number for number in range(index, len(plain)) if plain[number].isspace()), len(plain))


def _next_word(plain: str, index: int) -> int:
    """Return the index at which the next word begins."""
    return next((number for number in range(index, len(plain)) if not plain[number].isspace()), len(plain))


def _ansi(text: Text, console: Console) -> str:
    from rich.color import ColorSystem

    text.rstrip()
    return "".join(
        segment.style.render(segment.text, color_system=ColorSystem.STANDARD) if segment.style else segment.text
        for segment in text.render(console, end="")
    )


class ProgressLine:
    """The step that runs now, on stderr.

    It appears when the work takes longer than a second, and is erased at the end. Only the process's own terminal
    shows it.
    """

    def __init__(self) -> None:
        # A stream that takes the place of stderr, such as that of `call_command`, is no place for a moving line.
        self.is_shown = sys.stderr is sys.__stderr__ and is_terminal(sys.stderr) and not is_json()
        self._step = ""
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None
        self._live: Live | None = None

    def __call__(self, step: str) -> None:
        """Show a step in place of the previous step."""
        if not self.is_shown:
            return
        self._step = step
        if self._timer is None:
            self._timer = threading.Timer(_SLOW, self._appear)
            self._timer.daemon = True
            self._timer.start()

    def _appear(self) -> None:
        from rich.console import Console
        from rich.live import Live

        with self._lock:
            if self._timer is not threading.current_thread():
                return
            self._live = Live(
                get_renderable=self._line,
                console=Console(file=sys.stderr, highlight=False),
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._live.start()

    def _line(self) -> Text:
        from rich.text import Text

        return Text(self._step)

    def or_else(self, say: Callable[[str], None]) -> Callable[[str], None]:
        """Return this line, or without a terminal the function that writes the same message as a line of its own."""
        return self if self.is_shown else say

    def clear(self) -> None:
        """Erase the line, before other output or a question."""
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
            if self._live is not None:
                self._live.stop()
            self._timer = self._live = None


@contextmanager
def progress_line() -> Iterator[ProgressLine]:
    """Return the line of progress of one verb; it is erased in the end."""
    line = ProgressLine()
    try:
        yield line
    finally:
        line.clear()
