"""One file in canonical form: its white space and its spelling, then the order of its keys, then the proof.

A file that cannot be read, or whose meaning would change, stays as it is, with a finding.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from schedsync.core.finding import Finding
from schedsync.core.location import Location
from schedsync.files.bounds import SetSize
from schedsync.files.discover import SourceFile
from schedsync.files.document import Document
from schedsync.files.edits import apply_edits
from schedsync.files.environments import uses_environments
from schedsync.files.formatting.layout import layout_edits
from schedsync.files.formatting.order import ordered
from schedsync.files.formatting.proof import difference
from schedsync.files.formatting.spelling import spelling_edits
from schedsync.files.formatting.tree import Tree, tree_of
from schedsync.files.line_breaks import each_line, without_line_breaks
from schedsync.files.one_file import size_of
from schedsync.files.yaml import read

_BOM = "\ufeff"
_LINE_BREAKS = ("\r\n", "\n", "\r")


@dataclass(frozen=True, slots=True)
class Formatted:
    """A file before and after it is brought into canonical form; equal if nothing is to be done.

    If there are ``findings``, the file cannot be formatted, and both texts are empty. ``path`` can be printed, ``real``
    can be opened; it is None for a text that is in no file.
    """

    path: str
    before: str = ""
    after: str = ""
    findings: tuple[Finding, ...] = ()
    real: Path | None = None

    @property
    def is_changed(self) -> bool:
        """Whether the file is not in canonical form."""
        return self.before != self.after

    @property
    def place(self) -> Location:
        """The start of the first line that differs."""
        pairs = zip(each_line(self.before), each_line(self.after), strict=False)
        same = next((number for number, (old, new) in enumerate(pairs) if old != new), None)
        line = same if same is not None else min(self.before.count("\n"), self.after.count("\n"))
        return Location(self.path, line + 1, 1)


def formatted(file: SourceFile, environments: Collection[str]) -> Formatted:
    """Bring one file into canonical form; ``environments`` are those of the configuration."""
    data = file.content()
    root, problems = read(data, file.path, file.size)
    errors = tuple(finding for finding in problems if finding.severity == "error")
    if root is None or errors:
        return Formatted(file.path, findings=errors)
    document = Document(file.path, root, file.beside)
    size = size_of(document, len(problems), environments)
    if finding := SetSize(len(environments)).add(file.path, size, uses_environments(document)):
        return Formatted(file.path, findings=(finding,))
    before = data.decode("utf-8")
    text = before.removeprefix(_BOM)
    after = canonical_text(text)
    if after != text and (changed := difference(text, after, document, environments)):
        message = f"formatting would change {changed}; the file stays as it is"
        hint = "this is a mistake in schedsync; please report it with the file"
        return Formatted(file.path, findings=(Finding("SS183", message, Location(file.path, 1, 1), hint),))
    return Formatted(file.path, before, before[: len(before) - len(text)] + after, real=file.real)


def canonical_text(text: str) -> str:
    """Return the canonical form of a text that ``files.yaml`` could read without an error."""
    plain, original = without_line_breaks(text)
    tree = tree_of(plain)
    if tree is None:
        return text
    tree = _again(tree, _with_last_break(tree))
    # White space first: a comment that is too deep would become text of a block scalar above its new place.
    tree = _again(tree, apply_edits(tree.text, [*layout_edits(tree), *spelling_edits(tree)]))
    plain = ordered(tree)
    return original(plain) if original else plain


def _again(tree: Tree, text: str) -> Tree:
    """Return the tree of a changed text."""
    return tree if text == tree.text else tree_of(text) or tree


def _with_last_break(tree: Tree) -> str:
    """Return the text with a line break at its end, except behind a block scalar, where it would be text."""
    if tree.text.endswith(("\n", "\r")) or (tree.last.is_block_scalar and tree.last.end == len(tree.text)):
        return tree.text
    used = next((each for each in _LINE_BREAKS if each in tree.text), "\n")
    return tree.text + used
