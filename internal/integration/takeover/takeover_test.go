package takeover

import (
	"fmt"
	"net/smtp"
	"net/textproto"
	"strings"
	"testing"
	"time"
)

// newUsers are joe and ann, who have the password "secret".
func (r *root) newUsers() {
	r.Helper()
	r.sh("useradd -m joe; useradd -m ann; printf 'joe:secret\\nann:secret\\n' | chpasswd")
}

// smtp sends a message to the server of this root.
func (r *root) smtp(subject, from string, to ...string) {
	r.Helper()
	text := "Subject: " + subject + "\r\n\r\nhello\r\n"
	r.eventually("an SMTP server", func() bool {
		c, err := smtp.Dial("127.0.0.1:25")
		if err == nil {
			c.Quit()
		}
		return err == nil
	})
	r.must(smtp.SendMail("127.0.0.1:25", nil, from, to, []byte(text)))
}

// refused wants an address to be refused.
func (r *root) refused(to string) {
	r.Helper()
	err := smtp.SendMail("127.0.0.1:25", nil, "x@remote.example", []string{to}, []byte("\r\n"))
	if err == nil || !strings.HasPrefix(err.Error(), "553 ") {
		r.Errorf("%s: %v", to, err)
	}
}

// TestPackage goes through the life of a package.
func TestPackage(t *testing.T) {
	r := newRoot(t, "debian")
	r.newUsers()
	said := r.sh("apt-get install -y ./goqmail_0.4_*.deb")
	r.wants(said, "created account qmailq", "This host is host.example.org")
	r.sh("qmail-instcheck; su joe -c '/var/qmail/bin/maildirmake ~/Maildir'; readlink /usr/sbin/sendmail | grep -x /var/qmail/bin/sendmail")
	r.wants(r.sh("dpkg-query -W -f '${Provides}' goqmail; dpkg --audit"), "mail-transport-agent")

	for _, wanted := range []string{"multi-user.target.wants/qmail-send.service", "sockets.target.wants/qmail-smtpd.socket"} {
		if !r.exists("/etc/systemd/system/" + wanted) {
			t.Errorf("%s is missing: it will not start", wanted)
		}
	}

	// A message by SMTP, read by POP3.
	r.sh("systemctl start qmail-send.service; systemctl start qmail-smtpd.socket")
	r.smtp("first", "sue@remote.example", "joe@host.example.org")
	r.mail("/home/joe/Maildir", "Subject: first")
	r.refused("joe@elsewhere.example")
	r.sh("tcpserver -HRl0 127.0.0.1 110 /var/qmail/bin/qmail-popup host.example.org /var/qmail/bin/qmail-checkpassword /var/qmail/bin/qmail-pop3d Maildir >/var/log/pop3.log 2>&1 </dev/null &")
	time.Sleep(1100 * time.Millisecond) // qmail-pop3d does not show what came in this very second
	r.wants(r.pop3("joe", "secret"), "Subject: first")

	// Root's mail is kept somewhere.
	r.sh("echo subject: for root | sendmail root")
	r.mail("/var/qmail/alias/Maildir", "subject: for root")

	// An upgrade keeps what an admin has written, and the mail that waits.
	r.sh("systemctl stop qmail-send.service; echo mine >>/var/qmail/control/locals; echo subject: waits | sendmail ann")
	r.sh("apt-get install -y /packages/goqmail_0.5_*.deb; qmail-instcheck")
	r.wants(r.read("/var/qmail/control/locals"), "mine\n")
	if r.queued() != 1 {
		t.Error("the mail that waited is gone")
	}

	// Neither removing nor purging loses mail.
	for _, how := range []string{"-r", "-P"} {
		said = r.sh("dpkg " + how + " goqmail")
		r.wants(said, "There is mail in /var/qmail/queue. It stays there")
		if r.queued() != 1 || r.exists("/usr/sbin/sendmail") || r.exists("/var/qmail/bin") {
			t.Errorf("dpkg %s: %d messages\n%s", how, r.queued(), said)
		}
	}
	if r.exists("/var/qmail/control") || !r.exists("/var/qmail/alias/Maildir/new") {
		t.Error("purged too little or too much")
	}
	r.sh("apt-get install -y ./goqmail_0.4_*.deb; su ann -c '/var/qmail/bin/maildirmake ~/Maildir'; systemctl start qmail-send.service")
	r.mail("/home/ann/Maildir", "subject: waits")
	r.sh("rm -r /var/qmail/alias/Maildir; dpkg -P goqmail")
	if left := r.sh("find / -xdev -name '*qmail*' ! -path '/root/*' ! -path '/packages*' ! -path '/proc/*' ! -path '/var/log/*' ! -path '/run/*'; dpkg --audit"); left != "" {
		t.Errorf("left: %s", left)
	}
}

// pop3 reads the first message of a user.
func (r *root) pop3(user, password string) string {
	r.Helper()
	var c *textproto.Conn
	r.eventually("a POP3 server", func() (ok bool) {
		var err error
		c, err = textproto.Dial("tcp", "127.0.0.1:110")
		return err == nil
	})
	defer c.Close()
	for _, command := range []string{"", "USER " + user, "PASS " + password} {
		if command != "" {
			r.must(c.PrintfLine("%s", command))
		}
		line, err := c.ReadLine()
		r.must(err)
		r.wants(line, "+OK")
	}
	r.must(c.PrintfLine("RETR 1"))
	line, err := c.ReadLine()
	r.must(err)
	r.wants(line, "+OK")
	text, err := c.ReadDotBytes()
	r.must(err)
	return string(text)
}

// tarball unpacks the tarball, and returns a script that goes there.
func (r *root) tarball() string {
	r.Helper()
	r.sh("tar xzf goqmail-0.4-*.tar.gz")
	return "cd /root/goqmail-0.4\n"
}

// TestSetup sets up from the tarball, and takes it back.
func TestSetup(t *testing.T) {
	r := newRoot(t, "debian")
	r.newUsers()
	r.write("/usr/sbin/sendmail", "#!/bin/sh\n")
	there := r.tarball()
	before := r.sh(everything)
	r.wants(r.sh(there+"build/bin/qmail-setup -dry-run"), "write /var/qmail/control/me: host.example.org", "Nothing of this was done.")
	r.sh(there + "build/bin/qmail-setup; /var/qmail/bin/qmail-instcheck; su joe -c '/var/qmail/bin/maildirmake ~/Maildir'; /var/qmail/rc >/dev/null 2>&1 &")
	r.eventually("rc", func() bool { return r.exists("/var/qmail/bin/qmail-send") && r.exists("/home/joe/Maildir/new") })
	r.wants(r.sh(there+"build/bin/qmail-setup -dry-run"), "There is nothing to do.")
	r.sh("echo subject: first | sendmail joe")
	r.mail("/home/joe/Maildir", "subject: first")
	r.eventually("an empty queue", func() bool { return r.queued() == 0 })
	r.killAll()
	r.sh("rm -r /home/joe/Maildir; cd /root/goqmail-0.4; build/bin/qmail-setup -undo")
	after := r.sh(everything)
	if after != before {
		t.Errorf("not what it was:\n%s", difference(before, after))
	}
}

// everything describes all of a root but what programs of its own may have written.
const everything = `find / -xdev ! -path '/proc/*' ! -path '/root/*' ! -path '/packages/*' ! -path '/var/log/*' ! -path '/tmp/*' | sort
sed 's/$/ of passwd/' /etc/passwd; sed 's/$/ of group/' /etc/group`

// difference lists the lines that only one of two texts has.
func difference(a, b string) string {
	have := map[string]int{}
	for line := range strings.Lines(a) {
		have[line]--
	}
	for line := range strings.Lines(b) {
		have[line]++
	}
	var out strings.Builder
	for line, n := range have {
		if n != 0 {
			fmt.Fprintf(&out, "%+d %s", n, line)
		}
	}
	return out.String()
}
