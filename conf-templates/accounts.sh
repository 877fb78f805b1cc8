#!/bin/sh
# accounts.sh [HOME]: creates the two groups and seven accounts of the mail
# system where they are absent, and says which it made (make users).
#
#   alias                  owns the addresses that belong to no user
#   qmaild qmaill qmailp   network servers, logger, password look-ups: group
#                          nofiles, which must own no file anywhere
#   qmailq qmailr qmails   queue, remote deliveries, scheduler: group qmail
#
# Nobody logs in as any of them.
set -eu
home=${1:-/var/qmail}

exists() { getent "$1" "$2" >/dev/null 2>&1 || grep -q "^$2:" "/etc/$1"; }

group() {
	exists group "$1" && return
	if command -v groupadd >/dev/null; then
		groupadd --system "$1"
	else
		addgroup -S "$1"
	fi
	echo "created group $1"
}

user() { # name group home
	exists passwd "$1" && return
	if command -v useradd >/dev/null; then
		useradd --system --no-create-home --home-dir "$3" --gid "$2" --shell /usr/sbin/nologin "$1"
	else
		adduser -S -D -H -h "$3" -G "$2" -s /sbin/nologin "$1"
	fi
	echo "created account $1"
}

group nofiles
group qmail
user alias nofiles "$home/alias"
for name in qmaild qmaill qmailp; do user $name nofiles "$home"; done
for name in qmailq qmailr qmails; do user $name qmail "$home"; done
