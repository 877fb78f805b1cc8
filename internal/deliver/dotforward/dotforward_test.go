package dotforward

import (
	"errors"
	"os"
	"strings"
	"testing"

	"goqmail/internal/host/control"
	"goqmail/internal/mail/outcome"
	"goqmail/internal/wire/submit"

	"golang.org/x/sys/unix"
)

const message = "Subject: hi\n\nbody\n"

func environment(name string) (string, bool) {
	v, set := map[string]string{
		"USER": "joe", "HOST": "h.example", "NEWSENDER": "n@x",
		"DTLINE": "D:d\n", "RPLINE": "R:r\n", "UFLINE": "F:f\n",
	}[name]
	return v, set
}

// home makes a home with a .forward, the message, control files and a stand-in for
// qmail-queue, and goes there.
func home(t *testing.T, forward string) {
	t.Helper()
	t.Chdir(t.TempDir())
	os.Mkdir("control", 0o700)
	for name, text := range map[string]string{
		"message": message, ".forward": forward, "control/me": "me.example\n", "control/plusdomain": "pd.example\n",
		"qq": "#!/bin/sh\ncat >queued; cat <&1 >envelope\n",
	} {
		if err := os.WriteFile(name, []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
}

func read(name string) string {
	text, _ := os.ReadFile(name)
	return strings.ReplaceAll(string(text), "\x00", "|")
}

// run runs dot-forward, and returns its exit code and what it says.
func run(t *testing.T, args ...string) (code int, text string) {
	t.Helper()
	f, err := os.Open("message")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	d := Delivery{
		Env: environment, Control: control.In("."),
		Queue: submit.Queue{Home: ".", Program: "./qq"},
		Files: []*os.File{f, os.Stdout, os.Stderr},
	}
	err = d.Run(args)
	var status *outcome.Status
	switch {
	case err == nil:
		return 0, ""
	case errors.As(err, &status):
		return status.Code, status.Text
	}
	return outcome.Of(err).ExitCode(), err.Error()
}

func TestForward(t *testing.T) {
	for _, c := range []struct {
		name, text string
		code       int
		envelope   string
	}{
		{"one", "bob@b.c\n", 99, "Fn@x|Tbob@b.c||"},
		{"several", "bob, fred@x\nJoe Shmoe <shmoe@b.c>\n\n# no\n", 99, "Fn@x|Tfred@x.me.example|Tbob@me.example|Tshmoe@b.c||"},
		{"plus", "bob@x+\n", 99, "Fn@x|Tbob@x.pd.example||"},
		{"no newline", "bob@b.c", 99, "Fn@x|Tbob@b.c||"},
		{"quoted at", "\"a@b.c\"\n", 99, "Fn@x|Ta@b.c@me.example||"},
		{"user", "JOE\n", 0, ""},
		{"user at host", "joe@H.example, bob@b.c\n", 0, "Fn@x|Tbob@b.c||"},
		{"backslash", "\\joe, bob@b.c\n", 0, "Fn@x|Tbob@b.c||"},
		{"user elsewhere", "joe@b.c\n", 99, "Fn@x|Tjoe@b.c||"},
		{"nothing", "# x\n\n,\n<>\n", 0, ""},
		{"empty", "", 0, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			home(t, c.text)
			code, text := run(t, ".forward")
			if code != c.code || (c.envelope != "") != strings.HasPrefix(text, "dot-forward: qp ") {
				t.Errorf("%d %s", code, text)
			}
			if got := read("envelope"); got != c.envelope {
				t.Errorf("%s, want %s", got, c.envelope)
			}
			if c.envelope != "" && read("queued") != "D:d\n"+message {
				t.Errorf("%q", read("queued"))
			}
		})
	}
}

func TestExitCodes(t *testing.T) {
	for _, c := range []struct {
		name, text, args string
		code             int
		says             string
	}{
		{"no file", "bob", "none", 0, ""},
		{"no files", "bob", "", 0, ""},
		{"second file", "bob", "-n none .forward", 99, "forward bob@me.example\n"},
		{"dry run", "bob, \"|vacation bob\", joe", "-n .forward", 0, "pipe through vacation bob\nforward bob@me.example\ndirect delivery\n"},
		{"dry run, empty file", "", "-n .forward none", 0, "skipping empty file .forward\ndirect delivery\n"},
		{"unknown option", "", "-x .forward", 100, "dot-forward: illegal option -- x\ndot-forward: usage: dot-forward [ -nN ] file ..."},
		{"program", "\"|cat >got\"", ".forward", 99, ""},
		{"program says no", "bob, \"|exit 77\"", ".forward", 100, ""},
		{"program says later", "bob, \"|exit 3\"", ".forward", 111, ""},
		{"program crashes", "bob, \"|kill -9 $$\"", ".forward", 111, "child crashed in kill -9 $$"},
		{"file", "bob, /var/mail/joe", ".forward", 111, "file delivery /var/mail/joe not supported"},
		{"include", ":include:/x", ".forward", 111, ":include: delivery /x not supported"},
		{"malformed", "bob (", ".forward", 111, "unable to parse this line: bob ("},
		{"malformed behind a program", "\"|cat >got\"\n)", ".forward", 111, "unable to parse this line: )"},
		{"NUL", "a\x00b", ".forward", 111, "NUL not permitted"},
		{"directory", "", "control", 111, "unable to read control: is a directory"},
		{"part of the path is a file", "", ".forward/x", 111, "unable to open .forward/x: not a directory"},
	} {
		t.Run(c.name, func(t *testing.T) {
			home(t, c.text)
			code, says := run(t, strings.Fields(c.args)...)
			if code != c.code || says != c.says {
				t.Errorf("%d %q, want %d %q", code, says, c.code, c.says)
			}
			if read("envelope") != "" {
				t.Errorf("queued %s", read("envelope"))
			}
			want := ""
			if c.name == "program" {
				want = "F:f\nR:r\nD:d\n" + message
			}
			if got := read("got"); got != want {
				t.Errorf("program got %q", got)
			}
		})
	}
}

func TestTrouble(t *testing.T) {
	home(t, "bob@b.c")
	os.WriteFile("qq", []byte("#!/bin/sh\ncat >/dev/null; cat <&1 >/dev/null; exit 53\n"), 0o700)
	if code, says := run(t, ".forward"); code != 111 || says != "unable to forward message: qq write error or disk full (#4.3.0)" {
		t.Errorf("%d %s", code, says)
	}
	os.Remove("control/me")
	os.Mkdir("control/me", 0o700)
	if code, says := run(t, ".forward"); code != 111 || !strings.HasPrefix(says, "unable to read controls: ") {
		t.Errorf("%d %s", code, says)
	}
	home(t, "")
	unix.Mkfifo("pipe", 0o600)
	if code, _ := run(t, "pipe"); code != 0 {
		t.Errorf("%d", code)
	}
}
