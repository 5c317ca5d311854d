"""Words of the terminal as HTML: what is in backticks there is code."""

from __future__ import annotations

from django.utils.html import escape, format_html
from django.utils.safestring import SafeString, mark_safe


def coded(text: str) -> SafeString:
    """Return text with each part in backticks as code; all of it is escaped."""
    parts = text.split("`")
    if len(parts) % 2 == 0:
        return escape(text)
    marked = (format_html("<code>{}</code>", part) if index % 2 else escape(part) for index, part in enumerate(parts))
    # Each part was escaped.
    return mark_safe("".join(marked))
