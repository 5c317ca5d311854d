"""The queues of the measurements, and the bare loop that sends beside a Beat."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tests.benchmarks.beat.stage import app

BEATS, BARE = "tenants", "bare"


class Queue:
    """A queue of the broker, looked at by a connection of its own."""

    def __init__(self, connection: Any, name: str) -> None:
        self._channel, self._name = connection.default_channel, name
        self._channel.queue_declare(queue=name, durable=True, auto_delete=False)

    def __len__(self) -> int:
        return int(self._channel.queue_declare(queue=self._name, durable=True, auto_delete=False).message_count)

    def clear(self) -> None:
        self._channel.queue_purge(queue=self._name)


@contextmanager
def queues() -> Iterator[tuple[Queue, Queue]]:
    """Yield the empty queue of a Beat's messages, and that of the bare loop."""
    with app().connection_for_write() as connection:
        pair = Queue(connection, BEATS), Queue(connection, BARE)
        for queue in pair:
            queue.clear()
        yield pair


@contextmanager
def bare_sender(**transport_options: Any) -> Iterator[Callable[[int], None]]:
    """Yield a function that sends a number of messages as a user's loop would, by an open connection."""
    made = app(**transport_options)
    with made.connection_for_write() as connection:
        producer = made.amqp.Producer(connection, auto_declare=False)
        number = 0

        def send(count: int) -> None:
            nonlocal number
            for _ in range(count):
                number += 1
                made.send_task(
                    "shop.tasks.sync_tenant", [], {"tenant": f"t{number}"}, producer=producer, queue=BARE,
                    headers={"periodic_task_name": f"tenant {number}: sync"},
                )  # fmt: skip

        send(1)
        yield send
