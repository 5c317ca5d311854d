"""``--publish``: snapshots where pull requests can get them."""

from __future__ import annotations

from pathlib import Path

from schedsync.commands.documents import LARGEST
from schedsync.commands.help import OUTPUT
from schedsync.commands.options import option
from schedsync.commands.output import write_file
from schedsync.commands.parameters import SnapshotPlace
from schedsync.core.published import Place

publish_option = option(
    "--publish", heading=OUTPUT, type=SnapshotPlace(exists=False), metavar="FILE|URL",
    help="Publish a snapshot: in a file, at `https://…`, or in `git+https://…#branch:path`.",
)  # fmt: skip


def publish(place: Place, data: str) -> None:
    """Publish a snapshot: in a file as a whole or not at all, at an address, or in a branch.

    Raises Unavailable if the place takes none now, Failed if it refuses, or WrongUsage.
    """
    data = f"{data}\n"
    if isinstance(place, Path):
        write_file(data, place)
        return
    from schedsync.usecases.published import publish_at

    publish_at(place, data.encode("utf-8"), LARGEST)
