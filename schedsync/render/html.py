"""A review as one page of HTML that loads nothing: for a browser, an archive, a mail."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from schedsync.core.names import first_names
from schedsync.render import heatmap
from schedsync.render.folding import groups_across, in_order_of_danger
from schedsync.render.words import (
    counted,
    environments_text,
    finding_text,
    printable,
    review_summary_text,
    side_text,
    timing_words,
)
from schedsync.review.result import EnvironmentReview, Review


@lru_cache(maxsize=1)
def _environment() -> Any:
    # Loaded here: only who wants a page waits for it.
    from jinja2 import Environment, PackageLoader, StrictUndefined

    # What came from outside is escaped wherever it is put in; only pictures of ours go in as they are.
    made = Environment(
        loader=PackageLoader("schedsync.render", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"printable": printable}
    made.globals |= {
        "counted": counted,
        "finding_text": finding_text,
        "first_names": first_names,
        "timing_words": timing_words,
        "heat_style": _safe(heatmap.STYLE),
    }
    return made


def _safe(text: str) -> Any:
    """Mark a text of ours as markup."""
    from markupsafe import Markup

    return Markup(text)


def rendered(template: str, **values: Any) -> str:
    """Return a page; ``pictures`` are titles, and SVG texts of ours."""
    if "pictures" in values:
        values["pictures"] = [(title, _safe(one)) for title, one in values["pictures"]]
    page: str = _environment().get_template(template).render(**values)
    return page


def review(value: Review) -> str:
    """Write a review as one page, with the load before and after."""
    sections = [
        {
            "environments": environments_text([one.environment for one in group]),
            "summary": review_summary_text(group[0]),
            "refusals": group[0].plan.refusals,
            "pictures": [(title, _safe(picture)) for title, picture in _pictures(group[0])],
        }
        for group in value.groups()
    ]
    shown = [one for one in value.findings if value.shows(one)]
    return rendered(
        "review.html",
        base=value.base_text,
        head=side_text(value.head),
        sections=sections,
        groups=in_order_of_danger(groups_across([(one.environment, one.plan) for one in value.environments])),
        environments=len([one for one in value.environments if one.environment]),
        is_complete=all(one.is_complete for one in value.environments),
        findings=shown,
        new=value.new,
        old=len(value.findings) - len(shown),
    )


def _pictures(one: EnvironmentReview) -> list[tuple[str, str]]:
    """Return the week before and after, by one scale, and the worst day after."""
    before, after = heatmap.week(one.before), heatmap.week(one.after)
    most, worst = max(before.most, after.most), heatmap.worst_day(one.after)
    return [
        (f"Before: {before.title}", heatmap.svg(before, styled=False, most=most)),
        (f"After: {after.title}", heatmap.svg(after, styled=False, most=most)),
        (f"After: {worst.title}", heatmap.svg(worst, styled=False)),
    ]
