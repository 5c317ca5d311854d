#!/usr/bin/env bash
# Ends the step with schedsync's exit code, and prints the reason to the log.
set -euo pipefail

[ "${EXIT_CODE:-1}" = 0 ] && exit 0
[ "${EXIT_CODE:-1}" = 2 ] && [ "${CHANGES_FAIL:-false}" != true ] && exit 0
python3 -I - "${REPORT:?}" <<'PYTHON'
import json
import sys

try:
    said = json.load(open(sys.argv[1], encoding="utf-8"))
except (OSError, ValueError):
    said = {}
lines = []
for part in said.get("sets", [said]):
    lines += [part.get("message"), part.get("hint"), *(one.get("message") for one in part.get("refusals", []))]
for line in filter(None, lines):
    # One line that begins with a bar, so that GitHub does not read it as a workflow command.
    shown = " ".join("".join(c if c.isprintable() else " " for c in str(line)).split())
    print("|", shown.replace("##[", "# #["))
PYTHON
echo "schedsync ended with exit code ${EXIT_CODE:-1}"
exit "${EXIT_CODE:-1}"
