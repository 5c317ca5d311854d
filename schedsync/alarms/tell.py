"""Sends the alarms of a command, within a few seconds: it says what did not arrive, and never fails because of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Sequence

from django.db import DatabaseError, InterfaceError

from schedsync.alarms.desk import Desk
from schedsync.alarms.postbag import Postbag
from schedsync.alarms.services import Answer
from schedsync.alarms.settings import NotifySetting, SecretUrl
from schedsync.core.alarm import Alarm, Kind, Letter, Phase
from schedsync.database.alarms import note_sent
from schedsync.database.faults import reason_of
from schedsync.database.tables import has_table
from schedsync.models import SentAlarm

#: Seconds that all services together have.
SECONDS = 10.0
#: Seconds before a letter that was not accepted is sent again.
_WAITS = (1.0, 3.0)

Say = Callable[[str], None]


def tell(desk: Desk, on: Iterable[Alarm], kinds: Collection[Kind], scope: str, say: Say) -> None:
    """Send what is new among the alarms of these kinds and this scope; ``say`` gets a warning for what fails.

    Raises nothing that the database or a service causes.
    """
    using = desk.using
    try:
        if not has_table(using, SentAlarm):
            say("no alarm is sent: run `python manage.py migrate`")
            return
        letters = desk.look(on, kinds, scope)
        if letters:
            answers = deliver(desk.setting, letters)
            note_sent(using, keys_of_arrived(answers))
            for answer in answers:
                if answer.problem:
                    say(f"an alarm did not reach {answer.service.name}: {answer.problem}")
    except (DatabaseError, InterfaceError) as error:
        say(f"no alarm is sent: {reason_of(error, using)}")


def deliver(setting: NotifySetting, letters: Sequence[Letter], seconds: float = SECONDS) -> list[Answer]:
    """Send letters to all services, and again to those that do not accept them, as long as there is time."""
    bag, until = Postbag(setting.services, _WAITS), time.monotonic() + seconds
    answers = bag.put(letters)
    while (wait := bag.wait) is not None and time.monotonic() + wait < until:
        time.sleep(wait)
        answers += bag.send(max(until - time.monotonic(), 0.1))
    return answers + bag.give_up()


def keys_of_arrived(answers: Iterable[Answer]) -> set[str]:
    """Return the keys of the alarms that a service has accepted; the end of an alarm is not noted as sent."""
    arrived = (answer.letter for answer in answers if not answer.problem)
    return {key for letter in arrived if letter.phase is not Phase.OVER for key in letter.keys}


def try_services(setting: NotifySetting, letter: Letter) -> list[tuple[SecretUrl, str]]:
    """Send one letter to each service; returns for each what is wrong, or an empty text."""
    problems = {answer.service: answer.problem for answer in deliver(setting, [letter])}
    return [(service, problems[service]) for service in setting.services]
