"""Values of a `for_each` are put back as their placeholders."""

from __future__ import annotations

from schedsync.core.placeholders import put_back
from schedsync.core.schedule import Template


class Written(str):
    """A value that counts how often it is written as text."""

    __slots__ = ()
    count = 0

    def __str__(self) -> str:
        Written.count += 1
        return str.__str__(self)


def test_the_values_of_a_definition_are_sorted_once_for_all_fields() -> None:
    template = Template("sync-{tenant}", (("tenant", Written("acme-of-this-test")),))
    put_back("q-acme-of-this-test", template)
    count = Written.count
    put_back({"tenant": "acme-of-this-test"}, template)

    assert (count > 0, Written.count) == (True, count)


def test_equal_values_of_different_types_are_not_taken_for_each_other() -> None:
    one, true = (Template("a-{n}", (("n", filled),)) for filled in (1, True))

    assert [put_back([1], template) for template in (one, true, one)] == [["{#n}"], [1], ["{#n}"]]
