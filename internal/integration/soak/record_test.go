package soak

import (
	"bufio"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// The record is what the programs say, qmail-log(5) above all.
type record struct {
	ledger *ledger

	mu       sync.Mutex
	messages map[string]int // number of the message, by that in the queue
	last     []string       // lines
	broken   bool           // a program was
	unusual  map[string]int // other lines than those about mail, by what they say
}

// lastLines is how many lines of the record are kept.
const lastLines = 60

func newRecord(l *ledger) *record {
	return &record{ledger: l, messages: map[string]int{}, unusual: map[string]int{}}
}

// pipe is what a program says goes into. There is one for each, so that lines stay lines.
func (r *record) pipe(t *testing.T) *os.File {
	read, write, err := os.Pipe()
	must(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for lines := bufio.NewReader(read); ; {
			line, err := lines.ReadString('\n')
			if err != nil {
				return
			}
			r.take(line)
		}
	}()
	t.Cleanup(func() {
		write.Close()
		<-done
	})
	return write
}

var (
	info     = regexp.MustCompile(`^info msg (\d+): bytes \d+ from <(?:joe-(\d+)@)?`)
	starting = regexp.MustCompile(`^starting delivery \d+: msg (\d+) to (?:local|remote) (joe|bob-program|bob|far)(?:-(\d+))?@`)
	ending   = regexp.MustCompile(`^end msg (\d+)`)
	usual    = regexp.MustCompile(`^(new msg|info msg|starting delivery|delivery|end msg|bounce msg|status:) `)
	number   = regexp.MustCompile(`\d+`)

	targetNamed = map[string]target{"joe": toJoe, "bob": toBob, "bob-program": toProgram, "far": toFar}
)

// take looks at a line. Of a message its sender says which it is, of a bounce the
// recipient.
func (r *record) take(line string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if m := info.FindStringSubmatch(line); m != nil {
		delete(r.messages, m[1])
		if m[2] != "" {
			r.messages[m[1]], _ = strconv.Atoi(m[2])
		}
	} else if m := ending.FindStringSubmatch(line); m != nil {
		delete(r.messages, m[1])
	} else if m := starting.FindStringSubmatch(line); m != nil {
		to, n := targetNamed[m[2]], -1
		if m[3] != "" {
			to = toSender
			n, _ = strconv.Atoi(m[3])
		} else if known, ok := r.messages[m[1]]; ok {
			n = known
		}
		r.ledger.begin(n, to)
	}
	if !usual.MatchString(line) {
		r.unusual[number.ReplaceAllString(strings.TrimSpace(line), "N")]++
	}
	if strings.Contains(line, "panic") || strings.Contains(line, "goroutine ") {
		r.broken = true
	}
	if r.broken && len(r.last) > 3*lastLines {
		return
	}
	if !r.broken && len(r.last) >= lastLines {
		r.last = r.last[1:]
	}
	r.last = append(r.last, line)
}

// report says what was unusual. No program may break.
func (r *record) report(t *testing.T) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for text, times := range r.unusual {
		t.Logf("%d times: %s", times, text)
	}
	if r.broken {
		t.Errorf("a panic:\n%s", strings.Join(r.last, ""))
	}
}
