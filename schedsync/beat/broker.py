"""The connection to the broker, on which no attempt takes long, and what its errors mean for a message."""

from __future__ import annotations

import logging
import socket
from enum import Enum
from typing import Any

from amqp.exceptions import ContentTooLarge, IrrecoverableChannelError, MessageNacked
from celery import Celery
from kombu.exceptions import EncodeError, KombuError, OperationalError

from schedsync.beat.chunks import Confirms, confirms_of
from schedsync.core.masked_errors import error_line, masked_text

logger = logging.getLogger(__name__)

#: Errors that a message meets at every attempt: its exchange is missing or is of another kind, its queue is forbidden
#: to this user, its body cannot be encoded or is too large.
_ITS_OWN = (KeyError, EncodeError, IrrecoverableChannelError, ContentTooLarge)
#: Seconds to listen to a connection before it is used.
_GLANCE = 0.001


class Fate(Enum):
    """What became of a message: it is done with, refused for now by a broker that answers, or possibly lost."""

    DONE = "done"
    REFUSED = "refused"
    BROKEN = "broken"


def cause_of(error: BaseException) -> BaseException:
    """Return the error of the transport, which kombu's own classes hide."""
    hidden = error.__cause__ if isinstance(error, KombuError) else None
    return error if hidden is None else cause_of(hidden)


class Broker:
    """One connection, made anew after an error; a tick can wait, but Beat must not hang.

    ``patience`` is in seconds, and bounds the wait for an answer: RabbitMQ gives none while memory or disk run out.
    ``trouble`` says why the broker cannot be reached, or is empty. ``producer`` and ``confirms`` are None without a
    connection; ``confirms`` also for a broker that has none.
    """

    def __init__(self, app: Celery, patience: float) -> None:
        self._app: Any = app
        self._patience = patience
        self._connection: Any = None
        self.producer: Any = None
        self.confirms: Confirms | None = None
        self.trouble = ""

    def ready(self) -> bool:
        """Connect if needed; returns whether the broker can be reached."""
        try:
            if self._connection is not None and not self._is_alive():
                self.drop()
            if self._connection is None:
                self._connection = self._connect()
            self._connection.ensure_connection(max_retries=1, interval_start=0)
            if (connected := getattr(self._connection.connection, "sock", None)) is not None:
                connected.settimeout(self._patience)
            if self.producer is None:
                self.producer = self._app.amqp.Producer(self._connection, auto_declare=False)
                self.confirms = confirms_of(self.producer)
        except Exception as error:
            # With any error, such as a refused login, nothing can be sent now.
            self.down(error)
            return False
        if self.trouble:
            logger.warning("the broker is back")
        self.trouble = ""
        return True

    def _connect(self) -> Any:
        connection = self._app.connection_for_write()
        by_driver: dict[str, dict[str, Any]] = {
            # Without confirms a message for a broker that has gone away is lost silently.
            "amqp": {"confirm_publish": True},
            "redis": {"socket_timeout": self._patience},
        }
        driver = connection.transport.driver_type
        # A driver that tries again by itself would repeat messages that are sent at most once.
        fixed = {"retry_on_timeout": False} if driver == "redis" else {}
        connection.transport_options = {
            **by_driver.get(driver, {}), **(connection.transport_options or {}), **fixed
        }  # fmt: skip
        return connection

    def _is_alive(self) -> bool:
        """Say whether the connection still works: only a read or a PING notices that an idle connection is gone."""
        try:
            if self._connection.transport.driver_type == "redis":
                # Otherwise the next message would find it out, and one that is sent at most once would be lost.
                return self.producer is None or bool(self.producer.channel.client.ping())
            if self._connection.connected and self._connection.supports_heartbeats:
                self._connection.drain_events(timeout=_GLANCE)
        except socket.timeout:  # noqa: UP041 - on Python 3.10 it is no TimeoutError
            return True
        except Exception as error:
            logger.info("the broker has closed the connection: %s", error_line(error))
            return False
        return True

    def fate_of(self, error: BaseException) -> Fate:
        """Return what an error says of the message that was sent."""
        if isinstance(error, _ITS_OWN) or isinstance(error := cause_of(error), _ITS_OWN):
            return Fate.DONE
        if isinstance(error, (MessageNacked, *self._connection.channel_errors)):
            return Fate.REFUSED
        lost = (*self._connection.connection_errors, OperationalError, OSError)
        return Fate.BROKEN if isinstance(error, lost) else Fate.DONE

    def down(self, error: Exception) -> None:
        """Note that the broker cannot be reached, and say so once."""
        if not self.trouble:
            logger.error("the broker cannot be reached, ticks wait for it: %s", masked_text(error))
        self.trouble = error_line(error)
        self.drop()

    def close(self) -> None:
        """Give the connection back."""
        self._let_go("release")

    def drop(self) -> None:
        """Forget the connection without closing it properly: the broker may not answer."""
        self._let_go("collect")

    def _let_go(self, how: str) -> None:
        connection, self._connection, self.producer, self.confirms = self._connection, None, None, None
        if connection is not None:
            try:
                getattr(connection, how)()
            except Exception as error:
                logger.debug("closing the broker's connection: %s", error_line(error))
