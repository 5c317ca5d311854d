"""The manifests of examples/deploy do what docs/guides/images.md says: their commands run, in their order."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
import yaml

from tests.guides.project import Project, new_project

DEPLOY = Path(__file__).parents[2] / "examples/deploy"
SCHEDULES = """version: 1
schedules:
  nightly-report:
    task: shop.tasks.nightly_report
    crontab: "30 {hour} * * mon-fri"
    timezone: Europe/Berlin
"""
ROW = (
    "from django_celery_beat.models import PeriodicTask as P; print(P.objects.get(name='nightly-report').crontab.hour)"
)
RUNS = (
    "from schedsync.models import SyncRun as S; "
    "print(*S.objects.exclude(commit=None).order_by('at').values_list('environment', 'commit'))"
)


#: Directories, and a file, that have a test of their own.
TESTED_ELSEWHERE = ("grafana/", "kubernetes/agent.yaml", "prometheus/", "roles/", "supervisord/", "systemd/")
#: In the order in which they are used.
KUBERNETES = ("kubernetes/apply-job.yaml", "kubernetes/worker.yaml", "kubernetes/beat.yaml")


@dataclass(frozen=True)
class Started:
    """A command of a manifest, and the variables that it is started with."""

    command: str
    variables: dict[str, str] = field(default_factory=dict)


def of_compose() -> Iterator[Started]:
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    waits = {name: set(service.get("depends_on", ())) for name, service in services.items()}
    for name in TopologicalSorter(waits).static_order():
        if services[name]["image"] != "shop":
            continue
        # The project of the test has a database and a broker of its own.
        variables = {key: value for key, value in services[name]["environment"].items() if "://" not in value}
        yield Started(shlex.join(services[name]["command"]), variables)


def of_kubernetes(*files: str, wave: str = "", variables: dict[str, str] | None = None) -> Iterator[Started]:
    documents = [one for file in files for one in yaml.safe_load_all((DEPLOY / file).read_text())]
    documents.sort(key=lambda document: int(document["metadata"].get("annotations", {}).get(wave, 0)))
    for document in documents:
        if "template" not in document["spec"]:
            continue
        pod = document["spec"]["template"]["spec"]
        for container in [*pod.get("initContainers", ()), *pod["containers"]]:
            own = {item["name"]: item["value"] for item in container.get("env", ())}
            yield Started(shlex.join(container["command"]), {**(variables or {}), **own})


def of_argo_cd(region: str) -> Iterator[Started]:
    literals = yaml.safe_load((DEPLOY / f"argo-cd/{region}/kustomization.yaml").read_text())["configMapGenerator"]
    variables = dict(literal.split("=") for literal in literals[0]["literals"])
    base = yaml.safe_load((DEPLOY / "argo-cd/base/kustomization.yaml").read_text())["resources"]
    files = [f"argo-cd/base/{name}" for name in base]
    yield from of_kubernetes(*files, wave="argocd.argoproj.io/sync-wave", variables=variables)


def of_heroku() -> Iterator[Started]:
    lines = dict(line.split(": ", 1) for line in (DEPLOY / "Procfile").read_text().splitlines())
    for process in ("release", "worker", "beat"):
        yield Started(lines[process])


MANIFESTS: dict[str, tuple[str, list[Started]]] = {
    "compose": ("production", list(of_compose())),
    "kubernetes": ("production", list(of_kubernetes(*KUBERNETES))),
    "helm": ("production", list(of_kubernetes("helm-hook.yaml", wave="helm.sh/hook-weight"))),
    "argo-cd-eu": ("eu", list(of_argo_cd("eu"))),
    "heroku": ("production", list(of_heroku())),
}


@dataclass(frozen=True)
class Image:
    """A directory as in an image: the files of a commit, without `.git`."""

    project: Project
    commit: str

    def start(self, started: Started) -> tuple[int, str]:
        """Run a command to its end; of a worker or a Beat, until it has started."""
        variables = {"SCHEDSYNC_COMMIT": self.commit, "HEROKU_BUILD_COMMIT": self.commit, **started.variables}
        if "SCHEDSYNC_ALIVE_FILE" in variables:
            variables["SCHEDSYNC_ALIVE_FILE"] = str(self.project.root / "beat-alive")
        exports = " ".join(f"{name}={shlex.quote(value)}" for name, value in variables.items())
        line = f"export {exports}; {started.command}"
        if started.command.startswith("celery"):
            text = "beat: Starting" if " beat " in started.command else " ready."
            return int(not self.project.begins(f"{line} --loglevel INFO", text)), ""
        return self.project.shell(f"cd {self.project.root}; {line}")

    def release(self, manifest: str) -> str:
        """Run all commands of a manifest that end, and return what they have written."""
        outputs = []
        for started in MANIFESTS[manifest][1]:
            if not started.command.startswith("celery"):
                code, output = self.start(started)
                assert code == 0, f"{started.command}: {output}"
                outputs.append(output)
        return "".join(outputs)

    def shell(self, code: str) -> str:
        exit_code, output = self.project.shell(f'cd {self.project.root}; python manage.py shell -v 0 -c "{code}"')
        assert exit_code == 0, output
        return output.strip()


@pytest.fixture
def images(tmp_path: Path) -> tuple[Image, Image]:
    """Two images of two commits, and one database."""
    source = new_project(tmp_path)
    source.write("shop/settings.py", 'INSTALLED_APPS += ["schedsync"]\n')
    source.write("schedsync.toml", 'set = "shop"\nenvironments = ["production", "eu", "us"]\n')
    return _image(source, tmp_path / "old", hour=2), _image(source, tmp_path / "new", hour=4)


def _image(source: Project, root: Path, hour: int) -> Image:
    source.write("schedules/reports.yaml", SCHEDULES.format(hour=hour))
    commands = f"git add --all; git commit --quiet -m {hour}; mkdir {root}; git archive HEAD | tar -x -C {root}"
    code, output = source.shell(f"{commands}; git rev-parse HEAD")
    assert code == 0, output
    return Image(Project(root), output.split()[-1])


def test_every_file_of_the_examples_is_one_that_is_tested() -> None:
    tested = {"compose.yaml", *KUBERNETES, "helm-hook.yaml", "Procfile", "Dockerfile"}
    argo = {"applications.yaml", "base/kustomization.yaml", "base/release.yaml", "base/workers.yaml"}
    argo |= {f"{region}/kustomization.yaml" for region in ("eu", "us")}
    found = {str(path.relative_to(DEPLOY)) for path in DEPLOY.rglob("*") if path.is_file()}

    elsewhere = {name for name in found if name.startswith(TESTED_ELSEWHERE)}

    assert found - elsewhere == tested | {f"argo-cd/{name}" for name in argo}


def test_a_region_differs_from_another_by_its_variables_only() -> None:
    eu, us = (list(of_argo_cd(region)) for region in ("eu", "us"))

    assert [started.command for started in eu] == [started.command for started in us]
    assert {started.variables["SCHEDSYNC_ENVIRONMENT"] for started in us} == {"us"}


def test_the_regions_are_the_directories_that_the_applications_name() -> None:
    spec = yaml.safe_load((DEPLOY / "argo-cd/applications.yaml").read_text())["spec"]
    regions = [element["region"] for element in spec["generators"][0]["list"]["elements"]]

    assert regions == ["eu", "us"]
    assert spec["template"]["spec"]["source"]["path"] == "deploy/{{ .region }}"


def test_a_job_ends_at_the_exit_codes_that_the_guide_names() -> None:
    job = yaml.safe_load((DEPLOY / KUBERNETES[0]).read_text())
    codes = job["spec"]["podFailurePolicy"]["rules"][0]["onExitCodes"]["values"]
    guide = (DEPLOY.parents[1] / "docs/guides/images.md").read_text(encoding="utf-8")

    assert f"stop for the exit codes {codes[0]}, {codes[1]} and {codes[2]}, which" in guide


@pytest.mark.parametrize("manifest", MANIFESTS)
def test_a_release_migrates_applies_and_starts_and_goes_back(manifest: str, images: tuple[Image, Image]) -> None:
    environment, commands = MANIFESTS[manifest]
    old, new = images
    done = [new.start(started) for started in commands]
    back = old.release(manifest)

    assert [code for code, _ in done] == [0] * len(commands), done
    assert "+1 create" in "".join(output for _, output in done)
    assert ("~1 update" in back, "SS162" in back) == (True, False)
    assert old.shell(ROW) == "2"
    assert old.shell(RUNS) == f"{(environment, new.commit)} {(environment, old.commit)}"


def test_two_releases_at_once_make_the_change_once(images: tuple[Image, Image]) -> None:
    old, new = images
    old.release("compose")
    apply = next(started for started in MANIFESTS["compose"][1] if "apply" in started.command)
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(new.start, [apply, apply]))

    assert [code for code, _ in done] == [0, 0], done
    assert sum(": 1 updated" in output for _, output in done) == 1
    assert new.shell(ROW) == "4"


def test_an_image_is_not_built_without_its_commit_or_with_a_mistake(images: tuple[Image, Image]) -> None:
    project = images[0].project
    text = (DEPLOY / "Dockerfile").read_text()
    checks = [line for line in re.findall(r"^RUN (.+)", text, flags=re.MULTILINE) if not line.startswith("pip")]
    codes = {
        value: project.shell(f"cd {project.root}; GIT_SHA={value}; {' && '.join(checks)}")[0] for value in ("", "abc")
    }
    project.write("schedules/wrong.yaml", "version: 1\nschedules: {a: {task: t}}\n")

    assert len(checks) == 2
    assert codes == {"": 1, "abc": 0}
    assert project.shell(f"cd {project.root}; {checks[0]}")[0] == 1
    assert text.rstrip().endswith("ENV SCHEDSYNC_COMMIT=$GIT_SHA")
