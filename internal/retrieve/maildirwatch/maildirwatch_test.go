package maildirwatch

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

var now = time.Date(2026, 11, 24, 14, 5, 0, 0, time.UTC)

func newMaildir(t *testing.T, messages map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for _, sub := range []string{"tmp", "new", "cur"} {
		os.Mkdir(dir+"/"+sub, 0o700)
	}
	for name, text := range messages {
		if err := os.WriteFile(dir+"/"+name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		when := now.Add(-time.Duration(name[4]-'0') * time.Minute)
		os.Chtimes(dir+"/"+name, when, when)
	}
	return dir
}

func TestSummary(t *testing.T) {
	for _, c := range []struct {
		name     string
		messages map[string]string
		want     string
	}{
		{"nothing", nil, ""},
		{"usual", map[string]string{"new/1": "Return-Path: <ann@x>\nDelivered-To: joe@h\nFrom: Ann <ann@x>\nSubject: Lunch?\n\nAt noon?\n"},
			"FROM <ann@x> TO <joe@h>\n\x1b[1mFrom: Ann <ann@x>\x1b[0m\nLunch?//At noon?/\n\n"},
		{"no header", map[string]string{"new/1": "\nhi"}, "FROM ? TO <?>\n/hi/\n\n"},
		{"by age, of new only", map[string]string{"new/1": "\n1", "new/3": "\n3", "cur/2": "\n2"},
			"FROM ? TO <?>\n/3/\n\nFROM ? TO <?>\n/1/\n\n"},
		{"control characters", map[string]string{"new/1": "Return-Path: <\x1b[2J>\nDelivered-To: \xff\nFrom:\n \x07\nSubject: \x1bc\n\n\x9b"},
			"FROM <?[2J> TO <?>\n\x1b[1mFrom:/ /\x1b[0m\n/c////\n\n"},
		{"long", map[string]string{"new/1": "Subject: " + strings.Repeat("x", 1000) + "\n\n"},
			"FROM ? TO <?>\n" + strings.Repeat("x", 158) + "\n\n"},
	} {
		var b strings.Builder
		if err := Summary(&b, newMaildir(t, c.messages), now); err != nil || b.String() != "\x1b[;H\x1b[;J"+c.want {
			t.Errorf("%s: %q %v, want %q", c.name, b.String(), err, c.want)
		}
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("broken") }

func TestSummaryErrors(t *testing.T) {
	dir := newMaildir(t, map[string]string{"new/1": "\n1"})
	if err := Summary(broken{}, dir, now); fmt.Sprint(err) != "unable to write: broken" {
		t.Error(err)
	}
	os.RemoveAll(dir + "/new")
	if err := Summary(&strings.Builder{}, dir, now); fmt.Sprint(err) != "unable to scan $MAILDIR/new: file does not exist" {
		t.Error(err)
	}
}

func FuzzShow(f *testing.F) {
	f.Add("Return-Path: <ann@x>\nDelivered-To: joe@h\nFrom: Ann <ann@x>\nSubject: Lunch?\n\nAt noon?\n")
	f.Fuzz(func(t *testing.T, message string) {
		var b strings.Builder
		if err := show(&b, strings.NewReader(message)); err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(b.String(), "\n")
		if len(lines) != 4 && len(lines) != 5 || b.Len() > 2000 {
			t.Errorf("%q", b.String())
		}
		if strings.Count(b.String(), "\x1b") > 2 {
			t.Errorf("%q", b.String())
		}
	})
}
