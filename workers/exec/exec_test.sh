#!/bin/sh
# exec_test.sh PROGRAM: runs commands by the worker's own test host (--run) and says how it went in TAP.
set -u
program=$1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
export REEVE_EXEC_FILE="$dir/exec.json"
n=0

ok() {
	n=$((n + 1))
	echo "ok $n - $1"
}
not_ok() {
	n=$((n + 1))
	echo "not ok $n - $1"
	sed 's/^/# /' "$dir/out" "$dir/err"
}

# commands JSON: what the daemon would have written
commands() {
	printf '{"exec":[{"capability":"test.run","command":%s,"binary":%s}]}' "$1" "${2:-false}" >"$REEVE_EXEC_FILE"
}

run() {
	"$program" --run test.run >"$dir/out" 2>"$dir/err"
	status=$?
}

commands '["cat"]'
echo '{"a": 1}' >"$dir/in"
run <"$dir/in"
[ "$status" = 0 ] && [ "$(cat "$dir/out")" = '{"a": 1}' ] && ok json_output_is_the_result_as_it_is || not_ok json_output_is_the_result_as_it_is

commands '["printf", "two lines\\nof \\042text\\042\\n"]'
run </dev/null
[ "$status" = 0 ] && [ "$(cat "$dir/out")" = '"two lines\nof \"text\""' ] && ok other_text_becomes_a_json_string || not_ok other_text_becomes_a_json_string

commands '["printf", "\\377"]'
run </dev/null
[ "$status" = 1 ] && grep -q '"not_text"' "$dir/err" && ok output_that_is_no_text_fails || not_ok output_that_is_no_text_fails

commands '["cat"]' true
printf '\377\001' >"$dir/in"
run <"$dir/in"
[ "$status" = 0 ] && [ "$(od -An -tx1 <"$dir/out" | tr -d ' \n' | cut -c1-4)" = ff01 ] && ok binary_output_is_kept_as_it_is || not_ok binary_output_is_kept_as_it_is

commands '["sh", "-c", "echo starting >&2; echo no such account >&2; exit 3"]'
run </dev/null
[ "$status" = 1 ] && grep -q 'status 3: starting.*no such account' "$dir/err" && grep -q '"retryable": *false' "$dir/err" &&
	ok the_last_lines_of_stderr_are_the_message || not_ok the_last_lines_of_stderr_are_the_message

commands '["sh", "-c", "exit 75"]'
run </dev/null
[ "$status" = 1 ] && grep -q '"try_again"' "$dir/err" && grep -q '"retryable": *true' "$dir/err" && ok status_75_means_try_again || not_ok status_75_means_try_again

commands '["sh", "-c", "kill -SEGV $$"]'
run </dev/null
[ "$status" = 1 ] && grep -q 'signal 11 (SIGSEGV)' "$dir/err" && ok a_crash_names_its_signal || not_ok a_crash_names_its_signal

commands '["no-such-program-here"]'
run </dev/null
[ "$status" = 1 ] && grep -q 'no-such-program-here: No such file' "$dir/err" && ok a_missing_program_is_named || not_ok a_missing_program_is_named

commands '["sh", "-c", "echo \\\"$REEVE_CAPABILITY $REEVE_ATTEMPT ${REEVE_JOB_ID:+id} ${REEVE_EXEC_FILE:-hidden}\\\""]'
run </dev/null
[ "$(cat "$dir/out")" = '"test.run 1 id hidden"' ] && ok the_job_is_told_in_the_environment || not_ok the_job_is_told_in_the_environment

commands '["sh", "-c", "echo 40 half of it >&3; echo nonsense >&$REEVE_PROGRESS_FD; printf 70 >&3; echo >&3; echo 1"]'
run </dev/null
[ "$status" = 0 ] && [ "$(cat "$dir/out")" = 1 ] && ok a_command_has_descriptor_3_for_its_progress || not_ok a_command_has_descriptor_3_for_its_progress

commands '["head", "-c", "2000000", "/dev/zero"]'
run </dev/null
[ "$status" = 1 ] && grep -q '"output_too_large"' "$dir/err" && ok too_much_output_fails || not_ok too_much_output_fails

# Cancelled (SIGINT): what ignores signals, and what changed its session, is ended, too.
mkfifo "$dir/ready"
commands "[\"sh\", \"-c\", \"trap '' TERM INT; setsid sh -c 'echo \$\$ >$dir/ready; exec sleep 1000' & sleep 1000\"]"
"$program" --run test.run >"$dir/out" 2>"$dir/err" </dev/null &
worker=$!
read -r hidden <"$dir/ready"
kill -INT "$worker"
wait "$worker"
kill -0 "$hidden" 2>/dev/null && [ "$(cut -d' ' -f3 "/proc/$hidden/stat")" != Z ] && not_ok a_cancelled_command_ends_with_its_whole_tree || ok a_cancelled_command_ends_with_its_whole_tree

echo '{"exec":[{"capability":"x"}]}' >"$REEVE_EXEC_FILE"
run </dev/null
[ "$status" = 2 ] && grep -q 'a command' "$dir/err" && ok a_declaration_without_a_command_is_refused || not_ok a_declaration_without_a_command_is_refused
echo "1..$n"
