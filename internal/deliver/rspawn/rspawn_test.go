package rspawn

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"goqmail/internal/deliver/spawner"
	"goqmail/internal/host/child"
)

func TestReport(t *testing.T) {
	long := strings.Repeat("x", 3*maxReport)
	kept := long[:maxReport-1]
	for _, c := range []struct {
		name   string
		status child.Status
		output string
		want   string
	}{
		{"accepted", child.Status{}, "rok\n\x00Kaccepted\n\x00", "Kok\naccepted\n"},
		{"recipient failed, message accepted", child.Status{}, "hno\n\x00Kyes\n\x00", "Dno\n"},
		{"recipient failed, message failed", child.Status{}, "hno\n\x00Dnever\n\x00", "Dno\nnever\n"},
		{"recipient failed, message deferred", child.Status{}, "hno\n\x00Zlater\n\x00", "Dno\n"},
		{"recipient failed, nothing on the message", child.Status{}, "hno\n\x00", "Dno\n"},
		{"recipient deferred, message failed", child.Status{}, "slater\n\x00Dnever\n\x00", "Zlater\nnever\n"},
		{"recipient deferred, message deferred", child.Status{}, "slater\n\x00Zagain\n\x00", "Zlater\nagain\n"},
		{"recipient deferred, nothing on the message", child.Status{}, "slater\n\x00", "Zlater\n"},
		{"recipient accepted, message deferred", child.Status{}, "r\x00Zlater\n\x00", "Zlater\n"},
		{"message only", child.Status{}, "Zno connection\n\x00", "Zno connection\n"},
		{"the first report on the message counts", child.Status{}, "r1\x00r2\x00r3\x00Zlater\n\x00K\x00", "Z1"},
		{"what follows the last NUL is no report", child.Status{}, "r\x00Kyes\n\x00Dno", "Kyes\n"},
		{"a long report", child.Status{}, "r" + long + "\x00K" + long + "\x00", "K" + kept + kept},
		{"many reports", child.Status{}, "r\x00" + strings.Repeat("rx\x00", 10000) + "K\x00", "K"},
		{"no output", child.Status{}, "", "Zqmail-remote produced no output.\n"},
		{"nothing on the message", child.Status{}, "rok\n\x00", "Dok\n"},
		{"the report on the message is cut off", child.Status{}, "rok\n\x00K", "Zqmail-remote did not say what became of the message.\n"},
		{"no report", child.Status{}, "xyz", "Zqmail-remote did not say what became of the message.\n"},
		{"a lone NUL", child.Status{}, "\x00", "D"},
		{"crash", child.Status{Crashed: true}, "r\x00K\x00", "Zqmail-remote crashed.\n"},
		{"panic", child.Status{Code: 2}, "r\x00K\x00", "Zqmail-remote crashed.\n"},
		{"exit 1", child.Status{Code: 1}, "r\x00K\x00", "DUnable to run qmail-remote.\n"},
		{"exit 111", child.Status{Code: 111}, "r\x00K\x00", "ZUnable to run qmail-remote.\n"},
	} {
		var o output
		o.Write([]byte(c.output))
		if got := report(c.status, &o); got != c.want {
			t.Errorf("%s: %.80q, want %.80q", c.name, got, c.want)
		}
	}
}

// program makes a stand-in for qmail-remote.
func program(t *testing.T, home, name, text string) {
	t.Helper()
	for _, dir := range []string{"bin", "control", "queue/mess", "queue/lock"} {
		if err := os.MkdirAll(filepath.Join(home, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(home, name), []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
}

func TestDeliver(t *testing.T) {
	home := t.TempDir()
	t.Setenv("PATH", home+"/bin:/usr/bin:/bin")
	program(t, home, "bin/qmail-remote", `#!/bin/sh
printf 'r%s %s|' "$(pwd)" "$*"; cat; printf '\0K\0'`)
	program(t, home, "bin/signer", "#!/bin/sh\nprintf 'rsigned\\0K\\0'")
	program(t, home, "queue/mess/own", "printf 'rown %s\\0K\\0' $3")
	program(t, home, "bin/crash", "#!/bin/sh\nprintf 'r\\0K\\0'; kill -9 $$")
	program(t, home, "bin/panic", "#!/bin/sh\nprintf 'r\\0K\\0'; exit 2")
	message := filepath.Join(home, "message")
	if err := os.WriteFile(message, []byte("the message"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, other, want string }{
		{"qmail-remote", "", "K" + home + "/queue/mess h.test s@x a@b@h.test|the message"},
		{"another program, looked up", "signer", "Ksigned"},
		{"another program, by its path, for the shell", "./own", "Kown a@b@h.test"},
		{"no such program", "none", "ZUnable to run qmail-remote.\n"},
		{"no such path", "/none", "ZUnable to run qmail-remote.\n"},
		{"it crashes", "crash", "Zqmail-remote crashed.\n"},
		{"it panics", "panic", "Zqmail-remote crashed.\n"},
	} {
		f, err := os.Open(message)
		if err != nil {
			t.Fatal(err)
		}
		got := NewRunner(home, c.other).Deliver(spawner.Delivery{Message: f, Sender: "s@x", Recipient: "a@b@h.test", Local: "a@b", Host: "h.test"})
		f.Close()
		if got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// FuzzReport: whatever is printed, in whatever pieces, one report comes out, and no
// success that was not reported.
func FuzzReport(f *testing.F) {
	for _, s := range []string{"rok\n\x00Kaccepted\n\x00", "h\x00D\x00", "Z", "\x00\x00\x00K", "\x00K\x00"} {
		f.Add([]byte(s), 3)
	}
	f.Fuzz(func(t *testing.T, printed []byte, piece int) {
		var whole, pieces output
		whole.Write(printed)
		piece = max(piece, 1)
		for rest := printed; len(rest) > 0; rest = rest[min(piece, len(rest)):] {
			pieces.Write(rest[:min(piece, len(rest))])
		}
		got := report(child.Status{}, &whole)
		if !strings.ContainsAny(got[:1], "KZD") || strings.Contains(got, "\x00") {
			t.Errorf("%q from %q", got, printed)
		}
		if other := report(child.Status{}, &pieces); other != got {
			t.Errorf("%q, in pieces %q", got, other)
		}
		if got[0] == 'K' && !strings.Contains("\x00"+string(printed), "\x00K") {
			t.Errorf("%q from %q", got, printed)
		}
	})
}
