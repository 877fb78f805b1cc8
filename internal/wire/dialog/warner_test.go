package dialog

import (
	"io"
	"testing"

	"golang.org/x/sys/unix"
)

func TestWarner(t *testing.T) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	client, server := pair[0], pair[1]
	defer unix.Close(client)
	r, w := pipe(t)
	Warner("p", server, server)("to the client")
	Warner("p", w, server)("to the log")
	unix.Close(server)
	if n, err := unix.Read(client, make([]byte, 100)); n != 0 || err != nil {
		t.Errorf("the client got %d bytes, %v", n, err)
	}
	log := make([]byte, 100)
	if n, err := unix.Read(r, log); string(log[:max(n, 0)]) != "p: to the log\n" {
		t.Errorf("log %q, %v", log[:max(n, 0)], err)
	}
	Warner("p", 9999, 9998)("into the void")
	if _, err := io.WriteString(Descriptor{FD: w}, "x"); err != nil {
		t.Error(err)
	}
}
