"""``fmt``: which files it writes, and what it says of them."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from schedsync.commands.fmt import _write, _write_all
from schedsync.errors import Failed
from schedsync.files.formatting.canonical import Formatted
from tests.conftest import Project

ODD = "version: 1\nschedules:\n  a: {every: 60s, task: t} # why\n"
GOOD = "version: 1\nschedules:\n  a: {task: t, every: 1m} # why\n"
HINT = "  hint: `schedsync fmt` writes it so; `--diff` shows what it would change\n"


@pytest.fixture
def odd(files: Project) -> Project:
    """A set with one file that is not canonical, and one that is."""
    files.write(ODD, "schedules/odd.yaml")
    files.write(GOOD, "schedules/sub/good.yml")
    return files


def text(files: Project, name: str = "schedules/odd.yaml") -> str:
    return (files.root / name).read_text()


def test_files_of_the_set_are_written_and_named(odd: Project) -> None:
    (odd.root / "schedules/odd.yaml").chmod(0o640)
    done = odd.command("fmt")
    again = odd.command("fmt")

    assert (done.code, done.out, done.err) == (0, "formatted schedules/odd.yaml\n", "1 file of 2 formatted\n")
    assert (again.code, again.out, again.err) == (0, "", "0 files of 2 formatted\n")
    assert (text(odd), text(odd, "schedules/sub/good.yml")) == (GOOD, GOOD)
    assert (odd.root / "schedules/odd.yaml").stat().st_mode & 0o777 == 0o640
    assert sorted(path.name for path in (odd.root / "schedules").iterdir()) == ["odd.yaml", "sub"]


def test_check_names_the_files_and_writes_nothing(odd: Project) -> None:
    done = odd.command("fmt", "--check")

    assert (done.code, text(odd)) == (1, ODD)
    assert done.out == f"schedules/odd.yaml:3:1: error  SS182  not in canonical form\n{HINT}"
    assert done.err == "1 file of 2 not in canonical form\n"
    assert odd.command("fmt", "--check", "schedules/sub").code == 0


def test_diff_shows_what_would_change(odd: Project) -> None:
    done = odd.command("fmt", "--diff", "schedules/odd.yaml")

    assert (done.code, text(odd)) == (1, ODD)
    assert done.out.splitlines() == [
        "--- a/schedules/odd.yaml",
        "+++ b/schedules/odd.yaml",
        "@@ -1,3 +1,3 @@",
        " version: 1",
        " schedules:",
        "-  a: {every: 60s, task: t} # why",
        "+  a: {task: t, every: 1m} # why",
    ]


def test_programs_get_the_files_and_the_lines(odd: Project) -> None:
    said = json.loads(odd.command("fmt", "--check", "--format", "json").out)
    annotations = odd.command("fmt", "--check", "--format", "github").out
    wrote = json.loads(odd.command("fmt", "--format", "json").out)

    assert [finding["code"] for finding in said.pop("findings")] == ["SS182"]
    changed = [{"path": "schedules/odd.yaml", "line": 3}]
    assert said == {
        "version": 1, "files": 2, "changed": changed, "wrote": False, "not_written": [], "failure_reason": "invalid",
    }  # fmt: skip
    assert annotations.startswith("::error title=SS182,file=schedules/odd.yaml,line=3,col=1::not in canonical form")
    assert (wrote["wrote"], wrote["changed"], wrote["findings"], wrote["failure_reason"]) == (True, changed, [], None)


def test_a_file_with_an_error_stays_and_hides_no_other(odd: Project) -> None:
    bad = "version: 1\nschedules: {a: {every: 60s, task: t}\n"
    odd.write(bad, "schedules/bad.yaml")
    done = odd.command("fmt")

    assert (done.code, text(odd, "schedules/bad.yaml"), text(odd)) == (1, bad, GOOD)
    assert "schedules/bad.yaml:3:1: error  SS103" in done.out
    assert done.err == "1 file of 3 formatted, 1 file with errors\n"


def test_a_file_that_breaks_the_format_is_formatted(odd: Project) -> None:
    odd.write("version: 1\nschedules:\n    a: {evry: '5m'}\n", "schedules/odd.yaml")

    assert odd.command("fmt").code == 0
    assert text(odd) == "version: 1\nschedules:\n  a: {evry: 5m}\n"


def test_links_stay_links_and_those_that_lead_out_are_not_followed(odd: Project, tmp_path: Path) -> None:
    (odd.root / "outside.yaml").write_text(ODD)
    (odd.root / "schedules/out.yaml").symlink_to("../outside.yaml")
    (odd.root / "schedules/in.yaml").symlink_to("odd.yaml")
    done = odd.command("fmt")

    assert (done.code, "schedules/out.yaml:1:1: error  SS105" in done.out) == (1, True)
    assert (text(odd), text(odd, "outside.yaml")) == (GOOD, ODD)
    assert (odd.root / "schedules/in.yaml").is_symlink()


@pytest.mark.parametrize("words", [(), ("--changed", "schedules/r.yaml"), ("--changed", "schedules/a.yaml")])
def test_the_file_behind_a_link_is_named(words: tuple[str, ...], files: Project) -> None:
    files.write(ODD, "schedules/r.yaml")
    (files.root / "schedules/a.yaml").symlink_to("r.yaml")
    checked, done = files.command("fmt", "--check", *words), files.command("fmt", *words)

    assert checked.out.startswith("schedules/r.yaml:3:1: error  SS182")
    assert (done.code, done.out, text(files, "schedules/r.yaml")) == (0, "formatted schedules/r.yaml\n", GOOD)


@pytest.mark.parametrize("words", [(), ("schedules/b\udcff.yaml",), ("--changed", "schedules/b\udcff.yaml")])
def test_a_name_that_is_not_utf_8_is_written(words: tuple[str, ...], files: Project) -> None:
    try:
        files.write(ODD, "schedules/b\udcff.yaml")
    except OSError:
        pytest.skip("this file system has no such names")
    done = files.command("fmt", *words)

    assert (done.code, done.out) == (0, "formatted schedules/b\\udcff.yaml\n")
    assert text(files, "schedules/b\udcff.yaml") == GOOD
    assert files.command("fmt", "--check", *words).code == 0


def test_changed_passes_over_files_of_no_set(odd: Project) -> None:
    odd.write("jobs: {b:  1}\n", ".github/workflows/ci.yml")
    done = odd.command("fmt", "--changed", "schedules/odd.yaml", ".github/workflows/ci.yml", "README.md")

    assert (done.code, done.out, done.err) == (0, "formatted schedules/odd.yaml\n", "1 file of 1 formatted\n")
    assert text(odd, ".github/workflows/ci.yml") == "jobs: {b:  1}\n"


def test_all_formats_each_set(odd: Project) -> None:
    for name in ("one", "two"):
        odd.write(f'set = "{name}"\n', f"{name}/schedsync.toml")
        odd.write(ODD, f"{name}/schedules/a.yaml")
    odd.write("set = [\n", "bad/schedsync.toml")
    done = odd.command("fmt", "--all")

    assert (done.code, text(odd, "one/schedules/a.yaml"), text(odd, "two/schedules/a.yaml")) == (1, GOOD, GOOD)
    assert ("bad/schedsync.toml:1:1: error  SS179" in done.out, text(odd)) == (True, ODD)


def test_a_file_that_was_edited_meanwhile_is_not_written(odd: Project) -> None:
    with pytest.raises(Failed, match="has changed since it was read"):
        _write(Formatted("schedules/odd.yaml", "version: 1\n", GOOD))

    assert text(odd) == ODD


@pytest.mark.parametrize("format_", ["text", "json"])
def test_a_file_that_cannot_be_written_stops_no_other(format_: str, odd: Project) -> None:
    long = GOOD.replace("1m", "60s") + "# more\n" * 1_000
    odd.write(long, "schedules/large.yaml")
    limits, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        done = odd.command("fmt", "--format", format_)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)

    message = f"cannot write `{odd.root}/schedules/large.yaml`: File too large"
    assert (done.code, text(odd), text(odd, "schedules/large.yaml")) == (1, GOOD, long)
    assert done.err == f"error: {message}\n1 file of 3 formatted, 1 file not written\n"
    if format_ == "text":
        assert done.out == "formatted schedules/odd.yaml\n"
        return
    said = json.loads(done.out)
    assert said["changed"] == [{"path": "schedules/odd.yaml", "line": 3}]
    assert said["not_written"] == [{"path": "schedules/large.yaml", "message": message, "hint": None}]
    assert said["failure_reason"] == "failed"


def test_a_file_without_write_permission_stays_and_a_hard_link_is_split() -> None:
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        root.chmod(0o777)
        files = [Formatted(f"{mode:o}.yaml", ODD, GOOD, real=root / f"{mode:o}.yaml") for mode in (0o444, 0o666)]
        for file in files:
            (root / file.path).write_text(ODD)
            (root / file.path).chmod(int(file.path.removesuffix(".yaml"), 8))
        (root / "other").hardlink_to(root / "666.yaml")
        child = os.fork()
        if child == 0:
            code = 1
            try:
                # Root may write every file.
                if os.getuid() == 0:
                    os.setuid(65534)
                codes = {path: error.exit_code for path, error in _write_all(files).items()}
                code = 0 if codes == {"444.yaml": 64} else 2
            finally:
                os._exit(code)
        _, status = os.waitpid(child, 0)
        texts = [(root / path).read_text() for path in ("444.yaml", "666.yaml", "other")]

    assert (os.waitstatus_to_exitcode(status), texts) == (0, [ODD, GOOD, ODD])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--all", "a", "b"], "`--all` takes one directory, and no files"),
        (["--all", "--changed", "a"], "`--all` takes one directory, and no files"),
        (["-", "a"], "`-` is the only PATH"),
        (["--diff", "--format", "github"], "`--diff` cannot write github"),
        (["-", "--format", "github"], "`-` cannot write github"),
        (["nowhere"], "no such file or directory: `nowhere`"),
    ],
)
def test_wrong_usage_is_an_error(words: list[str], message: str, odd: Project) -> None:
    done = odd.command("fmt", *words)

    assert (done.code, message in done.err, text(odd)) == (64, True, ODD)


@pytest.mark.parametrize(
    ("words", "given", "code", "out"),
    [
        ([], ODD, 0, GOOD),
        ([], GOOD.replace("\n", "\r\n"), 0, GOOD.replace("\n", "\r\n")),
        ([], "version: [\n", 1, ""),
        (["--check"], ODD, 1, f"<stdin>:3:1: error  SS182  not in canonical form\n{HINT}"),
        (["--check"], GOOD, 0, ""),
    ],
)
def test_a_dash_formats_stdin_without_django(words: list[str], given: str, code: int, out: str, tmp_path: Path) -> None:
    script = (
        "import sys; from schedsync.cli import run; code = run(sys.argv[1:]);"
        "assert not {'django', 'celery'} & set(sys.modules); sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, "fmt", "-", *words],
        input=given.encode(), capture_output=True, check=False, cwd=tmp_path,
    )  # fmt: skip

    assert (done.returncode, done.stdout.decode()) == (code, out), done.stderr.decode()
