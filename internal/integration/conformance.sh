#!/bin/sh
# conformance.sh [PACKAGE ...]: runs the conformance suite against a fresh
# installation (make conformance). The suite is looked for in
# ../shared/conformance, or where CONFORMANCE says. The home is QMAIL, else
# /var/qmail; with RESIDENCE=0 no program is kept open for further messages.
#
# The installation is in a mount namespace of its own: a tmpfs on /mnt, another
# on the home, where that is, and /etc/passwd and /etc/group with the accounts
# added where the machine lacks them. Nothing of it is left behind. Needs root.
set -eu
cd "$(dirname "$0")/../.."
suite=$(cd "${CONFORMANCE:-../shared/conformance}" && pwd)

if [ "${GOQMAIL_CONFORMANCE_INSIDE:-}" != 1 ]; then
	[ "$(id -u)" = 0 ] || { echo "conformance.sh: needs root" >&2; exit 1; }
	exec env GOQMAIL_CONFORMANCE_INSIDE=1 unshare --mount --propagation private "$0" "$@"
fi

qmail=${QMAIL:-/var/qmail}
mount -t tmpfs -o mode=0755 conformance /mnt
# The home of an installed qmail is hidden. Where there is none, the directory that
# it would be made in is covered, so that it is made in memory.
if [ -d "$qmail" ]; then
	mount -t tmpfs -o mode=0755 conformance "$qmail"
else
	above=$(dirname "$qmail")
	while [ ! -d "$above" ]; do above=$(dirname "$above"); done
	case $above in
	/mnt*) ;;
	/) echo "conformance.sh: will not make directories in /" >&2; exit 1 ;;
	*)
		mkdir /mnt/upper /mnt/work
		mount -t overlay -o "lowerdir=$above,upperdir=/mnt/upper,workdir=/mnt/work" conformance "$above"
		;;
	esac
fi
cp /etc/passwd /mnt/passwd
cp /etc/group /mnt/group
group() { grep -q "^$1:" /mnt/group || echo "$1:x:$2:" >>/mnt/group; }
number() { sed -n "s/^$1:[^:]*:\([0-9]*\):.*/\1/p" /mnt/group; }
user() { grep -q "^$1:" /mnt/passwd || echo "$1:x:$2:$(number "$3")::$4:/usr/sbin/nologin" >>/mnt/passwd; }
group qmail 46001
group nofiles 46002
user alias 46001 nofiles "$qmail/alias"
user qmaild 46002 nofiles "$qmail"
user qmaill 46003 nofiles "$qmail"
user qmailp 46004 nofiles "$qmail"
user qmailq 46005 qmail "$qmail"
user qmailr 46006 qmail "$qmail"
user qmails 46007 qmail "$qmail"
mount --bind /mnt/passwd /etc/passwd
mount --bind /mnt/group /etc/group

make -s install QMAIL="$qmail" RESIDENCE="${RESIDENCE:-1}" BUILD=/mnt/build
/mnt/build/qmail-instcheck

# The suite keeps no state, but its directory may be read-only.
cp -r "$suite" /mnt/conformance
cd /mnt/conformance
export QMAIL_HOME="$qmail"
# Arguments are packages, and from the first that begins with a dash on, flags.
packages=""
while [ $# -gt 0 ] && [ "${1#-}" = "$1" ]; do
	packages="$packages ./$1"
	shift
done
exec go test -count=1 ${packages:-./...} "$@"
