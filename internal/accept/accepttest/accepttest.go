// Package accepttest stands in for qmail-queue in the tests of what runs it.
package accepttest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"goqmail/internal/accept/connection"
)

// A Queue is a qmail-queue that keeps messages in files. Like the real one, it
// takes nothing without a complete envelope.
type Queue struct {
	t    testing.TB
	home string
}

const script = `#!/bin/sh
n=$(ls | grep -c '^envelope\.[0-9]')
cat >message.$n
cat <&1 >envelope.new
test "$(tail -c 2 envelope.new | od -An -tx1 | tr -d ' ')" = 0000 || exit 54
mv envelope.new envelope.$n
exit %d
`

// New makes a queue that ends with an exit code, 0 for one that accepts.
func New(t testing.TB, code int) *Queue {
	q := &Queue{t, t.TempDir()}
	path := filepath.Join(q.home, "bin", "qmail-queue")
	if err := os.Mkdir(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, fmt.Appendf(nil, script, code), 0o755); err != nil {
		t.Fatal(err)
	}
	return q
}

// Home is the home directory of the queue, and a place for files.
func (q *Queue) Home() string { return q.home }

// Env adds what the queue needs to the environment of a connection.
func (q *Queue) Env(env ...string) connection.Environment {
	return append(env, "PATH="+os.Getenv("PATH"))
}

// Message is what a qmail-queue gets.
type Message struct{ Text, Envelope string }

// Messages returns what has come in, oldest first.
func (q *Queue) Messages() (messages []Message) {
	for n := 0; ; n++ {
		envelope, err := os.ReadFile(filepath.Join(q.home, fmt.Sprint("envelope.", n)))
		if err != nil {
			return messages
		}
		text, err := os.ReadFile(filepath.Join(q.home, fmt.Sprint("message.", n)))
		if err != nil {
			q.t.Fatal(err)
		}
		messages = append(messages, Message{string(text), string(envelope)})
	}
}

// Body is the text without the Received field.
func (m Message) Body() string {
	for _, line := range strings.SplitAfter(m.Text, "\n") {
		if !strings.HasPrefix(line, "Received: from ") && !strings.HasPrefix(line, "  by ") {
			break
		}
		m.Text = m.Text[len(line):]
	}
	return m.Text
}
