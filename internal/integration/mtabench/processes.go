package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A tree is a daemon that was started here, with all that it started.
type tree struct{ cmd *exec.Cmd }

// startTree starts a program in a session of its own.
func startTree(cmd *exec.Cmd) (*tree, error) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return &tree{cmd}, cmd.Start()
}

// pids lists the processes of the session.
func (t *tree) pids() []int {
	var list []int
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, name := range stats {
		if f := statFields(name); f != nil && f[3] == strconv.Itoa(t.cmd.Process.Pid) {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(name)))
			list = append(list, pid)
		}
	}
	return list
}

// statFields are those of /proc/PID/stat behind the name of the program; nil for
// a process that is gone. Field 3 is the session, 11 to 14 are times.
func statFields(name string) []string {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil
	}
	return strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
}

// cpu is what the processes, and the children that they have waited for, have
// used so far.
func (t *tree) cpu() time.Duration {
	var ticks int64
	for _, pid := range t.pids() {
		if f := statFields("/proc/" + strconv.Itoa(pid) + "/stat"); f != nil {
			for _, field := range f[11:15] {
				n, _ := strconv.ParseInt(field, 10, 64)
				ticks += n
			}
		}
	}
	const perSecond = 100 // USER_HZ
	return time.Duration(ticks) * time.Second / perSecond
}

// pss is the proportional set size of all processes, in bytes.
func (t *tree) pss() int64 {
	var total int64
	for _, pid := range t.pids() {
		total += pssOf(pid)
	}
	return total
}

func pssOf(pid int) int64 {
	text, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/smaps_rollup")
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); f[0] == "Pss:" {
			kb, _ := strconv.ParseInt(f[1], 10, 64)
			return kb << 10
		}
	}
	return 0
}

// stop ends the daemon by TERM, then the rest of its session.
func (t *tree) stop() {
	t.cmd.Process.Signal(syscall.SIGTERM)
	deadline := time.AfterFunc(30*time.Second, func() { syscall.Kill(-t.cmd.Process.Pid, syscall.SIGKILL) })
	t.cmd.Wait()
	deadline.Stop()
	for range 200 {
		pids := t.pids()
		if len(pids) == 0 {
			return
		}
		for _, pid := range pids {
			syscall.Wait4(pid, nil, syscall.WNOHANG, nil)
		}
		time.Sleep(10 * time.Millisecond)
	}
	for _, pid := range t.pids() {
		syscall.Kill(pid, syscall.SIGKILL)
		syscall.Wait4(pid, nil, 0, nil)
	}
}

// A sampler watches how much memory a tree takes.
type sampler struct {
	stop chan struct{}
	peak chan int64
}

func sample(t *tree) *sampler {
	s := &sampler{make(chan struct{}), make(chan int64)}
	go func() {
		var peak int64
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				peak = max(peak, t.pss())
			case <-s.stop:
				s.peak <- max(peak, t.pss())
				return
			}
		}
	}()
	return s
}

func (s *sampler) finish() int64 {
	close(s.stop)
	return <-s.peak
}
