#!/bin/sh
# roots.sh DIR COMMAND...: runs a command with GOQMAIL_DEBIAN set to a directory that has
# two roots of Debian 12, made by debootstrap where they are not there:
#
#	debian    the smallest one, and ucspi-tcp
#	postfix   the same with Postfix on it
#
# Where DIR is empty they are made in a temporary directory, which is removed. Needs
# root, and a Debian mirror. Where there is none, the command runs without the roots, and
# the tests that need them are skipped and say so.
set -eu
dir=$1
shift
if [ -z "$dir" ]; then
	dir=$(mktemp -d)
	trap 'rm -rf "$dir"' EXIT
	chmod 755 "$dir"
fi
mkdir -p "$dir"

roots() {
	rm -rf "$dir/debian" "$dir/postfix.new"
	debootstrap --variant=minbase --include=ucspi-tcp bookworm "$dir/debian" >"$dir/log" &&
		cp -a "$dir/debian" "$dir/postfix.new" &&
		cp /etc/resolv.conf "$dir/postfix.new/etc/" &&
		printf '#!/bin/sh\nexit 101\n' >"$dir/postfix.new/usr/sbin/policy-rc.d" && # start nothing
		chmod 755 "$dir/postfix.new/usr/sbin/policy-rc.d" &&
		chroot "$dir/postfix.new" env DEBIAN_FRONTEND=noninteractive sh -c \
			'apt-get update -qq && apt-get install -y -qq --no-install-recommends postfix' >>"$dir/log" 2>&1 &&
		rm "$dir/postfix.new/usr/sbin/policy-rc.d" &&
		mv "$dir/postfix.new" "$dir/postfix"
}

if [ -e "$dir/postfix" ] || roots; then
	GOQMAIL_DEBIAN=$dir "$@"
else
	tail "$dir/log"
	echo "roots.sh: there are no roots of Debian; the tests that need them are skipped"
	"$@"
fi
