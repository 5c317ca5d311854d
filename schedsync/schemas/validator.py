"""The JSON Schemas by name, and the values that are checked against them.

A generated validator says within a fraction of the time whether a value conforms. The jsonschema library is imported
only for a value that does not: it names everything that is wrong.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

from schedsync.schemas.wording import sentence

SCHEDULES = "schedules.v1.schema.json"
CONFIG = "config.v1.schema.json"
AGENT = "agent.v1.schema.json"
PLAN = "plan.v1.schema.json"
REVIEW = "review.v1.schema.json"
SNAPSHOT = "snapshot.v1.schema.json"
FORECAST = "forecast.v1.schema.json"
COMPARISON = "comparison.v1.schema.json"
#: The file name of each schema, by the word that `schedsync schema` takes.
SCHEMAS = {
    name.split(".")[0]: name for name in (SCHEDULES, CONFIG, AGENT, PLAN, REVIEW, SNAPSHOT, FORECAST, COMPARISON)
}


def schema_text(name: str) -> str:
    """Return a schema's text, from the installed package or from the checkout."""
    packaged = resources.files("schedsync").joinpath("schemas").joinpath(name)
    if packaged.is_file():
        return packaged.read_text(encoding="utf-8")
    return (Path(__file__).parents[2] / "schemas" / name).read_text(encoding="utf-8")


@lru_cache(maxsize=len(SCHEMAS))
def _schema(name: str) -> dict[str, Any]:
    result: dict[str, Any] = json.loads(schema_text(name))
    return result


@lru_cache(maxsize=1)
def schedule_keys() -> tuple[str, ...]:
    """Return the keys that a schedule may have."""
    return tuple(_schema(SCHEDULES)["definitions"]["schedule"]["properties"])


# Compiling the schema of the files takes longer than checking a file of 500 schedules.
@lru_cache(maxsize=len(SCHEMAS))
def _validator(name: str) -> Callable[[Any], Any]:
    import fastjsonschema

    result: Callable[[Any], Any] = fastjsonschema.compile(_schema(name), use_default=False, use_formats=False)
    return result


def conforms(value: Any, name: str) -> bool:
    """Say whether a value conforms to a schema."""
    from fastjsonschema import JsonSchemaValueException

    try:
        _validator(name)(value)
    except JsonSchemaValueException:
        return False
    return True


def errors(value: Any, name: str) -> Iterable[Any]:
    """Return the ``jsonschema.ValidationError`` of everything in a value that a schema does not allow."""
    import jsonschema

    result: Iterable[Any] = jsonschema.Draft7Validator(_schema(name)).iter_errors(value)
    return result


def problems(value: Any, name: str) -> Iterator[str]:
    """Yield a sentence for everything in a value that a schema does not allow; nothing where the value conforms."""
    return iter(()) if conforms(value, name) else map(sentence, errors(value, name))
