#!/usr/bin/env bash
# pull.sh CAPABILITY COMMAND...: for each job of CAPABILITY runs COMMAND, its input on stdin; what it prints (JSON) is the result.
# Exit 75 of the command: try again later; any other but 0: failed. Needs curl and jq, and REEVE_SOCKET.
# With PULL_JOBS=N it ends after N jobs.
set -uo pipefail
[ $# -ge 2 ] || { sed -n '2,4s/^# //p' "$0" >&2; exit 2; }
capability=$1
shift

post() { # PATH BODY: the answer, whatever it says; asked again while there is nobody to answer, or no room
	curl --silent --unix-socket "$REEVE_SOCKET" --json "$2" --retry 100 --retry-delay 1 --retry-max-time 120 --retry-all-errors \
		"http://reeve$1" 2>/dev/null
}

keep_alive() { # PID: until the job is not ours any more; then the command ends
	while ! read -rt 10 <>"$dir/never"; do
		if [ "$(post "/v1/claims/$job/heartbeat" "{\"fence\":$fence}" | jq '.cancelled == false')" != true ]; then
			kill "$1" 2>/dev/null
			return
		fi
	done
}

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
mkfifo "$dir/never"
for ((n = 0; n < ${PULL_JOBS:-1000000000}; n++)); do
	while true; do
		answer=$(post /v1/claims "{\"capabilities\":[\"$capability\"],\"wait\":\"20s\",\"client\":\"pull-shell-$$\"}")
		claim=$(jq -ce '.claims[]' <<<"$answer") && break
		jq -e .claims <<<"$answer" >/dev/null || { echo "pull.sh: no claims: $answer" >&2; exit 1; }
	done
	job=$(jq -r .job_id <<<"$claim")
	fence=$(jq .fence <<<"$claim")
	jq -c .input <<<"$claim" | "$@" >"$dir/result" 2>"$dir/error" &
	command=$!
	keep_alive $command &
	beating=$!
	wait $command
	status=$?
	kill $beating 2>/dev/null
	if [ $status = 0 ] && jq -ce --argjson fence "$fence" '{fence: $fence, result: .}' "$dir/result" >"$dir/body" 2>>"$dir/error"; then
		post "/v1/claims/$job/complete" "@$dir/body" >/dev/null
	else
		jq -cR --slurp --argjson fence "$fence" --argjson status $status \
			'{fence: $fence, error: {code: "exit_\($status)", message: .[-400:], retryable: ($status == 75)}}' "$dir/error" >"$dir/body"
		post "/v1/claims/$job/fail" "@$dir/body" >/dev/null
	fi
done
