#!/usr/bin/env bash
# Finds the open pull request of a fork's commit and fetches that commit's objects, without checking them out.
# For forks the event names no pull request, and the output of the fork's own run cannot be trusted.
set -euo pipefail

[[ "${HEAD_SHA:?}" =~ ^[0-9a-f]{40}$ ]] || { echo "no commit"; exit 1; }
if [ -z "${HEAD_OWNER:-}" ] || [ -z "${HEAD_BRANCH:-}" ]; then
  echo "the fork has been deleted"
  exit 0
fi
# `gh` asks github.com unless it is told another server.
host="${GITHUB_SERVER_URL:-https://github.com}"
[ "${host#*://}" = github.com ] || export GH_HOST="${host#*://}" GH_ENTERPRISE_TOKEN="$GH_TOKEN"
found="$(gh api -X GET "repos/$GITHUB_REPOSITORY/pulls" --paginate \
  -f state=open -f per_page=100 -f "head=$HEAD_OWNER:$HEAD_BRANCH" \
  --jq '.[] | select(.head.sha == env.HEAD_SHA and .head.repo.full_name == env.HEAD_REPOSITORY)
        | "\(.number) \(.base.sha)"')"
read -r number base <<<"$found" || true
if ! [[ "${number:-}" =~ ^[0-9]+$ && "${base:-}" =~ ^[0-9a-f]{40}$ ]]; then
  echo "no open pull request has this commit any more"
  exit 0
fi
# Git asks this helper for the token, so that the token is in no command line.
helper='!f() { echo username=x-access-token; echo "password=$GH_TOKEN"; }; f'
git -c "credential.helper=$helper" fetch --quiet --no-tags --no-recurse-submodules \
  "$SERVER/$GITHUB_REPOSITORY" "$HEAD_SHA" "$base"
printf 'number=%s\nbase=%s\n' "$number" "$(git merge-base "$base" "$HEAD_SHA")" >>"$GITHUB_OUTPUT"
