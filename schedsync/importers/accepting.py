"""A file of schedules says what somebody changed in the tables; the text around it stays as it is.

The steps are: schedules leave the file or their ``for_each``, or get another name; new ones come; then the fields of
each are edited.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

from schedsync.core.observed import Typed
from schedsync.core.schedule import FIELDS, Spec
from schedsync.files.edits import Edit
from schedsync.files.entries import Written
from schedsync.files.environments import EXPIRIES, layered
from schedsync.files.for_each_values import value_text
from schedsync.files.formatting.roles import SCHEDULE_KEYS
from schedsync.files.spans import NoSpans, Span
from schedsync.files.splice import GONE, CannotSplice, Renamed, edit_mapping, spliced
from schedsync.files.timing import TIMINGS
from schedsync.importers.accepted_entries import NewEntry, added_entries, leaving, schedules_of
from schedsync.importers.accepted_fields import Layer, Taken, layer_changes
from schedsync.importers.piece import CannotAccept, Piece, Scope

_STRUCTURE = frozenset({"environments", "only_in", "for_each"})
_GROUPS: Sequence[tuple[frozenset[str], frozenset[str]]] = (
    (frozenset({"timing"}), frozenset({*TIMINGS, "timezone", "one_off"})),
    (frozenset(EXPIRIES), frozenset(EXPIRIES)),
    (frozenset({"enabled"}), frozenset({"enabled", "disabled_reason"})),
)


def accepted_text(text: str, pieces: Sequence[Piece], scope: Scope) -> str:
    """Return the text of a file that says what the pieces want; raises CannotAccept where it cannot be written."""
    gone = [piece.definition for piece in pieces if piece.template is None and not piece.stays]
    values = _leaving_values(pieces)
    if gone or values:
        text = _step(text, lambda written, root: leaving(written, root, gone, values))
    if added := [_entry(piece) for piece in pieces if _is_new(piece)]:
        text = _step(text, lambda written, root: added_entries(written, root, added))
    if renamed := [piece for piece in pieces if piece.acceptance.kind == "rename" and piece.template is None]:
        text = _step(text, lambda written, root: _renames(written, root, renamed))
    staying = [piece for piece in pieces if piece.stays]
    return text if not staying else _step(text, lambda written, root: _fields(written, root, staying, scope))


def _step(text: str, edits: Callable[[Written, Span], Iterator[Edit]]) -> str:
    try:
        return spliced(text, edits)
    except NoSpans as error:
        raise CannotAccept("another schedule needs what would go, such as its anchor") from error
    except (CannotSplice, ValueError) as error:
        raise CannotAccept(str(error)) from error


def _leaving_values(pieces: Sequence[Piece]) -> dict[str, list[str]]:
    """Return the values that leave each ``for_each``, as text, by the key of its definition."""
    values: dict[str, list[str]] = {}
    for piece in pieces:
        if piece.template is not None:
            [(_, value)] = piece.template.values
            values.setdefault(piece.definition, []).append(value_text(value))
    return values


def _is_new(piece: Piece) -> bool:
    return piece.stays and (piece.acceptance.kind == "add" or piece.template is not None)


def _entry(piece: Piece) -> NewEntry:
    behind = piece.definition if piece.template is not None else None
    return NewEntry(piece.acceptance.name_after, piece.filled, behind)


def _renames(written: Written, root: Span, pieces: Sequence[Piece]) -> Iterator[Edit]:
    schedules = schedules_of(root)
    names = {piece.definition: piece.acceptance.name_after for piece in pieces}
    own = schedules.own()
    values = {name: own[name].value.plain() for name in names if name in own}
    return edit_mapping(written, schedules, {name: Renamed(names[name], value) for name, value in values.items()})


def _fields(written: Written, root: Span, pieces: Sequence[Piece], scope: Scope) -> Iterator[Edit]:
    """Yield the edits of the fields of each piece that stays in the file."""
    own = schedules_of(root).own()
    reasons: dict[str, str] = {}
    for piece in pieces:
        name = piece.acceptance.name_after if _is_new(piece) or piece.acceptance.kind == "rename" else piece.definition
        pair = own.get(name)
        if pair is None or pair.value.kind != "mapping":
            reasons[piece.name] = "the file gets it from an anchor"
            continue
        try:
            yield from _edits_of(written, root, pair.value, piece, scope)
        except CannotSplice as error:
            reasons[piece.name] = str(error)
    if reasons:
        raise CannotAccept("some are not in lines of their own", reasons)


def _edits_of(written: Written, root: Span, span: Span, piece: Piece, scope: Scope) -> Iterator[Edit]:
    defaults = root.fields().get("defaults")
    writer = _Writer(defaults.fields() if defaults is not None else {}, span, piece, scope)
    writer.decide()
    yield from writer.edits(written)


class _Writer:
    """Decides what the two layers of one schedule say: its own keys, and those of the chosen environment."""

    def __init__(self, defaults: Mapping[str, Span], span: Span, piece: Piece, scope: Scope) -> None:
        self.defaults, self.span, self.piece, self.scope = defaults, span, piece, scope
        self.holder = span.fields().get("environments")
        inner = self.holder.fields().get(scope.environment) if self.holder is not None and scope.environment else None
        self.inner = inner if inner is not None and inner.kind == "mapping" else None
        self.own: dict[str, Any] = {}
        self.in_environment: dict[str, Any] = {}

    def decide(self) -> None:
        """Collect the new values of both layers."""
        piece = self.piece
        if piece.spec is not None and piece.acceptance.kind != "remove":
            self._decide_fields(piece.spec)
        if piece.acceptance.kind in ("add", "rename") and not self._adopts():
            self.own["adopt"] = True
        if piece.acceptance.kind == "rename" and len(self.scope.environments) > 1:
            self.own["renamed_from"] = piece.name
        if piece.acceptance.kind == "remove" and piece.template is None:
            self.own["only_in"] = list(piece.others)

    def _adopts(self) -> bool:
        written = self.span.fields().get("adopt") or self.defaults.get("adopt")
        return written is not None and written.scalar is True

    def _decide_fields(self, spec: Spec) -> None:
        piece, scope = self.piece, self.scope
        taken = Taken(piece.acceptance, spec, piece.acceptance.name_after, scope.zone, self._typed())
        upper, lower = self._layers()
        for names, keys in _grouped(_names(piece)):
            in_upper = not keys.isdisjoint(upper.own)
            if self.inner is not None and not keys.isdisjoint(self.inner.merged()):
                in_upper = True
            elif scope.everywhere and in_upper:
                in_upper = False
                self.in_environment |= {key: GONE for key in keys if key in upper.own}
            if in_upper or (piece.others and not scope.everywhere and scope.environment is not None):
                self.in_environment |= layer_changes(upper, taken, names)
            else:
                self.own |= layer_changes(lower, taken, names)

    def _typed(self) -> Typed | None:
        row = self.piece.acceptance.row
        return self.scope.typed.get(row.id) if row is not None else None

    def _layers(self) -> tuple[Layer, Layer]:
        """Return the layer of the chosen environment, and that of the schedule itself."""
        own, merged = _parts(self.span)
        below = layered(self.defaults, merged)
        inner_own, inner_merged = _parts(self.inner) if self.inner is not None else ({}, {})
        below_inner = layered(layered(below, own), inner_merged)
        return (
            Layer(_plain(inner_own), _plain(below_inner), _plain(inner_merged)),
            Layer(_plain(own), _plain(below), _plain(merged)),
        )

    def edits(self, written: Written) -> Iterator[Edit]:
        """Yield the edits of both layers."""
        environment, holder = self.scope.environment, self.holder
        if self.piece.acceptance.kind == "remove" and environment is not None and self.inner is not None:
            yield from self._without_environment(written, environment)
        elif self.in_environment and environment is not None:
            pair = holder.own().get(environment) if holder is not None and "environments" in self.span.own() else None
            if pair is None:
                self._write_environment(environment)
            elif self._is_emptied(pair.value):
                yield from self._without_environment(written, environment)
            else:
                yield from edit_mapping(written, pair.value, self.in_environment, SCHEDULE_KEYS)
        yield from edit_mapping(written, self.span, self.own, SCHEDULE_KEYS)

    def _is_emptied(self, span: Span) -> bool:
        changes = self.in_environment
        return (
            all(changes.get(pair.key) is GONE for pair in span.pairs)
            and GONE in changes.values()
            and all(value is GONE for value in changes.values())
        )

    def _write_environment(self, environment: str) -> None:
        """Write the environment's values as a whole, with what an alias or an anchor says of it."""
        changed = {key: _value(value) for key, value in self.in_environment.items() if value is not GONE}
        before = self.inner.plain() if self.inner is not None else {}
        gone = self.in_environment.keys() - changed.keys() | {
            key for key, value in self.in_environment.items() if isinstance(value, Renamed)
        }
        kept = {key: value for key, value in before.items() if key not in gone}
        renamed = {value.key: value.value for value in self.in_environment.values() if isinstance(value, Renamed)}
        mapping = {**kept, **{key: value for key, value in changed.items() if key not in gone}, **renamed}
        all_of_them = self.holder.plain() if self.holder is not None else {}
        self.own["environments"] = {**all_of_them, environment: mapping}

    def _without_environment(self, written: Written, environment: str) -> Iterator[Edit]:
        holder = self.span.own().get("environments")
        if holder is None or holder.value.alias:
            return
        if holder.value.own().keys() == {environment}:
            self.own["environments"] = GONE
        elif environment in holder.value.own():
            yield from edit_mapping(written, holder.value, {environment: GONE})


def _value(value: Any) -> Any:
    return value.value if isinstance(value, Renamed) else value


def _names(piece: Piece) -> Sequence[str]:
    """Return the fields to write: of a schedule that is new in the file, all."""
    kind, fields = piece.acceptance.kind, piece.acceptance.fields
    if kind == "add":
        return FIELDS
    # An `H` in its crontab would mean another time under another name.
    return tuple(dict.fromkeys((*fields, "timing"))) if kind == "rename" else fields


def _grouped(names: Collection[str]) -> Iterator[tuple[list[str], frozenset[str]]]:
    """Yield fields that are written together, and the keys that they are written in."""
    for fields, keys in _GROUPS:
        if here := [name for name in FIELDS if name in fields and name in names]:
            yield here, keys
    # With a timing, `one_off` is written too.
    grouped = frozenset().union(*(fields for fields, _ in _GROUPS), {"one_off"} if "timing" in names else ())
    yield from (([name], frozenset({name})) for name in FIELDS if name in names and name not in grouped)


def _parts(span: Span) -> tuple[dict[str, Span], dict[str, Span]]:
    """Return the fields that a mapping writes itself, and those that it gets from elsewhere."""
    own = {key: pair.value for key, pair in span.own().items() if key not in _STRUCTURE}
    return own, {key: value for key, value in span.merged().items() if key not in _STRUCTURE}


def _plain(fields: Mapping[str, Span]) -> dict[str, Any]:
    return {key: span.plain() for key, span in fields.items()}
