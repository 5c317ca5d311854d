"""Files of a set are replaced all or not at all, and only where nobody has changed them since."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from schedsync.errors import Failed
from schedsync.files.masking import masked_pair, masked_text
from schedsync.files.rewrite import rewrite


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_all_files_are_replaced(tmp_path: Path) -> None:
    one, two = tmp_path / "one.yaml", tmp_path / "two.yaml"
    one.write_bytes(b"1\r\n")
    two.write_bytes(b"2")

    rewrite({one: (b"1\r\n", b"3\r\n"), two: (b"2", b"4")})

    assert (one.read_bytes(), two.read_bytes()) == (b"3\r\n", b"4")


def test_a_file_that_changed_since_stops_all(tmp_path: Path) -> None:
    one, two = tmp_path / "one.yaml", tmp_path / "two.yaml"
    one.write_bytes(b"1")
    two.write_bytes(b"other")

    with pytest.raises(Failed, match=r"two.yaml` has changed since it was read"):
        rewrite({one: (b"1", b"3"), two: (b"2", b"4")})
    assert (one.read_bytes(), names(tmp_path)) == (b"1", ["one.yaml", "two.yaml"])


def test_a_file_below_a_link_is_not_written(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real/one.yaml").write_bytes(b"1")
    (tmp_path / "one.yaml").symlink_to("real/one.yaml")

    with pytest.raises(Failed, match="symbolic link"):
        rewrite({tmp_path / "one.yaml": (b"1", b"3")})
    assert (tmp_path / "real/one.yaml").read_bytes() == b"1"


def test_a_file_that_is_gone_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(Failed, match="No such file"):
        rewrite({tmp_path / "one.yaml": (b"1", b"3")})


def test_what_was_replaced_comes_back_where_a_later_file_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = tmp_path / "one.yaml", tmp_path / "two.yaml"
    one.write_bytes(b"1")
    two.write_bytes(b"2")
    replace, calls = Path.replace, []

    def fails_once(self: Path, target: Path) -> Path:
        calls.append(target)
        if len(calls) == 2:
            raise OSError(28, "No space left on device", str(target))
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", fails_once)

    with pytest.raises(Failed, match="No space left on device; nothing was written"):
        rewrite({one: (b"1", b"3"), two: (b"2", b"4")})
    assert (one.read_bytes(), two.read_bytes()) == (b"1", b"2")
    assert names(tmp_path) == ["one.yaml", "two.yaml"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a file to somebody else")
def test_the_owner_stays_where_root_writes(tmp_path: Path) -> None:
    file = tmp_path / "one.yaml"
    file.write_bytes(b"1")
    os.chown(file, 1234, 1235)

    rewrite({file: (b"1", b"2")})

    assert (file.read_bytes(), file.stat().st_uid, file.stat().st_gid) == (b"2", 1234, 1235)


def test_secrets_are_masked_line_by_line() -> None:
    text = (
        "a: {token: x, n: 1} # https://u:p@x.org\nsecret: |\n  x\n  y\nc: [--password, z, 'https://u:p@x.org']\nd: q\n"
    )
    masked = "a: {token: ***, n: 1} # ***\nsecret: ***\n\n\nc: [--password, ***, ***]\nd: q\n"

    assert masked_text(text) == masked


def test_all_of_a_value_below_a_secret_key_is_masked_in_a_message() -> None:
    text = """sync-token:
  task: t
  kwargs:
    secrets:
      a: inner
      b: [x]
    token: [y]
    text: '{"token": "z"}'
"""
    masked = "sync-token:\n  task: t\n  kwargs:\n    secrets:\n      ***\n\n    token: ***\n    text: ***\n"

    assert masked_text(text) == masked


def test_the_mask_of_a_new_secret_says_so() -> None:
    assert masked_pair("a: {token: x}\npassword: y\n", "a: {token: z}\npassword: y\n") == (
        "a: {token: ***}\npassword: ***\n",
        "a: {token: *** (changed)}\npassword: ***\n",
    )


def test_text_that_is_no_yaml_keeps_its_lines() -> None:
    assert masked_text("a: [\r\nb") == "a: [\r\nb"
