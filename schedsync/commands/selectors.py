"""The argument and the options by which verbs select schedules, and the selector that they make."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import click

from schedsync.commands.options import Decorator, gather, option
from schedsync.core.selector import Label, Selector
from schedsync.errors import WrongUsage

#: How each option that narrows is written.
_FLAGS = {"sets": "--set", "queues": "--queue", "owners": "--owner", "labels": "--label"}


class LabelOption(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.4
    """A label such as ``tier=free``."""

    name = "label"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Label:
        """Return the key and the value; a text without both is wrong usage."""
        if isinstance(value, tuple):
            return value
        key, equals, text = str(value).partition("=")
        if not key or not equals:
            self.fail(f"`{value}` is no label; write it as `tier=free`", param, ctx)
        return key, text


@dataclass(frozen=True, slots=True)
class Selected:
    """What a call selects, as it was typed."""

    patterns: tuple[str, ...]
    everything: bool
    sets: tuple[str, ...]
    queues: tuple[str, ...]
    owners: tuple[str, ...]
    labels: tuple[Label, ...]

    def selector(self) -> Selector:
        """Return the selector, perhaps an empty one; raises WrongUsage where `--all` is given with something else."""
        kinds = {kind: getattr(self, kind) for kind in _FLAGS}
        selector = Selector.of(self.patterns, **kinds)
        if not self.everything:
            return selector
        if not selector.is_empty:
            other = next((f"`{flag}`" for kind, flag in _FLAGS.items() if kinds[kind]), "a name")
            hint = "leave out `--all`, or everything else"
            raise WrongUsage(f"`--all` and {other} exclude each other", hint=hint)
        return Selector(everything=True)

    def required(self, verb: str) -> Selector:
        """Return the selector; raises WrongUsage where nothing is selected."""
        selector = self.selector()
        if selector.is_empty:
            hint = "give names, a glob in quotes such as 'sync-*', an option such as `--label tier=free`, or `--all`"
            raise WrongUsage(f"nothing to {verb} is selected", hint=hint)
        return selector


def selector_options(everything: str) -> Decorator:
    """Return the decorator that adds names, globs and the options that select; ``everything`` explains `--all`."""
    return gather(
        "selected",
        Selected,
        click.argument("patterns", nargs=-1, metavar="[NAME|GLOB]..."),
        option("--all", "everything", is_flag=True, help=everything),
        _narrowing("--set", "sets", "SET", "Select only schedules of this set."),
        _narrowing("--queue", "queues", "QUEUE", "Select only schedules with this queue."),
        _narrowing("--owner", "owners", "OWNER", "Select only schedules with this owner."),
        option(
            "--label",
            "labels",
            multiple=True,
            type=LabelOption(),
            metavar="KEY=VALUE",
            help="Select only schedules with this label.",
        ),
    )


def _narrowing(flag: str, name: str, metavar: str, text: str) -> Decorator:
    return option(flag, name, multiple=True, metavar=metavar, help=text)
