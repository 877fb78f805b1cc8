// Package memory has whole programs read what is far larger than what they may keep
// of it: messages, headers, lines and recipients, replies of servers, answers of name
// servers, and a queue of a million messages. It looks at how much memory each process
// had at its highest (VmHWM of proc(5)): none may need more than 32 MB, where nothing
// else is said.
//
// Each test logs its rows of the table of peaks in docs/reliability.md. The largest
// take minutes and gigabytes, and are left out where GOQMAIL_MEMORY=long is not set,
// as "make memory" does. What happens where there is too little memory is tested in
// package soak.
package memory

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"goqmail/internal/integration/site"
)

func TestMain(m *testing.M) { site.Main(m) }

// limit is what a process may need, in bytes.
const limit = 32 << 20

// A watch samples the processes of the site, which are all that /proc shows.
type watch struct {
	stop chan struct{}
	done chan map[string]int64
}

func startWatch() *watch {
	w := &watch{make(chan struct{}), make(chan map[string]int64)}
	go func() {
		peaks := map[string]int64{}
		tick := time.NewTicker(3 * time.Millisecond)
		defer tick.Stop()
		for {
			look(peaks)
			select {
			case <-tick.C:
			case <-w.stop:
				w.done <- peaks
				return
			}
		}
	}()
	return w
}

func look(peaks map[string]int64) {
	names, _ := filepath.Glob("/proc/[0-9]*/status")
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		var program string
		for line := range strings.Lines(string(text)) {
			f := strings.Fields(line)
			switch {
			case len(f) < 2:
			case f[0] == "Name:":
				program = f[1]
			case f[0] == "VmHWM:":
				kb, _ := strconv.ParseInt(f[1], 10, 64)
				peaks[program] = max(peaks[program], kb<<10)
			}
		}
	}
}

// finish tells the peaks, and fails the test where one of ours is too high.
func (w *watch) finish(t *testing.T, expected ...string) {
	t.Helper()
	w.within(t, limit, expected...)
}

// within is finish for another limit.
func (w *watch) within(t *testing.T, limit int64, expected ...string) {
	t.Helper()
	close(w.stop)
	peaks := <-w.done
	for _, program := range expected {
		if peaks[program] == 0 {
			t.Errorf("%s was never seen", program)
		}
	}
	for _, program := range slices.Sorted(maps.Keys(peaks)) {
		if strings.HasPrefix(program, "qmail-") || program == "sendmail" || program == "forward" {
			row(t, program, peaks[program], limit)
		}
	}
}

// row is one of the table of peaks. None may be above a limit.
func row(t *testing.T, program string, peak, limit int64) {
	t.Helper()
	t.Logf("| %s | %s | %.1f MB |", t.Name(), program, float64(peak)/(1<<20))
	if peak > limit {
		t.Errorf("%s needed %d bytes", program, peak)
	}
}

// A long reader makes a text: something, then a piece again and again, then the end.
func long(before, piece string, size int64, after string) io.Reader {
	block := strings.Repeat(piece, max(1, 64<<10/len(piece)))
	n := size / int64(len(block))
	readers := []io.Reader{strings.NewReader(before)}
	return io.MultiReader(append(readers, &repeated{block: block, left: n}, strings.NewReader(after))...)
}

type repeated struct {
	block string
	rest  string
	left  int64
}

func (r *repeated) Read(p []byte) (int, error) {
	if r.rest == "" {
		if r.left == 0 {
			return 0, io.EOF
		}
		r.left--
		r.rest = r.block
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// large is whether there is time and room for a line of 1 GiB, a message of more than 4
// GiB and a million messages, as with "make memory".
var large = os.Getenv("GOQMAIL_MEMORY") == "long"

const (
	gigabyte = 1 << 30
	line     = "The quick brown fox jumps over the lazy dog, again and again, 0123.\r\n"
)

// sink is an SMTP server that counts the bytes of messages.
func sink(t *testing.T) (received func() int64) {
	t.Helper()
	var mu sync.Mutex
	var total int64
	site.Listen(t, "127.0.0.2:25", func(conn net.Conn) {
		n := serve(conn)
		mu.Lock()
		total += n
		mu.Unlock()
	})
	return func() int64 { mu.Lock(); defer mu.Unlock(); return total }
}

func serve(conn net.Conn) (size int64) {
	r := bufio.NewReaderSize(conn, 256<<10)
	fmt.Fprint(conn, "220 remote.example\r\n")
	begins, text := true, false
	for {
		piece, err := r.ReadSlice('\n')
		if err != nil && err != bufio.ErrBufferFull {
			return size
		}
		switch {
		case text && begins && string(piece) == ".\r\n":
			text = false
			fmt.Fprint(conn, "250 taken\r\n")
		case text:
			size += int64(len(piece))
		case bytes.HasPrefix(piece, []byte("DATA")):
			text = true
			fmt.Fprint(conn, "354 go ahead\r\n")
		case bytes.HasPrefix(piece, []byte("QUIT")):
			fmt.Fprint(conn, "221 bye\r\n")
			return size
		default:
			fmt.Fprint(conn, "250 ok\r\n")
		}
		begins = err == nil
	}
}

// TestGigabyte: a message of 1 GiB comes in by SMTP, is forwarded to a maildir and
// to another host, and goes through qmail-inject out of a .qmail program.
func TestGigabyte(t *testing.T) {
	if testing.Short() {
		t.Skip("moves several gigabytes")
	}
	s := site.New(t)
	received := sink(t)
	s.Control("rcpthosts", "host.example.org\n")
	s.Control("smtproutes", ":127.0.0.2\n")
	maildir := s.Maildir("ann", "Maildir")
	s.UserFile("joe", ".qmail", "&ann@host.example.org\n&kim@remote.example\n", 0o600)
	w := startWatch()
	y := s.Up("./Maildir/")
	r := s.Run(site.Command{Program: "qmail-smtpd", As: "qmaild", Stdin: long(
		"HELO client\r\nMAIL FROM:<sue@remote.example>\r\nRCPT TO:<joe@host.example.org>\r\nDATA\r\nSubject: large\r\n\r\n", line, gigabyte, ".\r\nQUIT\r\n")})
	if !strings.Contains(r.Stdout, "\r\n250 ok ") {
		t.Fatalf("%s%s", r.Stdout, r.Stderr)
	}
	y.WaitEmpty()
	w.finish(t, "qmail-smtpd", "qmail-queue", "qmail-local", "qmail-remote", "qmail-send")
	entries, err := os.ReadDir(maildir + "/new")
	if err != nil || len(entries) != 1 {
		t.Fatalf("%d messages, %v", len(entries), err)
	}
	info, err := entries[0].Info()
	if err != nil || info.Size() < gigabyte*9/10 {
		t.Errorf("the message has %d bytes, %v", info.Size(), err)
	}
	if received() < gigabyte*9/10 {
		t.Errorf("the remote host got %d bytes", received())
	}
}

// TestLongLines: lines of 100 MB, in DATA and in a header, and a header of as much; of 1
// GiB where there is time.
func TestLongLines(t *testing.T) {
	if testing.Short() {
		t.Skip("moves several hundred megabytes")
	}
	s := site.New(t)
	received := sink(t)
	s.Control("rcpthosts", "host.example.org\n")
	s.Control("smtproutes", ":127.0.0.2\n")
	maildir := s.Maildir("joe", "Maildir")
	w := startWatch()
	s.Up("./Maildir/")
	size := int64(100 << 20)
	if large {
		size = gigabyte
	}
	r := s.Run(site.Command{Program: "qmail-smtpd", As: "qmaild", Within: patience, Stdin: long(
		"HELO client\r\nMAIL FROM:<sue@remote.example>\r\nRCPT TO:<joe@host.example.org>\r\nDATA\r\nSubject: ", "x", size, "\r\n.\r\nQUIT\r\n")})
	if !strings.Contains(r.Stdout, "\r\n250 ok ") {
		t.Fatalf("%s%s", r.Stdout, r.Stderr)
	}
	for _, text := range []io.Reader{
		long("To: joe\nSubject: ", "x", size, "\n\nHello!\n"),
		long("To: joe\n", "X-Field: the quick brown fox\n", 100<<20, "\nHello!\n"),
		long("To: joe\nSubject: a long body\n\n", "y", size, ""),
		long("To: kim@remote.example\nSubject: for another host\n\n", "y", size, ""),
	} {
		if r := s.Run(site.Command{Program: "qmail-inject", As: "ann", Within: patience, Env: []string{"QMAILUSER=ann"}, Stdin: text}); r.Code != 0 {
			t.Fatalf("exit code %d: %s", r.Code, r.Stderr)
		}
	}
	empty(t, s)
	w.finish(t, "qmail-smtpd", "qmail-queue", "qmail-inject", "qmail-local", "qmail-remote", "qmail-send")
	if entries, err := os.ReadDir(maildir + "/new"); len(entries) != 4 {
		t.Errorf("%d messages, %v", len(entries), err)
	}
	if received() < size {
		t.Errorf("the remote host got %d bytes", received())
	}
}

// TestMillionRecipients: an envelope of a million, all at a host that refuses
// connections, is accepted and preprocessed.
func TestMillionRecipients(t *testing.T) {
	if testing.Short() {
		t.Skip("writes a hundred megabytes")
	}
	s := site.New(t)
	s.Control("smtproutes", ":127.0.0.3\n")
	s.Control("concurrencyremote", "0\n")
	r, w := io.Pipe()
	const n = 1_000_000
	go func() {
		b := bufio.NewWriter(w)
		fmt.Fprint(b, "Fsue@remote.example\x00")
		for i := range n {
			fmt.Fprintf(b, "Tr%d@remote.example\x00", i)
		}
		b.WriteByte(0)
		w.CloseWithError(b.Flush())
	}()
	watch := startWatch()
	if q := s.Run(site.Command{Program: "qmail-queue", As: "qmaild", Stdin: strings.NewReader("Subject: x\n\n"), FD1: r}); q.Code != 0 {
		t.Fatalf("qmail-queue: exit code %d", q.Code)
	}
	y := s.Up("./Maildir/")
	y.WaitLog(`^info msg \d+: bytes \d+ from <sue@remote\.example>`)
	s.Eventually("preprocessing", func() bool {
		todo, _ := filepath.Glob(site.Home + "/queue/todo/*")
		return len(todo) == 0
	})
	watch.finish(t, "qmail-queue", "qmail-send")
	y.Stop()
	files, _ := filepath.Glob(site.Home + "/queue/remote/*/*")
	if len(files) != 1 {
		t.Fatalf("%d lists of remote recipients", len(files))
	}
	f, err := os.Open(files[0])
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	records := 0
	for b := bufio.NewReader(f); ; records++ {
		if _, err := b.ReadSlice(0); err != nil {
			break
		}
	}
	if records != n {
		t.Errorf("%d recipients", records)
	}
}
