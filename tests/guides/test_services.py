"""The files of examples/deploy are what their readers take: systemd, supervisord, Kubernetes, and our own settings."""

from __future__ import annotations

import getpass
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from configparser import RawConfigParser
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from supervisor.options import ServerOptions

from tests.guides.project import Project, new_project

DEPLOY = Path(__file__).parents[2] / "examples/deploy"
UNITS = sorted(path.name for path in (DEPLOY / "systemd").iterdir())
#: As the files say where the project is.
HOME = "/srv/shop"
#: Objects of Argo CD and Kustomize, whose schemas are not among those of Kubernetes.
OTHER_KINDS = {"ApplicationSet", "Kustomization"}


def units() -> dict[str, RawConfigParser]:
    found = {}
    for name in UNITS:
        found[name] = RawConfigParser(comment_prefixes=("#",))
        found[name].optionxform = str  # type: ignore[assignment,method-assign]
        found[name].read(DEPLOY / "systemd" / name)
    return found


@pytest.mark.parametrize("name", UNITS)
def test_systemd_takes_each_unit(name: str, tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("`apt-get install systemd`")
    binaries = Path(sys.executable).parent
    text = (DEPLOY / "systemd" / name).read_text().replace(f"{HOME}/.venv/bin", str(binaries))
    (tmp_path / name).write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--generators=no", str(tmp_path / name)],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip

    assert [line for line in done.stderr.splitlines() if name in line] == []


def test_systemd_names_a_mistake_in_a_unit(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("`apt-get install systemd`")
    (tmp_path / "a.service").write_text("[Service]\nExecStart=/bin/true\nWatchdog=60\n")
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(tmp_path / "a.service")],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip

    assert "Watchdog" in done.stderr


def test_beat_is_watched_and_always_started_again() -> None:
    beat = units()["shop-beat.service"]["Service"]

    assert (beat["Type"], beat["WatchdogSec"], beat["Restart"]) == ("notify", "60", "always")


def supervised(tmp_path: Path) -> dict[str, Any]:
    """The programs as supervisord has read them, with a user and directories that this machine has."""
    text = (DEPLOY / "supervisord/shop.conf").read_text().replace("user=shop", f"user={getpass.getuser()}")
    file = tmp_path / "supervisord.conf"
    file.write_text(f"[supervisord]\n{text}".replace("/var/log", str(tmp_path)))
    options = ServerOptions()
    options.realize(["-c", str(file)], doc="")
    configs = [config for group in options.process_group_configs for config in group.process_configs]
    return {config.name: config for config in configs}


def test_supervisord_reads_its_programs(tmp_path: Path) -> None:
    programs = supervised(tmp_path)

    assert sorted(programs) == ["shop-beat", "shop-worker"]
    assert programs["shop-beat"].environment["SCHEDSYNC_ALIVE_FILE"] == f"{HOME}/run/beat-alive"
    assert {program.directory for program in programs.values()} == {HOME}
    assert [program.stopwaitsecs for program in programs.values()] == [30, 300]


def objects() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in sorted(DEPLOY.rglob("*.yaml")):
        for document in yaml.safe_load_all(path.read_text()):
            if "apiVersion" in document and document["kind"] not in OTHER_KINDS:
                name = path.relative_to(DEPLOY).as_posix()
                yield f"{name}:{document['kind']}", document


@pytest.mark.parametrize("name", sorted({name for name, _ in objects()}))
def test_kubernetes_takes_each_object(name: str) -> None:
    documents = [document for found, document in objects() if found == name]
    for document in documents:
        kubernetes_validate.validate(document, kubernetes_validate.latest_version(), strict=True)


def test_kubernetes_notices_a_misspelt_key() -> None:
    document = next(document for name, document in objects() if name == "kubernetes/beat.yaml:Deployment")
    document["spec"]["template"]["spec"]["affinty"] = {}

    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(document, kubernetes_validate.latest_version(), strict=True)


def test_two_beats_are_kept_apart_and_one_of_them_running() -> None:
    found = dict(objects())
    beat, budget = found["kubernetes/beat.yaml:Deployment"], found["kubernetes/beat.yaml:PodDisruptionBudget"]
    (term,) = beat["spec"]["template"]["spec"]["affinity"]["podAntiAffinity"][
        "preferredDuringSchedulingIgnoredDuringExecution"
    ]
    labels = beat["spec"]["template"]["metadata"]["labels"]

    assert (beat["spec"]["replicas"], budget["spec"]["minAvailable"]) == (2, 1)
    assert term["podAffinityTerm"]["labelSelector"]["matchLabels"] == labels
    assert budget["spec"]["selector"]["matchLabels"] == labels


def commands(tmp_path: Path) -> dict[str, str]:
    """The commands of systemd and of supervisord, as words of a shell."""
    found = {name: unit["Service"]["ExecStart"] for name, unit in units().items()}
    return {**found, **{name: program.command for name, program in supervised(tmp_path).items()}}


@pytest.fixture
def installed(tmp_path: Path) -> Project:
    project = new_project(tmp_path / "project")
    project.write("shop/settings.py", 'INSTALLED_APPS += ["schedsync"]\n')
    code, output = project.shell("python manage.py migrate --verbosity 0")
    assert code == 0, output
    return project


def test_the_services_start_a_beat_and_a_worker(installed: Project, tmp_path: Path) -> None:
    for name, command in commands(tmp_path).items():
        text = "beat: Starting" if "beat" in name else " ready."
        line = command.replace(f"{HOME}/.venv/bin/", "")

        assert re.match(r"celery --app shop (beat|worker)", line)
        assert installed.begins(f"{line} --loglevel INFO", text), name


def test_the_health_of_a_beat_is_the_age_of_its_file(tmp_path: Path) -> None:
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]["beat"]
    beat = dict(objects())["kubernetes/beat.yaml:Deployment"]["spec"]["template"]["spec"]["containers"][0]
    alive = next(item["value"] for item in beat["env"] if item["name"] == "SCHEDSYNC_ALIVE_FILE")
    probes = {
        "compose": compose["healthcheck"]["test"][1].replace("$$", "$"),
        "liveness": beat["livenessProbe"]["exec"]["command"][2],
        "startup": beat["startupProbe"]["exec"]["command"][2],
    }
    file = tmp_path / "alive"

    def codes() -> set[int]:
        lines = [line.replace(alive, str(file)) for line in probes.values()]
        return {subprocess.run(["sh", "-c", line], check=False, capture_output=True).returncode for line in lines}

    assert compose["environment"]["SCHEDSYNC_ALIVE_FILE"] == alive
    assert codes() == {1}
    file.touch()
    assert codes() == {0}
    subprocess.run(["touch", "-d", "3 minutes ago", str(file)], check=True)
    assert codes() == {1}
