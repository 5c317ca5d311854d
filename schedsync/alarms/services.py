"""Hands letters to the services by a process of its own, and says what became of them; nothing here waits for long."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from schedsync.alarms.post import ARRIVED, UNKNOWN_URL
from schedsync.alarms.settings import SecretUrl
from schedsync.core.alarm import Letter, Phase
from schedsync.core.alarm_text import is_urgent

#: What Apprise calls the colours of a message.
_TYPES = {Phase.BEGUN: "warning", Phase.REPEATED: "warning", Phase.OVER: "success", Phase.TEST: "info"}

#: The process ends itself these seconds after the caller should have ended it.
_LONGER = 5.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What a service said to one letter; ``problem`` is empty if it arrived."""

    service: SecretUrl
    letter: Letter
    problem: str = ""
    is_final: bool = False


def send_letters(letters: Mapping[SecretUrl, Sequence[Letter]], seconds: float) -> list[Answer]:
    """Send each service its letters, for at most ``seconds`` in all; returns an answer for each letter and service.

    Raises nothing: what cannot be sent has a problem, which never holds a URL.
    """
    request = [
        {
            "url": service.url,
            "letters": [{"title": each.title, "body": each.body, "type": _type(each)} for each in some],
        }
        for service, some in letters.items()
    ]
    output, problem = _run(json.dumps(request).encode(), seconds)
    told = {(answer[0], answer[1]): (answer[2], answer[3]) for answer in _lines(output)}
    return [
        _answer(service, each, told.get((place, number)), problem)
        for place, (service, some) in enumerate(letters.items())
        for number, each in enumerate(some)
    ]


def _type(letter: Letter) -> str:
    return "failure" if is_urgent(letter) else _TYPES[letter.phase]


def _run(request: bytes, seconds: float) -> tuple[bytes, str]:
    """Return what the process wrote, and why it may have written less than all."""
    environment: Mapping[str, str] = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-m", "schedsync.alarms.post", f"{seconds + _LONGER:g}"]
    try:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment,
            # Ctrl+C in the terminal is for the caller, which ends this process itself.
            start_new_session=True,
        )  # fmt: skip
    except (OSError, ValueError) as error:
        return b"", f"no process for Apprise can be started: {type(error).__name__}"
    with process:
        try:
            output, _ = process.communicate(request, timeout=seconds)
            return output, "it did not answer" if process.returncode == 0 else "Apprise cannot be run"
        except subprocess.TimeoutExpired:
            process.kill()
            output, _ = process.communicate()
            return output, f"no answer within {seconds:g} s"
        except BaseException:
            process.kill()
            raise


def _lines(output: bytes) -> list[list[Any]]:
    found = []
    for line in output.splitlines():
        try:
            answer = json.loads(line)
        except ValueError:
            continue
        if isinstance(answer, list) and len(answer) == 4:
            found.append(answer)
    return found


def _answer(service: SecretUrl, letter: Letter, told: tuple[Any, Any] | None, problem: str) -> Answer:
    if told is None:
        return Answer(service, letter, problem)
    status, code = told
    if status == ARRIVED:
        return Answer(service, letter)
    if status == UNKNOWN_URL:
        return Answer(service, letter, "Apprise does not understand this URL", is_final=True)
    answered = f"it answered {code}" if isinstance(code, int) else "it did not accept it, or cannot be reached"
    return Answer(service, letter, answered)
