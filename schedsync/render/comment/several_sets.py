"""The Markdown of several sets in one document: each has a share of the room, and its own Markdown is cut to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from schedsync.core.names import shortened
from schedsync.render.comment.fitted import Block, Row, fitted, lines
from schedsync.render.comment.markdown import Extent
from schedsync.render.words import printable

#: Writes the Markdown of one set, and cuts it to an extent.
Part = Callable[[Extent], str]
#: The characters of the sentence that says how many sets are missing.
_NOTICE = 300
#: In characters: a longer line of a message is cut.
_LONGEST = 1_000


def joined(parts: Sequence[Part], extent: Extent) -> str:
    """Write the Markdown of each set; where all together are too long, the longest are cut.

    If even their counts do not fit, the last sets are left out, and the first line says so.
    """
    texts = _cut_to_shares(parts, extent)
    if sum(extent.size(text) + 1 for text in texts) <= extent.limit:
        return "\n".join(texts)
    kept: list[str] = []
    room = extent.limit - _NOTICE - extent.size(extent.where)
    for text in texts:
        room -= extent.size(text) + 1
        if room < 0:
            break
        kept.append(text)
    missing = f"{len(texts) - len(kept):,} of {len(texts):,} sets are"
    return "\n".join([f"**{missing} left out here, because not everything fits.** {extent.where}\n", *kept])


def _cut_to_shares(parts: Sequence[Part], extent: Extent) -> list[str]:
    """Return the Markdown of each set; a set that needs less than its share leaves the rest to the others."""
    texts = [part(extent) for part in parts]
    sizes = [extent.size(text) for text in texts]
    room = extent.limit - len(parts)
    # From the smallest on, so that each share is divided among those that need at least as much.
    for done, number in enumerate(sorted(range(len(parts)), key=sizes.__getitem__)):
        share = max(0, room) // (len(parts) - done)
        if sizes[number] > share:
            texts[number] = parts[number](replace(extent, limit=share))
        room -= min(sizes[number], share)
    return texts


def not_done(reasons: Sequence[str], extent: Extent) -> str:
    """Write why a set was not done, as code: a message can hold text of a pull request."""
    rows = [
        Row(f"    {printable(shortened(line, _LONGEST))}") for text in reasons for line in text.splitlines() if line
    ]
    return fitted([lines("**Not done:**", ""), Block(rows, unit="line")], extent.limit, extent.where, extent.size)
