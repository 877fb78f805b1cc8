// Package dotqmail runs qmail-local and the tools that live in .qmail files as users
// and administrators would run them, above all as they should not: with wrong
// arguments, without the environment, with files in the way, on a full disk.
// Each says what is the matter, with an exit code that bounces no mail for a trouble
// that passes; and no mail is lost.
package dotqmail

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"goqmail/internal/integration/site"

	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) { site.Main(m) }

const message = "Subject: hi\n\nbody\n"

// environment is what programs in .qmail files find there.
var environment = []string{
	"USER=joe", "HOME=/mnt/home/joe", "LOCAL=joe-x", "HOST=h.example", "RECIPIENT=joe-x@h.example", "EXT=x",
	"SENDER=s@x.example", "NEWSENDER=n@x.example",
	"DTLINE=Delivered-To: joe-x@h.example\n", "RPLINE=Return-Path: <s@x.example>\n", "UFLINE=From s@x.example Tue Nov 24 14:05:00 2026\n",
	"MAIL=/mnt/home/joe/Mailbox", "MAILTMP=/mnt/home/joe/Mailbox.tmp", "MAILDIR=/mnt/home/joe/Maildir",
}

// local runs qmail-local for joe-x, whose file is .qmail-x.
const local = "qmail-local joe /mnt/home/joe joe-x - x h.example s@x.example ./Mailbox"

// A row is a run of a shell script by joe, in his home, with a message as
// descriptor 0. He has a mailbox with old mail in it, and a maildir with one message.
type row struct {
	name   string
	script string
	dotx   string // .qmail-x; none when empty
	code   int
	says   string // regular expression for all that is printed
	queued bool
}

var rows = []row{
	{"qmail-local without arguments", "qmail-local", "", 100, `^qmail-local: usage: qmail-local \[ -nN \] user homedir local dash ext domain sender aliasempty\n$`, false},
	{"qmail-local with too many arguments", local + " x", "", 100, `^qmail-local: usage: `, false},
	{"qmail-local with an unknown option", "qmail-local -x", "", 100, `^qmail-local: illegal option -- x\nqmail-local: usage: `, false},
	{"qmail-local with a relative home", "qmail-local joe home/joe joe '' '' h s ./Mailbox", "", 100, `usage`, false},
	{"qmail-local without a home", "qmail-local joe /nonexistent joe '' '' h s ./Mailbox", "", 111, `^Unable to switch to /nonexistent: file does not exist\. \(#4\.3\.0\)\n$`, false},
	{"qmail-local in a home that is a file", "qmail-local joe /etc/passwd joe '' '' h s ./Mailbox", "", 111, `^Unable to switch to /etc/passwd: not a directory\. \(#4\.3\.0\)\n$`, false},
	{"qmail-local in a closed home", "chmod 0 .; " + local, "./Mailbox\n", 111, `^Unable to switch to /mnt/home/joe: access denied\. \(#4\.3\.0\)\n$`, false},
	{"qmail-local in a home that all can write to", "chmod o+w .; " + local, "./Mailbox\n", 111, `^Uh-oh: home directory is writable\. \(#4\.7\.0\)\n$`, false},
	{"qmail-local in a sticky home", "chmod +t .; " + local, "./Mailbox\n", 111, `^Home directory is sticky: user is editing his \.qmail file\. \(#4\.2\.1\)\n$`, false},
	{"qmail-local without a file", local, "", 100, `^Sorry, no mailbox here by that name\. \(#5\.1\.1\)\n$`, false},
	{"qmail-local with a closed file", "chmod 0 .qmail-x; " + local, "./Mailbox\n", 111, `^Unable to open \.qmail-x: access denied\. \(#4\.3\.0\)\n$`, false},
	{"qmail-local with a file that all can write to", "chmod o+w .qmail-x; " + local, "./Mailbox\n", 111, `^Uh-oh: \.qmail file is writable\. \(#4\.7\.0\)\n$`, false},
	{"qmail-local with a blank first line", local, "\n./Mailbox\n", 111, `^Uh-oh: first line of \.qmail file is blank\. \(#4\.2\.1\)\n$`, false},
	{"qmail-local with a huge file", "truncate -s 1T .qmail-x; " + local, "./Mailbox\n", 111, `^Uh-oh: \.qmail file is too large\. \(#4\.3\.0\)\n$`, false},
	{"qmail-local with a binary file", local, "\xff\xfe\x01@\x02\n", 0, `^did 0\+1\+0\nqp [0-9]+\n$`, true},
	{"qmail-local with a directory for a file", "mkdir .qmail-x; " + local, "", 100, `^Sorry, no mailbox`, false},
	{"qmail-local with a pipe for a file", "mkfifo .qmail-x; " + local, "", 100, `^Sorry, no mailbox`, false},
	{"qmail-local with a mailbox that is a directory", "mkdir box; " + local, "./box\n", 111, `^Unable to open \./box: is a directory\. \(#4\.2\.1\)\n$`, false},
	{"qmail-local with a mailbox that is a pipe", "mkfifo box; " + local, "./box\n", 111, `^Unable to open \./box: `, false},
	{"qmail-local with a mailbox that is closed", "touch box; chmod 0 box; " + local, "./box\n", 111, `^Unable to open \./box: access denied\. \(#4\.2\.1\)\n$`, false},
	{"qmail-local with a mailbox nowhere", local, "./none/box\n", 111, `^Unable to open \./none/box: file does not exist\. \(#4\.2\.1\)\n$`, false},
	{"qmail-local with files of no size", "ulimit -f 0; " + local, "./Mailbox\n", 111, `^Unable to write \./Mailbox: file too big\. \(#4\.3\.0\)\n$`, false},
	{"qmail-local with maildir files of no size", "ulimit -f 0; " + local, "./Maildir/\n", 111, `^Temporary error on maildir delivery\. \(#4\.3\.0\)\n$`, false},
	{"qmail-local with a maildir nowhere", local, "./none/\n", 111, `^Unable to chdir to maildir\. \(#4\.2\.1\)\n$`, false},
	{"qmail-local with a maildir that is none", "mkdir none; " + local, "./none/\n", 111, `^Temporary error on maildir delivery\. \(#4\.3\.0\)\n$`, false},
	{"qmail-local with a maildir that is closed", "chmod 0 Maildir; " + local + "; e=$?; chmod 700 Maildir; exit $e", "./Maildir/\n", 111, `^(Unable to chdir to maildir\. \(#4\.2\.1\)|Temporary error on maildir delivery\. \(#4\.3\.0\))\n$`, false},
	{"qmail-local with a missing command", local, "|no-such-command\n", 111, `not found`, false},
	{"qmail-local with a command that crashes", local, "|kill -9 $$\n&a@b\n", 111, `^Aack, child crashed\. \(#4\.3\.0\)\n$`, false},
	{"qmail-local with a message that is a pipe", "cat message | " + local, "./Mailbox\n", 111, `^Unable to rewind message\. \(#4\.3\.0\)\n$`, false},
	{"qmail-local without a message", local + " <&-", "./Mailbox\n", 111, `^Unable to rewind message\. \(#4\.3\.0\)\n$`, false},
	{"qmail-local with a directory for a message", local + " <Maildir", "./Mailbox\n", 111, `^Unable to read message: is a directory\. \(#4\.3\.0\)\n$`, false},
	{"qmail-local without descriptors to print to", local + " >&- 2>&-", "|echo x; echo y >&2; exit 0\n", 0, `^$`, false},
	{"qmail-local without qmail-queue", "QMAILQUEUE=/nonexistent " + local, "&a@b\n", 111, `^Unable to forward message: unable to exec qq \(#4\.3\.0\)\.\n$`, false},
	{"qmail-local with a qmail-queue that says no", "QMAILQUEUE=/bin/false " + local, "&a@b\n", 111, `^Unable to forward message: qq `, false},
	{"qmail-local with an address that is too long", local, "&" + strings.Repeat("a", 1100) + "@b\n", 100, `^Unable to forward message: envelope address too long for qq \(#5\.1\.3\)\.\n$`, false},

	{"forward without NEWSENDER", "unset NEWSENDER; forward a@b", "", 100, `^forward: fatal: NEWSENDER not set\n$`, false},
	{"forward without DTLINE", "unset DTLINE; forward a@b", "", 100, `^forward: fatal: DTLINE not set\n$`, false},
	{"forward without qmail-queue", "QMAILQUEUE=/nonexistent forward a@b", "", 111, `^forward: fatal: unable to exec qq \(#4\.3\.0\)\n$`, false},
	{"forward to an address that is too long", "forward " + strings.Repeat("a", 1100), "", 100, `^forward: fatal: envelope address too long for qq \(#5\.1\.3\)\n$`, false},
	{"forward without a message", "forward a@b <&-", "", 111, `^forward: fatal: unable to read message: `, false},
	{"forward with a directory for a message", "forward a@b <Maildir", "", 111, `^forward: fatal: unable to read message: is a directory\n$`, false},
	{"forward to nobody", "forward", "", 0, `^forward: qp [0-9]+\n$`, true},
	{"forward with an empty environment", "env -i PATH=$PATH forward a@b", "", 100, `^forward: fatal: NEWSENDER not set\n$`, false},

	{"preline without arguments", "preline", "", 100, `^preline: usage: preline cmd \[ arg \.\.\. \]\n$`, false},
	{"preline with an unknown option", "preline -x cat", "", 100, `^preline: illegal option -- x\npreline: usage: `, false},
	{"preline without UFLINE", "unset UFLINE; preline cat", "", 100, `^preline: usage: `, false},
	{"preline with a missing command", "preline no-such-command", "", 100, `^preline: fatal: unable to run no-such-command: file does not exist\n$`, false},
	{"preline with a directory for a command", "preline ./Maildir", "", 100, `^preline: fatal: unable to run \./Maildir: access denied\n$`, false},
	{"preline with a command that crashes", "preline sh -c 'kill -9 $$'", "", 111, `^preline: fatal: child crashed\n$`, false},
	{"preline without a message", "preline cat <&-", "", 111, `^preline: fatal: unable to `, false},
	{"preline with a directory for a message", "preline sh -c 'cat >/dev/null' <Maildir", "", 111, `^preline: fatal: unable to .*is a directory\n$`, false},

	{"condredirect without arguments", "condredirect", "", 100, `^condredirect: usage: condredirect newaddress program \[ arg \.\.\. \]\n$`, false},
	{"condredirect without a program", "condredirect a@b", "", 100, `^condredirect: usage: `, false},
	{"condredirect with a missing program", "condredirect a@b no-such-program", "", 0, `^$`, false},
	{"condredirect with a program that crashes", "condredirect a@b sh -c 'kill -9 $$'", "", 111, `^condredirect: fatal: child crashed\n$`, false},
	{"condredirect without SENDER", "unset SENDER; condredirect a@b true", "", 100, `^condredirect: fatal: SENDER not set\n$`, false},
	{"condredirect without DTLINE", "unset DTLINE; condredirect a@b true", "", 100, `^condredirect: fatal: DTLINE not set\n$`, false},
	{"condredirect with a pipe for a message", "cat message | condredirect a@b true", "", 111, `^condredirect: fatal: unable to rewind: unseekable descriptor\n$`, false},
	{"condredirect without a message", "condredirect a@b true <&-", "", 111, `^condredirect: fatal: unable to rewind: `, false},
	{"condredirect without qmail-queue", "QMAILQUEUE=/nonexistent condredirect a@b true", "", 111, `^condredirect: fatal: unable to exec qq \(#4\.3\.0\)\n$`, false},

	{"bouncesaying without arguments", "bouncesaying", "", 100, `^bouncesaying: usage: bouncesaying error \[ program \[ arg \.\.\. \] \]\n$`, false},
	{"bouncesaying with a missing program", "bouncesaying no no-such-program", "", 0, `^$`, false},
	{"bouncesaying with a program without rights", "bouncesaying no ./message", "", 0, `^$`, false},
	{"bouncesaying with a program that crashes", "bouncesaying no sh -c 'kill -9 $$'", "", 111, `^bouncesaying: fatal: child crashed\n$`, false},
	{"except without arguments", "except", "", 100, `^except: usage: except program \[ arg \.\.\. \]\n$`, false},
	{"except with a missing program", "except no-such-program", "", 0, `^$`, false},
	{"except with a program that crashes", "except sh -c 'kill -9 $$'", "", 111, `^except: fatal: child crashed\n$`, false},
	{"except without PATH", "unset PATH; /mnt/qmail/bin/except true", "", 100, `^$`, false},

	{"qbiff without an environment", "env -i /mnt/qmail/bin/qbiff", "", 0, `^$`, false},
	{"qbiff without a message", "qbiff <&-", "", 0, `^$`, false},
	{"qbiff for a user with a long name", "USER=$(printf '%0100d' 0) qbiff", "", 0, `^$`, false},

	{"qreceipt without arguments", "qreceipt", "", 100, `^qreceipt: usage: qreceipt deliveryaddress\n$`, false},
	{"qreceipt without SENDER", "unset SENDER; qreceipt joe@h", "", 100, `^qreceipt: usage: `, false},
	{"qreceipt without a message", "qreceipt joe@h <&-", "", 111, `^qreceipt: fatal: read error\n$`, false},
	{"qreceipt with a list that is none", "echo 'Notice-Requested-Upon-Delivery-To: (' | qreceipt joe@h", "", 100, `^qreceipt: fatal: unable to parse this: Notice-Requested`, false},
	{"qreceipt without qmail-queue", "echo 'Notice-Requested-Upon-Delivery-To: joe@h' | QMAILQUEUE=/nonexistent qreceipt joe@h", "", 111, `^qreceipt: fatal: temporary qmail-queue error\n$`, false},
	{"qreceipt with a sender that is too long", "echo 'Notice-Requested-Upon-Delivery-To: joe@h' | SENDER=$(printf '%02000d' 0) qreceipt joe@h", "", 100, `^qreceipt: fatal: permanent qmail-queue error\n$`, false},

	{"maildirmake without arguments", "maildirmake", "", 100, `^maildirmake: usage: maildirmake name\n$`, false},
	{"maildirmake of one that is there", "maildirmake Maildir", "", 111, `^maildirmake: fatal: unable to mkdir Maildir: file already exists\n$`, false},
	{"maildirmake nowhere", "maildirmake none/x", "", 111, `^maildirmake: fatal: unable to mkdir none/x: file does not exist\n$`, false},
	{"maildirmake where nobody may", "maildirmake /mnt/qmail/x", "", 111, `^maildirmake: fatal: unable to mkdir /mnt/qmail/x: access denied\n$`, false},

	{"maildir2mbox without MAIL", "unset MAIL; maildir2mbox", "", 111, `^maildir2mbox: fatal: MAIL not set\n$`, false},
	{"maildir2mbox without MAILTMP", "unset MAILTMP; maildir2mbox", "", 111, `^maildir2mbox: fatal: MAILTMP not set\n$`, false},
	{"maildir2mbox without MAILDIR", "unset MAILDIR; maildir2mbox", "", 111, `^maildir2mbox: fatal: MAILDIR not set\n$`, false},
	{"maildir2mbox without a maildir", "MAILDIR=/nonexistent maildir2mbox", "", 111, `^maildir2mbox: fatal: unable to chdir to /nonexistent: file does not exist\n$`, false},
	{"maildir2mbox of what is no maildir", "MAILDIR=$HOME maildir2mbox", "", 111, `^maildir2mbox: fatal: unable to scan \$MAILDIR/new: file does not exist\n$`, false},
	{"maildir2mbox with MAIL that is a directory", "MAIL=$MAILDIR maildir2mbox", "", 111, `^maildir2mbox: fatal: unable to lock /mnt/home/joe/Maildir: is a directory\n$`, false},
	{"maildir2mbox with MAILTMP that is MAIL", "MAILTMP=$MAIL maildir2mbox", "", 111, `^maildir2mbox: fatal: unable to create /mnt/home/joe/Mailbox: it is the mbox itself\n$`, false},
	{"maildir2mbox with MAILTMP elsewhere", "MAILTMP=/mnt/other/x maildir2mbox", "", 111, `^maildir2mbox: fatal: unable to move /mnt/other/x to /mnt/home/joe/Mailbox: cross-device link\n$`, false},
	{"maildir2mbox with files of no size", "ulimit -f 0; maildir2mbox", "", 111, `^maildir2mbox: fatal: unable to write to /mnt/home/joe/Mailbox\.tmp: file too big\n$`, false},
	{"maildir2mbox with a message that is closed", "chmod 0 Maildir/new/1; maildir2mbox; e=$?; chmod 600 Maildir/new/1; exit $e", "", 111, `^maildir2mbox: fatal: unable to read \$MAILDIR/new/1: access denied\n$`, false},
	{"maildirwatch without MAILDIR", "unset MAILDIR; maildirwatch", "", 111, `^maildirwatch: fatal: MAILDIR not set\n$`, false},
	{"maildirwatch without a maildir", "MAILDIR=/nonexistent maildirwatch", "", 111, `^maildirwatch: fatal: unable to chdir to /nonexistent: file does not exist\n$`, false},
	{"maildirwatch without a terminal", "maildirwatch >/dev/full", "", 111, `^maildirwatch: fatal: unable to write: out of disk space\n$`, false},
	{"elq without MAIL", "unset MAIL; elq", "", 111, `^maildir2mbox: fatal: MAIL not set\n$`, false},
	{"elq without elm", "MAILDIR=$HOME/empty elq", "", 111, `^elq: fatal: unable to run elm: `, false},
	{"pinq without pine", "MAILDIR=$HOME/empty pinq", "", 111, `^pinq: fatal: unable to run pine: `, false},
	{"qail without Mail", "MAILDIR=$HOME/empty PATH=/mnt/qmail/bin qail", "", 111, `^qail: fatal: unable to run Mail: `, false},

	{"qsmhook without arguments", "qsmhook", "", 100, `^qsmhook: fatal: incorrect usage\n$`, false},
	{"qsmhook without LOCAL", "unset LOCAL; qsmhook cat", "", 100, `^qsmhook: fatal: incorrect usage\n$`, false},
	{"qsmhook with an unknown option", "qsmhook -y cat", "", 100, `^qsmhook: illegal option -- y\n$`, false},
	{"qsmhook with a missing command", "qsmhook no-such-command", "", 100, `^qsmhook: fatal: command not found\n$`, false},
	{"qsmhook with a command that crashes", "qsmhook sh -c 'kill -9 $$'", "", 111, `^qsmhook: fatal: temporary problem\n$`, false},
	{"qsmhook without a message", "qsmhook cat <&-", "", 111, `^qsmhook: fatal: `, false},

	{"fastforward without arguments", "fastforward", "", 100, `^fastforward: usage: fastforward \[ -nNpPdD \] data\.cdb\n$`, false},
	{"fastforward with an unknown option", "fastforward -x y", "", 100, `^fastforward: illegal option -- x\nfastforward: usage: `, false},
	{"fastforward without a database", "fastforward none", "", 111, `^fastforward: fatal: unable to read none: file does not exist\n$`, false},
	{"fastforward with an empty database", "fastforward /dev/null", "", 111, `^fastforward: fatal: unable to read /dev/null: malformed cdb`, false},
	{"fastforward with a directory", "fastforward Maildir", "", 111, `^fastforward: fatal: unable to read Maildir: `, false},
	{"fastforward with text for a database", "fastforward message", "", 111, `^fastforward: fatal: unable to read message: malformed cdb`, false},
	{"fastforward without SENDER", "echo 'joe-x@:a@b;' | setforward x y; unset SENDER; fastforward x", "", 100, `^fastforward: fatal: SENDER not set\n$`, false},
	{"fastforward without RECIPIENT", "echo 'joe-x@:a@b;' | setforward x y; unset RECIPIENT; fastforward x", "", 100, `^fastforward: fatal: \$RECIPIENT must be set\n$`, false},
	{"fastforward without a message", "echo 'joe-x@:a@b;' | setforward x y; fastforward x <&-", "", 111, `^fastforward: fatal: unable to read message: `, false},
	{"fastforward without qmail-queue", "echo 'joe-x@:a@b;' | setforward x y; QMAILQUEUE=/nonexistent fastforward x", "", 111, `^fastforward: fatal: unable to exec qq \(#4\.3\.0\)\n$`, false},
	{"fastforward with what works", "echo 'joe-x@:a@b;' | setforward x y; fastforward -p x", "", 99, `^fastforward: qp [0-9]+\n$`, true},
	{"setforward without arguments", "setforward x", "", 100, `^setforward: usage: setforward data\.cdb data\.tmp\n$`, false},
	{"setforward without input", "setforward x y <&-", "", 111, `^setforward: fatal: unable to read input: `, false},
	{"setforward of a directory", "setforward x y <Maildir", "", 111, `^setforward: fatal: unable to read input: is a directory\n$`, false},
	{"setforward of what is no table", "setforward x y", "", 100, `^setforward: fatal: `, false},
	{"setforward nowhere", "setforward none/x none/y </dev/null", "", 111, `^setforward: fatal: unable to create none/y: file does not exist\n$`, false},
	{"setforward with files of no size", "ulimit -f 0; setforward x y </dev/null", "", 111, `^setforward: fatal: unable to write to y: file too big\n$`, false},
	{"printforward of nothing", "printforward </dev/null", "", 100, `^printforward: fatal: bad database format\n$`, false},
	{"printforward without input", "printforward <&-", "", 111, `^printforward: fatal: unable to read input: `, false},
	{"printforward to a full disk", "echo 'a:b;' | setforward x y; printforward <x >/dev/full", "", 111, `^printforward: fatal: unable to write output: out of disk space\n$`, false},
	{"setmaillist without arguments", "setmaillist", "", 100, `^setmaillist: usage: setmaillist list\.bin list\.tmp\n$`, false},
	{"setmaillist without input", "setmaillist x y <&-", "", 111, `^setmaillist: fatal: unable to read input: `, false},
	{"setmaillist with a NUL", "setmaillist x y </dev/zero", "", 111, `^setmaillist: fatal: `, false},
	{"printmaillist of text", "printmaillist", "", 100, `^printmaillist: fatal: bad mailing list format\n$`, false},
	{"newinclude without arguments", "newinclude", "", 100, `^newinclude: usage: newinclude list\n$`, false},
	{"newinclude of nothing", "newinclude none", "", 111, `^newinclude: fatal: unable to read none: file does not exist\n$`, false},
	{"newinclude of a directory", "newinclude Maildir", "", 111, `^newinclude: fatal: unable to read Maildir: is a directory\n$`, false},
	{"newaliases by a user", "newaliases", "", 111, `^newaliases: fatal: unable to (read|create) /etc/aliases`, false},
	{"dot-forward with an unknown option", "dot-forward -x", "", 100, `^dot-forward: illegal option -- x\ndot-forward: usage: dot-forward \[ -nN \] file \.\.\.\n$`, false},
	{"dot-forward without a file", "dot-forward none", "", 0, `^$`, false},
	{"dot-forward with a directory", "dot-forward Maildir", "", 111, `^dot-forward: fatal: unable to read Maildir: is a directory\n$`, false},
	{"dot-forward with a closed file", "echo a@b >f; chmod 0 f; dot-forward f", "", 111, `^dot-forward: fatal: unable to open f: access denied\n$`, false},
	{"dot-forward with a huge file", "truncate -s 1T f; dot-forward f", "", 111, `^dot-forward: fatal: unable to read f: file is too large\n$`, false},
	{"dot-forward with a binary file", "printf '\\377\\0(' >f; dot-forward f", "", 111, `^dot-forward: fatal: unable to parse this line: `, false},
	{"dot-forward without NEWSENDER", "echo a@b >f; unset NEWSENDER; dot-forward f", "", 100, `^dot-forward: fatal: unable to forward message: NEWSENDER not set\n$`, false},
	{"dot-forward without a message", "echo a@b >f; dot-forward f <&-", "", 111, `^dot-forward: fatal: unable to forward message: unable to read message: `, false},
	{"dot-forward with a pipe for a message", "echo '\"|cat\"' >f; cat message | dot-forward f", "", 111, `^dot-forward: fatal: unable to rewind input: unseekable descriptor\n$`, false},
	{"dot-forward with what works", "echo a@b >f; dot-forward none f", "", 99, `^dot-forward: qp [0-9]+\n$`, true},

	{"tcp-env without arguments", "tcp-env", "", 111, `^$`, false},
	{"tcp-env on a file", "tcp-env env", "", 111, `^$`, false},
	{"tcp-env on nothing", "tcp-env env <&-", "", 111, `^$`, false},
	{"tcp-env with a missing program", "PROTO=TCP tcp-env no-such-program", "", 111, `^$`, false},
	{"tcp-env with a strange time", "PROTO=TCP tcp-env -t -R echo hi", "", 0, `^hi\n$`, false},
}

func TestBadInput(t *testing.T) {
	for _, c := range rows {
		t.Run(c.name, func(t *testing.T) {
			s := site.New(t)
			home := prepare(t, s, c.dotx)
			r := s.Run(site.Command{Program: "/bin/sh", Args: []string{"-c", "exec <message; " + c.script}, Env: environment, As: "joe", Dir: home})
			if r.Code != c.code || r.Signal != 0 || !regexp.MustCompile(c.says).MatchString(r.Stdout+r.Stderr) {
				t.Errorf("exit code %d, signal %v, %q; want %d, %s", r.Code, r.Signal, r.Stdout+r.Stderr, c.code, c.says)
			}
			if queued := len(s.QueueFiles()) > 0; queued != c.queued {
				t.Errorf("queued: %v", s.QueueFiles())
			}
			must(t, os.Chmod(home, 0o755))
			if got := s.Read(home + "/Mailbox"); got != "old mail\n" {
				t.Errorf("mailbox %q", got)
			}
			if files, _ := filepath.Glob(home + "/Maildir/*/*"); len(files) != 1 || s.Read(files[0]) != message {
				t.Errorf("maildir %v", files)
			}
			if files, _ := filepath.Glob(home + "/Mailbox.tmp"); len(files) > 0 {
				t.Error("the temporary file is left")
			}
		})
	}
}

// prepare makes joe's home.
func prepare(t *testing.T, s *site.Site, dotx string) (home string) {
	t.Helper()
	home = site.Account("joe").Home
	s.UserFile("joe", "message", message, 0o600)
	s.UserFile("joe", "Mailbox", "old mail\n", 0o600)
	s.Maildir("joe", "Maildir")
	s.Maildir("joe", "empty")
	s.UserFile("joe", "Maildir/new/1", message, 0o600)
	earlier := unix.NsecToTimespec(1e18)
	must(t, unix.UtimesNano(home+"/Maildir/new/1", []unix.Timespec{earlier, earlier}))
	if dotx != "" {
		s.UserFile("joe", ".qmail-x", dotx, 0o600)
	}
	must(t, os.MkdirAll("/mnt/other", 0o777))
	if unix.Mount("other", "/mnt/other", "tmpfs", 0, "mode=0777") == nil {
		t.Cleanup(func() { unix.Unmount("/mnt/other", unix.MNT_DETACH) })
	}
	return home
}

// TestFullDisk: what does not fit is not delivered, and what was there stays.
func TestFullDisk(t *testing.T) {
	large := strings.Repeat("The quick brown fox jumps over the lazy dog.\n", 20_000)
	for _, c := range []struct {
		name, script, dotx string
		inodes             string // how many there are
		says               string
	}{
		{"mbox", local, "./disk/Mailbox\n", "20", `^Unable to write \./disk/Mailbox: out of disk space\. \(#4\.3\.0\)\n$`},
		{"maildir", local, "./disk/Maildir/\n", "20", `^Temporary error on maildir delivery\. \(#4\.3\.0\)\n$`},
		{"no inode for a maildir file", local, "./disk/Maildir/\n", "6", `^Temporary error on maildir delivery\. \(#4\.3\.0\)\n$`},
		{"maildirmake without inodes", "maildirmake disk/new", "", "8", `^maildirmake: fatal: unable to mkdir disk/new/(new|cur|tmp): out of disk space\n$`},
		{"maildir2mbox", "MAIL=$HOME/disk/Mailbox MAILTMP=$HOME/disk/tmp maildir2mbox", "", "20", `^maildir2mbox: fatal: unable to write to /mnt/home/joe/disk/tmp: out of disk space\n$`},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := site.New(t)
			home := prepare(t, s, c.dotx)
			s.UserFile("joe", "message", message+large, 0o600)
			s.UserFile("joe", "Maildir/new/2", message+large, 0o600)
			earlier := unix.NsecToTimespec(1e18)
			must(t, unix.UtimesNano(home+"/Maildir/new/2", []unix.Timespec{earlier, earlier}))
			must(t, os.Mkdir(home+"/disk", 0o755))
			must(t, unix.Mount("disk", home+"/disk", "tmpfs", 0, "size=512k,mode=0777,nr_inodes="+c.inodes))
			t.Cleanup(func() { unix.Unmount(home+"/disk", unix.MNT_DETACH) })
			s.UserFile("joe", "disk/Mailbox", "old mail\n", 0o600)
			s.Maildir("joe", "disk/Maildir")
			r := s.Run(site.Command{Program: "/bin/sh", Args: []string{"-c", "exec <message; " + c.script}, Env: environment, As: "joe", Dir: home})
			if r.Code != 111 || !regexp.MustCompile(c.says).MatchString(r.Stdout+r.Stderr) {
				t.Errorf("exit code %d, %q; want 111, %s", r.Code, r.Stdout+r.Stderr, c.says)
			}
			if got := s.Read(home + "/disk/Mailbox"); got != "old mail\n" {
				t.Errorf("mailbox of %d bytes", len(got))
			}
			if files, _ := filepath.Glob(home + "/disk/Maildir/*/*"); len(files) > 0 {
				t.Errorf("left %v", files)
			}
			if files, _ := filepath.Glob(home + "/Maildir/new/*"); len(files) != 2 {
				t.Errorf("left %v", files)
			}
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
