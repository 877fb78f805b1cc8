#!/bin/sh
# fuzz.sh TIME [PACKAGE ...]: runs every fuzz target for TIME, one after
# another, and tells how many executions each made (make fuzz).
set -eu
cd "$(dirname "$0")/../.."
time=$1
shift
[ $# -gt 0 ] || set -- ./...
status=0
for package in $(go list "$@"); do
	for target in $(go test -list '^Fuzz' "$package" 2>/dev/null | grep '^Fuzz' || true); do
		if out=$(go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" -fuzzminimizetime 100x "$package" 2>&1); then
			echo "ok $package $target $(printf '%s\n' "$out" | sed -n 's/.*execs: \([0-9]*\).*/\1 executions/p' | tail -n 1)"
		else
			printf '%s\n' "$out"
			echo "FAIL $package $target"
			status=1
		fi
	done
done
exit $status
