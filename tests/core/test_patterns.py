"""Every regular expression reads any text in linear time: one that does not could stop everybody's CI."""

from __future__ import annotations

import ast
import importlib
import json
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

from schedsync.core.secrets import is_secret_key, is_secret_value, masked, secret_paths
from schedsync.files.for_each import _filled_text, _template_problems
from schedsync.files.ignores import read_ignores
from schedsync.render.words import printable

if sys.version_info >= (3, 11):
    from re import _parser as parser
else:
    import sre_parse as parser

ROOT = Path(__file__).parents[2]
SMALL, LARGE = 2**16, 2**18
#: Linear growth is 4, quadratic growth is 16.
MOST_GROWTH = 8
#: In seconds. A shorter time is noise; a quadratic pattern takes much longer for the small sizes already.
NOISE = 0.1
FUNCTIONS = {"compile", "search", "match", "fullmatch", "sub", "subn", "split", "findall", "finditer"}


def calls() -> Iterator[tuple[str, str]]:
    """Yield the module and the source of the pattern of each call of ``re``."""
    for file in [*(ROOT / "schedsync").rglob("*.py"), *(ROOT / ".github").rglob("*.py")]:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and isinstance(node.func.value, ast.Name)
                and node.func.value.id == "re"
                and node.func.attr in FUNCTIONS
            ):
                yield ".".join(file.relative_to(ROOT).with_suffix("").parts), ast.unparse(node.args[0])


class Literals(dict[str, Any]):
    """The names that a pattern uses: local ones are literals that the code escapes, such as a path."""

    def __missing__(self, name: str) -> str:
        return "a"


def patterns() -> dict[str, re.Pattern[Any]]:
    """Return every pattern of the package and of the schemas by its text."""
    found: dict[str, re.Pattern[Any]] = {}
    for module, source in calls():
        # The scripts of the actions are no modules: their patterns are literals.
        names = {} if module.startswith(".") else vars(importlib.import_module(module))
        value = eval(source, dict(names), Literals(names))
        found[value if isinstance(value, str) else value.decode()] = re.compile(value)
    for file in (ROOT / "schemas").glob("*.json"):
        for text in schema_patterns(json.loads(file.read_text(encoding="utf-8"))):
            found[text] = re.compile(text)
    return found


def schema_patterns(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("pattern"), str):
            yield value["pattern"]
        yield from value.get("patternProperties", ())
        for item in value.values():
            yield from schema_patterns(item)
    elif isinstance(value, list):
        for item in value:
            yield from schema_patterns(item)


PATTERNS = patterns()


#: The worst that somebody could think of for each pattern: texts that are repeated, by the pattern's beginning.
WORST: dict[str, Sequence[str]] = {
    r"[ \t\n\r]*": (" ", "\n", " a"),
    r"(?<![\w-])([\w-]{1,80})[\"']?\s{0,8}[:=]": ("a", "a-", "a'", "a ", "a  :"),
    r"\"[^\"]*\"|'[^']*'|(?:[^:#]|:": ("a", '"', "'", ":", ": ", " #", "\"'"),
    r"\"[^\"]*\"|'[^']*'|(?:[^:#,": ("a", '"', "'", ":", ": ", " #", ",", "[", "\"'"),
    r"(?<![\w-])--?[\w-]{1,80}": ("-", "--", "--a", " -a", "a-"),
    r"'(--?[a-z-]{1,40}|[A-Z]{1,40})'": ("'", "'-", "'-a", "'A"),
    r"([01]\d|2[0-3]):([0-5]\d)-": ("22:00-07:00", "22:00-07:00 ", "22:00-07:00 a", "2", "22:"),
    r"([A-Za-z][A-Za-z0-9+.-]{0,29})://": ("a", "a:", "a+", "a://"),
    r"(?:\[(?P<six>": ("[::", "[" + "a:" * 30, "a", "host:", "host:1", "[::1]:"),
    r"\A(?:[^@/:]+@)?[^/:@]+:(?!:)": ("a", "a@", "a@a", "a:", "@", ":"),
    r"(?:^|\s)(?:ssh-|ecdsa-|sk-)": ("ssh-", "ssh-a", "ssh-a ", "ssh-a A", " ssh-a" + "A" * 30, "sk-a  ", "A", "="),
    "valid-(?P<end>": ("valid-", "valid-before=", 'valid-after="', "valid-before=1", "valid-before=20200101"),
    r"No such command '": ("No such command '", "'", "a"),
    r"(?:--?[a-z-]+ (?!-))?": ("-", "--", "--a", "--a -", "--a '", "'"),
    r"[^\s\"',}]+": ("a", " ", "a ", ","),
    r"\x1b\[[0-9;]*m": ["\x1b", "\x1b[", "\x1b[0", "\x1b[0;"],
    r"https?://[^\s/?#@]": ("https://a", "https://a/", "http://a/b", "/"),
    r"[a-z0-9_-]{0,40}\Z": ("a", "-"),
    r"[A-Za-z0-9_-]{1,100}\Z": ("a", "-"),
    r"[^a-z0-9_\s-]": ("A", "a", "Aa", "é"),
    r"[-\s]+": ("-", " ", "- ", "-a"),
    r'cursor="([0-9:.-]{1,200})"': ('cursor="', 'cursor="0', "0:"),
    r"[!-~]{8,1000}\Z": ("a", "a "),
    r"https?://[^\s/@]{1,255}": ("https://a", "https://a/", "https://a/ ", "/"),
    r"[A-Za-z0-9_.-]+(?:/": ("a", "a/", "/", "a/a ", ".."),
    r"https?://[!-~]{1,4000}\Z": ("https://", "https://a", "a", "a "),
    r"([A-Za-z][A-Za-z0-9+.-]{0,20})://": ("a", "a:", "a+", "a://"),
    r"[A-Za-z0-9_@][A-Za-z0-9_.@+-]{0,99}\Z": ("a", "a.", "/"),
    r"[a-z0-9][a-z0-9.-]{2,62}\Z": ("a", "a.", "A"),
    r"[!-~]{1,900}\Z": ("a", "a ", " "),
    "refs/pull/": ["refs/pull/", "refs/pull/1", "1"],
    "Merge pull request #": ["Merge pull request #", "Merge pull request #1", "1"],
    r"Merged in ": ["Merged in ", "Merged in a", "a", "Merged in a (pull request #", "1"],
    "Pull request #": ["Pull request #", "Pull request #1", "1"],
    "Merged PR ": ["Merged PR ", "Merged PR 1", "1"],
    r"[0-9]{1,12}\)\Z": ["1", "1)", ")"],
    "See merge request ": ["See merge request ", "See merge request a!", "a", "!", "a!1"],
    r"\{([A-Z_]{1,60})\}": ["{", "{A", "A", "{A}"],
    r"\[[^\]]{1,200}\]": ["[", "[a", "a", "[a]"],
    "`([^`]+)`": ["`", "`a", "``", "a`", "a"],
    "-----BEGIN ": ["-----BEGIN ", "-----BEGIN A ", "-----BEGIN PRIVATE "],
    r"\b(?:AKIA": ["AKIA", "AKIAA", "AIza", "AIza-", "ya29.", "GOCSPX-", "-GOCSPX-a"],
    r"\bgh[pousr]": ["ghp_", "-ghp_a", "github_pat_", ".github_pat_a", "glpat-", "glpat-a."],
    r"\bxox": ["xoxb-", "xoxb-a.", "xapp-", "-xapp-"],
    r"\b[rs]k_": ["sk_live_", ".sk_live_a", "whsec_", ".whsec_a", "shpat_", ".shpat_a"],
    r"\bsk-": ["sk-", "sk-proj-", "sk-a.", "-sk-proj-a", "hf_", ".hf_a"],
    r"\bnpm_": ["npm_", ".npm_a", "pypi-", "pypi-a.", "dop_v1_", ".dop_v1_a", "hvs.", "hvs.a"],
    r"\bSG": ["SG.", "SG.a", "SG.aaaaaaaaaaaaaaaa.", "-SG.aaaaaaaaaaaaaaaaaaaaaaaaa"],
    r"(?<=[A-Za-z0-9_-]{8})\.eyJ": [
        "-eyJaaaaaaaa", "eyJ", ".eyJ", "aaaaaaaa.eyJ", "aaaaaaaa.eyJaaaaaaaa", "aaaaaaaa.eyJaaaaaaaa.", "a", "-",
    ],
    r"\bhooks": ["hooks.slack.com/", "hooks.slack.com/services/ ", "discord.com/api/", "discordapp.com/api/v1/"],
    r"\bwebhook": ["webhook.office.com/ ", "outlook.office365.com/webhook/ ", "/hooks/", "/hooks/a"],
    r"\bapi": ["api.telegram.org/", "api.telegram.org/file/"],
    r"\bBearer": ["Bearer ", "Bearer a ", " "],
    "://[^": ["://", "a://", "://:", "://a:b", "://a:b ", ":", "a:", "a://b:c://"],
    r"[=:]|(?<!": ["-", "-a", "a", "--a"],
    r"(?<![\w-])(?P<name>": [
        "a", "-", "a=", "=", "password", "password ", "password =", '"password" :', "a b", "-a ", " ", "'",
    ],
    "[A-Z]+(?![a-z])": ["A", "a", "Aa", "aA", "1", "_", "A_"],
    r"\A(?P<before>": [
        " ", "#", "# ", "# schedsync:", "# schedsync: ", "# schedsync: ignore[", " # schedsync: ignore[a", "ignore[",
    ],
    "\\{\\{|\\}\\}": ["{", "}", "{a", "{a}", "{{", "{ {", "a"],
    "\\{([^{}]*)\\}\\Z": ["{", "a", "{a", "{a}"],
    "`[^`]*`": ["`", "`a", "a"],
    "`+": ["`", "` "],
    "`{40,}": ["`", "`" * 39 + " "],
    "[A-Za-z0-9.-]+(:[0-9]": ["a", "a.", "1", ":", "a:1"],
    r"\*\*✓\*\* .*<!-- schedsync applied": ["**✓** ", "a", "<!-- schedsync applied ", "**✓** <!-- schedsync applied 0"],
    "[A-Za-z0-9_ ,;": ["a", "a\n", "→"],
    "##(?=": ["#", "##a", "##", "##a#", "a"],
    "[0-9a-f]{40}(?:[0-9a-f]{18}": ["a", "0"],
    "[0-9a-f]{40}(?:[0-9a-f]{24}": ["a", "0"],
    r"\A[^\s\x00-\x1f": ["a", "a "],
    r"\A[^\s\x00-\x20": ["a", "-", "a "],
    r"\A(?:[^@/]+@)?": ["a", "@", "a@", ":", "a:", "a@a:", "/", "\n"],
    "\\A(https?|ssh|git)://": ["http", "https://", "ssh://", "git://"],
    "[-+]?[0-9]+\\Z": ["1", "-", "1-"],
    "0o[0-7]+": ["0o", "0o1", "0x1", "0x"],
    "[-+]?(\\.[0-9]+": ["1", ".1", "1.", "1e", "1e1", "1.1e", "0."],
    r"([-+]?\.(inf": [".", ".inf", ".nan"],
    "([0-9]{1,12}": ["1", "1.", "1 "],
    "([-+]?[0-9]{1,3})": ["1", "1,"],
    "H(?:\\(": ["H", "H(", "H(1-", "H(1-2)", "H/1"],
    "-\\d": ["-", "-1"],
    "(?<![A-Za-z])H": ["H", "HH", " H", "aH"],
    "\\S+": ["a", "a ", " ", "aa  "],
    "(\\d{1,18})": ["1", "1 ", "1s"],
    "\\d{4}-\\d\\d-\\d\\d[Tt ]": ["1", "2026-12-24T18:00:00.1", "2026-12-24T18:00:00 "],
    "\\d{4}-\\d\\d-\\d\\d\\Z": ["1", "2026-12-24"],
    "\\d+": ["1", "1a"],
    "(?:(?P<day>[0-9]": ["1", "2026-11-28", "2026-11-28 ", "2026-11-28 02:00", "02:", "02:00:"],
    "[0-9]{1,12}[a-z]": ["1", "1s", "1a"],
    "[\x00\ud800-\udfff]": ["a", "é"],
    "[^\t\n": ["a", "é"],
    "[\x85\u2028\u2029]": ["a", "\x84"],
    "\r\n|\n|\r": ["\r", "\n", "\r\n", "a"],
    "[\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]": ["a", "\u2010"],
    "^(?:<{7}": ["<", "<<<<<<<", "<<<<<<<\n", "\n", "=======\n", "=======\r", "=======", ">>>>>>> "],
    "[A-Z0-9_]{1,60}": ["A", "A!"],
    "^x-": ["x-", "-x", "\n"],
    "\\\\u[dD]": ["\\ud", "\\", "\\u"],
    "^[A-Z]{2,10}[0-9]{1,4}$": ["SS", "SS101", "SS101\n", "A"],
    "(?!SS)[A-Z]{2,10}": ["A", "SS", "A1", "ACME001"],
    "^(?!SS)[A-Z]{2,10}[0-9]{1": ["A", "SS", "A1", "ACME001\n"],
    "^(?!SS)[A-Z]{2,10}[0-9]{0": ["A", "SS", "A1", "ACME001\n"],
    "[*H]/": ["*/", "H/", "*/1", "H"],
    "[a-z][a-z0-9-]{0,39}": ["a", "a-", "-"],
    "[-_.]+": ["-", "-a", "_."],
    "^[0-9]{4}-": ["2026-12-24T", "2026-12-24T1", "1", "\n2026-12-24T1"],
    "^sha256": ["sha256:", "sha256:a"],
    "^\\S+$": ["a", "a\n", " "],
    "^[0-9]{1,18} ?": ["1", "1 ", "1s\n"],
    "^[A-Za-z_]": ["a", "a\n", "_"],
    "^[A-Za-z0-9][": ["a", "a\n", "-"],
    "(?:env|exec": ["env", "python3.", "python1", "manage.py"],
    "&&|\\|\\|": ["&", "|", "&&", ";a"],
    r"\d?>>?": [">", "1>", "> ", ">>& ", "<", "< ", "2>&", " "],
    r"\b[A-Za-z_]\w*=": ["a", "a=", "_1"],
    r"(?<!\\)(?:": ["%", "\\%", "\\", "\\\\", "\\\\%", "a%", "%%"],
    r"\Acelery\.": ["celery", "celery.", "c"],
    r"[^\n]*\n|[^\n]+": ["\n", "a", "a\n", "\r\n"],
    r"(?m)^[ \t]*(?:\[": [
        "[", " ", "[tool]", "[tool]\n", "[tool]\n ", "\n", "[tool.", "[ tool", "[tool]\nschedsync", "[tool]\n[", "\n ",
    ],
    r"(?<![\w./-])(?:\./)?a": ["a", "./", "./a", "a/", " a/", '"a', " a ", "./a ", "/"],
    "[^A-Za-z0-9_.]+": ["-", "a", "a-", "é"],
    "[^a-z0-9._]+": ["A", "a", "A a", "-"],
    r"""\s*(["']?)""": [" ", "'", "'a", "'a' ", "a ", "a", "a=", " a = "],
    r"\b(\d{1,4})-": ["1-", "1-1", "1", "1111-", "1-1-"],
    r'"\{#([^{}"\\]*)\}"': ['"{#', '"{#a', "a", '"{#a}', '"{#a"'],
}  # fmt: skip


def sample(tree: Any) -> str:
    """Return a text that fits a pattern, nearly."""
    text = ""
    for operation, argument in tree:
        name = str(operation)
        if name == "LITERAL":
            text += chr(argument)
        elif name in ("NOT_LITERAL", "ANY"):
            text += "a"
        elif name == "IN":
            text += character(argument)
        elif name in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
            text += sample(argument[2]) * min(max(argument[0], 1), 64)
        elif name == "SUBPATTERN":
            text += sample(argument[-1])
        elif name == "BRANCH":
            text += sample(argument[1][-1])
    return text


def character(choices: Any) -> str:
    allowed = re.compile(f"[{''.join(member(choice) for choice in choices)}]")
    return next((one for one in "aA0-_./: #\n\x00\x85\u2028" if allowed.match(one)), "a")


def member(choice: Any) -> str:
    name, value = str(choice[0]), choice[1]
    if name == "NEGATE":
        return "^"
    if name == "RANGE":
        return f"{re.escape(chr(value[0]))}-{re.escape(chr(value[1]))}"
    if name == "CATEGORY":
        return {"SPACE": r"\s", "NOT_SPACE": r"\S", "DIGIT": r"\d", "WORD": r"\w"}[str(value).removeprefix("CATEGORY_")]
    return re.escape(chr(value))


def generated(pattern: re.Pattern[Any]) -> list[str]:
    """Return units that are derived from a pattern: the beginnings of what fits it."""
    whole = sample(parser.parse(pattern.pattern, pattern.flags & ~re.UNICODE))
    lengths = sorted({len(whole) * part // 8 for part in (1, 3, 6, 8)} - {0})
    return [whole[:length] for length in lengths] or ["a"]


def texts(unit: str, size: int) -> list[str]:
    """Return texts of a size: a unit again and again, and its last character again and again; none fits at its end."""
    return [(unit * (size // len(unit) + 1))[:size] + "\x00", unit + unit[-1] * size + "\x00"]


def seconds(work: Callable[[str], Any], text: str) -> float:
    begin = time.process_time()
    work(text)
    return time.process_time() - begin


def grows(work: Callable[[str], Any], unit: str, sizes: tuple[int, int]) -> bool:
    """Say whether work takes more than its part longer for a text four times as long."""
    for small, large in zip(texts(unit, sizes[0]), texts(unit, sizes[1]), strict=True):
        for _ in range(3):
            long = seconds(work, large)
            if long < NOISE or long / max(seconds(work, small), 1e-9) < MOST_GROWTH:
                break
        else:
            return True
    return False


def is_linear(work: Callable[[str], Any], units: Sequence[str]) -> list[str]:
    """Return the units that take more than linear time; small sizes come first: a quadratic one is slow."""
    return [unit for unit in units if grows(work, unit, (2**13, 2**15)) or grows(work, unit, (SMALL, LARGE))]


def is_only_matched(text: str | bytes) -> bool:
    """Say whether a pattern is for whole texts: it is tried at their beginning only, never searched."""
    return isinstance(text, str) and text.endswith("\\Z")


def matching(pattern: re.Pattern[Any]) -> Callable[[str], Any]:
    def work(text: str) -> None:
        data, nothing = (text.encode(), b"") if isinstance(pattern.pattern, bytes) else (text, "")
        pattern.match(data)
        if not is_only_matched(pattern.pattern):
            pattern.sub(nothing, data)

    return work


def fitting(text: str) -> list[str]:
    """Return the beginnings that a pattern has; a short one must be all of it."""
    return [part for part in WORST if text == part or (text.startswith(part) and len(part) > 3)]


def test_every_pattern_has_its_worst_cases() -> None:
    assert len(PATTERNS) > 50
    assert [text for text in PATTERNS if len(fitting(text)) != 1] == []
    assert sorted(part for text in PATTERNS for part in fitting(text)) == sorted(WORST)


@pytest.mark.parametrize("text", PATTERNS)
def test_a_pattern_reads_in_linear_time(text: str) -> None:
    pattern = PATTERNS[text]
    units = [unit for part in fitting(text) for unit in WORST[part]]

    assert is_linear(matching(pattern), list(dict.fromkeys([*units, *generated(pattern)]))) == []


def test_a_pattern_for_whole_texts_is_never_searched() -> None:
    searched = []
    for file in (ROOT / "schedsync").rglob("*.py"):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        whole = {
            ast.unparse(node.targets[0])
            for node in ast.walk(tree)
            if isinstance(node, ast.Assign)
            and "re.compile" in ast.unparse(node.value)
            and "\\\\Z'" in ast.unparse(node)
        }
        uses = (node for node in ast.walk(tree) if isinstance(node, ast.Attribute) and ast.unparse(node.value) in whole)
        searched += [f"{file.name}: {ast.unparse(node)}" for node in uses if node.attr not in ("match", "fullmatch")]

    assert searched == []


def test_the_measurement_finds_a_quadratic_pattern() -> None:
    quadratic = re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}")

    assert grows(matching(quadratic), "-eyJaaaaaaaa", (2**15, 2**17))


@pytest.mark.parametrize(
    ("work", "units"),
    [
        (is_secret_value, ["-eyJaaaaaaaa", "a://:", "password", "--password ", "token=", "a=b;", "{", "["]),
        (masked, ["[", '{"a":', "[[],", "-eyJaaaaaaaa", '"']),
        (lambda text: list(secret_paths({text: [text]})), ["[", "password", "pass", "A"]),
        (is_secret_key, ["A", "Aa", "pass", "_", "a1"]),
        (printable, ["##a", "##[", "\u202e", "#"]),
        (lambda text: list(_template_problems(text, {"a": 1})), ["{", "{a}", "{b", "}}"]),
        (lambda text: _filled_text(text, {"a": 1}) if "}" not in text else None, ["a", "é"]),
        (lambda text: read_ignores(text.encode(), "x", lambda _: None), [" # schedsync: ignore[", "#", "\n"]),
        (lambda text: fnmatchcase(text[:255], f"{'*a' * 400}b"), ["a", "aab"]),
        (lambda text: fnmatchcase("a" * 200, f"{text[:1000]}"), ["*", "*a", "[", "[a]*", "?*"]),
    ],
)  # fmt: skip
def test_what_is_built_from_patterns_takes_linear_time_too(work: Callable[[str], Any], units: Sequence[str]) -> None:
    assert is_linear(work, units) == []
