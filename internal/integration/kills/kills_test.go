// Package kills runs the whole mail system under load and kills its processes, at random
// and without a chance to clean up: those that are kept open, those that run for one
// message, and the daemons, which a supervisor starts again as on a real machine. Nothing
// that was accepted may be lost or bounce; no process, no descriptor may stay.
//
// It takes some seconds, or as long as GOQMAIL_KILLS says:
//
//	GOQMAIL_KILLS=10m go test -v -timeout 30m ./internal/integration/kills
package kills

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"goqmail/internal/integration/site"
)

func TestMain(m *testing.M) { site.Main(m) }

// usually is how long processes are killed.
const usually = 15 * time.Second

// The programs. Daemons are killed in the first half of the time only, so that those of
// the second half see many of their children die, and none of the descriptors stays.
var (
	daemons  = []string{"qmail-send", "qmail-lspawn", "qmail-rspawn", "qmail-clean", "qmail-smtpd"}
	children = []string{"qmail-queue", "qmail-local", "qmail-getpw", "qmail-remote"}
)

// processes lists those of the suite, by name.
func processes() map[string][]int {
	found := map[string][]int{}
	names, _ := filepath.Glob("/proc/[0-9]*/comm")
	for _, name := range names {
		text, _ := os.ReadFile(name)
		program := strings.TrimSpace(string(text))
		if strings.HasPrefix(program, "qmail-") && !gone(filepath.Dir(name)) {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(name)))
			found[program] = append(found[program], pid)
		}
	}
	return found
}

// gone tells whether a process has ended and only waits for its parent to notice.
func gone(dir string) bool {
	stat, _ := os.ReadFile(dir + "/stat")
	_, rest, _ := strings.Cut(string(stat), ") ")
	return rest == "" || rest[0] == 'Z' || rest[0] == 'X'
}

// kill kills one process of one of some programs, and returns which.
func kill(programs []string) string {
	running := processes()
	programs = slices.DeleteFunc(slices.Clone(programs), func(p string) bool { return len(running[p]) == 0 })
	if len(programs) == 0 {
		return ""
	}
	program := programs[rand.IntN(len(programs))]
	pids := running[program]
	if syscall.Kill(pids[rand.IntN(len(pids))], syscall.SIGKILL) != nil {
		return ""
	}
	return program
}

// descriptors counts the open ones of each daemon.
func descriptors() map[string]int {
	open := map[string]int{}
	for program, pids := range processes() {
		if slices.Contains(daemons, program) {
			for _, pid := range pids {
				files, _ := os.ReadDir(fmt.Sprint("/proc/", pid, "/fd"))
				open[program] += len(files)
			}
		}
	}
	return open
}

func TestKills(t *testing.T) {
	s := site.New(t)
	duration := usually
	if text := os.Getenv("GOQMAIL_KILLS"); text != "" {
		var err error
		if duration, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
	}
	prepare(t, s)
	mail := supervise(t, "qmail-start", "./Maildir/")
	server := supervise(t, "qmail-smtpd", "-H", "-a", "127.0.0.1:25")
	w := newWork(t)
	s.Eventually("a server", w.send)
	eventually(t, "the first messages", func() bool { return w.missing(mail) == 0 })
	before := quiet(t, w)

	stop := make(chan struct{})
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for open(stop) {
				if !w.send() {
					time.Sleep(10 * time.Millisecond) // nobody listens
				}
			}
		})
	}
	all.Go(func() {
		for open(stop) {
			mail.signal(syscall.SIGALRM)
			w.collect()
			time.Sleep(500 * time.Millisecond)
		}
	})
	killed := map[string]int{}
	begun := time.Now()
	between := min(3*time.Second, duration/12) // two daemons
	for daemon := 0; time.Since(begun) < duration; {
		programs := children
		if since := time.Since(begun); since < duration/2 && since > time.Duration(daemon)*between {
			programs = daemons[daemon%len(daemons):][:1]
			daemon++
		}
		if program := kill(programs); program != "" {
			killed[program]++
		}
		time.Sleep(time.Duration(rand.IntN(100)) * time.Millisecond)
	}
	close(stop)
	all.Wait()

	eventually(t, "all messages", func() bool { return w.missing(mail) == 0 && len(waiting(s)) == 0 })
	w.report(t)
	t.Logf("killed %v in %v; qmail-start was started %d times, qmail-smtpd %d times", killed, duration, mail.started(), server.started())
	for _, program := range slices.Concat(daemons, children) {
		if killed[program] == 0 {
			t.Errorf("%s was never killed", program)
		}
	}
	if after := quiet(t, w); !maps.Equal(after, before) {
		t.Errorf("descriptors before: %v, after: %v", before, after)
	}
	mail.stop()
	server.stop()
	eventually(t, "the end of all processes", func() bool { return len(processes()) == 0 })
	if log := s.Read(logFile); strings.Contains(log, "panic") || strings.Contains(log, "goroutine ") {
		t.Errorf("a panic:\n%.4000s", log[strings.Index(log, "goroutine "):])
	}
}

func open(stop chan struct{}) bool {
	select {
	case <-stop:
		return false
	default:
		return true
	}
}

// quiet waits until the daemons have let all clients and children go that they keep, and
// counts descriptors.
func quiet(t *testing.T, w *work) map[string]int {
	t.Helper()
	w.hangUp()
	eventually(t, "the end of children that are kept", func() bool {
		running := processes()
		return !slices.ContainsFunc(children, func(p string) bool { return len(running[p]) > 0 })
	})
	return descriptors()
}

// waiting lists what is in the queue and not done: not what a killed qmail-queue has
// left, which is removed when it is 36 hours old.
func waiting(s *site.Site) []string {
	return slices.DeleteFunc(s.QueueFiles(), func(f string) bool {
		return strings.HasPrefix(f, "mess/") || strings.HasPrefix(f, "pid/") || strings.HasPrefix(f, "intd/")
	})
}

// eventually waits for longer than a Site does: children are let go after half a minute,
// and given another chance after as long as five.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(8 * time.Minute); !holds(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s; running: %v", what, processes())
		}
	}
}
