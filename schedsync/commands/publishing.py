"""``--publish``: snapshots where pull requests can get them."""

from __future__ import annotations

from pathlib import Path

from schedsync.commands.documents import LARGEST
from schedsync.commands.help import OUTPUT
from schedsync.commands.options import option
from schedsync.commands.output import say, write_file
from schedsync.commands.parameters import SnapshotPlace
from schedsync.core.published import Place
from schedsync.errors import SchedsyncError

publish_option = option(
    "--publish", heading=OUTPUT, type=SnapshotPlace(exists=False), metavar="FILE|URL",
    help="Publish a snapshot: in a file, at `https://…`, in `s3://bucket/key`, or in `git+https://…#branch:path`.",
)  # fmt: skip


def publish_applied(place: Place, using: str, set_name: str) -> None:
    """Publish a snapshot of what was applied; a place that takes none is said, and fails nothing."""
    from schedsync.render.programs import json_
    from schedsync.usecases.snapshot import capture

    try:
        publish(place, json_.snapshot(capture(using, set_name)))
        say(f"published to {place}")
    except SchedsyncError as error:
        say(f"warning: committed, but the snapshot was not published: {error.message}")


def publish(place: Place, data: str) -> None:
    """Publish a snapshot: in a file as a whole or not at all, at an address, in a bucket, or in a branch.

    Raises Unavailable if the place takes none now, Failed if it refuses, or WrongUsage.
    """
    data = f"{data}\n"
    if isinstance(place, Path):
        write_file(data, place)
        return
    from schedsync.usecases.published import publish_at

    publish_at(place, data.encode("utf-8"), LARGEST)
