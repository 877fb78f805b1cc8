package install

import (
	"fmt"
	"slices"
)

// kind is what an entry of the hierarchy is.
type kind int

const (
	directory  kind = iota
	program         // copied from the build
	page            // a man page, copied from docs/man
	document        // copied from the sources into doc/
	bootScript      // copied from conf-templates/boot, with the home filled in
	zeros           // a file of a fixed number of zero bytes, made once
	fifo            // a named pipe, made once
)

// An entry says what one path of an installation is, whose it is, and who may
// do what with it.
type entry struct {
	path  string // below the home
	kind  kind
	owner string
	group string
	mode  uint32
	size  int64  // of zeros
	from  string // source file, where it is not named like the entry
}

// split is how many directories mess, info, local and remote of a new queue
// are spread over (conf-split in the original).
const split = 23

// programs lists bin/, by who may run or read what.
//
// Mode 0700 is for what only root has business with. Mode 0711 keeps the file
// from being read: nobody but its owner can then trace the running program.
var programs = []struct {
	owner string
	mode  uint32
	names []string
}{
	{"qmailq", 0o4711, []string{
		"qmail-queue",
	}},
	{"root", 0o700, []string{
		"qmail-lspawn",
		"qmail-newmrh",
		"qmail-newu",
		"qmail-start",
	}},
	{"root", 0o711, []string{
		"qmail-checkpassword",
		"qmail-clean",
		"qmail-getpw",
		"qmail-local",
		"qmail-popup",
		"qmail-pw2u",
		"qmail-remote",
		"qmail-rspawn",
		"splogger",
		"qmail-send",
	}},
	{"root", 0o755, []string{
		"bouncesaying",
		"condredirect",
		"config",
		"config-fast",
		"datemail",
		"dnsfq",
		"dnsip",
		"dnsmxip",
		"dnsptr",
		"dot-forward",
		"elq",
		"except",
		"fastforward",
		"forward",
		"ipmeprint",
		"maildir2mbox",
		"maildirmake",
		"maildirwatch",
		"mailsubj",
		"newaliases",
		"newinclude",
		"pinq",
		"predate",
		"preline",
		"printforward",
		"printmaillist",
		"qail",
		"qbiff",
		"qmail-inject",
		"qmail-instcheck",
		"qmail-pop3d",
		"qmail-qmqpc",
		"qmail-qmqpd",
		"qmail-qmtpd",
		"qmail-qread",
		"qmail-qstat",
		"qmail-showctl",
		"qmail-smtpd",
		"qmail-tcpok",
		"qmail-tcpto",
		"qmail-upq",
		"qreceipt",
		"qsmhook",
		"sendmail",
		"setforward",
		"setmaillist",
		"tcp-env",
	}},
}

// hierarchy is everything that Verify looks at.
func hierarchy(split int) []entry {
	return slices.Concat(directories(), queue(split), binaries())
}

func directories() []entry {
	list := []entry{
		{path: ".", owner: "root", group: "qmail", mode: 0o755},
		{path: "alias", owner: "alias", group: "qmail", mode: 0o2755},
	}
	for _, d := range []string{"bin", "boot", "control", "doc", "man", "man/man1", "man/man5", "man/man7", "man/man8", "users"} {
		list = append(list, entry{path: d, owner: "root", group: "qmail", mode: 0o755})
	}
	return list
}

func binaries() []entry {
	var list []entry
	for _, p := range programs {
		for _, name := range p.names {
			list = append(list, entry{path: "bin/" + name, kind: program, owner: p.owner, group: "qmail", mode: p.mode})
		}
	}
	return list
}

func queue(split int) []entry {
	var list []entry
	dir := func(path, owner string, mode uint32) {
		list = append(list, entry{path: "queue" + path, owner: owner, group: "qmail", mode: mode})
	}
	dir("", "qmailq", 0o750)
	dir("/pid", "qmailq", 0o700)
	dir("/intd", "qmailq", 0o700)
	dir("/todo", "qmailq", 0o750)
	dir("/bounce", "qmails", 0o700)
	for _, d := range []struct {
		name, owner string
		mode        uint32
	}{{"mess", "qmailq", 0o750}, {"info", "qmails", 0o700}, {"local", "qmails", 0o700}, {"remote", "qmails", 0o700}} {
		dir("/"+d.name, d.owner, d.mode)
		for i := range split {
			dir(fmt.Sprintf("/%s/%d", d.name, i), d.owner, d.mode)
		}
	}
	dir("/lock", "qmailq", 0o750)
	return append(list,
		entry{path: "queue/lock/tcpto", kind: zeros, size: 1024, owner: "qmailr", group: "qmail", mode: 0o644},
		entry{path: "queue/lock/sendmutex", kind: zeros, owner: "qmails", group: "qmail", mode: 0o600},
		entry{path: "queue/lock/trigger", kind: fifo, owner: "qmails", group: "qmail", mode: 0o622},
	)
}
