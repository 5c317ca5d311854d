"""Words of the terminal on the page."""

from __future__ import annotations

import pytest

from schedsync.admin.page.words import coded


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("after `schedsync resume`", "after <code>schedsync resume</code>"),
        ("`<b>` & <i>", "<code>&lt;b&gt;</code> &amp; &lt;i&gt;"),
        ("one ` alone <", "one ` alone &lt;"),
        ("{} `{0}` %s", "{} <code>{0}</code> %s"),
        ("", ""),
    ],
)
def test_what_is_in_backticks_is_code_and_all_of_it_is_escaped(text: str, html: str) -> None:
    assert coded(text) == html
