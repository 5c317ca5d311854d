"""Crontab files are read as cron reads them; a line that cannot be taken is named, and hides no other."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schedsync.core.timing import crontab
from schedsync.errors import WrongUsage
from schedsync.importers.command_name import name_of
from schedsync.importers.crontab_file import CrontabFile, is_system_crontab, parse_crontab, read_crontab

NAMES = ("minute", "hour", "day_of_month", "month_of_year", "day_of_week")


def times(file: CrontabFile) -> list[tuple[int, str]]:
    return [(line.line, str(line.timing)) for line in file.lines]


def reasons(file: CrontabFile) -> list[tuple[int | None, str]]:
    return [(item.line, item.reason) for item in file.not_taken]


def test_a_user_s_crontab_is_read() -> None:
    file = parse_crontab(
        "# backups\n\nMAILTO=ops@example.org\n  */15 * * * *\t/srv/bin/poll --all # every tenant\r\n"
        "@hourly ./manage.py clearsessions\n0 3 * jan,JUL sun cd /srv/shop && ./manage.py report >> /var/log/r 2>&1\n"
        "0 4 1 * * backup\n0 5 * * 7 backup"
    )

    assert file.not_taken == ()
    assert times(file) == [
        (4, "*/15 * * * * UTC"),
        (5, "0 * * * * UTC"),
        (6, "0 3 * 1,7 0 UTC"),
        (7, "0 4 1 * * UTC"),
        (8, "0 5 * * 0 UTC"),
    ]
    assert [line.name for line in file.lines] == ["poll", "clearsessions", "report", "backup", "backup-2"]
    assert file.lines[0].command == "/srv/bin/poll --all # every tenant"
    assert (file.has_zone, file.tz_line) == (False, None)


def test_a_system_crontab_has_a_user() -> None:
    file = parse_crontab(
        "17 * * * * root run-parts /etc/cron.hourly\n@daily shop report\n* * * * * root\n", system=True
    )

    assert [(line.user, line.command) for line in file.lines] == [
        ("root", "run-parts /etc/cron.hourly"),
        ("shop", "report"),
    ]
    assert reasons(file) == [(3, "it has no command after the user")]


def test_cron_tz_is_for_the_lines_below_it() -> None:
    text = '0 1 * * * a\nCRON_TZ = "Europe/Berlin"\n0 2 * * * b\nTZ=Asia/Tokyo\nCRON_TZ=Mars/Base\n0 3 * * * c\n'
    file = parse_crontab(text, "America/New_York")

    assert times(file) == [(1, "0 1 * * * America/New_York"), (3, "0 2 * * * Europe/Berlin")]
    assert reasons(file) == [(6, "the `CRON_TZ` above it is no known time zone")]
    assert (file.has_zone, file.tz_line) == (False, 4)
    assert parse_crontab("CRON_TZ=UTC\n@daily x").has_zone


def test_a_line_with_both_days_is_split_on_demand() -> None:
    text = "0 0 1,15 * fri both\n0 0 */2 * 1 and\n0 0 * * 1 week\n"
    whole, parts = parse_crontab(text), parse_crontab(text, split_days=True)

    assert [line for line, _ in times(whole)] == [2, 3]
    assert reasons(whole)[0][1].startswith("cron runs it on the days of the month and also on the days of the week")
    assert times(parts)[:3] == [(1, "0 0 1,15 * * UTC"), (1, "0 0 * * 5 UTC"), (2, "0 0 */2 * 1 UTC")]
    assert [line.name for line in parts.lines] == ["both", "both-2", "and", "week"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("@reboot x", "`@reboot` runs when the host starts, which Beat cannot see"),
        ("@often x", "unknown alias `@often`"),
        ("@daily", "it has no command"),
        ("0 1 * * *", "it has no command"),
        ("0 1", "it has no command"),
        ("0 25 * * * x", "hour: `25` is not within 0-23"),
        ("0~30 * * * * x", "minute: `0~30` is not a minute"),
        ("0 22-4 * * * x", "hour: cron rejects the reversed range `22-4`"),
        ("5/10 * * * * x", "minute: a step needs `*` or a range, not `5/10`"),
        ("0 0 31 2 * x", "none of these months has such a day: it can never fire"),
        ("0 0 " + "1," * 5000 + "1 * * x", "day_of_month: 10,001 characters; a crontab has at most 1,000"),
        ("9" * 9000 + "-1 * * * * x", "minute: 9,002 characters; a crontab has at most 1,000"),
    ],
)
def test_what_celery_cannot_do_is_named_with_its_line(line: str, message: str) -> None:
    file = parse_crontab(f"@daily good\n{line}\n@weekly also\n")

    assert [number for number, _ in times(file)] == [1, 3]
    assert file.not_taken[0].line == 2
    assert file.not_taken[0].reason in (message, message.partition(": ")[2])


@given(st.text(max_size=300))
def test_any_text_is_read_without_an_error(text: str) -> None:
    file = parse_crontab(text)

    assert all(1 <= (item.line or 0) <= text.count("\n") + 1 for item in (*file.lines, *file.not_taken))


@given(st.lists(st.sampled_from(["*", "*/2", "1-5", "1,3", "2", "1-6/2"]), min_size=5, max_size=5))
def test_the_fields_mean_what_they_mean_in_a_file_of_schedules(fields: list[str]) -> None:
    file = parse_crontab(f"{' '.join(fields)} x", split_days=True)
    both_days = not any(text.startswith("*") for text in (fields[2], fields[4]))
    kinds = [{"day_of_week": "*"}, {"day_of_month": "*"}] if both_days else [{}]

    assert [line.timing for line in file.lines] == [
        crontab(dict(zip(NAMES, fields, strict=True)) | kind, "UTC") for kind in kinds
    ]


def test_hostile_files_are_refused_with_the_reason(tmp_path: Path) -> None:
    large, lines, binary, pipe = (tmp_path / name for name in ("large", "lines", "binary", "pipe"))
    large.write_bytes(b"#" * (2**20 + 1))
    lines.write_text("\n" * 10_001, encoding="utf-8")
    binary.write_bytes(b"@daily x\n\xff\xfe")
    os.mkfifo(pipe)
    messages = {
        large: "is no crontab: it is larger than 1 MB",
        lines: "is no crontab: 10,001 lines are more than 10,000",
        binary: "is no crontab: line 2 is not UTF-8",
        pipe: "is no crontab: it is not a regular file",
        tmp_path: "cannot be read: Is a directory",
        tmp_path / "missing": "cannot be read: No such file or directory",
    }
    for path, message in messages.items():
        with pytest.raises(WrongUsage) as caught:
            read_crontab(path)

        assert caught.value.message == f"`{path}` {message}"


def test_the_place_of_a_file_says_its_format(tmp_path: Path) -> None:
    place = tmp_path / "cron.d" / "shop"
    place.parent.mkdir()
    place.write_text("@daily root report\n", encoding="utf-8")

    assert (is_system_crontab(place), is_system_crontab(tmp_path / "shop")) == (True, False)
    assert read_crontab(place).lines[0].command == "report"
    assert read_crontab(place, system=False).lines[0].command == "root report"


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("/usr/bin/python3 /srv/shop/manage.py clearsessions --verbosity 0", "clearsessions-0"),
        ("cd /srv && DJANGO_SETTINGS_MODULE=x ./manage.py send_mail > /dev/null", "send_mail"),
        ("test -x /usr/sbin/anacron || run-parts /etc/cron.daily", "run-parts-cron.daily"),
        ("curl https://user:secret@example.org/hook?token=secret", "curl"),
        ("curl https://example.org/hook?kind=full", "curl-hook"),
        ("mysqldump --password S3cr3tHunter2 shop", "mysqldump"),
        ("bash --token S3cr3tHunter2 report.sh", "report.sh"),
        ("PGPASSWORD=S3cr3tHunter2 pg_dump shop", "pg_dump"),
        ("cd /srv && mysqldump --password S3cr3tHunter2 shop", "mysqldump"),
        ("curl https://bob:S3cr3t@example.com", "curl"),
        ("curl https://bob:S3cr3t@example.com/", "curl"),
        ("curl -u bob:S3cr3t https://example.com/hook", "curl-hook"),
        ("rsync shop bob:S3cr3t@example.com", "rsync-shop"),
        ("bob:S3cr3t@example.com", "command"),
        ("; ; ;", "command"),
        ("/srv/celery.sh", "celery-sh"),
        ("ä" * 500, "command"),
    ],
)
def test_a_command_has_a_name(command: str, name: str) -> None:
    assert name_of(command) == name
