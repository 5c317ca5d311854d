"""The database server, as far as it tells who it is: only to warn, for a server may change, and a copy may not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from django.db import DatabaseError, connections, transaction


class Server(NamedTuple):
    """The identifier and the host of a database server; empty where it does not tell, or we have no right to ask."""

    id: str = ""
    host: str = ""


#: For each vendor the statements that may give the identifier, and those that may give the host.
_QUESTIONS: Mapping[str, tuple[Sequence[str], Sequence[str]]] = {
    "postgresql": (("SELECT system_identifier FROM pg_control_system()",), ("SELECT host(inet_server_addr())",)),
    "mysql": (("SELECT @@server_uuid", "SELECT @@server_uid"), ("SELECT @@hostname",)),
}


def server_of(using: str) -> Server:
    """Return the server of a database."""
    ids, hosts = _QUESTIONS.get(connections[using].vendor, ((), ()))
    return Server(_first(using, ids)[:100], _first(using, hosts)[:200])


def _first(using: str, statements: Sequence[str]) -> str:
    """Return the first answer that a statement gives, or an empty text."""
    for statement in statements:
        try:
            with transaction.atomic(using=using), connections[using].cursor() as cursor:
                cursor.execute(statement)
                row = cursor.fetchone()
        except DatabaseError:
            continue
        if row and row[0] is not None:
            return str(row[0])
    return ""


def changes(before: Server, after: Server) -> list[str]:
    """Return what differs between two servers, in words; what one of them does not tell is not compared."""
    names = {"identifier": (before.id, after.id), "host": (before.host, after.host)}
    return [f"{name} {old} -> {new}" for name, (old, new) in names.items() if old and new and old != new]
