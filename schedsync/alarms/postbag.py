"""Letters on their way: each goes to every service, and one that a service does not accept is sent again later."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from schedsync.alarms.services import Answer, send_letters
from schedsync.alarms.settings import SecretUrl
from schedsync.core.alarm import Letter

#: How many letters may wait for all services together; then the oldest are given up.
_MOST = 500


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A letter for one service; ``not_before`` is by the monotonic clock."""

    service: SecretUrl
    letter: Letter
    not_before: float = 0.0
    tries: int = 0


@dataclass
class Postbag:
    """The letters that have not arrived; ``waits`` are the seconds before the second try, the third and so on."""

    services: Sequence[SecretUrl]
    waits: Sequence[float]
    clock: Callable[[], float] = time.monotonic
    _waiting: list[_Waiting] = field(default_factory=list)

    def put(self, letters: Iterable[Letter]) -> list[Answer]:
        """Take letters for all services; returns those that are given up because too many wait."""
        new = [_Waiting(service, letter) for letter in letters for service in self.services]
        everything = [*self._waiting, *new]
        left_out, self._waiting = everything[:-_MOST], everything[-_MOST:]
        return [Answer(waiting.service, waiting.letter, "too many alarms wait") for waiting in left_out]

    @property
    def wait(self) -> float | None:
        """Seconds until a letter is to be sent; None if none waits."""
        if not self._waiting:
            return None
        return max(min(waiting.not_before for waiting in self._waiting) - self.clock(), 0.0)

    def send(self, seconds: float) -> list[Answer]:
        """Send what is due, for at most ``seconds``; returns what has arrived, and what is given up."""
        now = self.clock()
        due = [waiting for waiting in self._waiting if waiting.not_before <= now]
        if not due:
            return []
        self._waiting = [waiting for waiting in self._waiting if waiting.not_before > now]
        letters: dict[SecretUrl, list[Letter]] = {}
        for waiting in due:
            letters.setdefault(waiting.service, []).append(waiting.letter)
        tries = {(waiting.service, waiting.letter): waiting.tries for waiting in due}
        return [
            answer
            for answer in send_letters(letters, seconds)
            if not self._waits_again(answer, tries[answer.service, answer.letter])
        ]

    def _waits_again(self, answer: Answer, tries: int) -> bool:
        if not answer.problem or answer.is_final or tries >= len(self.waits):
            return False
        later = _Waiting(answer.service, answer.letter)
        self._waiting.append(replace(later, not_before=self.clock() + self.waits[tries], tries=tries + 1))
        return True

    def give_up(self) -> list[Answer]:
        """Return the letters that still wait, and forget them."""
        left, self._waiting = self._waiting, []
        return [Answer(waiting.service, waiting.letter, "it did not accept it in time") for waiting in left]
