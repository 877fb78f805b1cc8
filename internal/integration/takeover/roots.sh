#!/bin/sh
# roots.sh DIR COMMAND...: runs a command with GOQMAIL_DEBIAN set to a directory that has
# two roots of Debian 12, made by debootstrap where they are not there:
#
#	debian    the smallest one, and ucspi-tcp
#	postfix   the same with Postfix on it
#
# Where DIR is empty they are made in a temporary directory, which is removed. Needs
# root, and a Debian mirror.
set -eu
dir=$1
shift
if [ -z "$dir" ]; then
	dir=$(mktemp -d)
	trap 'rm -rf "$dir"' EXIT
	chmod 755 "$dir"
fi
mkdir -p "$dir"
if [ ! -e "$dir/postfix" ]; then
	rm -rf "$dir/debian" "$dir/postfix.new"
	debootstrap --variant=minbase --include=ucspi-tcp bookworm "$dir/debian" >"$dir/log" || {
		tail "$dir/log"
		exit 1
	}
	cp -a "$dir/debian" "$dir/postfix.new"
	cp /etc/resolv.conf "$dir/postfix.new/etc/"
	printf '#!/bin/sh\nexit 101\n' >"$dir/postfix.new/usr/sbin/policy-rc.d" # start nothing
	chmod 755 "$dir/postfix.new/usr/sbin/policy-rc.d"
	chroot "$dir/postfix.new" env DEBIAN_FRONTEND=noninteractive sh -c \
		'apt-get update -qq && apt-get install -y -qq --no-install-recommends postfix' >>"$dir/log" 2>&1 || {
		tail "$dir/log"
		exit 1
	}
	rm "$dir/postfix.new/usr/sbin/policy-rc.d"
	mv "$dir/postfix.new" "$dir/postfix"
fi
GOQMAIL_DEBIAN=$dir "$@"
