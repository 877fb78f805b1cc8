#!/bin/sh
# fuzz.sh HOWLONG [PACKAGE ...]: runs every fuzz target, one after another, for a time
# such as 10m, or for a number of executions such as 10000000x (make fuzz). In the end it
# prints a table: how often each was executed, how many inputs it found that reach code
# which no other did, and how much of its package the committed corpus alone reaches.
set -eu
cd "$(dirname "$0")/../.."
howlong=$1
shift
[ $# -gt 0 ] || set -- ./...
table=$(mktemp)
trap 'rm -f "$table"' EXIT
status=0
# last PATTERN: what the last line of $out that has the pattern says there.
last() { printf '%s\n' "$out" | sed -n "s/.*$1.*/\\1/p" | tail -n 1; }
for package in $(go list "$@"); do
	for target in $(go test -list '^Fuzz' "$package" 2>/dev/null | grep '^Fuzz' || true); do
		verdict=ok
		out=$(go test -run '^$' -fuzz "^$target\$" -fuzztime "$howlong" -fuzzminimizetime 100x "$package" 2>&1) || {
			printf '%s\n' "$out"
			verdict=FAIL status=1
		}
		executions=$(last 'execs: \([0-9]*\)') new=$(last 'new interesting: \([0-9]*\)')
		out=$(go test -run "^$target\$" -cover "$package" 2>&1) || verdict=FAIL status=1
		printf '%s\t%s %s\t%s\t%s\t%s\n' "$verdict" "$package" "$target" "${executions:--}" "${new:--}" "$(last 'coverage: \([0-9.]*%\)')" |
			tee -a "$table"
	done
done
printf '\n'
{
	printf '\ttarget\texecutions\tnew inputs\tcorpus reaches\n'
	cat "$table"
} | expand -t 6,76,90,103
exit $status
