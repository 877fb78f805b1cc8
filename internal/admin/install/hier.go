package install

import (
	"fmt"
	"slices"
)

// A Kind is what an entry of the hierarchy is.
type Kind int

// The kinds.
const (
	Directory  Kind = iota
	Program         // copied from the build
	Page            // a man page, copied from docs/man
	Document        // copied from the sources into doc/
	BootScript      // copied from conf-templates/boot, with the home filled in
	Zeros           // a file of a fixed number of zero bytes, made once
	Fifo            // a named pipe, made once
)

// An Entry says what one path of an installation is, whose it is, and who may
// do what with it.
type Entry struct {
	Path  string // below the home
	Kind  Kind
	Owner string
	Group string
	Mode  uint32
	Apart bool   // of a Directory: its subdirectories are best far from each other on the disk
	Size  int64  // of Zeros
	From  string // the file that it is a copy of; not of a Program
}

// Copied tells whether the entry is a copy of a file, which Plan.Content returns.
func (e Entry) Copied() bool {
	switch e.Kind {
	case Directory, Zeros, Fifo:
		return false
	}
	return true
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
		"qmail-setup",
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
		"qmail-queuectl",
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
func hierarchy(split int) []Entry {
	return slices.Concat(directories(), queue(split), binaries())
}

func directories() []Entry {
	list := []Entry{
		{Path: ".", Owner: "root", Group: "qmail", Mode: 0o755},
		{Path: "alias", Owner: "alias", Group: "qmail", Mode: 0o2755},
	}
	for _, d := range []string{"bin", "boot", "control", "doc", "man", "man/man1", "man/man5", "man/man7", "man/man8", "users"} {
		list = append(list, Entry{Path: d, Owner: "root", Group: "qmail", Mode: 0o755})
	}
	return list
}

func binaries() []Entry {
	var list []Entry
	for _, p := range programs {
		for _, name := range p.names {
			list = append(list, Entry{Path: "bin/" + name, Kind: Program, Owner: p.owner, Group: "qmail", Mode: p.mode})
		}
	}
	return list
}

func queue(split int) []Entry {
	var list []Entry
	dir := func(path, owner string, mode uint32) {
		list = append(list, Entry{Path: "queue" + path, Owner: owner, Group: "qmail", Mode: mode})
	}
	apart := func() { list[len(list)-1].Apart = true }
	dir("", "qmailq", 0o750)
	apart()
	dir("/pid", "qmailq", 0o700)
	dir("/intd", "qmailq", 0o700)
	dir("/todo", "qmailq", 0o750)
	dir("/bounce", "qmails", 0o700)
	for _, d := range []struct {
		name, owner string
		mode        uint32
	}{{"mess", "qmailq", 0o750}, {"info", "qmails", 0o700}, {"local", "qmails", 0o700}, {"remote", "qmails", 0o700}} {
		dir("/"+d.name, d.owner, d.mode)
		apart()
		for i := range split {
			dir(fmt.Sprintf("/%s/%d", d.name, i), d.owner, d.mode)
		}
	}
	dir("/lock", "qmailq", 0o750)
	dir("/queuectl", "qmails", 0o750) // unknown to C qmail
	return append(list,
		Entry{Path: "queue/lock/tcpto", Kind: Zeros, Size: 1024, Owner: "qmailr", Group: "qmail", Mode: 0o644},
		Entry{Path: "queue/lock/sendmutex", Kind: Zeros, Owner: "qmails", Group: "qmail", Mode: 0o600},
		Entry{Path: "queue/lock/trigger", Kind: Fifo, Owner: "qmails", Group: "qmail", Mode: 0o622},
	)
}
