package takeover

import (
	"strings"
	"testing"
)

// debianAliases is /etc/aliases as Debian has it.
const debianAliases = "# Basic system aliases\nmailer-daemon: postmaster\npostmaster: root\nnobody: root\nnews: root\nwebmaster: joe\n"

// TestFromSendmail takes the configuration of a sendmail over as its guide says.
func TestFromSendmail(t *testing.T) {
	r := newRoot(t, "debian")
	r.newUsers()
	for path, text := range map[string]string{
		"/etc/mailname":              "example.org\n",
		"/etc/aliases":               debianAliases,
		"/etc/mail/local-host-names": "# names\nwww.example.org\nvirtual.example\n\n",
		"/etc/mail/relay-domains":    "backup.example\n",
		"/etc/mail/virtusertable":    "# who\ninfo@virtual.example\tann\nno@virtual.example\terror:nouser No such user here\n@catch.example\tann\n@all.example\t%1@example.org\n",
		"/etc/mail/mailertable":      "routed.example\tesmtp:[192.0.2.5]\nlocal.example\tlocal:\n",
		"/etc/mail/sendmail.cf":      "V10/Debian\nDSesmtp:[smart.example]\nDR\n",
		"/home/ann/.forward":         "joe\n",
	} {
		r.write(path, text)
	}
	said := r.sh(guide(t, "takeover-from-sendmail.md", "The programs", "Names of this host", "Aliases", "Routes", ".forward, and mailboxes", "Start"))
	r.wants(said, "This host is example.org")
	for file, want := range map[string]string{
		"me":             "example.org\n",
		"locals":         "example.org\nwww.example.org\n",
		"rcpthosts":      "all.example\nbackup.example\ncatch.example\nexample.org\nvirtual.example\nwww.example.org\n",
		"virtualdomains": "all.example:alias-virtual\ncatch.example:alias-virtual\nvirtual.example:alias-virtual\n",
		"smtproutes":     "routed.example:192.0.2.5\n:smart.example\n",
	} {
		if got := r.read("/var/qmail/control/" + file); got != want {
			t.Errorf("%s: %q, want %q", file, got, want)
		}
	}
	for to, want := range map[string]string{
		"joe@example.org":        "/home/joe/Maildir",
		"joe@www.example.org":    "/home/joe/Maildir",
		"ann@example.org":        "/home/joe/Maildir", // by .forward
		"postmaster@example.org": "/home/joe/Maildir",
		"webmaster@example.org":  "/home/joe/Maildir",
		"info@virtual.example":   "/home/joe/Maildir", // ann's
		"any@catch.example":      "/home/joe/Maildir",
	} {
		r.smtp("to "+to+" end", "sue@remote.example", to)
		r.mail(want, "Subject: to "+to+" end")
	}
	r.refused("x@other.example")
	r.eventually("an empty queue", func() bool { return r.queued() == 0 })
	r.sh("useradd -m eve; su eve -c 'ls ~/Maildir/new'")
	r.sh("echo subject: from here | sendmail root")
	r.mail("/home/joe/Maildir", "subject: from here")
	said = r.sh(guide(t, "takeover-from-sendmail.md", "Back"))
	if strings.Contains(said, "There is mail") || r.exists("/var/qmail/queue") || !r.exists("/etc/mail/virtusertable") {
		t.Error(said)
	}
}

// TestFromPostfix takes a Postfix over that runs, and has mail in its queue.
func TestFromPostfix(t *testing.T) {
	r := newRoot(t, "postfix")
	r.newUsers()
	r.write("/etc/aliases", debianAliases)
	r.write("/etc/postfix/virtual", "# who\nvirtual.example anything\ninfo@virtual.example ann, joe\n@catch.example ann\n")
	r.write("/etc/postfix/transport", "routed.example smtp:[192.0.2.5]:26\n.routed.example relay:[192.0.2.6]\nlocal.example local:\n")
	r.write("/home/ann/.forward", "joe\n")
	r.sh(`postconf -e inet_protocols=ipv4 maillog_file=/var/log/postfix.log myhostname=host.example.org 'mydestination=$myhostname, www.example.org, localhost' \
	'relayhost=[127.0.0.1]:1' 'mynetworks=127.0.0.0/8 10.1.0.0/16 192.0.2.0/24 192.0.2.77/32 [::1]/128' message_size_limit=20000000 \
	relay_domains=backup.example virtual_alias_maps=hash:/etc/postfix/virtual transport_maps=hash:/etc/postfix/transport
postmap /etc/postfix/virtual /etc/postfix/transport
/usr/bin/newaliases
postfix start
(echo subject: waits; echo; echo hello) | /usr/sbin/sendmail -f joe@host.example.org far@remote.example near@remote.example
(echo subject: of Postfix; echo; echo hello) | /usr/sbin/sendmail joe`)
	r.eventually("a local delivery by Postfix", func() bool { return strings.Contains(r.read("/var/mail/joe"), "subject: of Postfix") })
	r.eventually("a deferral", func() bool { return strings.Contains(r.sh("postqueue -p"), "refused") })

	said := r.sh(guide(t, "takeover-from-postfix.md", "Before", "The queue", "The programs", "main.cf", "virtual, aliases") +
		guide(t, "takeover-from-sendmail.md", "Aliases", ".forward, and mailboxes") +
		guide(t, "takeover-from-postfix.md", "Start"))
	r.wants(said, "Removing postfix", "This host is")
	for file, want := range map[string]string{
		"control/me":             "host.example.org\n",
		"control/virtualdomains": "catch.example:alias-virtual\nvirtual.example:alias-virtual\n",
		"control/smtproutes":     "routed.example:192.0.2.5:26\n.routed.example:192.0.2.6\n:127.0.0.1:1\n",
		"control/databytes":      "20000000\n",
		"../../etc/tcp.smtp":     "127.:allow,RELAYCLIENT=\"\"\n10.1.:allow,RELAYCLIENT=\"\"\n192.0.2.:allow,RELAYCLIENT=\"\"\n192.0.2.77:allow,RELAYCLIENT=\"\"\n",
	} {
		if got := r.read("/var/qmail/" + file); got != want {
			t.Errorf("%s: %q, want %q", file, got, want)
		}
	}
	r.wants(r.read("/var/qmail/control/locals"), "host.example.org\n", "localhost\n", "www.example.org\n")
	r.wants(r.read("/var/qmail/control/rcpthosts"), "backup.example\n", "catch.example\n", "virtual.example\n", "www.example.org\n")
	r.wants(r.sh("qmail-qread"), "<joe@host.example.org>", "remote\tfar@remote.example", "remote\tnear@remote.example")
	for _, to := range []string{"joe@www.example.org", "ann@host.example.org", "info@virtual.example", "any@catch.example", "postmaster@host.example.org"} {
		r.smtp("to "+to+" end", "sue@remote.example", to)
		r.mail("/home/joe/Maildir", "Subject: to "+to+" end")
	}
	r.smtp("relayed", "joe@host.example.org", "x@elsewhere.example") // from 127.0.0.1
	r.wants(r.sh("qmail-qread"), "x@elsewhere.example")
	said = r.sh(guide(t, "takeover-from-postfix.md", "Back"))
	r.wants(said, "There is mail in /var/qmail/queue. It stays there, also at a purge.")
	if !r.exists("/etc/postfix/main.cf") {
		t.Error("main.cf is gone")
	}
}
