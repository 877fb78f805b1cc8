package enqueue

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"goqmail/internal/host/child"
	"goqmail/internal/integration/site"
	"goqmail/internal/mail/outcome"
	"goqmail/internal/wire/resident"
	"goqmail/internal/wire/submit"
	"goqmail/queue"
)

// TestMain also lets the test binary stand in for a parent with a resident
// qmail-queue, under any user.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "parent" {
		parent(os.Args[2])
		return
	}
	if home := os.Getenv("BENCH_HOME"); home != "" {
		site.Home = home
	}
	site.Main(m)
}

// parent submits a message for each line on descriptor 0, many at once, and says how
// each came out. A line is a size and a recipient.
func parent(home string) {
	q := submit.FromEnvironment(home)
	q.Resident = submit.NewResident(home)
	var all sync.WaitGroup
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	atOnce := make(chan bool, 50)
	for n := 0; lines.Scan(); n++ {
		size, recipient, _ := strings.Cut(lines.Text(), " ")
		atOnce <- true
		all.Go(func() {
			defer func() { <-atOnce }()
			length, _ := strconv.Atoi(size)
			m, err := q.Open()
			if err != nil {
				fmt.Println(err)
				return
			}
			io.WriteString(m, strings.Repeat("x", length))
			m.From(fmt.Sprintf("s%d@x", n))
			m.To(recipient)
			if recipient == "cancel" {
				m.Cancel()
			}
			err = m.Close()
			fmt.Printf("s%d@x %d %v\n", n, m.Pid(), err)
		})
	}
	all.Wait()
	q.Resident.Close()
}

// submitAs runs parent as a user. What it says is keyed by sender.
func submitAs(t *testing.T, s *site.Site, user, lines string, env ...string) map[string]string {
	t.Helper()
	self, err := os.ReadFile("/proc/self/exe")
	if err == nil {
		err = os.WriteFile("/mnt/parent", self, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	r := s.Run(site.Command{Program: "/mnt/parent", Args: []string{"parent", site.Home}, As: user, Env: env, Stdin: strings.NewReader(lines)})
	if r.Code != 0 || r.Stderr != "" {
		t.Fatalf("exit code %d: %s", r.Code, r.Stderr)
	}
	results := map[string]string{}
	for line := range strings.Lines(r.Stdout) {
		sender, result, _ := strings.Cut(strings.TrimSpace(line), " ")
		results[sender] = result
	}
	return results
}

// inQueue is what the queue says of a message.
type inQueue struct {
	qp       string // in the Received field
	p        string // in the envelope
	envelope string
	body     string
	by       string
}

func readQueue(t *testing.T, s *site.Site) map[string]inQueue {
	t.Helper()
	q, err := queue.Open(site.Home + "/queue")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]inQueue{}
	for n := range q.Numbers(queue.Todo) {
		todo := s.Read(q.Path(queue.Todo, n))
		head, rest, _ := strings.Cut(todo, "\x00F")
		sender, recipients, _ := strings.Cut(rest, "\x00")
		received, body, _ := strings.Cut(s.Read(q.Path(queue.Mess, n)), "\n")
		var m inQueue
		fmt.Sscanf(received, "Received: (qmail %s invoked", &m.qp)
		_, by, _ := strings.Cut(received, " invoked ")
		m.by, _, _ = strings.Cut(by, ")")
		_, m.p, _ = strings.Cut(head, "\x00p")
		m.envelope, m.body = recipients, body
		all[sender] = m
	}
	return all
}

// TestResident: messages of all sizes, many at once, through one qmail-queue. Each is
// as it would be from a process of its own, and has a number of its own.
func TestResident(t *testing.T) {
	s := site.New(t)
	sizes := []int{0, 1, 1000, submit.Small - 100, submit.Small, 100_000, 1_000_000}
	var lines strings.Builder
	for i := range 200 {
		fmt.Fprintf(&lines, "%d r%d@y\n", sizes[i%len(sizes)], i)
	}
	results := submitAs(t, s, "joe", lines.String())
	all := readQueue(t, s)
	if len(all) != 200 || len(s.QueueFiles()) != 600 {
		t.Fatalf("%d messages, %d files", len(all), len(s.QueueFiles()))
	}
	seen := map[string]bool{}
	process := ""
	for i := range 200 {
		sender := fmt.Sprintf("s%d@x", i)
		m := all[sender]
		if results[sender] != m.qp+" <nil>" || m.p != m.qp || seen[m.qp] || len(m.qp) < 5 {
			t.Errorf("%s: result %q, Received %s, p %s", sender, results[sender], m.qp, m.p)
			continue
		}
		seen[m.qp] = true
		if process == "" {
			process = m.qp[:len(m.qp)-4]
		}
		if m.qp[:len(m.qp)-4] != process {
			t.Errorf("%s: %s is not of process %s", sender, m.qp, process)
		}
		if want := fmt.Sprintf("by uid %d", site.Users["joe"]); m.by != want || m.envelope != fmt.Sprintf("Tr%d@y\x00", i) || len(m.body) != sizes[i%len(sizes)] {
			t.Errorf("%s: invoked %s, envelope %q, %d bytes", sender, m.by, m.envelope, len(m.body))
		}
	}
}

// TestResidentRefuses: each message has its own verdict, in the words of always, and
// what is refused leaves nothing behind.
func TestResidentRefuses(t *testing.T) {
	long := strings.Repeat("a", 1003)
	for _, c := range []struct {
		name, lines, want string
		prepare           func(t *testing.T, s *site.Site)
	}{
		{"address too long", "10 " + long, "envelope address too long for qq (#5.1.3)", nil},
		{"address too long, large", "100000 " + long, "envelope address too long for qq (#5.1.3)", nil},
		{"canceled", "10 cancel", "qq read error (#4.3.0)", nil},
		{"canceled, large", "100000 cancel", "qq read error (#4.3.0)", nil},
		{"no queue", "10 r@y", "qq trouble creating files in queue (#4.3.0)", func(t *testing.T, s *site.Site) {
			os.Rename(site.Home+"/queue", site.Home+"/queue.away")
			t.Cleanup(func() { os.Rename(site.Home+"/queue.away", site.Home+"/queue") })
		}},
		{"no pid", "10 r@y", "qq trouble creating files in queue (#4.3.0)", func(t *testing.T, s *site.Site) { os.Remove(site.Home + "/queue/pid") }},
		{"no todo", "10 r@y", "qq trouble creating files in queue (#4.3.0)", func(t *testing.T, s *site.Site) { os.Remove(site.Home + "/queue/todo") }},
		{"no qmail-queue", "10 r@y", "unable to exec qq (#4.3.0)", func(t *testing.T, s *site.Site) {
			os.Rename(site.Home+"/bin/qmail-queue", site.Home+"/bin/away")
			t.Cleanup(func() { os.Rename(site.Home+"/bin/away", site.Home+"/bin/qmail-queue") })
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := site.New(t)
			if c.prepare != nil {
				c.prepare(t, s)
			}
			result := submitAs(t, s, "joe", c.lines+"\n")["s0@x"]
			if _, text, _ := strings.Cut(result, " "); text != c.want {
				t.Errorf("%q, want %q", text, c.want)
			}
			if files := s.QueueFiles(); len(files) != 0 && c.name != "no todo" {
				t.Errorf("left: %v", files)
			}
		})
	}
}

// TestResidentForeign: a script in the place of qmail-queue sees every message, and so
// does the program that QMAILQUEUE names.
func TestResidentForeign(t *testing.T) {
	queue, away := site.Home+"/bin/qmail-queue", site.Home+"/bin/away"
	for _, c := range []struct {
		name, script, real string
		env                []string
	}{
		{"in its place", queue, away, nil},
		{"QMAILQUEUE", "/mnt/script", queue, []string{"QMAILQUEUE=/mnt/script"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := site.New(t)
			if c.real == away {
				if err := os.Rename(queue, away); err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { os.Rename(away, queue) })
			}
			script := "#!/bin/sh\ncat >>/mnt/seen\n[ -s /mnt/seen ] || exit 31\nexec " + c.real + " \"$@\" </mnt/seen\n"
			for path, mode := range map[string]os.FileMode{c.script: 0o755, "/mnt/seen": 0o666} {
				if err := os.WriteFile(path, nil, 0); err != nil {
					t.Fatal(err)
				}
				os.Chmod(path, mode)
			}
			os.WriteFile(c.script, []byte(script), 0)
			results := submitAs(t, s, "joe", "3 a@y\n40000 b@y\n", c.env...)
			if len(results) != 2 || len(readQueue(t, s)) != 2 {
				t.Errorf("%v", results)
			}
			if n := len(s.Read("/mnt/seen")); n != 40003 {
				t.Errorf("the script saw %d bytes", n)
			}
		})
	}
}

// TestResidentReexec: a set-uid program that starts over because of variables of the
// Go runtime keeps the socket; nothing else of the caller's stays.
func TestResidentReexec(t *testing.T) {
	s := site.New(t)
	pool := resident.NewPool(resident.Config{Path: site.Home + "/bin/qmail-queue"})
	defer pool.Close()
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0) // for what the runtime says before
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	reply, err := pool.Call("", func() child.Command {
		return child.Command{Args: []string{"qmail-queue"}, Env: strings.Fields(runtimeVariables), Files: []*os.File{2: null},
			As: &child.Identity{UID: site.Users["joe"], GID: site.Users["joe"]}}
	}, resident.Request{Fields: []string{"message", "body\n", "Fs@x\x00Tr@y\x00\x00"}})
	if err != nil || len(reply) != 3 || reply[0] != "0" {
		t.Fatalf("%q, %v", reply, err)
	}
	checkQueued(t, s)
	number, _ := strconv.Atoi(reply[1])
	if env := s.Read(fmt.Sprintf("/proc/%d/environ", number/10000)); strings.Trim(env, "\x00") != "" {
		t.Errorf("environment %q", env)
	}
}

// TestResidentKilled: messages of a qmail-queue that dies are temporary failures, and
// the next ones get a process each.
func TestResidentKilled(t *testing.T) {
	s := site.New(t)
	q := submit.Queue{Home: site.Home, Resident: submit.NewResident(site.Home)}
	defer q.Resident.Close()
	first, err := q.Open()
	if err != nil {
		t.Fatal(err)
	}
	first.From("first@x")
	first.To("r@y")
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	large, err := q.Open()
	if err != nil {
		t.Fatal(err)
	}
	large.Write(bytes.Repeat([]byte("x"), 200_000))
	s.Eventually("a second message in the queue", func() bool { return len(s.QueueFiles()) == 4 })
	syscall.Kill(first.Pid()/10000, syscall.SIGKILL)
	large.Write(bytes.Repeat([]byte("x"), 2_000_000)) // more than the pipe holds
	large.From("large@x")
	large.To("r@y")
	var refused *submit.Rejection
	if err := large.Close(); !errors.As(err, &refused) || refused.Permanent || refused.Text != "qq crashed (#4.3.0)" {
		t.Error(err)
	}
	after, err := q.Open()
	if err != nil {
		t.Fatal(err)
	}
	after.From("after@x")
	after.To("r@y")
	if err := after.Close(); err != nil {
		t.Error(err)
	}
	all := readQueue(t, s)
	if _, there := all["large@x"]; there || len(all) != 2 || all["after@x"].qp != strconv.Itoa(after.Pid()) {
		t.Errorf("queued: %v", all)
	}
}

// TestResidentKilledUnderLoad: however often qmail-queue is killed, what it accepted
// is in the queue, and the rest is a temporary failure.
func TestResidentKilledUnderLoad(t *testing.T) {
	s := site.New(t)
	q := submit.Queue{Home: site.Home, Resident: submit.NewResident(site.Home)}
	var mu sync.Mutex
	accepted := map[string]bool{}
	var kills, failures int
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			for n := range 60 {
				sender := fmt.Sprintf("s%d.%d@x", i, n)
				m, err := q.Open()
				if err != nil {
					t.Error(err)
					return
				}
				m.Write(bytes.Repeat([]byte("x"), n%3*20_000))
				m.From(sender)
				m.To("r@y")
				err = m.Close()
				mu.Lock()
				switch {
				case err == nil:
					accepted[sender] = true
				case outcome.Of(err) == outcome.Deferral:
					failures++
				default:
					t.Errorf("%s: %v", sender, err)
				}
				// A number beyond those of processes is one of a resident qmail-queue.
				if process := m.Pid() / 10000; len(accepted)%100 == 99 && process > 0 && runs(process) {
					syscall.Kill(process, syscall.SIGKILL)
					kills++
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
	q.Resident.Close()
	queued := readQueue(t, s)
	for sender := range accepted {
		if _, there := queued[sender]; !there {
			t.Errorf("the message of %s was accepted and is lost", sender)
		}
	}
	t.Logf("%d accepted, %d queued, %d refused, %d kills", len(accepted), len(queued), failures, kills)
	if kills == 0 || len(accepted) < 600 {
		t.Errorf("%d kills, %d messages accepted", kills, len(accepted))
	}
	for _, process := range processes(t) {
		t.Errorf("left: %s", process)
	}
}

// TestResidentParentKilled: a qmail-queue whose parent is killed ends, and queues
// nothing of a message that the parent had not finished.
func TestResidentParentKilled(t *testing.T) {
	s := site.New(t)
	cmd := exec.Command("/proc/self/exe", "parent", site.Home)
	lines, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(lines, "10 small@y\n100000000 large@y\n")
	s.Eventually("a message on its way", func() bool { return len(s.QueueFiles()) == 4 && len(processes(t)) == 1 })
	cmd.Process.Kill()
	cmd.Wait()
	s.Eventually("an end of qmail-queue", func() bool { return len(processes(t)) == 0 })
	if all := readQueue(t, s); len(all) != 1 || len(s.QueueFiles()) != 3 {
		t.Errorf("queued: %d messages, %v", len(all), s.QueueFiles())
	}
}

// processes lists those of qmail-queue in the site.
func processes(t *testing.T) (list []string) {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil && runs(pid) {
			list = append(list, e.Name())
		}
	}
	return list
}

// runs tells whether a process executes qmail-queue. One that has ended does not, even
// where nobody has waited for it.
func runs(pid int) bool {
	program, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
	return err == nil && program == site.Home+"/bin/qmail-queue"
}
