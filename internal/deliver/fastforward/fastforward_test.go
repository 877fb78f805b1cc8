package fastforward

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"goqmail/internal/deliver/aliases"
	"goqmail/internal/mail/outcome"
	"goqmail/internal/wire/submit"
)

const message = "Subject: hi\n\nbody\n"

// A world has a database, the message, and a stand-in for qmail-queue in one
// directory, which is the working directory.
type world struct {
	t   *testing.T
	env map[string]string
}

func newWorld(t *testing.T, instructions string) world {
	t.Helper()
	t.Chdir(t.TempDir())
	w := world{t, map[string]string{
		"SENDER": "s@x", "RECIPIENT": "joe-list@h.example", "DEFAULT": "list", "EXT": "ext", "HOST": "h.example",
		"DTLINE": "D:d\n", "RPLINE": "R:r\n", "UFLINE": "F:f\n",
	}}
	w.file("message", message, 0o600)
	w.file("qq", "#!/bin/sh\ncat >queued; cat <&1 >envelope\n", 0o700)
	if err := aliases.Setforward(strings.NewReader(instructions), []string{"data.cdb", "data.tmp"}); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w world) file(name, text string, mode os.FileMode) {
	w.t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
	os.Chmod(name, mode)
}

func (w world) list(name, lines string) {
	w.t.Helper()
	if err := aliases.Setmaillist(strings.NewReader(lines), []string{name, name + ".tmp"}); err != nil {
		w.t.Fatal(err)
	}
	os.Chmod(name, 0o644)
}

func read(name string) string {
	text, _ := os.ReadFile(name)
	return strings.ReplaceAll(string(text), "\x00", "|")
}

// run runs fastforward, and returns its exit code and what it says.
func (w world) run(args ...string) (code int, text string) {
	w.t.Helper()
	f, err := os.Open("message")
	if err != nil {
		w.t.Fatal(err)
	}
	defer f.Close()
	d := Delivery{
		Env:   func(name string) (string, bool) { v, set := w.env[name]; return v, set },
		Queue: submit.Queue{Home: ".", Program: "./qq"},
		Files: []*os.File{f, os.Stdout, os.Stderr},
	}
	err = d.Parse(args)
	if err == nil {
		err = d.Run()
	}
	return exit(err)
}

func exit(err error) (code int, text string) {
	var status *outcome.Status
	switch {
	case err == nil:
		return 0, ""
	case errors.As(err, &status):
		return status.Code, status.Text
	}
	return outcome.Of(err).ExitCode(), err.Error()
}

// TestTargets: which commands apply, and from whom the message comes.
func TestTargets(t *testing.T) {
	const instructions = `
		joe-list@g.example: a@b, c@d;
		@h.example: all@b, ?owner@b;
		other@: anywhere@b;
		loop@h.example: &loop2@h.example; loop2@h.example: &loop@h.example, &end@b;
		all@h.example: team@h.example, sub@h.example, team@h.example;
		team@h.example: joe@b, bob@b;
		sub@h.example: joe@b, fred@b;
		owned@h.example: joe@b, ?boss@b;
		outer@h.example: owned@h.example, joe@b;
		wild@h.example: x@v.example;
		@v.example: never@b;
		nobody@h.example: #
		;
		none@h.example: none2@h.example; none2@h.example: none2@h.example;
	`
	for _, c := range []struct {
		recipient, sender string
		envelope          string
	}{
		{"joe-list@g.example", "s@x", "Fs@x|Ta@b|Tc@d||"},
		{"Joe-LIST@G.example", "s@x", "Fs@x|Ta@b|Tc@d||"},
		{"joe-list@g.example", "", "F|Ta@b|Tc@d||"},
		{"new@h.example", "s@x", "Fowner@b|Tall@b||"},
		{"new@h.example", "", "F|Tall@b||"},
		{"new@h.example", "#@[]", "F#@[]|Tall@b||"},
		{"other@else.example", "s@x", "Fs@x|Tanywhere@b||"},
		{"loop@h.example", "s@x", "Fowner@b|Tend@b||"},
		{"all@h.example", "s@x", "Fowner@b|Tjoe@b|Tbob@b|Tfred@b||"},
		{"owned@h.example", "s@x", "Fboss@b|Tjoe@b||"},
		{"outer@h.example", "s@x", "Fowner@b|Towned@h.example|Tjoe@b||"},
		{"wild@h.example", "s@x", "Fowner@b|Tx@v.example||"},
		{"none@h.example", "s@x", ""},
	} {
		t.Run(c.recipient+" from "+c.sender, func(t *testing.T) {
			w := newWorld(t, instructions)
			w.env["RECIPIENT"], w.env["SENDER"] = c.recipient, c.sender
			code, text := w.run("data.cdb")
			if code != 0 || (c.envelope != "") != strings.HasPrefix(text, "fastforward: qp ") {
				t.Errorf("%d %s", code, text)
			}
			if got := read("envelope"); sorted(got) != sorted(c.envelope) {
				t.Errorf("%s, want %s", got, c.envelope)
			}
			if c.envelope != "" && read("queued") != "D:d\n"+message {
				t.Errorf("%q", read("queued"))
			}
		})
	}
}

// sorted makes the order of recipients not matter.
func sorted(envelope string) string {
	words := strings.Split(envelope, "|T")
	if len(words) > 1 {
		last := len(words) - 1
		words[last] = strings.TrimSuffix(words[last], "||")
		for i := range words[1:] {
			for j := i + 2; j < len(words); j++ {
				if words[j] < words[i+1] {
					words[i+1], words[j] = words[j], words[i+1]
				}
			}
		}
	}
	return strings.Join(words, "|T")
}

func TestExitCodes(t *testing.T) {
	const found = "joe-list@h.example: a@b;"
	for _, c := range []struct {
		name, instructions string
		args               string
		env                string // removed or set
		code               int
		text               string
	}{
		{"no mailbox", "x@y: a@b;", "data.cdb", "", 100, "Sorry, no mailbox here by that name. (#5.1.1)"},
		{"pass through, not found", "x@y: a@b;", "-p data.cdb", "", 0, ""},
		{"pass through, found", found, "-pn data.cdb", "", 99, "from <s@x>\nto <a@b>\n"},
		{"not pass through", found, "-p -P -n data.cdb", "", 0, "from <s@x>\nto <a@b>\n"},
		{"dry run", "joe-list@h.example: |prog\\\na, a@b, !x, c@d;", "-n data.cdb", "", 0, "run |prog_a\nrun !x\nfrom <s@x>\nto <a@b>\nto <c@d>\n"},
		{"dry run, programs only", "joe-list@h.example: |prog;", "-n data.cdb", "", 0, "run |prog\nno forwarding\n"},
		{"dry run without a sender", found, "-n data.cdb", "-SENDER", 0, "from <original envelope sender>\nto <a@b>\n"},
		{"by DEFAULT", "list@h.example: a@b;", "-nd data.cdb", "", 0, "from <s@x>\nto <a@b>\n"},
		{"by EXT", "ext@h.example: a@b;", "-nd data.cdb", "-DEFAULT", 0, "from <s@x>\nto <a@b>\n"},
		{"by RECIPIENT after all", found, "-ndD data.cdb", "", 0, "from <s@x>\nto <a@b>\n"},
		{"no SENDER", found, "data.cdb", "-SENDER", 100, "SENDER not set"},
		{"no DTLINE", found, "data.cdb", "-DTLINE", 100, "DTLINE not set"},
		{"no RECIPIENT", found, "data.cdb", "-RECIPIENT", 100, "$RECIPIENT must be set"},
		{"no HOST", found, "-d data.cdb", "-HOST", 100, "$HOST must be set"},
		{"no EXT", found, "-d data.cdb", "-DEFAULT -EXT", 100, "$DEFAULT or $EXT must be set"},
		{"no arguments", found, "", "", 100, "usage: fastforward [ -nNpPdD ] data.cdb"},
		{"unknown option", found, "-x data.cdb", "", 100, "fastforward: illegal option -- x\nfastforward: usage: fastforward [ -nNpPdD ] data.cdb"},
		{"no database", found, "none.cdb", "", 111, "unable to read none.cdb: file does not exist"},
		{"no cdb", found, "message", "", 111, "unable to read message: malformed cdb: it ends too early"},
		{"program", "joe-list@h.example: |exit\\ 0;", "data.cdb", "", 0, ""},
		{"program before not found", "joe-list@h.example: |exit\\ 0;", "-p data.cdb", "", 99, ""},
		{"program says no", "joe-list@h.example: |exit\\ 64, a@b;", "data.cdb", "", 100, ""},
		{"program says later", "joe-list@h.example: |exit\\ 1, a@b;", "data.cdb", "", 111, ""},
		{"program says enough", "joe-list@h.example: |exit\\ 99, a@b;", "data.cdb", "", 111, ""},
		{"program crashes", "joe-list@h.example: |kill\\ -9\\ $$;", "data.cdb", "", 111, "child crashed in kill -9 $$"},
		{"missing list", "joe-list@h.example: ./none, a@b;", "data.cdb", "", 111, "unable to read ./none: file does not exist"},
		{"directory for a list", "joe-list@h.example: /;", "data.cdb", "", 111, "/ is not a regular file"},
		{"private list", "joe-list@h.example: ./message;", "data.cdb", "", 111, "./message is not world-readable"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, c.instructions)
			for _, v := range strings.Fields(c.env) {
				delete(w.env, v[1:])
			}
			code, text := w.run(strings.Fields(c.args)...)
			if code != c.code || text != c.text {
				t.Errorf("%d %q, want %d %q", code, text, c.code, c.text)
			}
			if read("envelope") != "" {
				t.Errorf("queued %s", read("envelope"))
			}
		})
	}
}

func TestPrograms(t *testing.T) {
	w := newWorld(t, `joe-list@h.example: |cat\ \>plain, !cat\ \>prefixed, |head\ -c\ 5\ \>begin, a@b;`)
	if code, text := w.run("data.cdb"); code != 0 {
		t.Errorf("%d %s", code, text)
	}
	for name, want := range map[string]string{
		"plain": message, "prefixed": "F:f\nR:r\nD:d\n" + message, "begin": "Subje", "queued": "D:d\n" + message, "envelope": "Fs@x|Ta@b||",
	} {
		if got := read(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestLists(t *testing.T) {
	w := newWorld(t, "joe-list@h.example: ./a.bin, x@b; sub@h.example: y@b;")
	w.list("a.bin", "one@b\n./b.bin\nsub@h.example\nx@b\n")
	w.list("b.bin", "two@b\n./a.bin\none@b\n")
	if code, text := w.run("data.cdb"); code != 0 {
		t.Errorf("%d %s", code, text)
	}
	if got := read("envelope"); sorted(got) != sorted("Fs@x|Tone@b|Ttwo@b|Ty@b|Tx@b||") {
		t.Error(got)
	}
	for _, text := range []string{"one@b\n", "&a@b\x00&cut", "|rm\x00", "\x00", "&" + strings.Repeat("x", 1000) + "\x00"} {
		os.Remove("envelope")
		w.file("a.bin", text, 0o644)
		code, said := w.run("data.cdb")
		if code != 111 || said != "unable to read ./a.bin: malformed instructions" || read("envelope") != "" {
			t.Errorf("%.40q: %d %s", text, code, said)
		}
	}
}

// TestMany: more recipients than an argument list could have.
func TestMany(t *testing.T) {
	w := newWorld(t, "joe-list@h.example: ./a.bin;")
	var lines strings.Builder
	for i := range 100000 {
		fmt.Fprintf(&lines, "somebody%d@example.org\n", i)
	}
	w.list("a.bin", lines.String())
	if code, text := w.run("data.cdb"); code != 0 || strings.Count(read("envelope"), "|T") != 100000 {
		t.Errorf("%d %s", code, text)
	}
}
