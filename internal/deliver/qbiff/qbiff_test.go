package qbiff

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"goqmail/internal/mail/excerpt"

	"golang.org/x/sys/unix"
)

// record is one of utmp.
func record(kind uint16, line, user string) []byte {
	r := bytes.Repeat([]byte{0xff}, recordSize())
	binary.NativeEndian.PutUint16(r, kind)
	copy(r[lineOffset:lineOffset+lineSize], append([]byte(line), make([]byte, lineSize)...))
	copy(r[userOffset:userOffset+userSize], append([]byte(user), make([]byte, userSize)...))
	return r
}

func TestTerminals(t *testing.T) {
	long := strings.Repeat("u", userSize)
	utmp := slices.Concat(
		record(2, "~", "reboot"),
		record(userProcess, "pts/1", "joe"),
		record(userProcess, "pts/2", "joey"),
		record(8, "pts/3", "joe"),
		record(userProcess, "tty1", "joe"),
		record(userProcess, "pts/1", "joe"),
		record(userProcess, "/etc/passwd", "joe"),
		record(userProcess, "../etc/passwd", "joe"),
		record(userProcess, "pts/..", "joe"),
		record(userProcess, "", "joe"),
		record(userProcess, strings.Repeat("l", lineSize), "joe"),
		record(userProcess, "pts/9", long),
		record(userProcess, "pts/7", "joe")[:200],
	)
	for user, want := range map[string]string{
		"joe":       "pts/1 tty1 " + strings.Repeat("l", lineSize),
		"joey":      "pts/2",
		"jo":        "",
		long:        "pts/9",
		long + "u":  "",
		"":          "",
		"joe\x00":   "",
		"joe\xff":   "",
		"root":      "",
		"reboot":    "",
		"jo\x00oey": "",
	} {
		if got := strings.Join(slices.Collect(terminals(bytes.NewReader(utmp), user)), " "); got != want {
			t.Errorf("%q: %s, want %s", user, got, want)
		}
	}
}

// endless is a file of records of joe, all at different terminals.
type endless struct{ n, bytes int }

func (e *endless) Read(p []byte) (int, error) {
	e.n++
	n := copy(p, record(userProcess, fmt.Sprint("x", e.n), "joe"))
	e.bytes += n
	return n, nil
}

// TestEndlessUtmp: whatever is in the file, it comes to an end.
func TestEndlessUtmp(t *testing.T) {
	var e endless
	n := 0
	for range terminals(&e, "joe") {
		n++
	}
	if n == 0 || n > maxRecords || e.bytes > (maxRecords+1000)*recordSize() {
		t.Errorf("%d terminals, %d bytes", n, e.bytes)
	}
}

func TestCompose(t *testing.T) {
	for _, c := range []struct{ name, local, sender, message, want string }{
		{"usual", "joe", "ann@x", "Subject: Lunch?\nTo: joe\n\nAt noon?\nAnn\n", "\r\n\a*** TO <joe> FROM <ann@x>\r\n    Lunch?//At noon?/Ann/\r\n"},
		{"bounce", "joe", "", "\nbody", "\r\n\a*** TO <joe> FROM <>\r\n    /body/\r\n"},
		{"strange addresses", "j\x1b[2J", "a\n\xe4@x", "", "\r\n\a*** TO <j_[2J> FROM <a__@x>\r\n    \r\n"},
		{"control characters", "j", "a", "\n\x1b[2J\x07\x7f\xff\t", "\r\n\a*** TO <j> FROM <a>\r\n    //[2J/////\r\n"},
		{"folded", "j", "a", "SUBJECT :\n \t a\n b\n\n", "\r\n\a*** TO <j> FROM <a>\r\n    a/ b//\r\n"},
		{"two subjects", "j", "a", "Subject: a\nSubject: b\n\nc", "\r\n\a*** TO <j> FROM <a>\r\n    a/b//c/\r\n"},
		{"empty subject", "j", "a", "Subject:\n\nc", "\r\n\a*** TO <j> FROM <a>\r\n    /c/\r\n"},
		{"no header", "j", "a", "not a field\nx", "\r\n\a*** TO <j> FROM <a>\r\n    /not a field/x/\r\n"},
		{"long", "j", "a", "Subject: " + strings.Repeat("x", 100000) + "\n\ny", "\r\n\a*** TO <j> FROM <a>\r\n    " + strings.Repeat("x", 74) + "\r\n"},
	} {
		if got := compose(c.local, c.sender, strings.NewReader(c.message)); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// terminal opens a pseudo terminal, and returns its other end and its name.
func terminal(t *testing.T) (master *os.File, line string) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skip("needs pseudo terminals: ", err)
	}
	t.Cleanup(func() { master.Close() })
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	return master, fmt.Sprint("pts/", n)
}

// TestAnnounce: only a terminal of the user's that he has made executable gets it.
func TestAnnounce(t *testing.T) {
	wanted, line := terminal(t)
	quiet, quietLine := terminal(t)
	os.Chmod("/dev/"+line, 0o700)
	os.Chmod("/dev/"+quietLine, 0o600)
	utmp := t.TempDir() + "/utmp"
	records := slices.Concat(
		record(userProcess, "nowhere", "joe"),
		record(userProcess, "null", "joe"),
		record(userProcess, quietLine, "joe"),
		record(userProcess, line, "joe"),
	)
	if err := os.WriteFile(utmp, records, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, uid := range []int{os.Getuid() + 1, os.Getuid()} {
		Announce(Config{utmp, "/dev", uid}, "joe", "joe", "ann@x", strings.NewReader("Subject: hi\n\n"))
	}
	want := "\r\r\n\a*** TO <joe> FROM <ann@x>\r\r\n    hi//\r\r\n"
	got := make([]byte, len(want))
	if _, err := io.ReadFull(wanted, got); err != nil || string(got) != want {
		t.Errorf("%q %v, want %q", got, err, want)
	}
	for name, master := range map[string]*os.File{"wanted": wanted, "quiet": quiet} {
		events := []unix.PollFd{{Fd: int32(master.Fd()), Events: unix.POLLIN}}
		if unix.Poll(events, 0); events[0].Revents&unix.POLLIN != 0 {
			t.Errorf("%s: more than that", name)
		}
	}
}

// TestFiles: nothing but a terminal is written to.
func TestFiles(t *testing.T) {
	dir := t.TempDir()
	os.WriteFile(dir+"/file", []byte("text"), 0o700)
	unix.Mkfifo(dir+"/pipe", 0o700)
	reader, err := os.OpenFile(dir+"/pipe", os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	os.WriteFile(dir+"/utmp", slices.Concat(record(userProcess, "file", "joe"), record(userProcess, "pipe", "joe"), record(userProcess, "none", "joe")), 0o600)
	Announce(Config{dir + "/utmp", dir, os.Getuid()}, "joe", "joe", "ann@x", strings.NewReader(""))
	if text, _ := os.ReadFile(dir + "/file"); string(text) != "text" {
		t.Errorf("%q", text)
	}
	if n, _ := reader.Read(make([]byte, 10)); n > 0 {
		t.Errorf("%d bytes in the pipe", n)
	}
	if _, err := os.Stat(dir + "/none"); err == nil {
		t.Error("a file was made")
	}
	Announce(Config{dir + "/nothing", dir, os.Getuid()}, "joe", "joe", "ann@x", strings.NewReader(""))
}

func FuzzTerminals(f *testing.F) {
	f.Add(slices.Concat(record(userProcess, "pts/1", "joe"), record(userProcess, "../x", "joe")))
	f.Fuzz(func(t *testing.T, utmp []byte) {
		for line := range terminals(bytes.NewReader(utmp), "joe") {
			if line == "" || strings.HasPrefix(line, "/") || strings.Contains(line, ".") || strings.Contains(line, "\x00") {
				t.Errorf("%q", line)
			}
		}
	})
}

func FuzzCompose(f *testing.F) {
	f.Add("joe", "ann@x", "Subject: a\n b\n\nc")
	f.Fuzz(func(t *testing.T, local, sender, message string) {
		got := compose(local, sender, strings.NewReader(message))
		inner := strings.TrimSuffix(strings.TrimPrefix(got, "\r\n\a"), "\r\n")
		first, second, _ := strings.Cut(inner, "\r\n")
		if len(second) > width || excerpt.Printable(first, '_') != first || excerpt.Printable(second, '/') != second {
			t.Errorf("%q", got)
		}
	})
}
