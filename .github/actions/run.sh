#!/usr/bin/env bash
# Runs one verb of schedsync for an action, and writes the outputs, the annotations and the job's summary.
# All input comes from environment variables, and the shell evaluates none of it.
set -uo pipefail

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
verb="$1"
out="${RUNNER_TEMP:?}/schedsync-$verb"
mkdir -p "$out"
rm -f "$out"/*

# The flags come from the author of the workflow and are split at white space.
read -r -d '' -a flags <<<"${INPUT_FLAGS:-}" || true
# With `--all` there is one report of all sets; a page and a saved plan are of one set.
every=
for flag in "${flags[@]}"; do [ "$flag" != --all ] || every=1; done
words=("$verb" --format json --report "markdown=$out/report.md" --report "summary=$out/summary.md")
[ -z "${INPUT_ENVIRONMENT:-}" ] || words+=(--environment "$INPUT_ENVIRONMENT")
[ -z "${INPUT_SETTINGS:-}" ] || words+=(--settings "$INPUT_SETTINGS")
[ -z "${INPUT_DATABASE:-}" ] || words+=(--database "$INPUT_DATABASE")
[ -z "${INPUT_AGAINST:-}" ] || words+=(--against "$INPUT_AGAINST")
case "$verb" in
  review)
    [ -n "$every" ] || words+=(--report "html=$out/report.html")
    words+=(--report "github=$out/annotations" --report "sarif=$out/report.sarif")
    [ -z "${INPUT_PATH:-}" ] || words+=(--path "$INPUT_PATH")
    words+=("${flags[@]}" --)
    [ -z "${INPUT_BASE:-}${INPUT_HEAD:-}" ] || words+=("${INPUT_BASE:?a head needs a base}")
    [ -z "${INPUT_HEAD:-}" ] || words+=("$INPUT_HEAD")
    ;;
  plan)
    [ -n "$every" ] || words+=(--out "$out/plan.json")
    words+=(--report "github=$out/annotations" "${flags[@]}" --)
    [ -z "${INPUT_PATH:-}" ] || words+=("$INPUT_PATH")
    ;;
  apply)
    words+=(--yes)
    [ -z "${INPUT_REVIEWED:-}" ] || words+=(--plan "$INPUT_REVIEWED")
    words+=("${flags[@]}" --)
    [ -z "${INPUT_PATH:-}" ] || words+=("$INPUT_PATH")
    ;;
  *)
    words+=("${flags[@]}" --)
    [ -z "${INPUT_PATH:-}" ] || words+=("$INPUT_PATH")
    ;;
esac

code=0
schedsync "${words[@]}" >"$out/report.json" || code=$?

[ ! -s "$out/annotations" ] || cat "$out/annotations"
python3 -I "$here/report.py" outputs --json "$out/report.json" --exit-code "$code" --verb "$verb" \
  --path="${INPUT_PATH:-}" --environment="${INPUT_ENVIRONMENT:-}"
python3 -I "$here/report.py" summary --body "$out/summary.md" --json "$out/report.json"
printf 'directory=%s\n' "$out" >>"$GITHUB_OUTPUT"
# A later step fails the job, because the comment must be written first.
exit 0
