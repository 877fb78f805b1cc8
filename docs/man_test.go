package docs

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A page is a manual page, as far as the code has something to say about it.
type page struct {
	file      string // below man
	name      string // without the section
	see       map[string]bool
	flags     map[string]bool // options that it explains or that are in its synopsis
	files     map[string]bool // paths that it mentions
	controls  map[string]bool // files that it explains under CONTROL FILES
	variables map[string]bool
}

// shared are pages that say for several programs what they have in common.
var shared = map[string][]string{
	"qmail-smtpd":  {"qmail-listen.7", "tcp-environ.5"},
	"qmail-qmtpd":  {"qmail-listen.7", "tcp-environ.5"},
	"qmail-qmqpd":  {"qmail-listen.7", "tcp-environ.5"},
	"tcp-env":      {"tcp-environ.5"},
	"qmail-inject": {"qmail-header.5"},
	"qmail-local":  {"qmail-command.8"},
}

// elsewhere are the manual pages of others that ours may refer to.
var elsewhere = words("Mail.1 biff.1 elm.1 getent.1 mkpasswd.1 passwd.1 pine.1 tcprules.1 tcpserver.1 " +
	"flock.2 asctime.3 crypt.3 syslog.3 cdb.5 nsswitch.conf.5 passwd.5 resolv.conf.5 shadow.5 inetd.8 multilog.8 sudo.8")

// notOurs are variables that pages mention and no program of ours reads: those for the
// programs that ours start, and those of C programs and systems around.
var notOurs = words("HOST2 HOST3 HOST4 EXT2 EXT3 EXT4")

// unread are variables that the code of a program can read and the program does not:
// those that start other programs do it by their full names, so that PATH does not
// matter; and USER is a command of POP3.
var unread = words("datemail/PATH mailsubj/PATH dot-forward/PATH fastforward/PATH qmail-popup/USER qmail-pop3d/USER")

var macro = regexp.MustCompile(`^\.(\w\w) ?(.*)$`)

func pages(t *testing.T) map[string]*page {
	t.Helper()
	files, err := filepath.Glob("man/*.[1-8]")
	if err != nil || len(files) == 0 {
		t.Fatalf("no pages: %v", err)
	}
	all := make(map[string]*page)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		p := &page{file: filepath.Base(file), see: words(""), flags: words(""), files: words(""), controls: words(""), variables: words("")}
		p.name = strings.TrimSuffix(p.file, filepath.Ext(p.file))
		section := ""
		for _, line := range strings.Split(string(text), "\n") {
			m := macro.FindStringSubmatch(line)
			if m == nil {
				continue
			}
			if m[1] == "Sh" {
				section = m[2]
			}
			p.read(m[1], strings.Fields(m[2]), section)
		}
		all[p.file] = p
	}
	return all
}

// read notes what is in the line of a macro.
func (p *page) read(name string, words []string, section string) {
	item := name == "It"
	words = append([]string{name}, words...)
	for i := 0; i < len(words); {
		current := words[i]
		i++
		for ; i < len(words) && !isMacro(words[i]); i++ {
			word := strings.Trim(words[i], `"`)
			switch {
			case strings.Trim(word, ",.;:()|") == "":
			case current == "Fl" && (item || section == "SYNOPSIS"):
				p.flags[strings.TrimPrefix(word, "-")] = true
			case current == "Pa":
				p.files[word] = true
				if item && section == "CONTROL FILES" {
					p.controls[word] = true
				}
			case current == "Ev":
				p.variables[word] = true
			case current == "Xr" && i+1 < len(words):
				p.see[word+"."+words[i+1]] = true
				i++
			}
		}
	}
}

func isMacro(word string) bool {
	return slices.Contains([]string{"Fl", "Ar", "Op", "Pa", "Ev", "Xr", "Li", "Nm", "Ns", "Ta", "Sy", "Pq", "Qq", "Po", "Pc", "Ql", "No", "Oo", "Oc", "Cm"}, word)
}

// hasFile tells whether a page mentions a control file, alone or with its directory.
func (p *page) hasFile(name string) bool {
	return p.files[name] || p.files["control/"+name] || p.files["/var/qmail/control/"+name]
}

// TestPages: every program has a page of its own name, every page that another refers to
// is there, and from the overview one can find them all.
func TestPages(t *testing.T) {
	all := pages(t)
	for _, p := range allPrograms(t) {
		if pageOf(all, p.name) == nil {
			t.Errorf("%s has no page", p.name)
		}
	}
	for _, p := range all {
		for other := range p.see {
			if all[other] == nil && !elsewhere[other] {
				t.Errorf("%s refers to %s, which is not there", p.file, other)
			}
		}
	}
	found := make(map[string]bool)
	for todo := []string{"qmail.7"}; len(todo) > 0; todo = todo[1:] {
		if p := all[todo[0]]; p != nil && !found[p.file] {
			found[p.file] = true
			todo = slices.AppendSeq(todo, maps.Keys(p.see))
		}
	}
	for file := range all {
		if !found[file] {
			t.Errorf("nothing leads from qmail.7, the overview, to %s", file)
		}
	}
}

func pageOf(all map[string]*page, program string) *page {
	for _, section := range []string{".1", ".8"} {
		if p := all[program+section]; p != nil {
			return p
		}
	}
	return nil
}

// together are the page of a program and those that it shares with others.
func together(all map[string]*page, program string) []*page {
	var some []*page
	if p := pageOf(all, program); p != nil {
		some = append(some, p)
	}
	for _, file := range shared[program] {
		some = append(some, all[file])
	}
	return some
}

func anyOf(pages []*page, has func(*page) bool) bool { return slices.ContainsFunc(pages, has) }

// TestOptions: every option that a program looks for is in its page, and none but
// those.
func TestOptions(t *testing.T) {
	all := pages(t)
	for _, p := range allPrograms(t) {
		for flag, value := range p.flags {
			if !anyOf(together(all, p.name), func(page *page) bool {
				for documented := range page.flags {
					if documented == flag || value && len(flag) == 1 && documented[:1] == flag {
						return true
					}
				}
				return false
			}) {
				t.Errorf("option -%s of %s is in no page", flag, p.name)
			}
		}
		if own := pageOf(all, p.name); own != nil {
			for documented := range own.flags {
				if _, exists := p.flags[documented]; !exists && !p.flags[documented[:1]] && !isCluster(documented, p.flags) {
					t.Errorf("%s explains the option -%s, which is not there", own.file, documented)
				}
			}
		}
	}
}

// isCluster tells whether a word is the letters of several options.
func isCluster(word string, flags map[string]bool) bool {
	for _, letter := range word {
		if _, exists := flags[string(letter)]; !exists {
			return false
		}
	}
	return true
}

// TestControlFiles: every control file that a program reads is in its page and, with the
// program, in the table of qmail-control(5), and there are no others in either.
func TestControlFiles(t *testing.T) {
	all := pages(t)
	table := controlTable(t)
	read := words("")
	for _, p := range allPrograms(t) {
		maps.Copy(read, p.controls)
		if p.name == "qmail-showctl" {
			continue // it shows all of them
		}
		for file := range p.controls {
			if !anyOf(together(all, p.name), func(page *page) bool { return page.hasFile(file) }) {
				t.Errorf("control/%s, which %s reads, is not in its page", file, p.name)
			}
			if made[p.name+"/"+file] {
				continue
			}
			if readers, ok := table[file]; !ok {
				t.Errorf("control/%s, which %s reads, is not in qmail-control.5", file, p.name)
			} else if readers != "many" && !slices.Contains(strings.Split(readers, ", "), p.name) {
				t.Errorf("qmail-control.5 does not say that %s reads control/%s", p.name, file)
			}
		}
		if own := pageOf(all, p.name); own != nil {
			for file := range own.controls {
				if !p.controls[file] && !p.controls[file+".cdb"] {
					t.Errorf("%s explains control/%s, which the program does not read", own.file, file)
				}
			}
		}
	}
	shown := sources(t, "../internal/admin/showctl")
	for file, readers := range table {
		if !strings.Contains("\n"+shown, "\n"+file+"\n") {
			t.Errorf("qmail-showctl does not know control/%s", file)
		}
		if !read[file] {
			t.Errorf("qmail-control.5 has control/%s, which no program reads", file)
		}
		for _, reader := range strings.Split(readers, ", ") {
			i := slices.IndexFunc(allPrograms(t), func(p program) bool { return p.name == reader })
			if reader != "many" && (i < 0 || !allPrograms(t)[i].controls[file]) {
				t.Errorf("qmail-control.5 says that %s reads control/%s, which it does not", reader, file)
			}
		}
	}
	for _, page := range all {
		for file := range page.files {
			name, found := strings.CutPrefix(strings.TrimPrefix(file, "/var/qmail/"), "control/")
			if found && !read[strings.TrimSuffix(name, ".tmp")] {
				t.Errorf("%s mentions %s, which no program reads", page.file, file)
			}
		}
	}
}

// made are files that programs make, and do not go by.
var made = words("config/locals config/rcpthosts qmail-newmrh/morercpthosts.cdb")

// controlTable is the table in qmail-control(5): the readers of each file.
func controlTable(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile("man/qmail-control.5")
	if err != nil {
		t.Fatal(err)
	}
	table := make(map[string]string)
	var last string
	for _, m := range regexp.MustCompile(`(?m)^\.It Pa (\S+) Ta .* Ta (.*)$`).FindAllStringSubmatch(string(text), -1) {
		if m[1] <= last {
			t.Errorf("qmail-control.5: %s is there twice, or not in its place", m[1])
		}
		last, table[m[1]] = m[1], m[2]
	}
	return table
}

// TestVariables: every variable of the environment that a program reads or sets is in
// its page, and there are none in the pages that no program knows.
func TestVariables(t *testing.T) {
	all := pages(t)
	known := words("")
	for _, p := range allPrograms(t) {
		maps.Copy(known, p.variables)
		for variable := range p.variables {
			if !unread[p.name+"/"+variable] && !anyOf(together(all, p.name), func(page *page) bool { return page.variables[variable] }) {
				t.Errorf("the variable %s, which %s knows, is not in its page", variable, p.name)
			}
		}
	}
	for _, page := range all {
		for variable := range page.variables {
			if !known[variable] && !notOurs[variable] {
				t.Errorf("%s mentions the variable %s, which no program knows", page.file, variable)
			}
		}
	}
}
