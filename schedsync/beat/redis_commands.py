"""Sends commands to Redis together, by one write: its client makes a system call of each 6,000 bytes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from redis import VERSION
from redis.exceptions import ResponseError

#: Before 5.3 the client wants the name of the first command.
_FIRST = () if VERSION >= (5, 3) else ("LPUSH",)


def answers(client: Any, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
    """Return what Redis answers to each command, an error too; raises what breaks the connection.

    Unlike a pipeline of the client, it never sends the commands a second time.
    """
    pool = client.connection_pool
    connection = pool.get_connection(*_FIRST)
    try:
        connection.send_packed_command([b"".join(connection.pack_commands(commands))])
        return [_answer(connection) for _ in commands]
    except BaseException:
        # What was not read would be taken for the answers to the next commands.
        connection.disconnect()
        raise
    finally:
        pool.release(connection)


def _answer(connection: Any) -> Any:
    try:
        return connection.read_response()
    except ResponseError as error:
        return error
