"""The configuration of an agent: what it says, what a follow takes from all, and where a mistake is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
import yaml

from schedsync.agent.configuration import Surroundings, read_agent_file
from schedsync.agent.options import AgentOptions, FollowOptions
from schedsync.core.timing import UNITS, duration
from schedsync.errors import InvalidConfiguration
from schedsync.git.remote import Remote
from schedsync.git.signatures import Keys
from schedsync.schemas.validator import AGENT, schema_text

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/reference/configuration.md").read_text(encoding="utf-8")
REFERENCE = PAGE.split("## The agent's file\n")[1].split("\n## ")[0]
SCHEMA = json.loads(schema_text(AGENT))["properties"]["agent"]["properties"]
FOLLOW = SCHEMA["follow"]["items"]["properties"]
EU = '[[agent.follow]]\nname = "eu"\nrepository = "https://example.org/shop.git"\n'
US = EU.replace('"eu"', '"us"')


def read(tmp_path: Path, text: str) -> AgentOptions:
    (tmp_path / "agent.toml").write_text(text, encoding="utf-8")
    around = Surroundings(("default", "eu", "us"), "default", "staging", tmp_path / "state")
    return read_agent_file(tmp_path / "agent.toml", around)


def test_a_follow_says_what_it_needs_and_takes_the_rest_from_all(tmp_path: Path) -> None:
    (tmp_path / "signers").write_text("maria ssh-ed25519 AAAA")
    (tmp_path / "keys.gpg").write_text("keys")
    options = read(
        tmp_path,
        '[agent]\nlisten = ":9810"\ndirectory = "objects"\nenvironment = "production"\ndatabase = "eu"\nheal = true\n'
        'verify_ssh = "signers"\ninterval = "1m"\nfetch_timeout = "2m"\nfetch_size = 5.0\nlock_timeout = "0s"\n'
        f'{EU}branch = "release"\npath = "jobs"\nset = "shop"\n'
        '[[agent.follow]]\nname = "us"\nrepository = "../us.git"\ntags = "v*"\nenvironment = "us"\ndatabase = "us"\n'
        'heal = false\nallow_rewind = true\nverify_gpg = "keys.gpg"\ninterval = "10s"\nfetch_timeout = "1s"\n'
        'fetch_size = 9\nlock_timeout = "3s"\nsettle = "0s"\n',
    )  # fmt: skip

    assert options.follows == [
        FollowOptions(
            Remote("https://example.org/shop.git", "release"), "eu", tmp_path / "objects/eu", "eu",
            PurePosixPath("jobs"), "production", "shop", heal=True, keys=Keys("ssh", tmp_path / "signers"),
            interval=60, fetch_timeout=120, fetch_size=5, lock_timeout=0,
        ),
        FollowOptions(
            Remote("../us.git", tags="v*"), "us", tmp_path / "objects/us", "us", None, "us",
            allow_rewind=True, keys=Keys("gpg", tmp_path / "keys.gpg"), interval=10, fetch_timeout=1, fetch_size=9,
            lock_timeout=3, settle=0,
        ),
    ]  # fmt: skip
    assert (options.listen, options.databases) == (":9810", ("eu", "us"))


def test_what_nothing_says_is_as_for_the_flags(tmp_path: Path) -> None:
    [follow] = read(tmp_path, "[agent]\n" + EU).follows

    expected = FollowOptions(
        Remote("https://example.org/shop.git"), "default", tmp_path / "state/follows/eu", "eu", environment="staging"
    )
    assert follow == expected


WRONG = {
    "": "agent.toml:1:1: the file needs `agent`",
    "[agent": "agent.toml: not TOML: ",
    "[agent]\n": "agent.toml:1:1: `agent` needs `follow`",
    "[agent]\nfollow = 1\n": "agent.toml:2:1: `agent.follow` takes a list of tables",
    "[agent]\nintervall = '1s'\n" + EU: "agent.toml:2:1: unknown key `agent.intervall`",
    "[agent]\n" + EU + US + "  heel = true\n": "agent.toml:8:3: unknown key `agent.follow.heel`",
    "[agent]\n[[agent.follow]]\nname = 'eu'\n": "agent.toml:2:1: an item of `agent.follow` needs `repository`",
    "[agent]\n" + EU.replace("eu", "../eu"): "agent.toml:3:1: `agent.follow.name` does not match ",
    "[agent]\n" + EU + "interval = '0s'\n": "agent.toml:5:1: `interval` is out of range: more than 0, at most",
    "[agent]\nsettle = '9999d'\n" + EU: "agent.toml:2:1: `settle` is out of range: at most ten years",
    "[agent]\ninterval = 'soon'\n" + EU: "agent.toml:2:1: `agent.interval` takes one whole number and us, s, m, h or d",
    "[agent]\n" + EU + "database = 'ue'\n": "agent.toml:5:1: no database `ue` in DATABASES",
    "[agent]\n" + EU + "path = '../x'\n": "agent.toml:2:1: `eu`: `../x` is not within the repository",
    "[agent]\n" + EU + "branch = '--output=x'\n": "agent.toml:2:1: `eu`: `--output=x` is not a valid branch",
    "[agent]\n" + EU + "branch = 'b'\ntags = 'v*'\n": "agent.toml:6:1: `branch` and `tags` cannot be followed together",
    "[agent]\n" + EU + "set = 'a\\u200bb'\n".replace("'", '"'): "agent.toml:5:1: `set` takes a name of printable",
    "[agent]\n" + EU + "verify_ssh = 'none'\n": "agent.toml:2:1: `eu`: cannot read the keys `",
    "[agent]\n" + EU + "verify_ssh = 'a'\nverify_gpg = 'b'\n": "agent.toml:2:1: `eu`: keys of SSH and of GnuPG",
    "[agent]\n" + EU + EU.replace("eu", "EU"): "agent.toml:6:1: two follows have the name `EU`",
    "[agent]\n" + EU + US: "agent.toml:5:1: `eu` and `us` keep the same files in database `default`",
    "[agent]\n" + EU + "set = 's'\n" + US.replace("shop", "x") + "set = 's'\n":
        "agent.toml:6:1: `eu` and `us` keep set `s` in database `default`",
}  # fmt: skip


@pytest.mark.parametrize("text", WRONG)
def test_a_mistake_is_named_with_its_place(tmp_path: Path, text: str) -> None:
    with pytest.raises(InvalidConfiguration) as error:
        read(tmp_path, text)

    assert error.value.message.removeprefix(f"{tmp_path}/").startswith(WRONG[text])


def test_a_mistake_has_a_hint(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfiguration) as unknown:
        read(tmp_path, "[agent]\nintervall = '1s'\n" + EU)
    with pytest.raises(InvalidConfiguration) as alias:
        read(tmp_path, "[agent]\n" + EU + "database = 'ue'\n")

    assert (unknown.value.hint, alias.value.hint) == ("did you mean `interval`?", "there are: default, eu, us")


def test_one_set_in_two_databases_is_no_mistake(tmp_path: Path) -> None:
    follows = read(tmp_path, "[agent]\n" + EU + 'set = "s"\n' + US + 'set = "s"\ndatabase = "us"\n').follows

    assert [follow.using for follow in follows] == ["default", "us"]


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfiguration, match="cannot be read"):
        read_agent_file(tmp_path / "none", Surroundings((), "default", None, tmp_path))
    with pytest.raises(InvalidConfiguration, match="too large"):
        read(tmp_path, "#" * (2**20 + 1))


def test_the_manifest_of_kubernetes_configures_two_databases(tmp_path: Path) -> None:
    text = (ROOT / "examples/deploy/kubernetes/agent.yaml").read_text(encoding="utf-8")
    data = next(yaml.safe_load_all(text))["data"]
    (tmp_path / "allowed_signers").write_text(data["allowed_signers"])
    options = read(tmp_path, data["agent.toml"].replace('"us"', '"eu"'))

    assert ([follow.name for follow in options.follows], options.databases) == (
        ["shop-eu", "shop-us"],
        ("default", "eu"),
    )


def test_the_example_of_the_reference_is_right(tmp_path: Path) -> None:
    for name in ("allowed_signers", "search-keys.gpg"):
        (tmp_path / name).write_text("keys")
    options = read(tmp_path, REFERENCE.split("```toml\n")[1].split("```")[0])

    assert [(each.name, each.using, each.heal, each.interval) for each in options.follows] == [
        ("shop-eu", "eu", True, 30), ("search", "default", True, 300),
    ]  # fmt: skip


def described_keys(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for table in (schema, schema["follow"]["items"]["properties"]):
        yield from table.items()


def test_every_key_has_a_title_and_a_description_for_the_editor() -> None:
    assert [key for key, value in described_keys(SCHEMA) if not (value["title"] and value["description"])] == []


def test_the_defaults_of_the_schema_are_those_of_the_code() -> None:
    defaults = {field.name: field.default for field in fields(FollowOptions)}
    given = {key: value["default"] for key, value in SCHEMA.items() if "default" in value}
    read = {key: duration(value) / UNITS["s"] if isinstance(value, str) else value for key, value in given.items()}

    assert read == {key: defaults[key] for key in given}
    assert FOLLOW["branch"]["default"] == Remote("x").branch


def test_every_key_is_in_the_reference() -> None:
    table = {cell for line in REFERENCE.splitlines() if line.startswith("| `") for cell in line.split("|")[1:2]}

    assert [key for key, _ in described_keys(SCHEMA) if not any(f"`{key}`" in cell for cell in table)] == []
