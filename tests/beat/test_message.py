"""The ids of messages."""

from __future__ import annotations

import uuid
from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from schedsync.beat.message import DueTick
from schedsync.core.task_id import uuid_text
from tests.conftest import NOW


@given(bits=st.binary(min_size=16, max_size=16), version=st.sampled_from([4, 5]))
def test_a_uuid_is_written_as_python_writes_it(bits: bytes, version: int) -> None:
    assert uuid_text(bits, version) == str(uuid.UUID(bytes=bits, version=version))


@given(name=st.text(st.characters(exclude_categories=["Cs"])))
def test_the_id_of_a_task_comes_from_its_schedule_and_its_tick(name: str) -> None:
    schedule: Any = SimpleNamespace(name=name)
    namespace = uuid.UUID("6f1f5f5e-2f3b-5d0c-9c1a-5a1b6d2b8f10")
    assert DueTick(schedule, NOW).task_id == str(uuid.uuid5(namespace, f"{name}@2026-11-23T10:00:00Z"))
