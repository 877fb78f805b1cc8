package privileges

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"goqmail/internal/integration/site"
)

// TestQueueByRoot: a qmail-queue that root has called has nothing of root's left with
// which it could become root, while it reads what somebody has written.
func TestQueueByRoot(t *testing.T) {
	s := site.New(t)
	message, text, err := os.Pipe()
	must(t, err)
	defer text.Close()
	envelope, addresses, err := os.Pipe()
	must(t, err)
	cmd := exec.Command(site.Home + "/bin/qmail-queue")
	cmd.Stdin, cmd.Stdout = message, envelope
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Groups: []uint32{0, 6}}} // 6 is disk
	must(t, cmd.Start())
	message.Close()
	envelope.Close()
	text.WriteString(strings.Repeat("half of a message\n", 10_000))
	s.Eventually("a message on its way", func() bool { return len(s.QueueFiles()) > 0 })
	qmailq := site.Account("qmailq")
	status := s.Read(fmt.Sprintf("/proc/%d/status", cmd.Process.Pid))
	for _, want := range []string{strings.Replace("Uid:\tN\tN\tN\tN\n", "N", fmt.Sprint(qmailq.UID), 4),
		strings.Replace("Gid:\tN\tN\tN\tN\n", "N", fmt.Sprint(qmailq.GID), 4), "Groups:\t \n", "CapPrm:\t0000000000000000\n"} {
		if !strings.Contains(status, want) {
			t.Errorf("no %q in:\n%s", want, status)
		}
	}
	text.Close()
	addresses.WriteString("Fs@x\x00Tr@y\x00\x00")
	addresses.Close()
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	for _, f := range s.QueueFiles() {
		if text := s.Read(site.Home + "/queue/" + f); strings.HasPrefix(f, "mess/") && !strings.Contains(text, " invoked by uid 0);") ||
			strings.HasPrefix(f, "todo/") && !strings.HasPrefix(text, "u0\x00p") {
			t.Errorf("%s: %.200q", f, text)
		}
	}
}
