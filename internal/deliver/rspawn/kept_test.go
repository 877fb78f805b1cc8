package rspawn

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"goqmail/internal/deliver/spawner"
	"goqmail/internal/wire/resident"
)

// TestMain makes the test a qmail-remote where it was installed as one. Kept open or not,
// that says what it was asked.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) != "qmail-remote" {
		os.Exit(m.Run())
	}
	if !resident.Asked(os.Args) {
		os.Stdout.WriteString("rclassic " + strings.Join(os.Args[1:], " ") + "\x00K\x00")
		os.Exit(0)
	}
	resident.Serve(300, func(r *resident.Request) []string {
		switch r.Fields[0] {
		case "die.test":
			os.Exit(0)
		case "panic.test":
			panic("as asked")
		}
		text, _ := io.ReadAll(r.Files[0])
		if len(r.Fields) > 3 {
			return group(r.Fields[2:])
		}
		return []string{fmt.Sprintf("r%d %s|%s\x00Kaccepted\n\x00", os.Getpid(), strings.Join(r.Fields, " "), text)}
	})
	os.Exit(0)
}

// group says what became of several recipients. What becomes of each, his name tells.
func group(recipients []string) (printed []string) {
	for _, r := range recipients {
		printed = append(printed, map[string]string{
			"accepted": "rone of " + fmt.Sprint(len(recipients)) + "\x00K\n\x00",
			"refused":  "hno\n\x00K\n\x00",
			"later":    "snot now\n\x00K\n\x00",
			"lost":     "Zconnection died\n\x00",
			"silent":   "",
		}[strings.TrimRight(r[:strings.IndexByte(r, '@')], "0123456789")])
	}
	if strings.HasPrefix(recipients[0], "short") {
		return printed[1:]
	}
	return printed
}

// install puts the test in the place of qmail-remote.
func install(t *testing.T) (home string) {
	t.Helper()
	home = t.TempDir()
	program(t, home, "queue/mess/1", "the message")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	program(t, home, "bin/qmail-remote", string(text))
	return home
}

func deliver(t *testing.T, k *Kept, home, host string) string {
	t.Helper()
	f, err := os.Open(filepath.Join(home, "queue/mess/1"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	return k.Deliver(spawner.Delivery{Message: f, Sender: "s@x", Recipient: "a@" + host, Local: "a", Host: host})
}

func TestKept(t *testing.T) {
	home := install(t)
	k := Keep(home)
	defer k.Close()
	process := ""
	for range 3 {
		pid, rest, _ := strings.Cut(deliver(t, k, home, "h.test"), " ")
		if rest != "h.test s@x a@h.test|the messageaccepted\n" || process != "" && pid != process {
			t.Errorf("%s %q, before %s", pid, rest, process)
		}
		process = pid
	}
	for _, c := range []struct{ host, want string }{
		{"panic.test", "Zqmail-remote crashed.\n"},
		{"die.test", "Zqmail-remote crashed.\n"},
		{"h.test", "Kclassic h.test s@x a@h.test"}, // it died, and gets a pause
	} {
		if got := deliver(t, k, home, c.host); got != c.want {
			t.Errorf("%s: %q", c.host, got)
		}
	}
}

// TestDeliveriesFillAProcess: the next one is used when 250 are underway.
func TestDeliveriesFillAProcess(t *testing.T) {
	var k Kept
	for i := range 2*atOnce + 1 {
		if process := k.enter(); process != i/atOnce {
			t.Fatalf("delivery %d goes to process %d", i, process)
		}
	}
	k.leave(0)
	if process := k.enter(); process != 0 {
		t.Errorf("a free place in 0, but it goes to %d", process)
	}
}

func TestManyKept(t *testing.T) {
	home := install(t)
	k := Keep(home)
	defer k.Close()
	var all sync.WaitGroup
	for range 400 {
		all.Go(func() {
			if got := deliver(t, k, home, "h.test"); !strings.HasSuffix(got, "|the messageaccepted\n") {
				t.Errorf("%q", got)
			}
		})
	}
	all.Wait()
}

// TestScriptInThePlaceOfQmailRemote: it sees every message, and takes effect at once.
func TestScriptInThePlaceOfQmailRemote(t *testing.T) {
	home := install(t)
	k := Keep(home)
	defer k.Close()
	deliver(t, k, home, "h.test")
	os.Remove(filepath.Join(home, "bin/qmail-remote"))
	program(t, home, "bin/qmail-remote", "#!/bin/sh\nprintf 'rscript %s|' $1; cat; printf '\\0K\\0'")
	for range 2 {
		if got := deliver(t, k, home, "h.test"); got != "Kscript h.test|the message" {
			t.Errorf("%q", got)
		}
	}
	os.Remove(filepath.Join(home, "bin/qmail-remote"))
	if got := deliver(t, k, home, "h.test"); got != "ZUnable to run qmail-remote.\n" {
		t.Errorf("%q", got)
	}
}
