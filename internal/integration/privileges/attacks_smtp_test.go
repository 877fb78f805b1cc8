package privileges

import (
	"bufio"
	"io"
	"net"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"goqmail/internal/integration/site"
)

// ends are what somebody, somewhere, has taken for the end of a message.
var ends = []string{"\n.\n", "\n.\r\n", "\r\n.\n", "\n.\r", "\r.\n", "\r.\r", "\r.\r\n", "\r\n.\r", "\r\n.\r\n", "\r\n.\r\r\n", "\r\r\n.\r\r\n",
	"\r\n.\x00\r\n", "\r\n\x00.\r\n", "\n\x00.\r\n", "\r\n..\r\n", "\r\n. \r\n", "\r\x00\n.\r\n", "\r\n.\r\x00\n", "\n\n.\n\n", "\r\n\r.\r\n", "\u2028.\u2028", "\x85.\x85", "\v.\v", "\f.\f"}

// TestSmugglingOut: whatever a message holds, also one with line ends of all kinds that
// a local user has put into the queue, the next server sees one message, in which
// nothing is a line end but CR LF and no line is a dot.
func TestSmugglingOut(t *testing.T) {
	s := site.New(t)
	k := newSink(t, "127.0.0.1:2526")
	s.Control("smtproutes", ":127.0.0.1:2526\n")
	y := s.Up()
	const evil = "MAIL FROM:<evil@x.test>\r\nRCPT TO:<evil@far.test>\r\nDATA\r\nevil\r\n.\r\n"
	for _, end := range ends {
		for _, tail := range []string{evil, strings.ReplaceAll(evil, "\r\n", "\n"), strings.ReplaceAll(evil, "\r\n", "\r"), ""} {
			s.Queue("Subject: x\n\nfirst"+end+tail, "s@x.test", "r@far.test")
		}
	}
	y.WaitEmpty()
	messages := k.take()
	if len(messages) != 4*len(ends) {
		t.Errorf("%d messages", len(messages))
	}
	for _, m := range messages {
		if lines := strings.ReplaceAll(m, "\r\n", ""); strings.ContainsAny(lines, "\r\n") || strings.Contains(m, "\r\n.\r\n") {
			t.Errorf("%q", m)
		}
	}
	for _, c := range k.said() {
		if strings.Contains(c, "evil") {
			t.Errorf("a command: %q", c)
		}
	}
}

// TestCommandsInAddresses: line breaks in addresses end up in no command of SMTP and in
// no header field, remotely and locally, in the message or in its bounce.
func TestCommandsInAddresses(t *testing.T) {
	s := site.New(t)
	k := newSink(t, "127.0.0.1:2526")
	s.Control("smtproutes", ":127.0.0.1:2526\n")
	s.UserFile("joe", ".qmail-default", "./Mailbox\n./Maildir/\n&r@far.test\n", 0o644)
	maildir := s.Maildir("joe", "Maildir")
	s.UserFile("ann", ".qmail-default", "./Maildir/\n", 0o644)
	bounces := s.Maildir("ann", "Maildir")
	y := s.Up()
	n := 0
	for _, lf := range []string{"\n", "\r\n", "\r"} {
		in := func(text string) string { return strings.ReplaceAll(text, "|", lf) }
		for _, c := range [][2]string{
			{"ann-s@host.example.org", "r>|RCPT TO:<evil@far.test>|@far.test"},
			{"ann-s@host.example.org", "r@far.test>|DATA||evil|.|"},
			{"ann-s|Evil: 1@host.example.org", "r@far.test"},
			{"s@x.test>|Evil: 2||", "joe-x@host.example.org"},
			{"s@x.test", "joe-x|Evil: 3||evil@host.example.org"},
			{"s@x.test|From evil@x.test Thu Jan  1 00:00:00 1970|Evil: 4|", "joe-|From evil|@host.example.org"},
			{"ann-s@host.example.org", "joe-x|Evil: 5@nowhere@host.example.org|Evil: 6"},
			{"ann-x|Evil: 7@host.example.org", "nobody|Evil: 8@host.example.org"},
		} {
			s.Queue("Subject: x\n\nbody\n", in(c[0]), in(c[1]))
			n++
		}
	}
	y.WaitEmpty()
	for _, c := range k.said() {
		if !regexp.MustCompile(`^(HELO host\.example\.org|EHLO host\.example\.org|MAIL FROM:<[^<>]*>|RCPT TO:<r@far\.test>|DATA|QUIT)\r\n$`).MatchString(c) {
			t.Errorf("a command: %q", c)
		}
	}
	mails := slices.Concat(s.ReadDir(maildir+"/new"), s.ReadDir(bounces+"/new"), k.take())
	if len(mails) < n {
		t.Errorf("%d mails of %d messages", len(mails), n)
	}
	for _, m := range mails {
		head, _, _ := strings.Cut(strings.ReplaceAll(m, "\r\n", "\n"), "\n\n")
		for line := range strings.Lines(head) {
			if strings.ContainsAny(line, "\r") || strings.HasPrefix(line, "Evil") || strings.HasPrefix(line, "evil") {
				t.Errorf("a header has %q:\n%s", line, head)
			}
		}
	}
	mbox := s.Read("/mnt/home/joe/Mailbox")
	if evil := regexp.MustCompile(`(?m)^(From evil|Evil: ).*`).FindString(strings.ReplaceAll(mbox, "\r", "\n")); evil != "" {
		t.Errorf("the mbox has %q", evil)
	}
	checkLog(t, y.Log())
}

// logLine is all that qmail-log(5) knows.
var logLine = regexp.MustCompile(`^(status: |running$|exiting$|new msg \d+$|info msg \d+: bytes \d+ from <[!-~]*> qp \d+ uid \d+$|` +
	`starting delivery \d+: msg \d+ to (local|remote) [!-~]*$|delivery \d+: (success|failure|deferral): [!-~]*$|bounce msg \d+ qp \d+$|` +
	`triple bounce: discarding bounce/\d+$|double bounce: discarding bounce/\d+$|end msg \d+$|warning: )`)

// checkLog wants no lines in a log but those that qmail-send writes.
func checkLog(t *testing.T, log string) {
	t.Helper()
	for line := range strings.Lines(log) {
		if !logLine.MatchString(strings.TrimSuffix(line, "\n")) {
			t.Errorf("the log has %q", line)
		}
	}
}

// TestReplies: a server says nothing that becomes a line of the log, a report of another
// recipient, a success, or a header field of a bounce.
func TestReplies(t *testing.T) {
	s := site.New(t)
	k := newSink(t, "127.0.0.1:2526")
	s.Control("smtproutes", ":127.0.0.1:2526\n")
	s.Control("residence", "0\n") // so that each delivery begins with a greeting
	s.UserFile("ann", ".qmail", "./Maildir/\n", 0o644)
	bounces := s.Maildir("ann", "Maildir")
	y := s.Up()
	n := 0
	for _, at := range []string{"MAIL", "RCPT", "DATA", ".", "220", "EHLO"} {
		for _, reply := range []string{
			"550-no\r\n550-\r\n550-Evil: 1\r\n550 \r\n",
			"550-no\n\n550-Evil: 2\n\n550 end msg 1\n",
			"550 no\x00r\x00Kaccepted message\n\x00\r\n",
			"550 no\rnew msg 1\rdelivery 1: success: evil\r\n",
			"550 \x1b]0;evil\x07\x9b\xff\xfe\r\n",
			"550 " + strings.Repeat("x", 100_000) + "\r\n",
			"550 <a@b>:\r\n\r\n",
			"550\r\n",
		} {
			k.mu.Lock()
			k.replies = map[string]string{"DATA": "354 go on\r\n", "QUIT": "221 bye\r\n", at: reply}
			k.mu.Unlock()
			s.Queue("Subject: x\n\nbody\n", "ann@host.example.org", "r@far.test")
			n++
			s.Eventually("the end of all deliveries", func() bool {
				log := y.Log()
				return strings.Count(log, " to remote ") == n && strings.Count(log, "\nstarting ") == strings.Count(log, "\ndelivery ")
			})
			// A server that refuses EHLO is asked with HELO.
			if got := strings.Count(y.Log(), ": success: ") - strings.Count(y.Log(), ": success: did_1+0+0/"); got > 0 && at != "EHLO" {
				t.Fatalf("%q to %s is taken for success", reply, at)
			}
		}
	}
	checkLog(t, y.Log())
	mails := s.ReadDir(bounces + "/new")
	if len(mails) < n/2 { // at the greeting it is a deferral
		t.Errorf("%d bounces of %d messages", len(mails), n)
	}
	for _, m := range mails {
		head, body, _ := strings.Cut(m, "\n\n")
		if strings.Contains(head, "Evil") || strings.Count(body, "\n<") != 1 || !strings.Contains(body, "\n<r@far.test>:\n") || len(m) > 10_000 {
			t.Errorf("%.3000q", m)
		}
	}
}

// TestHeaderInjection: what a client or a user may choose makes no field of its own.
func TestHeaderInjection(t *testing.T) {
	const evil = "x\nEvil: 1\r\nEvil: 2\rEvil: 3\n\nEvil: 4"
	inject := func(args ...string) site.Command {
		return site.Command{Program: "qmail-inject", As: "joe", Args: args, Stdin: strings.NewReader("Subject: x\nTo: r@y.test\n\nbody\n"), Env: []string{"HOME=/"}}
	}
	smtpd := func(env, helo string) site.Command {
		return site.Command{Program: "qmail-smtpd", As: "qmaild", Env: []string{"RELAYCLIENT=", "TCPREMOTEIP=192.0.2.1", env},
			Stdin: strings.NewReader("HELO " + helo + "\r\nMAIL FROM:<s@x.test>\r\nRCPT TO:<r@y.test>\r\nDATA\r\nSubject: x\r\n\r\nbody\r\n.\r\nQUIT\r\n")}
	}
	with := func(c site.Command, env string) site.Command { c.Env = append(c.Env, env); return c }
	for n, c := range []site.Command{
		inject("-f", evil), inject("-f", evil+"@x.test"), inject("-f", `"`+evil+`"@x.test`),
		with(inject(), "QMAILNAME="+evil), with(inject(), "QMAILUSER="+evil), with(inject(), "QMAILHOST="+evil), with(inject(), "QMAILINJECT=f"),
		with(inject(), "QMAILSUSER="+evil), with(inject(), "QMAILSHOST="+evil), with(inject(), "QMAILIDHOST="+evil), with(inject(), "QMAILDEFAULTHOST="+evil),
		with(inject(), "QMAILDEFAULTDOMAIN="+evil), with(inject(), "QMAILPLUSDOMAIN="+evil),
		{Program: "sendmail", As: "joe", Args: []string{"-F", evil, "-t"}, Stdin: strings.NewReader("Subject: x\nTo: r@y.test\n\nbody\n")},
		{Program: "sendmail", As: "joe", Args: []string{"-f", evil, "r@y.test"}, Stdin: strings.NewReader("Subject: x\n\nbody\n")},
		inject("-a", "r@y.test", evil), inject("-H", evil+"@y.test"),
		smtpd("TCPREMOTEINFO="+evil, "c"), smtpd("TCPREMOTEHOST="+evil, "c"), smtpd("TCPLOCALHOST="+evil, "c"), smtpd("TCPREMOTEIP="+evil, "c"),
		smtpd("A=b", "x\rEvil: 5"), smtpd("A=b", "x)\x00\r Evil: 6 ("),
	} {
		s := site.New(t)
		r := s.Run(c)
		files := s.QueueFiles()
		if len(files) == 0 && r.Signal == 0 {
			continue // refused
		}
		for _, f := range files {
			if !strings.HasPrefix(f, "mess/") {
				continue
			}
			head, body, _ := strings.Cut(s.Read(site.Home+"/queue/"+f), "\n\n")
			if regexp.MustCompile(`(?m)^Evil`).MatchString(strings.ReplaceAll(head, "\r", "\n")) || body != "body\n" {
				t.Errorf("%d %s %q:\n%s\n\n%s", n, c.Program, c.Args, head, body)
			}
		}
	}
}

// TestBoundaries: what comes with the last bytes of something is for what follows, and
// only for that.
func TestBoundaries(t *testing.T) {
	const hello = "EHLO c.test\r\n"
	const mail = "MAIL FROM:<s@x.test>\r\nRCPT TO:<r@far.test>\r\nDATA\r\n"
	for _, c := range []struct {
		said   string
		want   string // the codes of the replies
		queued int
	}{
		{mail + "one\r\n.\r\n" + mail + "two\r\n.\r\nQUIT\r\n" + mail + "three\r\n.\r\n", "220 250 250 354 250 250 250 354 250 221", 2},
		{mail + ".\r\nQUIT\r\n", "220 250 250 354 250 221", 1},
		{mail + "..\r\n.\r\nQUIT\r\n", "220 250 250 354 250 221", 1},
		{"RCPT TO:<r@far.test>\r\nDATA\r\nMAIL FROM:<evil@x.test>\r\n.\r\nQUIT\r\n", "220 503 503 250 502 221", 0},
		{"MAIL FROM:<s@x.test>\r\nRCPT TO:<r@else.test>\r\nDATA\r\nRCPT TO:<r@far.test>\r\n.\r\nRSET\r\nDATA\r\nQUIT\r\n", "220 250 553 503 250 502 250 503 221", 0},
		{mail + "one\r\n.\r\nDATA\r\ntwo\r\n.\r\nQUIT\r\n", "220 250 250 354 250 503 502 502 221", 1},
		{"MAIL FROM:<s@x.test>\r\nRCPT TO:<r@far.test>\r\nHELO d.test\r\nDATA\r\nQUIT\r\n", "220 250 250 250 503 221", 0},
		{"NOOP\nNOOP\r\nNOOP \r\rNOOP\r\nQUIT\r\n", "220 250 250 250 221", 0},
		{"NOOP\x00MAIL\r\nQUIT\r\n", "220 250 221", 0}, // an argument, as always
	} {
		s := site.New(t)
		s.Control("rcpthosts", "far.test\n")
		r := s.Run(site.Command{Program: "qmail-smtpd", As: "qmaild", Stdin: strings.NewReader(c.said)})
		var got []string
		for line := range strings.Lines(r.Stdout) {
			got = append(got, line[:3])
		}
		if strings.Join(got, " ") != c.want || len(s.QueueFiles()) != 3*c.queued {
			t.Errorf("%q: %q instead of %q, %v", c.said, got, c.want, s.QueueFiles())
		}
	}
	// What an attacker has put behind a STARTTLS that is obeyed must not count as said
	// in private; where it is not, nothing is private.
	s := site.New(t)
	r := s.Run(site.Command{Program: "qmail-smtpd", As: "qmaild", Stdin: strings.NewReader(hello + "STARTTLS\r\n" + "NOOP\r\nQUIT\r\n")})
	if _, after, ok := strings.Cut(r.Stdout, "\n220 "); ok && strings.Contains(after, "250 ") {
		t.Errorf("%q", r.Stdout)
	}
}

// TestSlowClients: a thousand clients that say a byte now and then hold up nobody else.
func TestSlowClients(t *testing.T) {
	s := site.New(t)
	s.Control("rcpthosts", "far.test\n")
	n, sessions := 1000, 50
	if long {
		sessions = 1000
	}
	y := s.Start(site.Command{Program: "qmail-smtpd", Args: []string{"-vHa127.0.0.1:0", "-c1100", "-i0", "-n0"}})
	a := y.WaitLog(`^qmail-smtpd: listening on (\S+)$`)[1]
	stop := make(chan struct{})
	slow := make([]net.Conn, n)
	for i := range slow {
		conn, err := net.Dial("tcp", a)
		must(t, err)
		defer conn.Close()
		slow[i] = conn
	}
	done := make(chan int)
	go func() {
		said := []string{"MAIL FROM:<s@x.test>\r\nRCPT TO:<r@far.test>\r\nDATA\r\n" + strings.Repeat("Received: x\r\n", 1000), strings.Repeat("x", 1<<20), "\r\n\r\n\r\n" + strings.Repeat("NOOP\r\n", 1<<20), "EHLO " + strings.Repeat("\r", 1<<20)}
		for byte := 0; ; byte++ {
			for i, conn := range slow {
				select {
				case <-stop:
					done <- byte
					return
				default:
				}
				text := said[i%len(said)]
				io.WriteString(conn, text[byte%len(text):][:1])
			}
			time.Sleep(10 * time.Millisecond)
		}
	}()
	var times []time.Duration
	for range sessions {
		begin := time.Now()
		conn, err := net.Dial("tcp", a)
		must(t, err)
		conn.SetDeadline(begin.Add(time.Minute))
		io.WriteString(conn, "MAIL FROM:<s@x.test>\r\nRCPT TO:<r@far.test>\r\nDATA\r\nSubject: x\r\n\r\nbody\r\n.\r\nQUIT\r\n")
		replies, err := io.ReadAll(bufio.NewReader(conn))
		if err != nil || !regexp.MustCompile(`\r\n250 ok \d+ qp \d+\r\n221 `).Match(replies) {
			t.Errorf("%q, %v", replies, err)
		}
		conn.Close()
		times = append(times, time.Since(begin))
	}
	close(stop)
	slices.Sort(times)
	t.Logf("beside %d clients with %d bytes each, a session takes %v in the middle, %v at 99 percent, %v at most",
		n, <-done, times[len(times)/2], times[len(times)*99/100], times[len(times)-1])
	if got := len(s.QueueFiles()); got < 3*sessions {
		t.Errorf("%d files in the queue", got)
	}
}

// TestTooLong: what qmail-queue refuses because of its form.
func TestTooLong(t *testing.T) {
	s := site.New(t)
	long := strings.Repeat("x", 10_000)
	for _, c := range []struct {
		envelope string
		code     int
	}{
		{"F" + long + "\x00Tr@y.test\x00\x00", 11}, {"Fs@x.test\x00T" + long + "@y.test\x00\x00", 11},
		{"Fs@x.test\x00Tr\x00evil@y.test\x00\x00", 91}, {"Tr@y.test\x00\x00", 91}, {"F\x00F\x00\x00", 91}, {"", 54}, {"Fs@x.test\x00Tr@y.test\x00", 54},
	} {
		r := s.Run(site.Command{Program: "qmail-queue", As: "bob", Stdin: strings.NewReader("x\n"), FD1: strings.NewReader(c.envelope)})
		if r.Code != c.code || len(s.QueueFiles()) != 0 {
			t.Errorf("%.100q: exit code %d, %v", c.envelope, r.Code, s.QueueFiles())
		}
	}
}
