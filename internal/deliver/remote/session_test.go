package remote

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
)

const (
	at   = "192.0.2.1"
	dead = "ZConnected to 192.0.2.1 but connection died. (#4.4.2)\n|"
	dup  = "ZConnected to 192.0.2.1 but connection died. Possible duplicate! (#4.4.2)\n|"
	ok   = "K192.0.2.1 accepted message.\nRemote host said: 250 got it\n|"
)

func said(reply string) string { return "Remote host said: " + reply + "\n|" }

func dislikes(letter, reply string) string {
	return letter + "192.0.2.1 does not like recipient.\n" + said(reply)
}

func TestSession(t *testing.T) {
	for _, c := range []struct {
		name   string
		peer   *peer
		rcpts  string
		report string
	}{
		{"success", says(), "a@y.test", "r|" + ok},
		{"several lines of greeting", says("", "220-a\n220 b"), "a@y.test", "r|" + ok},
		{"greeting 421", says("", "421 no"), "a@y.test", "ZConnected to 192.0.2.1 but greeting failed.\n" + said("421 no")},
		{"greeting 554", says("", "554 no"), "a@y.test", "ZConnected to 192.0.2.1 but greeting failed.\n" + said("554 no")},
		{"greeting 250", says("", "250 no"), "a@y.test", "ZConnected to 192.0.2.1 but greeting failed.\n" + said("250 no")},
		{"no greeting", says("", "CLOSE"), "a@y.test", dead},
		{"HELO 550", says("HELO", "550 who"), "a@y.test", "ZConnected to 192.0.2.1 but my name was rejected.\n" + said("550 who")},
		{"HELO 251", says("HELO", "251 who"), "a@y.test", "ZConnected to 192.0.2.1 but my name was rejected.\n" + said("251 who")},
		{"died at HELO", says("HELO", "CLOSE"), "a@y.test", dead},
		{"MAIL 450", says("MAIL", "450 no"), "a@y.test", "ZConnected to 192.0.2.1 but sender was rejected.\n" + said("450 no")},
		{"MAIL 550", says("MAIL", "550 no"), "a@y.test", "DConnected to 192.0.2.1 but sender was rejected.\n" + said("550 no")},
		{"MAIL without a code", says("MAIL", "hello"), "a@y.test", "DConnected to 192.0.2.1 but sender was rejected.\n" + said("hello")},
		{"MAIL 354", says("MAIL", "354 hm"), "a@y.test", "r|" + ok},
		{"died at MAIL", says("MAIL", "CLOSE"), "a@y.test", dead},
		{"RCPT 550", says("RCPT", "550 no"), "a@y.test", dislikes("h", "550 no") + "DGiving up on 192.0.2.1.\n|"},
		{"RCPT 450", says("RCPT", "450 no"), "a@y.test", dislikes("s", "450 no") + "DGiving up on 192.0.2.1.\n|"},
		{"RCPT one of each", says("RCPT TO:<a@y.test>", "550 no", "RCPT TO:<b@y.test>", "450 no"), "a@y.test b@y.test c@y.test", dislikes("h", "550 no") + dislikes("s", "450 no") + "r|" + ok},
		{"died at the second RCPT", says("RCPT TO:<b@y.test>", "CLOSE"), "a@y.test b@y.test c@y.test", "r|" + dead},
		{"DATA 450", says("DATA", "450 no"), "a@y.test", "r|Z192.0.2.1 failed on DATA command.\n" + said("450 no")},
		{"DATA 554", says("DATA", "554 no"), "a@y.test", "r|D192.0.2.1 failed on DATA command.\n" + said("554 no")},
		{"DATA 250", says("DATA", "250 ok"), "a@y.test", "r|" + ok},
		{"died at DATA", says("DATA", "CLOSE"), "a@y.test", "r|" + dead},
		{"text 451", says("text", "451 no"), "a@y.test", "r|Z192.0.2.1 failed after I sent the message.\n" + said("451 no")},
		{"text 554", says("text", "554-no\n554 never"), "a@y.test", "r|D192.0.2.1 failed after I sent the message.\n" + said("554-no\n554 never")},
		{"text 600", says("text", "600 hm"), "a@y.test", "r|D192.0.2.1 failed after I sent the message.\n" + said("600 hm")},
		{"text 200", says("text", "200 hm"), "a@y.test", "r|K192.0.2.1 accepted message.\n" + said("200 hm")},
		{"died after the text", says("text", "CLOSE"), "a@y.test", "r|" + dup},
		{"NUL in a reply", says("text", "550 a\x00b"), "a@y.test", "r|D192.0.2.1 failed after I sent the message.\n" + said("550 a?b")},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, nil)
			w.host(at, c.peer)
			if got := w.deliver("["+at+"]", "s@x.test", strings.Fields(c.rcpts)...); got != c.report {
				t.Errorf("%q, want %q", got, c.report)
			}
			if len(c.peer.conversations) != 1 {
				t.Errorf("%d connections", len(c.peer.conversations))
			}
			// The same with a server that takes all commands at once.
			p := says("", "220 hi ESMTP")
			for verb, reply := range c.peer.replies {
				if verb == "HELO" {
					p.replies["EHLO"] = reply
				}
				p.replies[verb] = reply
			}
			w.host(at, p)
			if got := w.deliver("["+at+"]", "s@x.test", strings.Fields(c.rcpts)...); got != c.report {
				t.Errorf("at once: %q, want %q", got, c.report)
			}
		})
	}
}

func TestCommandsAtOnce(t *testing.T) {
	many := make([]string, 500)
	for i := range many {
		many[i] = fmt.Sprintf("r%d@y.test", i)
	}
	for _, c := range []struct {
		name  string
		peer  *peer
		rcpts []string
		want  string // what is sent behind EHLO
	}{
		{"all is well", says(), []string{"a@y.test", "b\n@y.test", "c@y.test"}, "MAIL FROM:<s@x.test>\r\nRCPT TO:<a@y.test>\r\nRCPT TO:<c@y.test>\r\nDATA\r\nx\r\n.\r\nQUIT\r\n"},
		{"nobody is liked, and DATA neither", says("RCPT", "550 no", "DATA", "503 no"), []string{"a@y.test"}, "MAIL FROM:<s@x.test>\r\nRCPT TO:<a@y.test>\r\nDATA\r\nQUIT\r\n"},
		{"nobody is liked, but DATA is", says("RCPT", "550 no"), []string{"a@y.test"}, "MAIL FROM:<s@x.test>\r\nRCPT TO:<a@y.test>\r\nDATA\r\n"},
		{"the sender is not liked", says("MAIL", "550 no", "RCPT", "503 no", "DATA", "503 no"), []string{"a@y.test"}, "MAIL FROM:<s@x.test>\r\nRCPT TO:<a@y.test>\r\nDATA\r\nQUIT\r\n"},
		{"many recipients, in pieces", says("RCPT", "550 no", "DATA", "503 no"), many, "MAIL FROM:<s@x.test>\r\nRCPT TO:<" + strings.Join(many, ">\r\nRCPT TO:<") + ">\r\nDATA\r\nQUIT\r\n"},
	} {
		w := newWorld(t, nil)
		c.peer.replies[""] = "220 hi ESMTP"
		w.host(at, c.peer)
		w.deliver(at, "s@x.test", c.rcpts...)
		if got := c.peer.conversations[0].String(); got != "EHLO me.test\r\n"+c.want {
			t.Errorf("%s: %.200q, want %.200q", c.name, got, c.want)
		}
	}
}

func TestWhatIsSent(t *testing.T) {
	for _, c := range []struct{ sender, recipient, mail, rcpt string }{
		{"s@x.test", "r@Y.test", "s@x.test", "r@Y.test"},
		{"", "a.b+c@y.test", "", "a.b+c@y.test"},
		{"a b@x.test", `a"\@y.test`, `"a b"@x.test`, `"a\"\\"@y.test`},
		{"a@b@x.test", "<>@y.test", `"a@b"@x.test`, `"<>"@y.test`},
		{"@x.test", ".a@y.test", `""@x.test`, `".a"@y.test`},
		{"no host", "no host", "no host", "no host"},
		{"\xe4@b c", "a@[192.0.2.1]", "\"\xe4\"@b c", "a@[192.0.2.1]"},
	} {
		w := newWorld(t, map[string]string{"helohost": "hello.test \n"})
		p := w.host(at, says())
		w.deliver(at, c.sender, c.recipient)
		want := "HELO hello.test\r\nMAIL FROM:<" + c.mail + ">\r\nRCPT TO:<" + c.rcpt + ">\r\nDATA\r\nx\r\n.\r\nQUIT\r\n"
		if got := p.conversations[0].String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestAddressesWithLineBreaks(t *testing.T) {
	const sender = "DSorry, the sender's address has a line break, which SMTP cannot transfer. (#5.1.7)\n|"
	const recipient = "hSorry, this address has a line break, which SMTP cannot transfer. (#5.1.3)\n|"
	for _, evil := range []string{"a\nRSET\n@y.test", "a\r@y.test", "a@y.test\r\nRSET", "a@y.test>\nDATA\n"} {
		w := newWorld(t, nil)
		p := w.host(at, says())
		if got := w.deliver(at, evil, "r@y.test"); got != sender || len(p.conversations) != 0 {
			t.Errorf("sender %q: %q", evil, got)
		}
		if got := w.deliver(at, "s@x.test", evil, "r@y.test"); got != recipient+"r|"+ok {
			t.Errorf("recipient %q: %q", evil, got)
		}
		if got := w.deliver(at, "s@x.test", evil); got != recipient+"DGiving up on 192.0.2.1.\n|" {
			t.Errorf("only recipient %q: %q", evil, got)
		}
		for _, c := range p.conversations {
			if strings.Contains(c.String(), "\nRSET") {
				t.Errorf("recipient %q: %q", evil, c)
			}
		}
	}
}

type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, errors.New("broken") }

func TestMessageThatCannotBeRead(t *testing.T) {
	w := newWorld(t, nil)
	p := w.host(at, says())
	report := w.send(Delivery{at, "s@x.test", []string{"r@y.test"}, io.MultiReader(strings.NewReader("x\n"), errReader{})})
	if report != "r|ZUnable to read message. (#4.3.0)\n|" {
		t.Errorf("%q", report)
	}
	if got := p.conversations[0].String(); strings.Contains(got, "\r\n.\r\n") {
		t.Errorf("completed: %q", got)
	}
}

func TestImproperlyInvoked(t *testing.T) {
	if got := string(ImproperlyInvoked()); got != "DI (qmail-remote) was invoked improperly. (#5.3.5)\n\x00" {
		t.Errorf("%q", got)
	}
}
