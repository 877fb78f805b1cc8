// Package cmd has no code of its own; this test is a statement of policy on who
// may import what, and why (docs/design/dependencies.md).
package cmd

import (
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

// withoutNetwork are the programs that run as root, set-uid, as a user or as a
// trusted account, and have no business with the network. What they link is
// what an attacker of theirs has to work with, and what each start costs.
var withoutNetwork = []string{
	"qmail-queue", "qmail-clean", "qmail-send", "qmail-lspawn", "qmail-rspawn",
	"qmail-local", "qmail-getpw", "qmail-start", "qmail-inject",
	"qmail-popup", "qmail-checkpassword", "qmail-pop3d", "qmail-queuectl",
}

// network is what they must not link. net/mail and net/textproto pull net in.
var network = []string{"net", "crypto/tls", "net/http", "net/mail", "net/textproto", "log/syslog", "os/user"}

func TestProgramsWithoutNetwork(t *testing.T) {
	for _, program := range withoutNetwork {
		for _, dep := range list(t, "{{.ImportPath}}", "-deps", "goqmail/cmd/"+program) {
			if slices.Contains(network, dep) {
				t.Errorf("%s links %s", program, dep)
			}
		}
	}
}

// A rule says which imports of some packages are refused.
type rule struct {
	reason string
	from   func(pkg string) bool // packages the rule is about
	refuse func(pkg, imported string) bool
}

var rules = []rule{
	{
		"stages never import each other: mail goes from one to the next through the queue and pipes only",
		func(pkg string) bool { return stage(pkg) != "" },
		func(pkg, imported string) bool { return stage(imported) != "" && stage(imported) != stage(pkg) },
	},
	{
		"what a message is needs nothing but the standard library, and can be tested without a system",
		below("internal/mail"),
		func(_, imported string) bool { return ours(imported) && !below("internal/mail")(imported) },
	},
	{
		"the ground floor knows nothing of the stages that stand on it",
		func(pkg string) bool {
			return below("internal/wire")(pkg) || below("internal/host")(pkg) || below("queue")(pkg)
		},
		func(_, imported string) bool { return stage(imported) != "" },
	},
	{
		"what the machine says is not about protocols or the queue",
		below("internal/host"),
		func(_, imported string) bool { return below("internal/wire")(imported) || below("queue")(imported) },
	},
	{
		"only a program knows the compiled-in home and ends the process; packages are told",
		func(pkg string) bool { return !below("cmd")(pkg) && !onlyTests(pkg) },
		func(_, imported string) bool {
			return imported == "goqmail/internal/host/home" || imported == "goqmail/internal/host/process"
		},
	},
	{
		"a third-party package stays behind one package of ours",
		func(pkg string) bool { return true },
		func(pkg, imported string) bool {
			switch {
			case !strings.Contains(imported, ".") || imported == "golang.org/x/sys/unix":
				return false
			case imported == "github.com/miekg/dns":
				return pkg != "goqmail/internal/wire/dns"
			case strings.HasPrefix(imported, "github.com/go-crypt/x/"), imported == "golang.org/x/crypto/bcrypt":
				return pkg != "goqmail/internal/host/crypt"
			}
			return true
		},
	},
	{
		"os/exec hides descriptors and PATH, os/user name services, log/syslog the network",
		func(pkg string) bool { return !onlyTests(pkg) },
		func(_, imported string) bool {
			return slices.Contains([]string{"os/exec", "os/user", "log", "log/syslog"}, imported)
		},
	},
}

func TestImports(t *testing.T) {
	for _, line := range list(t, `{{.ImportPath}} {{join .Imports " "}}`, "goqmail/...") {
		pkg, imports, _ := strings.Cut(line, " ")
		for _, r := range rules {
			if !r.from(pkg) {
				continue
			}
			for _, imported := range strings.Fields(imports) {
				if r.refuse(pkg, imported) {
					t.Errorf("%s imports %s: %s", pkg, imported, r.reason)
				}
			}
		}
	}
}

// TestNames: a folder is named for what lives in it.
func TestNames(t *testing.T) {
	for _, pkg := range list(t, "{{.ImportPath}}", "goqmail/...") {
		switch path.Base(pkg) {
		case "util", "utils", "common", "helper", "helpers", "misc", "shared", "base", "lib":
			t.Errorf("%s: a name that tells nothing", pkg)
		}
	}
}

// list runs go list and returns its lines.
func list(t *testing.T, format string, args ...string) []string {
	t.Helper()
	out, err := exec.Command("go", append([]string{"list", "-f", format}, args...)...).Output()
	if err != nil {
		t.Fatalf("go list %v: %v", args, err)
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}

func ours(pkg string) bool { return strings.HasPrefix(pkg, "goqmail/") }

// below returns a predicate for the packages in a folder.
func below(folder string) func(string) bool {
	return func(pkg string) bool {
		return pkg == "goqmail/"+folder || strings.HasPrefix(pkg, "goqmail/"+folder+"/")
	}
}

// onlyTests holds for what runs only in tests.
func onlyTests(pkg string) bool { return below("internal/integration")(pkg) }

// stage tells which stage of the paper path a package belongs to, if any.
func stage(pkg string) string {
	for _, s := range []string{"accept", "dispatch", "deliver", "retrieve", "admin"} {
		if below("internal/" + s)(pkg) {
			return s
		}
	}
	return ""
}
