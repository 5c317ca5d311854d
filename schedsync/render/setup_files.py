"""The files that `schedsync init` writes beside the schedules: configuration, CI, pre-commit and editor."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass
from functools import lru_cache
from textwrap import indent
from typing import Any, Final

from schedsync import __version__
from schedsync.config import FILE
from schedsync.core.refusal import MAX_STOP_PERCENT, MAX_STOPS
from schedsync.core.setup import Choices, Layout
from schedsync.render.programs.json_ import dump

REPOSITORY: Final = "https://github.com/schedsync/schedsync"
_RAW: Final = "https://raw.githubusercontent.com/schedsync/schedsync"
GITHUB: Final = ".github/workflows/schedules.yml"
GITLAB: Final = "schedules.gitlab-ci.yml"
_GITLAB_MAIN: Final = ".gitlab-ci.yml"
_PRE_COMMIT: Final = ".pre-commit-config.yaml"
EDITOR: Final = ".vscode/settings.json"


@dataclass(frozen=True, slots=True)
class ProjectFile:
    """A file in the root of the repository, and what it needs if it is there already.

    ``addition`` are the lines to add to another file of this name. Such a file has them if it has the text ``sign``,
    and a text that fits ``place``, the directory of the project: it may be the file of another project.
    """

    path: str
    text: str
    addition: str
    sign: str
    place: re.Pattern[str] | None = None

    def is_in(self, text: str) -> bool:
        """Say whether another file of this name has the lines already."""
        # Quoted texts and regular expressions have backslashes before some characters.
        return self.sign in text and (self.place is None or self.place.search(text.replace("\\", "")) is not None)


def schema_url(which: str) -> str:
    """Return where an editor finds a schema of this version."""
    return f"{_RAW}/v{__version__}/schemas/{which}.v1.schema.json"


def configuration(choices: Choices, layout: Layout) -> str:
    """Return the text of the configuration."""
    return _rendered(
        "schedsync.toml",
        schema=schema_url("config"),
        set=choices.set,
        environments=choices.environments,
        schedules=layout.schedules,
        max_stops=MAX_STOPS,
        max_stop_percent=MAX_STOP_PERCENT,
    )


def example(project: str) -> str:
    """Return a file of schedules that has an example in comments, and no schedule."""
    return _rendered("example.yaml", task=f"{project}.tasks.nightly_report")


def project_files(choices: Choices, layout: Layout) -> list[ProjectFile]:
    """Return the files for the root of the repository."""
    return [*_ci(choices, layout), _pre_commit(layout), _editor(layout)]


def _ci(choices: Choices, layout: Layout) -> list[ProjectFile]:
    if choices.ci == "github":
        text = _rendered("github.yml", paths=_paths(layout, "**"), project=layout.project, version=__version__)
        return [ProjectFile(GITHUB, text, _steps(layout, "**"), "schedsync review", _place(layout))]
    if choices.ci == "gitlab":
        text = _rendered("gitlab.yml", paths=_paths(layout, "**/*"), project=layout.project, version=__version__)
        include = f"include:\n  - local: {GITLAB}"
        return [
            ProjectFile(GITLAB, text, _steps(layout, "**/*"), "schedsync review", _place(layout)),
            ProjectFile(_GITLAB_MAIN, f"{include}\n", include, GITLAB),
        ]
    return []


def _steps(layout: Layout, below: str) -> str:
    """Return the commands for the job of another file; below the root with the paths that must start the job."""
    install, check = f'pip install "schedsync=={__version__}"', "schedsync validate\nschedsync review"
    if not layout.project:
        return f"{install}\n{check}"
    paths = "".join(f"- {json.dumps(path, ensure_ascii=False)}\n" for path in _paths(layout, below))
    return (
        f"# to the paths that start the job\n{paths}# to its commands, from the root of the repository\n"
        f"{install}\n(cd {shlex.quote(layout.project)} && schedsync validate && schedsync review)"
    )


def _place(layout: Layout) -> re.Pattern[str] | None:
    """Return a pattern for the directory of the project, but not for one below it; None in the root."""
    if not layout.project:
        return None
    project, schedules = (re.escape(path.replace("\\", "")) for path in (layout.project, layout.schedules))
    files = rf"/(?:{re.escape(FILE)}|{schedules})(?![\w-])"
    return re.compile(rf"(?<![\w./-])(?:\./)?{project}(?:/?(?:[\"'\s(*,\]}})]|\Z)|{files})")


def _paths(layout: Layout, below: str) -> list[str]:
    """Return the paths of the configuration and of the schedules, as CI writes them."""
    return [layout.from_root(FILE), layout.from_root(f"{layout.schedules}/{below}")]


def _pre_commit(layout: Layout) -> ProjectFile:
    begin = f"{re.escape(layout.project)}/" if layout.project else ""
    entry = _rendered(
        "pre-commit.yaml",
        repository=REPOSITORY,
        version=__version__,
        schedules=rf"^{begin}{re.escape(layout.schedules)}/.*\.ya?ml$",
        pattern=rf"^{begin}({re.escape(FILE)}$|{re.escape(layout.schedules)}/)",
    )
    addition = f"repos:\n{indent(entry, '  ')}"
    return ProjectFile(_PRE_COMMIT, addition, addition.rstrip(), "schedsync-validate", _place(layout))


def _editor(layout: Layout) -> ProjectFile:
    schema, directory = schema_url("schedules"), layout.from_root(layout.schedules)
    value = {"yaml.schemas": {schema: [f"{directory}/**/*.yaml", f"{directory}/**/*.yml"]}}
    line = json.dumps(value, ensure_ascii=False)[1:-1]
    return ProjectFile(EDITOR, f"{dump(value)}\n", line, "schedules.v1.schema.json", _place(layout))


@lru_cache(maxsize=1)
def _environment() -> Any:
    # Workflows have braces of their own. A filter quotes values as JSON does, which TOML and YAML read, too.
    from jinja2 import Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=PackageLoader("schedsync.render", "templates/setup"),
        variable_start_string="[[",
        variable_end_string="]]",
        block_start_string="[%",
        block_end_string="%]",
        comment_start_string="[#",
        comment_end_string="#]",
        autoescape=False,  # the texts are no HTML
        undefined=StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters |= {"quoted": lambda text: json.dumps(text, ensure_ascii=False), "shell": shlex.quote}
    return made


def _rendered(template: str, **values: Any) -> str:
    text: str = _environment().get_template(template).render(**values)
    return text
