"""The documents that one verb writes and another reads: snapshots and saved plans."""

from __future__ import annotations

import json
import math
import os
import re
import stat
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeVar

from schedsync.commands.output import say, write_file
from schedsync.core.names import counted, shortened
from schedsync.core.nesting import is_deeper
from schedsync.core.published import Place
from schedsync.core.secrets import masked
from schedsync.errors import WrongUsage
from schedsync.render.programs import json_

if TYPE_CHECKING:
    from schedsync.planning.documents import SavedPlan
    from schedsync.planning.plan import Plan
    from schedsync.planning.snapshot import Snapshot

#: A snapshot that is older than this gets a warning.
_FRESH = timedelta(days=7)
#: In bytes: more than a plan or a snapshot of 200,000 schedules needs.
LARGEST: Final = 256 * 2**20
#: The variable with the token that is sent to an address.
SNAPSHOT_TOKEN: Final = "SCHEDSYNC_SNAPSHOT_TOKEN"
#: Keys whose values are those of rows: any JSON, also with lone surrogates.
_OF_ROWS: Final = ("args", "kwargs", "headers", "before", "after")
#: A file of schedules may be nested half as deep.
_DEEPEST: Final = 200
_LONGEST_NUMBER: Final = 400
_LONGEST_PROBLEM: Final = 200
_TOO_DEEP = f"it is nested more than {_DEEPEST} levels deep"
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")

T = TypeVar("T")


def load_snapshot(place: Place) -> Snapshot:
    """Read a snapshot, and warn if it is old; of a published one the age is said in any case.

    Raises WrongUsage if it is no snapshot, Unavailable or Failed if it cannot be got.
    """
    from schedsync.planning.snapshot import snapshot_from
    from schedsync.schemas.validator import SNAPSHOT

    snapshot = _read(place, "snapshot", SNAPSHOT, snapshot_from, "make one by `schedsync snapshot --out FILE`")
    age = datetime.now(timezone.utc) - snapshot.created_at
    if age > _FRESH:
        say(f"warning: the snapshot is {age.days} days old")
    elif not isinstance(place, Path):
        say(f"the snapshot is {_age_text(age)} old, of {place}")
    return snapshot


def _age_text(age: timedelta) -> str:
    minutes = max(int(age.total_seconds()) // 60, 0)
    if minutes < 120:
        return counted(minutes, "minute")
    return counted(minutes // 60, "hour") if minutes < 48 * 60 else counted(minutes // 1440, "day")


def read_plan(file: Path) -> SavedPlan:
    """Read a saved plan; raises WrongUsage if the file is no plan."""
    from schedsync.planning.documents import saved_plan
    from schedsync.schemas.validator import PLAN

    return _read(file, "saved plan", PLAN, saved_plan, "make one by `schedsync plan --out FILE`")


def _read(place: Place, noun: str, schema: str, from_values: Callable[[Any], T], hint: str) -> T:
    """Read JSON from a place, check it by its schema, then convert its values; raises WrongUsage if any step fails."""
    from schedsync.schemas.validator import problems

    try:
        values = _json_of(_bytes_of(place))
        problem = next(problems(values, schema), None)
        if problem is None:
            return from_values(values)
    except OSError as error:
        problem = error.strerror or str(error)
    except RecursionError:
        problem = _TOO_DEEP
    except KeyError as error:
        problem = f"a key is missing or unknown: {error}"
    except (ValueError, TypeError, AttributeError, ArithmeticError) as error:
        problem = str(masked(str(error)))[:_LONGEST_PROBLEM]
    raise WrongUsage(f"`{place}` is no {noun}: {problem}", hint=hint)


def _bytes_of(place: Place) -> bytes:
    """Return what is at a place, up to the limit.

    Raises ValueError for a file that is a pipe, without waiting for it, and Unavailable or Failed for what is
    published and cannot be got.
    """
    if isinstance(place, Path):
        return _bytes_of_file(place)
    from schedsync.usecases.published import get_published

    return get_published(place, LARGEST, os.environ.get(SNAPSHOT_TOKEN) or None)


def _bytes_of_file(file: Path) -> bytes:
    with os.fdopen(os.open(file, os.O_RDONLY | os.O_NONBLOCK), "rb") as stream:
        if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
            raise ValueError("it is not a regular file")
        data = stream.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise ValueError(f"it is larger than {LARGEST // 2**20} MB")
    return data


def _json_of(data: bytes) -> Any:
    """Return the JSON values of a file; raises ValueError also for huge numbers, deep nesting and lone surrogates."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"it is not UTF-8 at byte {error.start:,}") from error
    values: Any = json.loads(text, parse_int=_whole_number, parse_float=_number, parse_constant=_no_number)
    if is_deeper(values, _DEEPEST):
        raise ValueError(_TOO_DEEP)
    if _SURROGATE.search(text):
        _check_surrogates(values)
    return values


def _whole_number(text: str) -> int:
    return int(text) if len(text) <= _LONGEST_NUMBER else _no_number(text)


def _number(text: str) -> float:
    value = float(text)
    return value if math.isfinite(value) else _no_number(text)


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"`{shortened(text)}` is not a number that it can hold")


def _check_surrogates(values: Any) -> None:
    """Raise ValueError for a lone surrogate, half a character, which no database, file or terminal accepts.

    The JSON of rows may have one, because it is written as an escape.
    """
    try:
        json.dumps(_without_rows(values), ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise ValueError("it holds a lone surrogate, which is half a character") from error


def _without_rows(values: Any) -> Any:
    if isinstance(values, dict):
        return {key: _without_rows(value) for key, value in values.items() if key not in _OF_ROWS}
    return [_without_rows(value) for value in values] if isinstance(values, list) else values


def save_plan(plan: Plan, file: Path) -> None:
    """Write a plan to a file."""
    write_file(json_.compact_plan(plan), file)
    say(f"saved to {file}, for `schedsync apply --plan {file}`")
