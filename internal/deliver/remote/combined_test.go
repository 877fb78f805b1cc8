package remote

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
)

// each delivers a small message to several recipients as one, and returns the reports
// of each, NUL as |.
func (w *world) each(message io.ReadSeeker, recipients ...string) (reports []string) {
	d := Delivery{"", "s@x.test", recipients, message}
	for _, r := range w.config().DeliverEach(context.Background(), d, func() error { _, err := message.Seek(0, io.SeekStart); return err }) {
		reports = append(reports, strings.ReplaceAll(string(r), "\x00", "|"))
	}
	w.over.Wait()
	return reports
}

func TestDeliverEach(t *testing.T) {
	const a, b, c = "RCPT TO:<a@y.test>", "RCPT TO:<b@y.test>", "RCPT TO:<c@y.test>"
	const giveUp = "DGiving up on 192.0.2.1.\n|"
	refused := func(letter, what, reply string) string { return letter + "192.0.2.1 " + what + ".\n" + said(reply) }
	sender := "ZConnected to 192.0.2.1 but sender was rejected.\n" + said("450 no")
	data := refused("Z", "failed on DATA command", "450 no")
	text := refused("D", "failed after I sent the message", "554 no")
	for _, c := range []struct {
		name string
		peer *peer
		want [3]string
	}{
		{"all accepted", says(), [3]string{"r|" + ok, "r|" + ok, "r|" + ok}},
		{"one of each", says(a, "550 no", b, "450 no"), [3]string{dislikes("h", "550 no") + ok, dislikes("s", "450 no") + ok, "r|" + ok}},
		{"none accepted", says(a, "550 no", "RCPT", "450 no"), [3]string{dislikes("h", "550 no") + giveUp, dislikes("s", "450 no") + giveUp, dislikes("s", "450 no") + giveUp}},
		{"sender refused", says("MAIL", "450 no"), [3]string{sender, sender, sender}},
		{"DATA refused", says(b, "550 no", "DATA", "450 no"), [3]string{"r|" + data, dislikes("h", "550 no") + data, "r|" + data}},
		{"text refused", says(b, "450 no", "text", "554 no"), [3]string{"r|" + text, dislikes("s", "450 no") + text, "r|" + text}},
		{"lost before the greeting", says("", "CLOSE"), [3]string{dead, dead, dead}},
		{"lost at a recipient", says(b, "CLOSE"), [3]string{"r|" + dead, dead, dead}},
		{"lost after the text", says(a, "550 no", "text", "CLOSE"), [3]string{dislikes("h", "550 no") + dup, "r|" + dup, "r|" + dup}},
		{"too many, and no more", says("RCPT", "452 too many"), [3]string{dislikes("s", "452 too many") + giveUp, dislikes("s", "452 too many") + giveUp, dislikes("s", "452 too many") + giveUp}},
	} {
		w := newWorld(t, map[string]string{"smtproutes": ":" + at + "\n"})
		w.host(at, c.peer)
		message := strings.NewReader("x\n")
		if got := w.each(message, "a@y.test", "b@y.test", "c@y.test"); [3]string(got) != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
		if n := len(c.peer.conversations); n != 1 {
			t.Errorf("%s: %d connections", c.name, n)
		}
	}
}

// TestTooManyRecipients: they get the message in another transaction.
func TestTooManyRecipients(t *testing.T) {
	w := newWorld(t, nil)
	p := w.host(at, says())
	p.recipients = 2
	message := strings.NewReader("the text\n")
	for i, got := range w.each(message, "a@["+at+"]", "b@["+at+"]", "c@["+at+"]", "d@["+at+"]", "e@["+at+"]") {
		if got != "r|"+ok {
			t.Errorf("recipient %d: %q", i, got)
		}
	}
	for i, want := range []int{2, 2, 1} {
		if i >= len(p.conversations) {
			t.Fatalf("%d connections", len(p.conversations))
		}
		got := p.conversations[i].String()
		if !strings.HasSuffix(got, "DATA\r\nthe text\r\n.\r\nQUIT\r\n") || strings.Count(got, "RCPT") < want {
			t.Errorf("connection %d: %q", i, got)
		}
	}
}

// TestWaysThatPart: recipients whose mail goes different ways are not put together, even
// when they were asked for so.
func TestWaysThatPart(t *testing.T) {
	w := newWorld(t, map[string]string{"smtproutes": "a.test:192.0.2.1\nb.test:192.0.2.2\nc.test:192.0.2.1\nd.test:x:y\n"})
	first, second := w.host(at, says()), w.host("192.0.2.2", says())
	got := w.each(strings.NewReader("x\n"), "r@a.test", "r@b.test", "r@c.test", "r@d.test")
	want := []string{"r|" + ok, "r|" + strings.ReplaceAll(ok, at, "192.0.2.2"), "r|" + ok, badRoute + "|"}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%d: %q, want %q", i, got[i], want[i])
		}
	}
	for _, c := range []struct {
		p    *peer
		rcpt string
	}{{first, "RCPT TO:<r@a.test>\r\nRCPT TO:<r@c.test>\r\nDATA"}, {second, "RCPT TO:<r@b.test>\r\nDATA"}} {
		if len(c.p.conversations) != 1 || !strings.Contains(c.p.conversations[0].String(), c.rcpt) {
			t.Errorf("%q", c.p.conversations)
		}
	}
}

// TestMessageThatCannotBeReadAgain: nobody gets the end of a message.
func TestMessageThatCannotBeReadAgain(t *testing.T) {
	w := newWorld(t, nil)
	w.host(at, says())
	d := Delivery{"", "s@x.test", []string{"a@[" + at + "]", "b@[" + at + "]"}, strings.NewReader("x\n")}
	for _, r := range w.config().DeliverEach(context.Background(), d, func() error { return io.ErrClosedPipe }) {
		if string(r) != unreadableMessage+"\x00" {
			t.Errorf("%q", r)
		}
	}
	if len(w.tried) != 0 {
		t.Errorf("tried %q", w.tried)
	}
}

// TestLongReports: what all recipients together have to say fits into a record.
func TestLongReports(t *testing.T) {
	for _, c := range []struct{ recipients, long, kept int }{{1, 5000, 5000}, {5, 5000, 5000}, {100, 100, 100}, {100, 5000, maxOutputs/200 - 1}} {
		var results []combined
		for i := range c.recipients {
			results = append(results, combined{fmt.Sprintf("%-*d\n", c.long-1, i), true, "K" + strings.Repeat("x", c.long-1)})
		}
		all := 0
		for i, o := range outputs(results) {
			all += len(o)
			parts := bytes.Split(o, []byte{0})
			if len(parts) != 3 || len(parts[0]) != c.kept || len(parts[1]) != c.kept || !strings.HasPrefix(string(o), fmt.Sprint(i, " ")) {
				t.Errorf("%d of %d: %.40q", i, c.recipients, o)
			}
		}
		if all > maxOutputs {
			t.Errorf("%d recipients: %d bytes", c.recipients, all)
		}
	}
}
