"""The outbox: ticks that this Beat has claimed and not finished, by what they wait for."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum
from typing import Protocol


class Waiting(Enum):
    """What a claimed tick waits for.

    In this order: until the batch before it is sent, until it is sent, until its edited row is read again, until the
    broker that refused it is asked again, until it is confirmed, until its row is no longer locked.
    """

    AHEAD = "ahead"
    TO_SEND = "to send"
    EDITED = "edited"
    REFUSED = "refused"
    TO_CONFIRM = "to confirm"
    ROW_LOCKED = "row locked"


#: For how many seconds the first tick waits, and with it all that come after it; the others do not wait for a time.
SECONDS = {Waiting.REFUSED: 10.0, Waiting.ROW_LOCKED: 1.0}
UNSENT = (Waiting.AHEAD, Waiting.TO_SEND, Waiting.EDITED, Waiting.REFUSED)
_SENT = (Waiting.TO_CONFIRM, Waiting.ROW_LOCKED)


class ClaimedTick(Protocol):
    """A tick that was claimed: the message to be sent for it, or one that another Beat left behind."""

    @property
    def row_id(self) -> int:
        """The id of the schedule's row."""
        ...

    @property
    def tick(self) -> datetime:
        """The tick."""
        ...

    @property
    def one_off(self) -> bool:
        """Whether the schedule runs once."""
        ...

    @property
    def key(self) -> tuple[int, datetime]:
        """The key of the claim: the row's id, and the tick."""
        ...


@dataclass(frozen=True, slots=True)
class Claimed:
    """Ticks of one batch that wait for the same thing."""

    batch: uuid.UUID
    ticks: tuple[ClaimedTick, ...]


def _nothing() -> dict[Waiting, list[Claimed]]:
    return {waiting: [] for waiting in Waiting}


@dataclass
class Outbox:
    """Keeps claimed ticks until they are confirmed; ``clock`` gives seconds, and never goes back."""

    clock: Callable[[], float] = time.monotonic
    _claimed: dict[Waiting, list[Claimed]] = field(default_factory=_nothing)
    _not_before: dict[Waiting, float] = field(default_factory=dict)

    def put(self, claimed: Claimed, waiting: Waiting, *, first: bool = False) -> None:
        """Keep ticks, after those that wait for the same thing, or before them; none are ignored."""
        if not claimed.ticks:
            return
        waits = self._claimed[waiting]
        if not waits:
            self._not_before[waiting] = self.clock() + SECONDS.get(waiting, 0.0)
        waits.insert(0 if first else len(waits), claimed)

    def is_time(self, waiting: Waiting) -> bool:
        """Say whether ticks wait for this, and their time has come."""
        return bool(self._claimed[waiting]) and self.clock() >= self._not_before[waiting]

    @contextmanager
    def take(self, waiting: Waiting, most: int | None = None) -> Iterator[list[Claimed]]:
        """Take out the ticks whose time has come, of at most ``most`` batches; put them back if the block fails."""
        taken = self._claimed[waiting][:most] if self.is_time(waiting) else []
        del self._claimed[waiting][: len(taken)]
        try:
            yield taken
        except BaseException:
            self._claimed[waiting][:0] = taken
            raise

    def bring_on(self, waiting: Waiting, next_waiting: Waiting) -> None:
        """Let the ticks that wait for the one thing wait for the other, after those that do already."""
        with self.take(waiting) as taken:
            for claimed in taken:
                self.put(claimed, next_waiting)

    def hurry(self, waiting: Waiting) -> None:
        """Let the time come at once for the ticks that wait for this."""
        self._not_before[waiting] = self.clock()

    def take_back(self, keys: Collection[tuple[int, datetime]], batch: uuid.UUID) -> set[tuple[int, datetime]]:
        """Put the sent ticks among these under another batch, to be confirmed; returns their keys."""
        sent = {tick.key: tick for tick in self._ticks(_SENT)}
        moved = {key: sent[key] for key in keys if key in sent}
        if moved:
            for waiting in _SENT:
                left = [_without(moved, claimed) for claimed in self._claimed[waiting]]
                self._claimed[waiting] = [claimed for claimed in left if claimed.ticks]
            self.put(Claimed(batch, tuple(moved.values())), Waiting.TO_CONFIRM)
        return set(moved)

    def never_sent(self) -> set[tuple[int, datetime]]:
        """Return the keys of the ticks that were not sent yet."""
        return {tick.key for tick in self._ticks(UNSENT)}

    def rows_in_hand(self) -> set[int]:
        """Return the ids of the rows whose ticks are here."""
        return {tick.row_id for tick in self._ticks(Waiting)}

    def held(self) -> list[Claimed]:
        """Return all that is here."""
        return [claimed for waits in self._claimed.values() for claimed in waits]

    def _ticks(self, kinds: Collection[Waiting] | type[Waiting]) -> Iterator[ClaimedTick]:
        return (tick for waiting in kinds for claimed in self._claimed[waiting] for tick in claimed.ticks)


def _without(keys: Collection[tuple[int, datetime]], claimed: Claimed) -> Claimed:
    return replace(claimed, ticks=tuple(tick for tick in claimed.ticks if tick.key not in keys))
