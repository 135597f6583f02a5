#!/bin/sh
# The tests: what the handler answers, with no daemon.
failed=0
expect() { # input, expected output
	got=$(printf '%s' "$1" | ./@NAME@ --run @NAME@.words 2>/dev/null)
	if [ "$got" = "$2" ]; then
		echo "ok    $1"
	else
		echo "FAIL  $1: expected $2, got $got"
		failed=1
	fi
}
expect '{"a":"to be or not to be"}' '{"words":7}'
expect '""' '{"words":0}'
[ -f @NAME@.so ] || { echo "FAIL  there is no module"; failed=1; }
exit $failed
