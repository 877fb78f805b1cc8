package faults

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"goqmail/internal/integration/site"
	"goqmail/internal/integration/trace"
)

// TestMain also lets the test binary stand between a test and a command that a fault
// is to meet.
func TestMain(m *testing.M) {
	if len(os.Args) > 6 && os.Args[1] == "suffer" {
		os.Exit(suffer(os.Args[2:]))
	}
	site.Main(m)
}

// storyFile is where that leaves the story of the last run.
const storyFile = "/mnt/story"

// under has a command run under a fault. It runs as root here, so that what is set-uid
// remains so, and lets the command be the user.
func under(f trace.Fault, c site.Command) site.Command {
	os.Remove(storyFile)
	user := c.As
	if user == "" {
		user = "root"
	}
	c.Args = append([]string{"suffer", f.Program, strconv.Itoa(f.Nth), strconv.Itoa(int(f.Errno)), user, c.Program}, c.Args...)
	c.Program, c.As = "/proc/self/exe", ""
	return c
}

// suffer is the other process of under.
func suffer(args []string) int {
	nth, _ := strconv.Atoi(args[1])
	errno, _ := strconv.Atoi(args[2])
	path := filepath.Join(site.Home, "bin", args[4])
	cmd := exec.Command(path, args[5:]...)
	if user := args[3]; user != "root" {
		// What is traced from its beginning as root goes on to be, as any user, and what
		// it starts may be set-uid.
		u := site.Account(user)
		cmd = exec.Command("setpriv", append([]string{fmt.Sprint("--reuid=", u.UID), fmt.Sprint("--regid=", u.GID), "--clear-groups", path}, args[5:]...)...)
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGALRM)
	f := trace.Fault{Program: args[0], Nth: nth, Errno: unix.Errno(errno)}
	if args[0] == clockOnly {
		f.Ahead = ahead
	}
	story, err := f.Suffer(cmd, func(p *os.Process) {
		go func() {
			for s := range signals {
				p.Signal(s)
			}
		}()
	})
	text, _ := json.Marshal(story)
	if err == nil {
		err = os.WriteFile(storyFile, text, 0o600)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "suffer:", err)
		return 200
	}
	if story.Code < 0 { // it was killed
		return 201
	}
	return story.Code
}

// clockOnly in the place of a program has no fault, but the clock set.
const clockOnly = "clock"

// clockFile says by how many seconds the clock is ahead.
const clockFile = "/mnt/clock"

func ahead() (seconds int64) {
	text, _ := os.ReadFile(clockFile)
	fmt.Sscan(string(text), &seconds)
	return seconds
}

// setClock sets the clock of all programs that were started by under with clockOnly.
func setClock(t *testing.T, ahead time.Duration) {
	t.Helper()
	must(t, os.WriteFile(clockFile+".new", fmt.Append(nil, int64(ahead/time.Second)), 0o644))
	must(t, os.Rename(clockFile+".new", clockFile))
}

// told is the story of the last run.
func told(t *testing.T) (s trace.Story) {
	t.Helper()
	text, err := os.ReadFile(storyFile)
	if err == nil {
		err = json.Unmarshal(text, &s)
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}
