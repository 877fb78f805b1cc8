package rspawn

import (
	"strings"
	"testing"

	"goqmail/internal/host/child"
)

func TestReport(t *testing.T) {
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
		{"recipient deferred, message failed", child.Status{}, "slater\n\x00Dnever\n\x00", "Zlater\nnever\n"},
		{"recipient accepted, message deferred", child.Status{}, "r\x00Zlater\n\x00", "Zlater\n"},
		{"message only", child.Status{}, "Zno connection\n\x00", "Zno connection\n"},
		{"no output", child.Status{}, "", "Zqmail-remote produced no output.\n"},
		{"no report", child.Status{}, "xyz", "D"},
		{"a lone NUL", child.Status{}, "\x00", "D"},
		{"crash", child.Status{Crashed: true}, "r\x00K\x00", "Zqmail-remote crashed.\n"},
		{"panic", child.Status{Code: 2}, "r\x00K\x00", "Zqmail-remote crashed.\n"},
		{"exit 1", child.Status{Code: 1}, "r\x00K\x00", "DUnable to run qmail-remote.\n"},
		{"exit 111", child.Status{Code: 111}, "r\x00K\x00", "ZUnable to run qmail-remote.\n"},
	} {
		if got := report(c.status, []byte(c.output)); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func FuzzReport(f *testing.F) {
	for _, s := range []string{"rok\n\x00Kaccepted\n\x00", "h\x00D\x00", "Z", "\x00\x00\x00K"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, output []byte) {
		got := report(child.Status{}, output)
		if got == "" || !strings.ContainsAny(got[:1], "KZD") || strings.Contains(got, "\x00") {
			t.Errorf("%q from %q", got, output)
		}
	})
}
