"""Reads columns whose values nobody has checked: SQLite takes any type in any column, PostgreSQL an endless date.

A value that Django cannot convert would end the whole query in an exception. Here it becomes an ``Unreadable``. In the
other direction, ``storable`` makes a text that each database takes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any
from uuid import UUID

from django.db import DataError, OperationalError, connections
from django.db.models import F, Model, QuerySet, TextField
from django.db.models.functions import Cast
from django.utils.dateparse import parse_datetime
from django.utils.timezone import is_naive, make_aware

from schedsync.core.names import shortened
from schedsync.core.timing import in_calendar

#: The errors that converters raise; OperationalError is SQLite's for text that is not UTF-8.
NOT_CONVERTED = (ValueError, TypeError, AttributeError, ArithmeticError, DataError, OperationalError)
_TYPES: Mapping[str, type] = {
    "BooleanField": bool,
    "DateTimeField": datetime,
    "DecimalField": Decimal,
    "FloatField": float,
    "UUIDField": UUID,
}
_DEGREES = Decimal("0.000001")
_NONE = type(None)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A value that has another type than its column, or an instant outside the calendar; as text."""

    text: str

    def __str__(self) -> str:
        return shortened(self.text)


class Damaged(tuple[Any, ...]):
    """The values of a row, of which at least one is ``Unreadable``."""

    __slots__ = ()


def read_values(rows: QuerySet[Any], names: Sequence[str]) -> list[tuple[Any, ...]]:
    """Return the values of columns: each has the column's type, or is Unreadable in a ``Damaged`` tuple.

    None is a value of a column that may be NULL, and of any column of a joined table. A name that is no column is text
    that the caller has annotated. This is one query, and a second one for text if a value cannot be converted.
    """
    types = tuple([_type_of(rows.model, name) for name in names])
    try:
        read = list(rows.values_list(*names))
    except NOT_CONVERTED:
        read = _read_texts(rows, names, types)
    instants = [index for index, type_ in enumerate(types) if type_ is datetime]
    nullable = tuple([_is_nullable(rows.model, name) for name in names])
    return [
        values if _is_sound(values, types, nullable, instants) else _damaged(values, types, nullable) for values in read
    ]


def readable(value: Any, default: Any = None) -> Any:
    """Return a value, or the default where it is Unreadable."""
    return default if type(value) is Unreadable else value


def storable(text: str, longest: int) -> str:
    """Return the first characters of a text: PostgreSQL takes no NUL, and no database half of a surrogate pair."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()[:longest]


def _type_of(model: type[Model], name: str) -> type:
    relation, _, column = name.rpartition("__")
    owner: Any = model._meta.get_field(relation).related_model if relation else model
    kinds = {field.attname: field.get_internal_type() for field in owner._meta.concrete_fields}
    kind = kinds.get(owner._meta.pk.attname if column == "pk" else column, "TextField")
    is_number = "Integer" in kind or kind.endswith(("AutoField", "ForeignKey"))
    return _TYPES.get(kind, int if is_number else str)


def _is_nullable(model: type[Model], name: str) -> bool:
    fields: Any = {field.attname: field for field in model._meta.concrete_fields}
    return name not in fields or fields[name].null


def _is_sound(
    values: Sequence[Any], types: tuple[type, ...], nullable: tuple[bool, ...], instants: Sequence[int]
) -> bool:
    if not _have_types(tuple(map(type, values)), types, nullable):
        return False
    return all(values[index] is None or in_calendar(values[index]) for index in instants)


@lru_cache(maxsize=4096)
def _have_types(found: tuple[type, ...], types: tuple[type, ...], nullable: tuple[bool, ...]) -> bool:
    columns = zip(found, types, nullable, strict=True)
    return all(type_ is wanted or (may_be_null and type_ is _NONE) for type_, wanted, may_be_null in columns)


def _damaged(values: Sequence[Any], types: Sequence[type], nullable: Sequence[bool]) -> Damaged:
    return Damaged([_checked(*column) for column in zip(values, types, nullable, strict=True)])


def _checked(value: Any, type_: type, may_be_null: bool) -> Any:
    if value is None:
        return None if may_be_null else Unreadable("NULL")
    if type(value) is Unreadable:
        return value
    if type(value) is type_ and (not isinstance(value, datetime) or in_calendar(value)):
        return value
    return Unreadable(value.decode(errors="replace") if isinstance(value, bytes) else str(value))


def _read_texts(rows: QuerySet[Any], names: Sequence[str], types: Sequence[type]) -> list[tuple[Any, ...]]:
    """Read every column as text, and convert it here."""
    texts = {f"text_{number}": Cast(F(name), TextField()) for number, name in enumerate(names)}
    with _not_only_utf8(rows.db):
        read = list(rows.annotate(**texts).values_list(*texts))
    zone = connections[rows.db].timezone
    return [tuple([_converted(text, type_, zone) for text, type_ in zip(row, types, strict=True)]) for row in read]


@contextmanager
def _not_only_utf8(using: str) -> Iterator[None]:
    """Accept any bytes as text from SQLite."""
    connection: Any = connections[using]
    if connection.vendor != "sqlite":
        yield
        return
    connection.ensure_connection()
    connection.connection.text_factory = lambda text: text.decode(errors="replace")
    try:
        yield
    finally:
        connection.connection.text_factory = str


def _converted(text: str | None, type_: type, zone: Any) -> Any:
    if text is None or type_ is str:
        return text
    try:
        value = _CONVERTERS[type_](text)
        return make_aware(value, zone) if isinstance(value, datetime) and is_naive(value) else value
    except (ValueError, ArithmeticError, KeyError):
        return Unreadable(text)


def _instant(text: str) -> datetime:
    value = parse_datetime(text)
    if value is None:
        raise ValueError(text)
    return value


_CONVERTERS: Mapping[type, Callable[[str], Any]] = {
    int: int,
    float: float,
    bool: {"1": True, "0": False, "true": True, "false": False}.__getitem__,
    datetime: _instant,
    UUID: UUID,
    Decimal: lambda text: Decimal(text).quantize(_DEGREES),
}
