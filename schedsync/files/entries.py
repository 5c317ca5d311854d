"""The entries of a mapping or a list in a text: where each begins and ends, how one goes, and where a new one goes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from schedsync.files.edits import Edit
from schedsync.files.spans import Span

_BREAKS = "\r\n"


@dataclass(frozen=True, slots=True)
class Written:
    """The text of a file, by lines.

    Its last line always has a break; ``is_cut`` says that it has none in the file.
    """

    text: str
    is_cut: bool = False

    @classmethod
    def of(cls, text: str) -> Written:
        """Return the text of a file, with a break at its end."""
        is_cut = text[-1:] not in _BREAKS
        return cls(text + cls(text).newline if is_cut else text, is_cut)

    def result(self, text: str) -> str:
        """Return an edited text as the file has it: without the break at its end, if it had none."""
        return text.removesuffix(self.newline) if self.is_cut else text

    @property
    def newline(self) -> str:
        """The break of the first line, which those of new lines are like."""
        first = self.text.find("\n")
        if first < 0:
            return "\r" if "\r" in self.text else "\n"
        return "\r\n" if self.text[first - 1 : first] == "\r" else "\n"

    def line_start(self, offset: int) -> int:
        """Return where the line of a character begins."""
        while offset > 0 and self.text[offset - 1] not in _BREAKS:
            offset -= 1
        return offset

    def line_end(self, offset: int) -> int:
        """Return where the line of a character ends, before its break."""
        while offset < len(self.text) and self.text[offset] not in _BREAKS:
            offset += 1
        return offset

    def next_line(self, offset: int) -> int:
        """Return where the next line begins; the end of the text if there is none."""
        end = self.line_end(offset)
        return end + (2 if self.text[end : end + 2] == "\r\n" else 1) if end < len(self.text) else end

    def line_above(self, start: int) -> int:
        """Return where the line above one that begins at ``start`` begins; 0 above the first."""
        is_pair = self.text[max(0, start - 2) : start] == "\r\n"
        return self.line_start(max(0, start - (2 if is_pair else 1)))

    def before(self, offset: int) -> str:
        """Return what its line has before a character."""
        return self.text[self.line_start(offset) : offset]

    def indent(self, offset: int) -> str:
        """Return the white space at the beginning of a character's line."""
        line = self.text[self.line_start(offset) : self.line_end(offset)]
        return line[: len(line) - len(line.lstrip(" "))]

    def rest_of_line(self, offset: int) -> str:
        """Return what follows in the line of a character."""
        return self.text[offset : self.line_end(offset)]

    def after_colon(self, offset: int) -> int:
        """Return the place behind the colon that follows a key."""
        return self.text.index(":", offset) + 1


@dataclass(frozen=True, slots=True)
class Entry:
    """One pair of a mapping or one item of a list: where it begins and ends, and whether it goes."""

    start: int
    end: int
    removed: bool


class Entries:
    """The entries of a mapping or a list."""

    def __init__(self, written: Written, span: Span, entries: Sequence[Entry]) -> None:
        self.written, self.span, self.entries = written, span, entries
        self.flow = span.style == "flow"

    @property
    def is_emptied(self) -> bool:
        """Whether every entry goes."""
        return all(entry.removed for entry in self.entries)

    @property
    def is_sound(self) -> bool:
        """Whether each entry can be taken out: in a block it has lines of its own, else there are brackets around."""
        if self.flow:
            # A list may hold a pair without braces: `[a: 1]`.
            return self.written.text[self.span.start] in "{["
        before = [self.written.before(entry.start).strip(" ") for entry in self.entries]
        return all(text == ("" if self.span.kind == "mapping" else "-") for text in before)

    def edits(self, added: Mapping[int, Sequence[str]]) -> Iterator[Edit]:
        """Yield the edits that take entries out and add others; ``added`` are texts by the entry before them, or -1."""
        if self.flow:
            yield from self._flow_removals()
        else:
            yield from self._line_removals()
        for place, texts in added.items():
            yield self._at_beginning(texts) if place < 0 else self._behind(self.entries[place], texts)

    def _flow_removals(self) -> Iterator[Edit]:
        runs = [list(run) for _, run in groupby(enumerate(self.entries), key=lambda pair: pair[1].removed)]
        for run in runs:
            first, last = run[0][0], run[-1][0]
            if not run[0][1].removed:
                continue
            if last + 1 < len(self.entries):
                yield Edit(self.entries[first].start, self.entries[last + 1].start, "")
            elif first:
                yield Edit(self.entries[first - 1].end, self.entries[last].end, "")
            else:
                yield Edit(self.entries[first].start, self.entries[last].end, "")

    def _line_removals(self) -> Iterator[Edit]:
        end = 0
        for entry in self.entries:
            if entry.removed:
                # Blank lines between two entries that go may be counted to both.
                start, end = max(end, self.written.line_start(entry.start)), self.written.next_line(entry.end)
                yield Edit(start, end, "")

    def _behind(self, entry: Entry, texts: Sequence[str]) -> Edit:
        if self.flow:
            return Edit(entry.end, entry.end, "".join(f", {text}" for text in texts))
        # Behind the break, because edits within the entry may take its last line out.
        end = self.written.next_line(entry.end)
        return Edit(end, end, "".join(f"{self._margin}{text}{self.written.newline}" for text in texts))

    def _at_beginning(self, texts: Sequence[str]) -> Edit:
        first = next((entry for entry in self.entries if not entry.removed), replace(self.entries[0], removed=False))
        if self.flow:
            return Edit(first.start, first.start, "".join(f"{text}, " for text in texts))
        start = self.written.line_start(first.start)
        return Edit(start, start, "".join(f"{self._margin}{text}{self.written.newline}" for text in texts))

    @property
    def _margin(self) -> str:
        """What is before each entry of a block in its line."""
        return self.written.before(self.entries[0].start)
