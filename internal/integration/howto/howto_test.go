// Package howto carries out what docs/howto.md and docs/tutorial-list.md tell their
// readers to do: every command, on an installation of its own, with what the page says
// that it prints.
//
// The commands are in blocks that begin with ```console:
//
//	# command       run by root, in the home of the mail system
//	joe$ command    run by joe, in his home directory
//	text            a line that the command prints; … stands for any text, and alone on a
//	                line for any lines
//
// An HTML comment <!-- run: command --> is run by root, and readers do not see it: it sets
// up what the page is about, such as the other host. Each section of howto.md (##) is on
// an installation of its own; a tutorial is on one.
package howto

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"goqmail/internal/integration/site"

	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) { site.Main(m) }

// places are where things are in a site. /etc is at its place, but a copy.
var places = strings.NewReplacer("/var/qmail", site.Home, "/var/vmail", "/mnt/vmail")

// ownEtc puts a copy of /etc, with the site's own files, in its place: what a page has
// written there is seen by nobody else.
var ownEtc = sync.OnceValue(func() error {
	const copied = "/mnt/own-etc"
	if out, err := exec.Command("cp", "-a", "/etc", copied).CombinedOutput(); err != nil {
		return fmt.Errorf("cp: %w: %s", err, out)
	}
	return unix.Mount(copied, "/etc", "", unix.MS_BIND, "")
})

// A step is a command, and what it should print.
type step struct {
	as, command string
	prints      []string
	line        int
}

var (
	prompt = regexp.MustCompile(`^(?:#|(\w+)\$) (.*)$`)
	hidden = regexp.MustCompile(`^<!-- run: (.*) -->$`)
)

// steps reads the steps of each section.
func steps(t *testing.T, file string) (sections []string, all map[string][]step) {
	t.Helper()
	text, err := os.ReadFile("../../../docs/" + file)
	if err != nil {
		t.Fatal(err)
	}
	all = make(map[string][]step)
	section, console := "", false
	for i, line := range strings.Split(string(text), "\n") {
		list := all[section]
		switch {
		case strings.HasPrefix(line, "## "):
			section = line[3:]
			sections = append(sections, section)
		case strings.HasPrefix(line, "```"):
			console = line == "```console"
		case hidden.MatchString(line):
			all[section] = append(list, step{command: hidden.FindStringSubmatch(line)[1], line: i + 1})
		case !console:
		case len(list) > 0 && strings.HasSuffix(list[len(list)-1].command, "\\"):
			list[len(list)-1].command += "\n" + line
		case prompt.MatchString(line):
			m := prompt.FindStringSubmatch(line)
			all[section] = append(list, step{as: m[1], command: m[2], line: i + 1})
		case len(list) == 0:
			t.Fatalf("%s:%d: output without a command", file, i+1)
		default:
			list[len(list)-1].prints = append(list[len(list)-1].prints, line)
		}
	}
	return sections, all
}

// follow carries out steps.
func follow(t *testing.T, file string, s *site.Site, list []step) {
	t.Helper()
	for _, step := range list {
		c := site.Command{Program: "/bin/sh", Args: []string{"-c", places.Replace(step.command)}, As: step.as}
		if step.as != "" {
			c.Dir = site.Account(step.as).Home
			c.Env = []string{"USER=" + step.as, "HOME=" + c.Dir}
		}
		var said string
		for end := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
			r := s.Run(c)
			said = r.Stdout + r.Stderr
			if r.Code == 0 && matches(step.prints, said) {
				break
			}
			// What only looks may have to wait until mail has arrived.
			if looks := regexp.MustCompile(`^(cat|ls|tail|grep) `); !looks.MatchString(step.command) || time.Now().After(end) {
				t.Fatalf("%s:%d: %s\nexit code %d, prints\n%s", file, step.line, step.command, r.Code, said)
			}
		}
	}
}

// matches tells whether a command has printed what it should.
func matches(want []string, said string) bool {
	if len(want) == 0 {
		return true
	}
	pattern := ""
	for _, line := range want {
		if line == "…" {
			pattern += `(?:.*\n)*`
			continue
		}
		pattern += strings.ReplaceAll(regexp.QuoteMeta(places.Replace(line)), "…", ".*") + `\n`
	}
	return regexp.MustCompile("^" + pattern + "$").MatchString(said)
}

// start starts what the pages take for granted: the mail system, and SMTP.
func start(t *testing.T) *site.Site {
	s := site.New(t)
	if err := ownEtc(); err != nil {
		t.Fatal(err)
	}
	leftovers, _ := filepath.Glob("/etc/tcp.smtp*")
	for _, f := range append(leftovers, "/etc/aliases.cdb", "/mnt/vmail", "/mnt/relayed") {
		os.RemoveAll(f)
	}
	s.Control("rcpthosts", "host.example.org\n")
	s.Up("./Maildir/")
	smtpd := s.Start(site.Command{Program: "qmail-smtpd", Args: []string{"-vHX", "-x", "/etc/tcp.smtp.cdb", "-a", "127.0.0.1:25"}})
	smtpd.WaitLog(`listening on 127\.0\.0\.1:25$`)
	return s
}

func TestHowto(t *testing.T) {
	sections, all := steps(t, "howto.md")
	if len(sections) < 10 {
		t.Errorf("only %d sections", len(sections))
	}
	for i, section := range sections {
		t.Run(fmt.Sprintf("%d %s", i+1, section), func(t *testing.T) {
			if len(all[section]) == 0 {
				t.Skip("nothing that a test could run")
			}
			follow(t, "howto.md", start(t), all[section])
		})
	}
}

func TestTutorialList(t *testing.T) {
	sections, all := steps(t, "tutorial-list.md")
	s := start(t)
	n := 0
	for _, section := range sections {
		follow(t, "tutorial-list.md", s, all[section])
		n += len(all[section])
	}
	if n < 10 {
		t.Errorf("only %d commands", n)
	}
}
