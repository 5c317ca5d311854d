"""The application that runs the tasks, as a snapshot describes it; never read from a pull request's code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from inspect import Parameter, Signature
from typing import Any

from schedsync.core.finding import did_you_mean

#: The kinds of :class:`inspect.Parameter` by their names in a snapshot.
KINDS: Mapping[str, Any] = {
    "positional_only": Parameter.POSITIONAL_ONLY,
    "positional_or_keyword": Parameter.POSITIONAL_OR_KEYWORD,
    "var_positional": Parameter.VAR_POSITIONAL,
    "keyword_only": Parameter.KEYWORD_ONLY,
    "var_keyword": Parameter.VAR_KEYWORD,
}
_BY_KEYWORD = ("positional_or_keyword", "keyword_only")


@dataclass(frozen=True, slots=True)
class TaskParameter:
    """One parameter of a task; ``kind`` is a key of ``KINDS``."""

    name: str
    kind: str
    required: bool


@dataclass(frozen=True, slots=True)
class Task:
    """A registered task; ``parameters`` is None where the worker does not check arguments, limits are in seconds."""

    parameters: tuple[TaskParameter, ...] | None = None
    time_limit: float | None = None
    soft_time_limit: float | None = None

    @property
    def keywords(self) -> tuple[str, ...]:
        """The names that kwargs may have."""
        return tuple(parameter.name for parameter in self.parameters or () if parameter.kind in _BY_KEYWORD)

    @property
    def takes_any_keyword(self) -> bool:
        """Whether it takes any name in kwargs."""
        return self.parameters is None or any(parameter.kind == "var_keyword" for parameter in self.parameters)

    @property
    def limit(self) -> float | None:
        """The shorter of its time limits in seconds, or None."""
        return min((limit for limit in (self.time_limit, self.soft_time_limit) if limit), default=None)

    def misfits(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Iterator[tuple[str, str, str | None]]:
        """Yield the reasons why arguments don't fit: the field at fault, a message, and a hint or None."""
        if self.parameters is None:
            return
        for name in kwargs:
            if name not in self.keywords and not self.takes_any_keyword:
                yield "kwargs", f"the task takes no argument `{name}`", self._hint(name)
        given = {name: value for name, value in kwargs.items() if name in self.keywords or self.takes_any_keyword}
        try:
            self.signature().bind(*args, **given)
        except TypeError as error:
            yield "args" if args else "kwargs", f"the arguments don't fit the task: {error}", self._takes()

    def _hint(self, name: str) -> str | None:
        return did_you_mean(name, self.keywords) or self._takes()

    def _takes(self) -> str:
        return f"it takes {str(self.signature()).replace('Ellipsis', '…') if self.parameters else 'none'}"

    def signature(self) -> Signature:
        """Return the parameters as Python checks them; raises ValueError where no function can have them."""
        # The default of an optional parameter does not matter here; it is shown as three dots.
        return Signature(
            [
                Parameter(each.name, KINDS[each.kind], default=... if _may_be_left_out(each) else Parameter.empty)
                for each in self.parameters or ()
            ]
        )


def _may_be_left_out(parameter: TaskParameter) -> bool:
    return not parameter.required and not parameter.kind.startswith("var_")


@dataclass(frozen=True, slots=True)
class Application:
    """The tasks that workers know, the queues that the application declares, and installed versions by package."""

    tasks: Mapping[str, Task] = field(default_factory=dict)
    queues: tuple[str, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
