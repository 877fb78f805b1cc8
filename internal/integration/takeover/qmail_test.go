package takeover

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"goqmail/internal/host/account"
)

// TestFromQmail takes C qmail over as its guide says, with mail in the queue, and goes
// back. The files are what C qmail would have written; its programs do nothing, since
// none of them must be run.
func TestFromQmail(t *testing.T) {
	r := newRoot(t, "debian")
	r.newUsers()
	there := r.tarball()
	r.cQmail()
	r.sh("su joe -c 'mkdir -m 700 ~/Maildir ~/Maildir/new ~/Maildir/tmp ~/Maildir/cur'")
	before := r.sh(listing)

	said := r.sh(there + guide(t, "takeover-from-qmail.md", "Before", "Over"))
	r.wants(said, "old files aside", "badloadtypes: I have no idea", "messages in queue: ")
	for _, text := range []string{"Subject: just queued", "Subject: waits for joe", "Hi. This is the qmail-send program at old.example"} {
		r.mail("/home/joe/Maildir", text)
	}
	r.eventually("an empty queue", func() bool { return r.queued() == 0 })
	r.sh("/var/qmail/bin/qmail-showctl | grep -F 'SMTP clients may send messages to recipients at old.example.'")

	// Back, with what goqmail has queued.
	r.killAll()
	r.sh("echo subject: for C | /var/qmail/bin/sendmail joe")
	said = r.sh(there + guide(t, "takeover-from-qmail.md", "Back"))
	if strings.Contains(said, "left alone") {
		t.Error(said)
	}
	if after := r.sh(listing); after != before {
		t.Errorf("not what it was:\n%s", difference(before, after))
	}
	r.wants(r.sh("cd /var/qmail/queue; cat mess/*/*; cat todo/* | tr '\\0' '\\n'"), "subject: for C", "Tjoe@old.example\n")
}

// listing describes all of an installation but the messages.
const listing = `cd /var/qmail
find . ! -path './queue/*/*/*' ! -path './queue/todo/*' ! -path './queue/bounce/*' ! -path './queue/intd/*' -printf '%p %y %m %u %g %l\n' | sort
find . -path ./queue -prune -o -type f -exec md5sum {} + | sort`

// cQmail makes an installation of C qmail, with three messages in its queue: one that
// was just queued, one that waits for the second of its recipients, and one whose
// bounce is due.
func (r *root) cQmail() {
	r.Helper()
	r.sh(`sh goqmail-0.4/conf-templates/accounts.sh
mkdir -m 755 /var/qmail
cd /var/qmail
umask 022
mkdir bin boot control doc man man/man1 man/man5 man/man7 man/man8 man/cat1 users
mkdir -m 2755 alias
chown alias alias
for name in qmail-clean qmail-getpw qmail-inject qmail-local qmail-lspawn qmail-queue qmail-remote qmail-rspawn qmail-send qmail-smtpd qmail-start sendmail; do
	printf '#!/bin/sh\nexit 111\n' >bin/$name
	chmod 711 bin/$name
done
chown qmailq bin/qmail-queue
chmod 4711 bin/qmail-queue
chmod 700 bin/qmail-lspawn bin/qmail-start
echo 'page of C' >man/man8/qmail-send.8
echo old.example >control/me
echo old.example >control/locals
echo old.example >control/rcpthosts
echo x >control/badloadtypes
echo '&joe' >alias/.qmail-postmaster
printf '#!/bin/sh\nexec env - PATH="/var/qmail/bin:$PATH" qmail-start ./Maildir/\n' >rc
chmod 755 rc
ln -s /var/qmail/bin/sendmail /usr/sbin/sendmail

mkdir -m 750 queue queue/mess queue/lock queue/todo
mkdir -m 700 queue/pid queue/intd queue/bounce queue/info queue/local queue/remote
n=0
while [ $n -lt 23 ]; do
	mkdir -m 750 queue/mess/$n
	mkdir -m 700 queue/info/$n queue/local/$n queue/remote/$n
	n=$((n + 1))
done
dd if=/dev/zero of=queue/lock/tcpto bs=1024 count=1 2>/dev/null
: >queue/lock/sendmutex
chmod 600 queue/lock/sendmutex
mkfifo queue/lock/trigger
chmod 622 queue/lock/trigger
chown -R qmailq queue
chown -R qmails queue/bounce queue/info queue/local queue/remote queue/lock/sendmutex queue/lock/trigger
chown qmailr queue/lock/tcpto
chgrp -R qmail .
chown alias alias; chmod 2755 alias; chown qmailq bin/qmail-queue; chmod 4711 bin/qmail-queue`)
	r.message("just queued", map[string]string{
		"todo": "u1000\x00p77\x00Fsue@remote.example\x00Tjoe@old.example\x00",
	})
	r.message("waits for joe", map[string]string{
		"info": "Fsue@remote.example\x00", "local": "Dann@old.example\x00Tjoe@old.example\x00",
	})
	r.message("comes back", map[string]string{
		"info": "Fjoe@old.example\x00", "remote": "Dgone@remote.example\x00",
		"bounce": "<gone@remote.example>:\nSorry, no such host.\n\n",
	})
}

// message puts a message into the queue, under the number of its file, with those files
// that are said.
func (r *root) message(subject string, files map[string]string) {
	r.Helper()
	queue := "/var/qmail/queue/"
	write := func(path, text, owner string, mode os.FileMode) {
		r.Helper()
		r.must(os.WriteFile(r.at(path), []byte(text), mode))
		var number account.User
		r.must(account.Each(r.at(account.PasswdFile), func(line string) bool {
			u, ok := account.ParseUser(line)
			number = u
			return ok && u.Name == owner
		}))
		r.must(os.Chown(r.at(path), int(number.UID), int(number.GID)))
	}
	write(queue+"pid/1", "Subject: "+subject+"\n\nhello\n", "qmailq", 0o644)
	info, err := os.Stat(r.at(queue + "pid/1"))
	r.must(err)
	n := info.Sys().(*syscall.Stat_t).Ino
	r.must(os.Rename(r.at(queue+"pid/1"), r.at(fmt.Sprintf("%smess/%d/%d", queue, n%23, n))))
	for kind, text := range files {
		switch kind {
		case "todo":
			write(fmt.Sprintf("%sintd/%d", queue, n), text, "qmailq", 0o644)
			r.must(os.Link(r.at(fmt.Sprintf("%sintd/%d", queue, n)), r.at(fmt.Sprintf("%stodo/%d", queue, n))))
		case "bounce":
			write(fmt.Sprintf("%sbounce/%d", queue, n), text, "qmails", 0o600)
		default:
			write(fmt.Sprintf("%s%s/%d/%d", queue, kind, n%23, n), text, "qmails", 0o600)
		}
	}
}
