package accept

import (
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"goqmail/internal/integration/site"
)

// doors are the ways to a qmail-smtpd: each returns where it is.
var doors = map[string]func(t *testing.T, s *site.Site) string{
	"server": func(t *testing.T, s *site.Site) string {
		_, a := serve(s)
		return a
	},
	"server, a process for each message": func(t *testing.T, s *site.Site) string {
		s.Control("residence", "0\n")
		_, a := serve(s)
		return a
	},
	"tcpserver": func(t *testing.T, s *site.Site) string {
		program, err := exec.LookPath("tcpserver")
		if err != nil {
			t.Skip("needs tcpserver of ucspi-tcp")
		}
		u := site.Account("qmaild")
		y := s.Start(site.Command{Program: program, Args: []string{"-vRHl0", "-u", fmt.Sprint(u.UID), "-g", fmt.Sprint(u.GID),
			"127.0.0.1", "2525", site.Home + "/bin/qmail-smtpd"}})
		y.WaitLog(`^tcpserver: status: 0/40$`)
		return "127.0.0.1:2525"
	},
}

// messages returns what is in the queue: the senders, and the texts behind the
// Received fields.
func messages(t *testing.T, s *site.Site) (senders, texts []string) {
	t.Helper()
	todo, err := filepath.Glob(site.Home + "/queue/todo/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range todo {
		for _, record := range strings.Split(s.Read(file), "\x00") {
			if strings.HasPrefix(record, "F") {
				senders = append(senders, record[1:])
			}
		}
		mess, _ := filepath.Glob(site.Home + "/queue/mess/*/" + filepath.Base(file))
		for _, m := range mess {
			text := s.Read(m)
			for strings.HasPrefix(text, "Received:") || strings.HasPrefix(text, "  by ") {
				_, text, _ = strings.Cut(text, "\n")
			}
			texts = append(texts, text)
		}
	}
	return senders, texts
}

// TestSmuggling: nothing but CR LF . CR LF ends a message, so that no client can be
// made to send another one within it.
func TestSmuggling(t *testing.T) {
	for name, door := range doors {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			a := door(t, s)
			for _, end := range []string{"\n.\n", "\n.\r\n", "\r\n.\n", "\n.\r", "\r.\n", // these have a bare LF
				"\r.\r", "\r.\r\n", "\r\n.\r", "\r\n.\r\r\n", "\r\n.\x00\r\n", "\r\n\x00.\r\n", "\r\n..\r\n", "\r\n. \r\n", "\x00.\r\n", "\r\n.\r\x00\n"} {
				before, _ := messages(t, s)
				c := greeted(t, a)
				io.WriteString(c.conn, toData+"first"+end+"MAIL FROM:<evil@x.test>\r\nRCPT TO:<r@a.test>\r\nDATA\r\nevil\r\n"+toEnd)
				rest, _ := io.ReadAll(c.r)
				senders, texts := messages(t, s)
				if got := len(senders) - len(before); got > 1 || strings.Contains(strings.Join(senders, " "), "evil") {
					t.Fatalf("%q: %d messages from %q: %q", end, got, senders, rest)
				}
				bare := strings.Contains(strings.ReplaceAll(end, "\r\n", ""), "\n")
				if bare == strings.Contains(string(rest), " qp ") || bare != strings.Contains(string(rest), "451 ") {
					t.Errorf("%q: %q", end, rest)
				}
				for _, text := range texts { // those that are not refused are one message, to its end
					if !strings.HasSuffix(text, "evil\n") {
						t.Errorf("%q: %q", end, text)
					}
				}
			}
		})
	}
}

// TestSession: the same conversation has the same end through every door.
func TestSession(t *testing.T) {
	for name, door := range doors {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			s.Control("databytes", "1000\n")
			s.Control("maxrcpt", "2\n")
			s.Control("badmailfrom", "bad@x.test\n")
			c := greeted(t, door(t, s))
			c.send("HELP", "NOPE", "MAIL FROM:<bad@x.test>", "RCPT TO:<r@a.test>", "RSET", "MAIL FROM:<s@x.test>",
				"RCPT TO:<1@a.test>", "RCPT TO:<2@a.test>", "RCPT TO:<3@a.test>", "RCPT TO:<4@b.test>", "DATA", "Subject: x", "", "..", ".")
			c.want("214 .*", "502 .*", "250 ok", "553 .*badmailfrom.*", "250 flushed", "250 ok",
				"250 ok", "250 ok", "452 .*", "553 .*rcpthosts.*", "354 .*", queued)
			c.send("MAIL FROM:<s@x.test>", "RCPT TO:<1@a.test>", "DATA", strings.Repeat("x", 1000), ".")
			c.want("250 ok", "250 ok", "354 .*", "552 .*")
			c.send("MAIL FROM:<s@x.test>", "RCPT TO:<1@a.test>", "DATA", strings.Repeat("Received: x\r\n", 100), ".", "DATA", "QUIT")
			c.want("250 ok", "250 ok", "354 .*", "552 .*|554 .*", "503 .*", "221 .*")
			c.end()
			senders, texts := messages(t, s)
			if len(senders) != 1 || senders[0] != "s@x.test" || texts[0] != "Subject: x\n\n.\n" {
				t.Errorf("%q: %q", senders, texts)
			}
		})
	}
}

// TestGone: a client that goes away in the middle leaves nothing behind.
func TestGone(t *testing.T) {
	for name, door := range doors {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			a := door(t, s)
			for _, said := range []string{"", "MAIL", "MAIL FROM:<>\r\n", toData, toData + "text", toData + "text\r\n.", toData + "text\r\n.\r",
				toData + strings.Repeat("x", 100_000)} {
				c := greeted(t, a)
				io.WriteString(c.conn, said)
				c.conn.Close()
			}
			s.Eventually("an empty queue", func() bool { return len(s.QueueFiles()) == 0 })
			greeted(t, a).mail("r@a.test", "text")
			// One of those who went away may have been served just now.
			s.Eventually("one message in the queue", func() bool { return len(s.QueueFiles()) == 3 })
		})
	}
}

// TestQueueTrouble: a qmail-queue that fails, crashes or is not there is a temporary
// error, or what it says.
func TestQueueTrouble(t *testing.T) {
	s := open(t)
	for _, c := range []struct{ script, want string }{
		{"exit 0", queued},
		{"exit 31", `554 mail server permanently rejected message \(#5\.3\.0\)`},
		{"exit 53", `451 qq write error or disk full \(#4\.3\.0\)`},
		{"exit 2", `451 qq temporary problem \(#4\.3\.0\)`},
		{"kill -9 $$", `451 qq crashed \(#4\.3\.0\)`},
		{"printf 'Dnot wanted' >&6; exit 82", "554 not wanted"},
		{"printf 'Znot now' >&6; exit 82", "451 not now"},
	} {
		program, _ := scanner(t, s)
		script := strings.Replace(s.Read(program), "env | sort", "exec 5>&1; true", 1) + c.script + "\n"
		writeScript(t, program, script)
		y := s.Start(site.Command{Program: "qmail-smtpd", Args: []string{"-vHa127.0.0.1:0"}, Env: []string{"QMAILQUEUE=" + program}})
		k := greeted(t, y.WaitLog(`^qmail-smtpd: listening on (\S+)$`)[1])
		for range 2 {
			k.send("MAIL FROM:<s@x.test>", "RCPT TO:<r@a.test>", "DATA", ".")
			k.want("250 ok", "250 ok", "354 go ahead", c.want)
		}
	}
	_, a := serve(s)
	writeScript(t, filepath.Join(site.Home, "bin", "qmail-queue"), "#!/bin/sh\nexit 51\n")
	defer s.Install()
	k := greeted(t, a)
	k.send("MAIL FROM:<s@x.test>", "RCPT TO:<r@a.test>", "DATA", ".")
	k.want("250 ok", "250 ok", "354 go ahead", `451 qq out of memory \(#4\.3\.0\)`)
}
