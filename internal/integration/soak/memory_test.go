package soak

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A group is a control group for memory, of the test's own: cgroups(7), version 1 or 2.
// What a process has when it comes into the group is not counted, what it asks for from
// then on is; when that is more than the limit, the kernel kills it.
type group struct {
	dir, all string // it, and the group above it
	limit    string // name of the file
	events   string // file in which "oom_kill" counts
}

// newGroup makes a group, or skips the test where there can be none.
func newGroup(t *testing.T) *group {
	t.Helper()
	g := &group{all: "/sys/fs/cgroup/memory", limit: "memory.limit_in_bytes", events: "memory.oom_control"}
	if _, err := os.Stat(g.all + "/" + g.limit); err != nil {
		g.all, g.limit, g.events = "/sys/fs/cgroup", "memory.max", "memory.events"
		controllers, _ := os.ReadFile(g.all + "/cgroup.subtree_control")
		if !strings.Contains(string(controllers), "memory") {
			t.Skip("needs the memory controller of control groups, at " + g.all)
		}
	}
	g.dir = filepath.Join(g.all, fmt.Sprintf("goqmail-soak-%x", time.Now().UnixNano()))
	if err := os.Mkdir(g.dir, 0o755); err != nil {
		t.Skipf("needs a control group of its own: %v", err)
	}
	t.Cleanup(func() {
		g.release()
		if err := os.Remove(g.dir); err != nil {
			t.Errorf("a control group is left: %v", err)
		}
	})
	return g
}

// kill puts a process into the group and waits until it has been killed for its memory. It
// lets those go that do not need more, and tells whether it was killed.
func (g *group) kill(pid int, limit int64) bool {
	if os.WriteFile(filepath.Join(g.dir, g.limit), strconv.AppendInt(nil, limit, 10), 0) != nil {
		return false
	}
	killed := g.killed()
	if g.move(pid, g.dir) != nil {
		return false // it has ended
	}
	for end := time.Now().Add(400 * time.Millisecond); time.Now().Before(end) && syscall.Kill(pid, 0) == nil && !gone(fmt.Sprint("/proc/", pid)); {
		time.Sleep(10 * time.Millisecond)
	}
	g.release()
	return g.killed() > killed
}

// release moves all processes out.
func (g *group) release() {
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		text, _ := os.ReadFile(filepath.Join(g.dir, "cgroup.procs"))
		pids := strings.Fields(string(text))
		if len(pids) == 0 {
			return
		}
		for _, text := range pids {
			if pid, _ := strconv.Atoi(text); pid > 0 {
				g.move(pid, g.all)
			}
		}
	}
}

func (g *group) move(pid int, dir string) error {
	fd, err := unix.Open(filepath.Join(dir, "cgroup.procs"), unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	_, err = unix.Write(fd, strconv.AppendInt(nil, int64(pid), 10))
	return err
}

// killed is how many processes the kernel has killed.
func (g *group) killed() int64 { return field(filepath.Join(g.dir, g.events), "oom_kill") }
