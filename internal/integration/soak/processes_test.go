package soak

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
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

// The programs. Each of these must have been killed in the end; others of the suite are
// when one is just running.
var (
	daemons  = []string{"qmail-send", "qmail-lspawn", "qmail-rspawn", "qmail-clean", "qmail-smtpd"}
	children = []string{"qmail-queue", "qmail-local", "qmail-getpw", "qmail-remote"}
	others   = []string{"qmail-inject", "qmail-pop3d"}
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

// killing kills, until it is over: children, and in the first half of the time a daemon now
// and then.
func (w *world) killing(stop <-chan struct{}, killed map[string]int) {
	begun := time.Now()
	daemon := 0
	for rest(stop, time.Duration(rand.Int64N(int64(2*w.plan.kills)))) {
		programs := slices.Concat(children, others)
		since := time.Since(begun)
		if since < w.plan.duration/2 && since > time.Duration(daemon)*w.plan.daemons {
			programs = daemons[daemon%len(daemons):][:1]
		}
		program := kill(programs, w.plan.kill)
		if program == "" {
			continue
		}
		killed[program]++
		if slices.Contains(daemons, program) {
			daemon++
		}
	}
}

func sigkill(pid int) bool { return syscall.Kill(pid, syscall.SIGKILL) == nil }

// kill kills one process of one of some programs in some way, and returns which.
func kill(programs []string, by func(pid int) bool) string {
	running := processes()
	programs = slices.DeleteFunc(slices.Clone(programs), func(p string) bool { return len(running[p]) == 0 })
	if len(programs) == 0 {
		return ""
	}
	program := programs[rand.IntN(len(programs))]
	pids := running[program]
	if !by(pids[rand.IntN(len(pids))]) {
		return ""
	}
	return program
}

// killChildren kills all that daemons keep open.
func killChildren() {
	for program, pids := range processes() {
		if slices.Contains(children, program) {
			for _, pid := range pids {
				sigkill(pid)
			}
		}
	}
}

// orphans are whose parents may be killed. The test, which is the first process here,
// becomes their parent then.
var orphans = append([]string{"qmail-lspawn", "qmail-rspawn", "qmail-clean", "sh", "sed"}, children...)

// reap lets orphans go that have ended.
func reap() {
	names, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, name := range names {
		stat, _ := os.ReadFile(name)
		head, rest, _ := strings.Cut(string(stat), ") ")
		number, program, _ := strings.Cut(head, " (")
		if strings.HasPrefix(rest, "Z 1 ") && slices.Contains(orphans, program) {
			pid, _ := strconv.Atoi(number)
			syscall.Wait4(pid, nil, syscall.WNOHANG, nil)
		}
	}
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

// A supervised program is started again when it ends.
type supervised struct {
	mu      sync.Mutex
	cmd     *exec.Cmd
	starts  int
	stopped bool
	done    chan struct{}
}

// supervise keeps a program running, until the test ends. What it says goes to log.
func supervise(t *testing.T, log *os.File, program string, args ...string) *supervised {
	p := &supervised{done: make(chan struct{})}
	go func() {
		defer close(p.done)
		for {
			cmd := command(program, args...)
			cmd.Stdout, cmd.Stderr = log, log
			p.mu.Lock()
			if p.stopped || cmd.Start() != nil {
				p.mu.Unlock()
				return
			}
			p.cmd = cmd
			p.starts++
			p.mu.Unlock()
			cmd.Wait()
			time.Sleep(50 * time.Millisecond)
		}
	}()
	t.Cleanup(p.stop)
	return p
}

// command prepares a run of a program of the suite.
func command(program string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(site.Home, "bin", program), args...)
	cmd.Env = []string{"PATH=" + site.Home + "/bin:/usr/bin:/bin"}
	if dir := os.Getenv("GOCOVERDIR"); dir != "" {
		cmd.Env = append(cmd.Env, "GOCOVERDIR="+dir)
	}
	cmd.Dir = "/"
	return cmd
}

func (p *supervised) signal(sig syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd != nil {
		p.cmd.Process.Signal(sig)
	}
}

// started tells how often the program was started.
func (p *supervised) started() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.starts
}

func (p *supervised) stop() {
	p.mu.Lock()
	p.stopped = true
	p.mu.Unlock()
	p.signal(syscall.SIGTERM)
	<-p.done
}
