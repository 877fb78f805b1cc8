package activity

import (
	"strings"
	"testing"

	"goqmail/internal/dispatch/route"
)

// TestLines has every line that there is.
func TestLines(t *testing.T) {
	for _, c := range []struct {
		want string
		add  func(*Lines)
	}{
		{"status: local 1/10 remote 0/20\n", func(l *Lines) { l.Status([route.Channels]Channel{{1, 10}, {0, 20}}, false) }},
		{"status: local 0/0 remote 9999/10000 exitasap\n", func(l *Lines) { l.Status([route.Channels]Channel{{0, 0}, {9999, 10000}}, true) }},
		{"status: exiting\n", func(l *Lines) { l.Exiting() }},
		{"new msg 457\n", func(l *Lines) { l.New(457) }},
		{"info msg 457: bytes 5000000000 from <s@x> qp 6701 uid 1000\n", func(l *Lines) { l.Info(457, 5e9, "s@x", 6701, 1000) }},
		{"info msg 457: bytes 0 from <> qp 0 uid 0\n", func(l *Lines) { l.Info(457, 0, "", 0, 0) }},
		{"info msg 457: bytes 1 from <a_b_c/> qp 1 uid 1\n", func(l *Lines) { l.Info(457, 1, "a b%c\n", 1, 1) }},
		{"bounce msg 457 qp 6701\n", func(l *Lines) { l.Bounce(457, 6701) }},
		{"triple bounce: discarding bounce/457\n", func(l *Lines) { l.TripleBounce("bounce/457") }},
		{"end msg 457\n", func(l *Lines) { l.End(457) }},
		{"starting delivery 7: msg 457 to local joe@x\n", func(l *Lines) { l.Starting(7, 457, route.Local, "joe@x") }},
		{"starting delivery 7: msg 457 to remote jo_e@x\n", func(l *Lines) { l.Starting(7, 457, route.Remote, "jo\x7fe@x") }},
		{"delivery 7: success: did_1+0+0/\n", func(l *Lines) { l.Success(7, "did 1+0+0\n") }},
		{"delivery 7: deferral: \n", func(l *Lines) { l.Deferral(7, "") }},
		{"delivery 7: failure: __~!//\n", func(l *Lines) { l.Failure(7, "\xff\x00~!\n\n") }},
		{"delivery 7: report mangled, will defer\n", func(l *Lines) { l.Mangled(7) }},
		{"warning: trouble marking local/20/457; message will be delivered twice!\n", func(l *Lines) {
			l.Warning("trouble marking ", "local/20/457", "; message will be delivered twice!")
		}},
		{"alert: oh no!\n", func(l *Lines) { l.Alert("oh no!") }},
	} {
		var l, other Lines
		c.add(&l)
		if got := string(l.Text()); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
		other.New(1)
		other.Take(l)
		if got := string(other.Text()); got != "new msg 1\n"+c.want {
			t.Errorf("taken over: %q", got)
		}
		l.Clear()
		if len(l.Text()) != 0 {
			t.Errorf("cleared: %q", l.Text())
		}
	}
}

// FuzzSafe: no address and no report can make a line of its own, or anything that
// a terminal would obey.
func FuzzSafe(f *testing.F) {
	f.Add("s@x\nend msg 457", "\x1b[2J")
	f.Fuzz(func(t *testing.T, address, report string) {
		var l Lines
		l.Info(457, 1, address, 2, 3)
		l.Starting(1, 457, route.Remote, address)
		l.Failure(1, report)
		text := string(l.Text())
		if strings.Count(text, "\n") != 3 {
			t.Errorf("%q", text)
		}
		for _, c := range []byte(text) {
			if c != '\n' && (c < ' ' || c > '~') {
				t.Errorf("%q", text)
			}
		}
	})
}
