package send

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"goqmail/internal/dispatch/route"
	"goqmail/internal/wire/queuectl"
	"goqmail/internal/wire/spawn"
	"goqmail/queue/queuetest"

	"golang.org/x/sys/unix"
)

// TestHostileClients: clients that say nothing, nonsense, or do not listen hold up no
// delivery and no other work, and beyond a number of them others are turned away at
// once.
func TestHostileClients(t *testing.T) {
	dir := queuetest.New(t, 23)
	if err := os.Mkdir(filepath.Join(dir, queuectl.Directory), 0o755); err != nil {
		t.Fatal(err)
	}
	// There is more to tell of than a socket holds.
	for n := 1; n <= 2000; n++ {
		queuetest.Put(t, dir, fmt.Sprintf("info/%d/%d", n%23, n), "Fs@x\x00")
		queuetest.Put(t, dir, fmt.Sprintf("local/%d/%d", n%23, n), records("recipient-with-a-long-name", 10))
		if err := os.Chmod(fmt.Sprintf("%s/local/%d/%d", dir, n%23, n), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	s := launchIn(t, dir, spawn.Wide, 120, map[string]string{})
	s.wait(`^status: local 0/10 remote 0/20$`)

	raw := func(say string) int {
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := unix.Connect(fd, &unix.SockaddrUnix{Name: filepath.Join(dir, queuectl.Directory, "socket")}); err != nil {
			t.Fatal(err)
		}
		unix.Sendto(fd, []byte(say), unix.MSG_NOSIGNAL, nil)
		return fd
	}
	ask := func(r queuectl.Request) (int, error) {
		c, err := queuectl.Dial(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		n := 0
		err = c.Ask(r, queuectl.Answers{Message: func(m queuectl.Message) error { n += len(m.Recipients); return nil }, Result: func(queuectl.Result) { n++ }})
		return n, err
	}
	var fds []int
	defer func() {
		for _, fd := range fds {
			unix.Close(fd)
		}
	}()
	for _, say := range []string{"99999999999:", "x", "1:\x00,", "5:list,", "7:delete\x00,", "4294967296:", ""} {
		unix.Close(raw(say))
	}
	if n, err := ask(queuectl.Request{Verb: queuectl.List}); n != 20_000 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	var refusal queuectl.Refusal
	if _, err := ask(queuectl.Request{Verb: "shutdown"}); !errors.As(err, &refusal) || refusal != "malformed request" {
		t.Errorf("%v", err)
	}
	fds = append(fds, raw("5:list\x00,")) // does not read the answer
	for len(fds) < maxClients {
		fds = append(fds, raw("5:li")) // does not go on
	}
	busy := false
	for range 100 { // the last of them may not have been accepted yet
		if _, err := ask(queuectl.Request{Verb: queuectl.Paused}); errors.As(err, &refusal) {
			busy = refusal == "too many at once, try again"
			break
		}
	}
	if !busy {
		t.Errorf("not turned away: %v", refusal)
	}
	for range 50 {
		s.enqueue("s@x", "a@here.example", "b@far.example")
		s.spawners[route.Local].report(s.spawners[route.Local].next(t), "Kok\n")
		s.spawners[route.Remote].report(s.spawners[route.Remote].next(t), "Kok\n")
	}
	s.wait(`^delivery 100: success`)
	for _, fd := range fds[1:] {
		unix.Close(fd)
	}
	fds = fds[:1]
	for range 1000 { // a place is free at once, but not before that was noticed
		if _, err := ask(queuectl.Request{Verb: queuectl.Run}); !errors.As(err, &refusal) {
			break
		}
	}
	if n, err := ask(queuectl.Request{Verb: queuectl.Retry, Messages: []queuectl.Name{{Number: 1}, {Number: 4}, {Number: 1 << 60}}}); n != 3 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	s.wait(fmt.Sprintf(`^queuectl: uid %d: run$`, os.Getuid()))
	s.signals <- Exit
	s.end()
	if _, err := queuectl.Dial(dir); !errors.Is(err, queuectl.ErrNobody) {
		t.Errorf("after the end: %v", err)
	}
}
