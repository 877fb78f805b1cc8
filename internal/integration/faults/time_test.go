package faults

import (
	"io"
	"net/mail"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"goqmail/internal/integration/site"
	"goqmail/internal/integration/trace"
	"goqmail/internal/wire/tcpto"
)

const (
	day  = 24 * time.Hour
	year = 365 * day
)

// TestClock: while a deferred message waits, the clock jumps. The message is delivered no
// later than it was due, by the time that has passed in truth.
func TestClock(t *testing.T) {
	if !trace.CanFail {
		t.Skip("needs amd64: on no other architecture can the clock be set for a program, so far")
	}
	for _, jump := range []time.Duration{-day, -year, day, year} {
		t.Run(jump.String(), func(t *testing.T) {
			s := site.New(t)
			l := newLedger(t, s)
			l.setBusy(true)
			setClock(t, 0)
			y := s.Start(under(trace.Fault{Program: clockOnly}, qmailStart))
			s.Queue("Subject: x\n\n"+body, "joe@host.example.org", recipients["remote"])
			y.WaitLog(`^delivery 1: deferral: `)
			l.setBusy(false)
			setClock(t, jump)
			s.Queue("Subject: x\n\n"+body, "joe@host.example.org", recipients["maildir"]) // qmail-send looks up
			s.Eventually("new mail", func() bool { return l.copies()["maildir"] == 1 })
			if jump < 0 {
				y.WaitLog(`^warning: the clock was set back by \d+ seconds$`)
				setClock(t, jump+401*time.Second) // the first interval is 400
				s.Queue("Subject: x\n\n"+body, "joe@host.example.org", recipients["maildir"])
			}
			s.Eventually("the message that waited", func() bool { return l.copies()["remote"] == 1 })
			y.WaitEmpty()
			y.Stop()
		})
	}
}

// TestClockAhead: while a message comes in, qmail-send is started by a clock that is a
// year ahead, and removes it as what is left of a message that never came. It is not
// accepted then.
func TestClockAhead(t *testing.T) {
	if !trace.CanFail {
		t.Skip("needs amd64: on no other architecture can the clock be set for a program, so far")
	}
	s := site.New(t)
	newLedger(t, s)
	r, w := io.Pipe()
	ended := make(chan site.Result)
	go func() {
		ended <- s.Run(site.Command{Program: "qmail-queue", As: "qmaild", Stdin: r, FD1: site.Envelope("s@x", recipients["maildir"])})
	}()
	io.WriteString(w, "Subject: x\n")
	s.Eventually("a message that comes in", func() bool { return len(s.QueueFiles()) > 0 })
	setClock(t, year)
	y := s.Start(under(trace.Fault{Program: clockOnly}, qmailStart))
	s.Eventually("that it is removed", func() bool { return len(s.QueueFiles()) == 0 })
	io.WriteString(w, "\n"+body)
	w.Close()
	if result := <-ended; result.Code != 64 {
		t.Errorf("exit code %d: %v", result.Code, s.QueueFiles())
	}
	y.Stop()
}

// TestYears: whatever years the files of the queue say that messages were born or are due,
// and hosts did not answer, mail is delivered, and admins can look at it.
func TestYears(t *testing.T) {
	s := site.New(t)
	l := newLedger(t, s)
	l.setBusy(true)
	y := s.Up("./Maildir/")
	s.Queue("Subject: x\n\n"+body, "joe@host.example.org", recipients["remote"])
	y.WaitLog(`^delivery 1: deferral: `)
	y.Stop()
	want := 0
	for _, when := range []time.Time{
		time.Unix(-1, 0), time.Unix(0, 0), time.Unix(1<<31-1, 0), time.Unix(1<<31, 0), time.Unix(1<<32, 0),
		time.Date(2262, 4, 12, 0, 0, 0, 0, time.UTC), time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC), time.Date(12000, 1, 1, 0, 0, 0, 0, time.UTC),
	} {
		t.Run(when.UTC().Format(time.DateOnly), func(t *testing.T) {
			for _, f := range s.QueueFiles() {
				must(t, os.Chtimes(filepath.Join(site.Home, "queue", f), when, when))
			}
			table := tcpto.In(site.Home)
			for range 3 {
				for _, host := range []string{"127.0.0.2", "::1"} {
					must(t, table.TimedOut(netip.MustParseAddr(host), when))
					when = when.Add(time.Hour)
				}
			}
			for _, program := range []string{"qmail-qread", "qmail-qstat", "qmail-tcpto", "qmail-queuectl"} {
				c := site.Command{Program: program}
				if program == "qmail-queuectl" {
					c.Args = []string{"list"}
				}
				if r := s.Run(c); r.Code != 0 || r.Signal != 0 || r.Stderr != "" {
					t.Errorf("%s: exit code %d, signal %v: %s", program, r.Code, r.Signal, r.Stderr)
				}
			}
			l.setBusy(false)
			want++
			y := s.Up("./Maildir/")
			s.Eventually("the message", func() bool { return l.copies()["remote"] == want })
			y.WaitEmpty()
			l.setBusy(true)
			s.Queue("Subject: x\n\n"+body, "joe@host.example.org", recipients["remote"])
			y.WaitLog(`: deferral: `)
			y.Stop()
		})
	}
}

// TestZones: nonsense in TZ stops no mail, and the dates of messages are dates.
func TestZones(t *testing.T) {
	s := site.New(t)
	l := newLedger(t, s)
	y := s.Up("./Maildir/")
	zones := []string{"", ":", "nonsense", "/etc/shadow", "../../../etc/shadow", ":/dev/zero", "/dev/stdin", "UTC+99:99:99", "<", "CET-1CEST,M3.5.0,M10.5.0/3", "CET-1CEST,M99.9.9", "\xff\x01\n", strings.Repeat("x", 100_000)}
	for i, zone := range zones {
		env := []string{"TZ=" + zone, "QMAILUSER=joe", "QMAILHOST=host.example.org", "QMAILINJECT=l"}
		r := s.Run(site.Command{Program: "qmail-inject", As: "ann", Env: env, Stdin: strings.NewReader("To: joe\nSubject: x\n\n" + body)})
		if r.Code != 0 {
			t.Errorf("TZ=%.20q: exit code %d: %s", zone, r.Code, r.Stderr)
		}
		replies := s.Run(site.Command{Program: "qmail-smtpd", As: "qmaild", Env: env[:1], Stdin: strings.NewReader(session([]string{"maildir"}))}).Stdout
		if ok, _ := accepted(replies); !ok {
			t.Errorf("TZ=%.20q: %s", zone, replies)
		}
		s.Eventually("mail", func() bool { return l.copies()["maildir"] == 2*(i+1) })
	}
	y.Stop()
	for _, f := range glob(site.Account("joe").Home + "/Maildir/new/*") {
		m, err := mail.ReadMessage(strings.NewReader(s.Read(f)))
		must(t, err)
		dates := m.Header["Date"]
		for _, received := range m.Header["Received"] {
			_, date, _ := strings.Cut(received, "; ")
			dates = append(dates, date)
		}
		for _, date := range dates {
			if when, err := mail.ParseDate(date); err != nil || time.Since(when).Abs() > time.Hour {
				t.Errorf("date %q: %v", date, err)
			}
		}
	}
}
