package popup

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"goqmail/internal/retrieve/pop3"

	"golang.org/x/sys/unix"
)

const stamp = "<77.1000000000@pop.test>"

// server answers a login with err and notes what it was asked.
func server(err error, asked *[]string) Server {
	return Server{
		Hostname: "pop.test", PID: 77, Now: func() time.Time { return time.Unix(1_000_000_000, 5) },
		Check: func(record []byte) error {
			*asked = append(*asked, string(record))
			return err
		},
	}
}

func TestServe(t *testing.T) {
	const ok, syntax, first = "+OK \r\n", "-ERR syntax error\r\n", "-ERR authorization first\r\n"
	login := "joe\x00secret\x00" + stamp + "\x00"
	for _, c := range []struct {
		name, in string
		answer   error
		out      string
		asked    string
	}{
		{"no input", "", nil, "", ""},
		{"quit", "QUIT\r\nNOOP\r\n", nil, ok, ""},
		{"noop", "noop\nNOOP x\n", nil, ok + ok, ""},
		{"transaction commands", "STAT\r\nRETR 1\r\nCAPA\r\n\r\n", nil, first + first + first + first, ""},
		{"user without a name", "USER\r\nUSER  \r\n", nil, syntax + syntax, ""},
		{"pass before user", "PASS secret\r\nPASS\r\n", nil, "-ERR USER first\r\n-ERR USER first\r\n", ""},
		{"pass without a password", "USER joe\r\nPASS\r\n", nil, ok + syntax, ""},
		{"user and pass", "USER joe\r\nPASS secret\r\n", nil, ok, login},
		{"any case, bare LF, many spaces", "uSeR   joe\npass   secret\n", nil, ok, login},
		{"the last user counts", "USER x\r\nUSER joe\r\nUSER\r\nPASS secret\r\n", nil, ok + ok + syntax, login},
		{"spaces belong to name and password", "USER a b \r\nPASS  c d \r\n", nil, ok, "a b \x00c d \x00" + stamp + "\x00"},
		{"apop", "APOP joe 0123\r\n", nil, "", "joe\x000123\x00" + stamp + "\x00"},
		{"apop forgets user", "USER x\r\nAPOP joe 0123\r\n", nil, ok, "joe\x000123\x00" + stamp + "\x00"},
		{"apop without a sum", "APOP\r\nAPOP joe\r\n", nil, syntax + syntax, ""},
		{"apop with an empty sum", "APOP joe \r\n", nil, "", "joe\x00\x00" + stamp + "\x00"},
		{"a name with NUL", "USER joe\x00x\r\nPASS secret\x00x\r\n", nil, ok, login},
		{"a long name", "USER " + strings.Repeat("u", pop3.MaxCommand-6) + "\nPASS secret\n", nil, ok, strings.Repeat("u", pop3.MaxCommand-6) + "\x00secret\x00" + stamp + "\x00"},
		{"a name that is too long", "USER joe\nUSER " + strings.Repeat("u", pop3.MaxCommand-5) + "\nPASS secret\n", nil, ok + "-ERR command line too long\r\n", login},

		{"refused", "USER joe\r\nPASS secret\r\n", fmt.Errorf("%w: exit code 1", ErrRefused), ok + "-ERR authorization failed\r\n", login},
		{"one attempt", "USER joe\r\nPASS secret\r\nPASS secret\r\n", ErrRefused, ok + "-ERR authorization failed\r\n", login},
		{"crashed", "USER joe\r\nPASS secret\r\n", ErrCrashed, ok + "-ERR aack, child crashed\r\n", login},
		{"no pipe", "USER joe\r\nPASS secret\r\n", ErrPipe, ok + "-ERR unable to open pipe\r\n", login},
		{"no process", "USER joe\r\nPASS secret\r\n", ErrFork, ok + "-ERR unable to fork\r\n", login},
		{"broken pipe", "USER joe\r\nPASS secret\r\n", ErrWrite, ok + "-ERR unable to write pipe\r\n", login},
		{"an unknown error", "USER joe\r\nPASS secret\r\n", io.ErrNoProgress, ok, login},
	} {
		var asked []string
		var out strings.Builder
		s := server(c.answer, &asked)
		err := s.Serve(strings.NewReader(c.in), &out)
		if want := "+OK " + stamp + "\r\n" + c.out; out.String() != want {
			t.Errorf("%s: %q, want %q", c.name, out.String(), want)
		}
		if got := strings.Join(asked, "|"); got != c.asked {
			t.Errorf("%s: record %q, want %q", c.name, got, c.asked)
		}
		var failed *LoginError
		if errors.As(err, &failed) != (c.answer != nil) || c.answer != nil && !errors.Is(err, c.answer) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestCapable(t *testing.T) {
	var asked []string
	var out strings.Builder
	s := server(nil, &asked)
	s.Capable = true
	s.Serve(strings.NewReader("CAPA\r\nQUIT\r\n"), &out)
	if !strings.Contains(out.String(), "\r\nUIDL\r\n") {
		t.Errorf("%q", out.String())
	}
}

// TestLeavesTheRest: what follows the login belongs to the subprogram.
func TestLeavesTheRest(t *testing.T) {
	in := strings.NewReader("USER joe\r\nPASS secret\r\nSTAT\r\n")
	var rest []byte
	s := Server{Now: time.Now, Check: func([]byte) error {
		rest, _ = io.ReadAll(in)
		return nil
	}}
	s.Serve(in, io.Discard)
	if string(rest) != "STAT\r\n" {
		t.Errorf("%q", rest)
	}
}

func TestLogLine(t *testing.T) {
	err := &LoginError{"joe\r\nqmail-popup: client 192.0.2.1\xff", ErrRefused}
	if got, want := err.Error(), `user "joe\r\nqmail-popup: client 192.0.2.1\xff": authorization failed`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// FuzzRecord: whatever the client says, a record has three fields that are not
// longer than a line, and the last one is the stamp.
func FuzzRecord(f *testing.F) {
	for _, s := range []string{"USER joe\r\nPASS secret\r\n", "APOP joe 0123\n", "USER \x00\nAPOP \x00 x\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		var asked []string
		s := server(nil, &asked)
		s.Serve(strings.NewReader(in), io.Discard)
		if len(asked) > 1 {
			t.Fatalf("asked %q", asked)
		}
		for _, record := range asked {
			fields := strings.Split(record, "\x00")
			if len(fields) != 4 || fields[2] != stamp || fields[3] != "" || len(fields[0])+len(fields[1]) > 2*pop3.MaxCommand {
				t.Errorf("%q", record)
			}
		}
	})
}

var standard = []*os.File{os.Stdin, os.Stdout, os.Stderr}

func TestSubprogram(t *testing.T) {
	told := filepath.Join(t.TempDir(), "told")
	for _, c := range []struct {
		name, script string
		want         error
		told         string
	}{
		{"success", `cat <&3 >"$0"`, nil, "joe\x00secret\x00<x>\x00"},
		{"nobody reads", `exec 3<&-`, nil, ""},
		{"refused", "exit 1", ErrRefused, ""},
		{"misused", "exit 2", ErrRefused, ""},
		{"temporary", "exit 111", ErrRefused, ""},
		{"crash", "kill -9 $$", ErrCrashed, ""},
		{"descriptor 3 is the last", `for fd in 4 5 6 7 8 9; do [ ! -e /proc/$$/fd/$fd ] || exit 1; done`, nil, ""},
	} {
		os.Remove(told)
		err := Subprogram([]string{"sh", "-c", c.script, told}, standard)([]byte("joe\x00secret\x00<x>\x00"))
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
		if got, _ := os.ReadFile(told); string(got) != c.told {
			t.Errorf("%s: told %q, want %q", c.name, got, c.told)
		}
	}
	for _, program := range []string{"/nonexistent/checkpassword", "no-such-checkpassword", "/", ""} {
		if err := Subprogram([]string{program}, standard)(nil); !errors.Is(err, ErrRefused) {
			t.Errorf("%q: %v", program, err)
		}
	}
	if got := cannotStart(fmt.Errorf("run: %w", unix.EAGAIN)); got != ErrFork {
		t.Error(got)
	}
}
