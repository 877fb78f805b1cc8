// Package miniqmail tests mini-qmail (qmail-qmqpc(8)) as several hosts, each with
// its own network, host name and home: three null clients that have no queue, and
// two queue hosts that the mail of the clients ends up on. One queue host is cut off
// while mail is being sent, in each way that a host can be: its cable is pulled, its
// server dies, its answers are lost on the way. The other one takes over, and each
// message that a client was told is accepted is delivered.
//
//	null1  null2  null3     qmail-inject or sendmail, qmail-qmqpc as qmail-queue
//	  │      │      │
//	──┴──────┴──────┴──┬────── 10.25.0.0/24
//	             ┌─────┴─────┐
//	          queue1      queue2     qmail-qmqpd, qmail-start, maildirs
//
// null1 and null2 prefer queue1, null3 prefers queue2.
package miniqmail

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"goqmail/internal/integration/site"
)

func TestMain(m *testing.M) { site.Main(m) }

// rules are for the QMQP servers: whoever may connect may send mail to anywhere.
const rules = "10.25.0.:allow\n:deny\n"

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// tool finds a program of somebody else's.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("needs %s, which is not installed", name)
	}
	return path
}

// A queueHost is a host with a whole qmail that takes mail by QMQP.
type queueHost struct {
	*site.Host
	maildir string
	server  func() *site.System // starts qmail-qmqpd
}

func newQueueHost(t *testing.T, s *site.Site, n *site.Network, name string) queueHost {
	t.Helper()
	h := queueHost{Host: n.Host(name)}
	h.Install()
	h.Control("me", name+".example.org\n")
	h.Control("locals", "mail.example.org\n")
	h.maildir = filepath.Join(h.UserHome("joe"), "Maildir")
	if r := s.Run(site.Command{Program: "maildirmake", Args: []string{"/mnt/home/joe/Maildir"}, As: "joe", On: h.Host}); r.Code != 0 {
		t.Fatal(r.Stderr)
	}
	cmd := exec.Command(tool(t, "tcprules"), h.Path("control/qmqp.cdb"), h.Path("control/qmqp.tmp"))
	cmd.Stdin = strings.NewReader(rules)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("tcprules: %v\n%s", err, out)
	}
	s.Start(site.Command{Program: "qmail-start", Args: []string{"./Maildir/"}, On: h.Host}).WaitLog(`^status: local 0/`)
	return h
}

// delivered counts the messages in the maildir, by message id.
func (h queueHost) delivered(t *testing.T, s *site.Site) map[string]int {
	t.Helper()
	ids := map[string]int{}
	for _, message := range s.ReadDir(h.maildir + "/new") {
		_, rest, _ := strings.Cut(message, "\nMessage-ID: <")
		id, _, ok := strings.Cut(rest, ">\n")
		if !ok || !strings.HasSuffix(message, "\nfrom "+id+"\n") {
			t.Errorf("not a whole message:\n%s", message)
		}
		ids[id]++
	}
	return ids
}

// queued lists the messages that are in the queue.
func (h queueHost) queued() []string {
	var files []string
	for _, pattern := range []string{"todo/*", "mess/*/*"} {
		found, _ := filepath.Glob(h.Path("queue/" + pattern))
		files = append(files, found...)
	}
	return files
}

// A nullClient is a host that has no queue. Several of its users send mail.
type nullClient struct {
	*site.Host
	ledger *ledger
}

func newNullClient(t *testing.T, s *site.Site, n *site.Network, name string, servers ...queueHost) nullClient {
	t.Helper()
	c := nullClient{n.Host(name), &ledger{attempts: map[string]int{}}}
	for _, dir := range []string{"bin", "control"} {
		must(t, os.Mkdir(c.Path(dir), 0o755))
	}
	for _, program := range []string{"qmail-inject", "sendmail", "qmail-qmqpc"} {
		text, err := os.ReadFile(filepath.Join(site.Home, "bin", program))
		must(t, err)
		must(t, os.WriteFile(c.Path("bin/"+program), text, 0o755))
	}
	must(t, os.Symlink("qmail-qmqpc", c.Path("bin/qmail-queue")))
	c.Control("me", name+".example.org\n")
	c.Control("idhost", name+".example.org\n")
	c.Control("defaulthost", "mail.example.org\n")
	var list strings.Builder
	for _, h := range servers {
		fmt.Fprintln(&list, h.Address)
	}
	c.Control("qmqpservers", list.String())
	return c
}

// A ledger has what a client was told of its messages.
type ledger struct {
	mu       sync.Mutex
	attempts map[string]int // by message id, of those accepted in the end
	refused  []string       // what was not a deferral
}

func (l *ledger) accepted() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.attempts)
}

// send sends one message after another until told to stop. Like any program that has
// mail to send, it tries again what was deferred. qmail-inject and sendmail take turns.
func (c nullClient) send(s *site.Site, user int, stop <-chan struct{}) {
	for n := 0; ; n++ {
		select {
		case <-stop:
			return
		case <-time.After(50 * time.Millisecond):
		}
		id := fmt.Sprintf("%d.%d@%s", user, n, c.Name)
		text := "hello\n"
		if n%3 == 2 {
			text = strings.Repeat("The quick brown fox jumps over the lazy dog.\n", 1500)
		}
		message := fmt.Sprintf("From: joe\nTo: joe\nMessage-ID: <%s>\n\n%sfrom %s\n", id, text, id)
		command := site.Command{Program: "qmail-inject", As: "joe", On: c.Host}
		if n%2 == 1 {
			command.Program, command.Args = "sendmail", []string{"-t", "-oi"}
		}
		for attempt := 1; ; attempt++ {
			command.Stdin = strings.NewReader(message)
			r := s.Run(command)
			if r.Code == 111 {
				time.Sleep(100 * time.Millisecond)
				continue
			}
			c.ledger.mu.Lock()
			if r.Code == 0 && r.Signal == 0 {
				c.ledger.attempts[id] = attempt
			} else {
				c.ledger.refused = append(c.ledger.refused, fmt.Sprintf("%s: %+v", id, r))
			}
			c.ledger.mu.Unlock()
			break
		}
	}
}

// goesOn waits until each of the clients has had more messages accepted.
func goesOn(s *site.Site, clients []nullClient, more int) {
	before := make([]int, len(clients))
	for i, c := range clients {
		before[i] = c.ledger.accepted()
	}
	s.Eventually("clients whose mail is accepted", func() bool {
		for i, c := range clients {
			if c.ledger.accepted() < before[i]+more {
				return false
			}
		}
		return true
	})
}

// takesOver waits until a queue host has new mail of each of some clients.
func (h queueHost) takesOver(t *testing.T, s *site.Site, clients ...nullClient) {
	t.Helper()
	count := func(c nullClient) (n int) {
		for id := range h.delivered(t, s) {
			if strings.HasSuffix(id, "@"+c.Name) {
				n++
			}
		}
		return n
	}
	for _, c := range clients {
		before := count(c)
		s.Eventually("mail of "+c.Name+" on "+h.Name, func() bool { return count(c) > before })
	}
}

// connections counts those that clients have to the QMQP server.
func (h queueHost) connections(t *testing.T) int {
	text, err := h.ReadFile("/proc/thread-self/net/tcp")
	must(t, err)
	return len(regexp.MustCompile(`(?m)^ *\d+: [0-9A-F]{8}:0274 [0-9A-F]{8}:[0-9A-F]{4} 01 `).FindAll(text, -1))
}

func TestOneQueueHostIsCutOff(t *testing.T) {
	s := site.New(t)
	n := s.NewNetwork()
	queue1 := newQueueHost(t, s, n, "queue1")
	queue2 := newQueueHost(t, s, n, "queue2")
	clients := []nullClient{
		newNullClient(t, s, n, "null1", queue1, queue2),
		newNullClient(t, s, n, "null2", queue1, queue2),
		newNullClient(t, s, n, "null3", queue2, queue1),
	}

	// One queue host listens by itself, the other is started for each connection.
	queue1.server = func() *site.System {
		y := s.Start(site.Command{Program: "qmail-qmqpd", Args: []string{"-vRH", "-x", "control/qmqp.cdb", "-a", "0.0.0.0:628"}, On: queue1.Host})
		y.WaitLog("listening on ")
		return y
	}
	queue2.server = func() *site.System {
		qmaild := site.Account("qmaild")
		y := s.Start(site.Command{Program: tool(t, "tcpserver"), Args: []string{"-vRH", "-l0", "-x", "control/qmqp.cdb",
			"-u", fmt.Sprint(qmaild.UID), "-g", fmt.Sprint(qmaild.GID), "0", "628", site.Home + "/bin/qmail-qmqpd"}, On: queue2.Host})
		y.WaitLog("status: 0/")
		return y
	}
	server := queue1.server()
	queue2.server()

	const users = 2
	stop := make(chan struct{})
	var sending sync.WaitGroup
	for _, c := range clients {
		for user := range users {
			sending.Go(func() { c.send(s, user, stop) })
		}
	}
	end := sync.OnceFunc(func() { close(stop); sending.Wait() })
	defer end()
	goesOn(s, clients, 5)
	queue1.takesOver(t, s, clients[:2]...)
	queue2.takesOver(t, s, clients[2])

	t.Log("the cable is pulled")
	queue1.Unplug()
	queue2.takesOver(t, s, clients...)
	queue1.Plug()
	queue1.takesOver(t, s, clients[:2]...)

	t.Log("the server is killed while it owes answers")
	server.Signal(syscall.SIGSTOP)
	s.Eventually("clients that wait for an answer", func() bool { return queue1.connections(t) >= 2*users })
	server.Signal(syscall.SIGKILL)
	server.Wait()
	queue2.takesOver(t, s, clients...)
	goesOn(s, clients, 5)
	queue1.server()
	queue1.takesOver(t, s, clients[:2]...)

	t.Log("answers are lost")
	for _, c := range clients {
		queue1.IP("route", "add", "blackhole", c.Address+"/32")
	}
	queue2.takesOver(t, s, clients...)
	for _, c := range clients {
		queue1.IP("route", "del", "blackhole", c.Address+"/32")
	}
	queue1.takesOver(t, s, clients[:2]...)

	end()
	for _, h := range []queueHost{queue1, queue2} {
		s.Eventually("an empty queue on "+h.Name, func() bool { return len(h.queued()) == 0 })
	}
	on1, on2 := queue1.delivered(t, s), queue2.delivered(t, s)
	accepted, again := 0, 0
	for _, c := range clients {
		for _, text := range c.ledger.refused {
			t.Errorf("refused: %s", text)
		}
		for id, attempts := range c.ledger.attempts {
			copies := on1[id] + on2[id]
			switch {
			case copies == 0:
				t.Errorf("%s was accepted at attempt %d and is lost", id, attempts)
			case copies > attempts:
				t.Errorf("%s was sent %d times and delivered %d times", id, attempts, copies)
			}
			accepted++
			again += attempts - 1
		}
	}
	if again < 2*users {
		t.Errorf("%d deferrals, though %d clients were left without an answer", again, 2*users)
	}
	t.Logf("%d messages accepted, %d deferrals on the way; %d on queue1, %d on queue2", accepted, again, len(on1), len(on2))
}
