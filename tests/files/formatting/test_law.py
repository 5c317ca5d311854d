"""Whatever style an author has: the schedules and the comments stay, and a second run changes nothing."""

from __future__ import annotations

import re
from collections import Counter

from hypothesis import HealthCheck, given, settings

from tests.files.formatting.forms import format_text
from tests.files.formatting.styles import files

COMMENT = re.compile(r"# c\d+")


@given(files())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.large_base_example])
def test_any_file_keeps_its_meaning_and_its_comments_and_is_formatted_once(text: str) -> None:
    once = format_text(text)
    twice = format_text(once.after)

    # A difference in values, schedules or comments would be the finding SS183.
    assert (once.findings, twice.findings) == ((), ())
    assert twice.is_changed is False
    assert Counter(COMMENT.findall(once.after)) == Counter(COMMENT.findall(text))
    assert ("\r" in text) == ("\r" in once.after)
