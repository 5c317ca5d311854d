"""The examples in the help of each verb: a command line, without the program's name, and what it is for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

Example = tuple[str, str]

#: By the words after the program's name. A line that begins with `git` is shown without the program's name.
EXAMPLES: Mapping[str, Sequence[Example]] = {
    "init": (
        ("init", "answer three questions, and write the files"),
        ("init --yes --set shop --ci github", "the same without questions"),
    ),
    "import": (
        ("import database --out schedules", "write the rows that nobody manages into files"),
        ("import settings --out schedules", "write the entries of CELERY_BEAT_SCHEDULE, and a patch for the settings"),
    ),
    "import database": (
        ("import database > schedules/shop.yaml", "write all rows that nobody manages into one file"),
        (
            "import database 'sync-*' 'report-*' --by queue --out schedules",
            "write the rows with these names into a file for each queue",
        ),
    ),
    "import settings": (
        ("import settings --out schedules", "write the entries into files, and a patch for the settings"),
        ("forecast --compare settings", "before the patch is applied: list the runs that differ"),
        ("git apply schedsync-settings.patch", "delete the entries from the settings"),
    ),
    "import crontab": (
        ("import crontab shop.cron --task shop.tasks.run_command --out schedules", "write the lines of a file"),
        ("forecast --compare crontab:shop.cron", "list the runs that differ"),
    ),
    "doctor": (
        ("doctor", "check everything, and change nothing"),
        ("doctor --fix", "repair what is safe to repair"),
        ("doctor --notify", "send a test alarm to each service of SCHEDSYNC_NOTIFY"),
    ),
    "validate": (
        ("validate", "check all files of the set"),
        ("validate --strict schedules/reports.yaml", "check one file, and fail for warnings too"),
    ),
    "fmt": (
        ("fmt", "write all files of the set in canonical form"),
        ("fmt --check", "in CI: write nothing, and fail if a file would change"),
    ),
    "review": (
        ("review", "show what this branch and the work tree change"),
        ("review main feature --format html --out review.html", "write a page about a branch"),
    ),
    "forecast": (
        ("forecast 'sync-*' --count 3", "the next three runs of each schedule with such a name"),
        ("forecast --timeline --format svg --out next.svg", "a picture of the next 24 hours, by queue"),
        ("forecast --from 2027-03-28 --until 1d", "all runs of the day on which the clocks change"),
    ),
    "plan": (
        ("plan -e production", "show what an apply to production would do"),
        ("plan -e production --out plan.json", "save the plan too, for apply --plan"),
    ),
    "apply": (
        ("apply -e production", "show the changes, ask, and write them"),
        ("apply -e production --plan plan.json --yes", "in CI: write only what the plan holds"),
        ("apply -e production --yes --watch 15m", "wait until the first runs of what changed have ended"),
    ),
    "rollback": (
        ("rollback --dry-run", "show what would go back to before the last apply"),
        ("rollback 8dcb990c --reason 'INC-42'", "take back one apply, by the run that its last line names"),
        ("rollback --end 'sync-*'", "let the files of these schedules count again"),
    ),
    "status": (
        ("status", "show the page once"),
        ("status --expect-beats 2", "a probe: exit 2 if fewer than two Beats are live"),
    ),
    "list": (
        ("list 'sync-*' --state held --state drifted", "list what differs from Git, with such a name"),
        ("list --unmanaged", "list the rows that nobody manages"),
        ("list --environments --differ", "list what is not the same in all environments"),
    ),
    "why": (
        ("why nightly-report", "explain its last run, or why there was none, and its next one"),
        ("why nightly-report --at '2026-11-28 02:00'", "explain the tick of that night, by the schedule's own clock"),
        ("why nightly-report --since 7d", "list the ticks of a week, and what became of them"),
    ),
    "history": (
        ("history nightly-report --since 90d", "show who stopped it, why, and which pull request started it again"),
        ("history --since 30d --verb apply", "list the applies of a month"),
        ("history --since 30d --verbose --format json", "write all changes of a month for an audit"),
    ),
    "drift": (("drift -e production", "show who changed which schedule"),),
    "accept": (
        ("accept nightly-report -e production", "show what an edit changes in the files, ask, and write it"),
        ("accept 'sync-*' -e production --yes --branch accept-sync", "commit it on a new branch instead"),
    ),
    "pause": (
        ("pause nightly-report --for 24h --reason 'INC-42'", "stop one schedule until tomorrow"),
        ("pause 'sync-*' --label tier=free --for 2h --reason 'INC-42'", "stop what fits both, in one transaction"),
        ("pause --all --for 30m --reason 'INC-42'", "stop everything for half an hour"),
    ),
    "resume": (
        ("resume nightly-report", "let one schedule run again"),
        ("resume --all --catch-up", "let everything run again, and send the runs that were missed"),
    ),
    "run": (
        ("run nightly-report", "send one now, with an id of its own"),
        ("run 'sync-*' --from 02:00 --to 03:00 --missing --rate 60/m --dry-run", "list the ticks that were missed"),
    ),
    "agent": (
        ("agent --repository https://git.example.org/shop.git -e production", "apply each commit of main"),
        ("agent --repository ../shop.git --tags 'v*' --heal --once", "one turn, and undo edits by others"),
        ("agent --config agent.toml", "follow all that this file names"),
    ),
    "snapshot": (
        ("snapshot --out snapshot.json", "save it for validate, review, plan and forecast --against"),
        ("snapshot --publish git+https://git.example.org/a.git#snap", "put it where pull requests can get it"),
    ),
    "schema": (
        ("schema --out schedules.schema.json", "save the schema of the schedules for an editor"),
        ("schema config", "print the schema of schedsync.toml"),
    ),
    "rules": (
        ("rules", "list all rules"),
        ("rules SS201", "explain one rule"),
    ),
    "ledger": (
        ("ledger move 'search-*' --to search", "let another set manage these schedules"),
        ("ledger bind -e staging", "after a restore: say which environment the database belongs to"),
    ),
    "ledger rename": (("ledger rename shop webshop", "the set shop has the name webshop from now on"),),
    "ledger move": (
        ("ledger move 'search-*' --to search", "move the schedules with these names"),
        ("ledger move --set billing --to shop", "move all schedules of a set"),
    ),
    "ledger release": (
        ("ledger release 'report-*'", "stop managing the schedules with these names"),
        ("ledger release --all", "stop managing all schedules, before schedsync is removed"),
    ),
    "ledger bind": (("ledger bind -e staging", "the database belongs to the environment staging"),),
}
