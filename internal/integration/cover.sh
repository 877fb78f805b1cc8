#!/bin/sh
# cover.sh: coverage of the unit tests and, as root, of the real processes that
# the process tests start, merged (make cover). The profile and a table by
# function are left in build/cover.
set -eu
cd "$(dirname "$0")/../.."
dir=$PWD/build/cover
rm -rf "$dir"
mkdir -p "$dir/counters" "$dir/unit"
chmod 1777 "$dir/counters" # programs of every user write there
export CGO_ENABLED=0
go test -count=1 -cover -coverpkg=goqmail/... ./... -args -test.gocoverdir="$dir/unit"
if [ "$(id -u)" = 0 ]; then
	GOCOVERDIR=$dir/counters go test -count=1 ./internal/integration/...
fi
go tool covdata textfmt -i="$dir/unit,$dir/counters" -o "$dir/profile"
go tool cover -func="$dir/profile" >"$dir/functions"
go tool covdata percent -i="$dir/unit,$dir/counters" | sort
tail -n 1 "$dir/functions"
