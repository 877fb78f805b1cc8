package memory

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"goqmail/internal/integration/site"
)

// TestMillionAddresses: qmail-inject takes a million addresses out of a header, from
// one field or from many, with a line of 100 MB beside them.
func TestMillionAddresses(t *testing.T) {
	if testing.Short() {
		t.Skip("writes a hundred megabytes")
	}
	const n = 1_000_000
	for _, c := range []struct{ name, before, between, after string }{
		{"one field", "To: ", ",\n ", "\n"},
		{"one field without commas", "Cc: ", " ", "\n"},
		{"many fields", "Bcc: ", "\nBcc: ", "\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := site.New(t)
			r, w := io.Pipe()
			go func() {
				b := bufio.NewWriter(w)
				fmt.Fprint(b, c.before)
				for i := range n {
					if i > 0 {
						b.WriteString(c.between)
					}
					fmt.Fprintf(b, "r%d@remote.example", i)
				}
				fmt.Fprint(b, c.after)
				w.CloseWithError(b.Flush())
			}()
			watch := startWatch()
			q := s.Run(site.Command{Program: "qmail-inject", As: "ann", Env: []string{"QMAILUSER=ann"},
				Stdin: io.MultiReader(r, long("Subject: ", "x", 100<<20, "\n\nbody\n"))})
			// The parser makes strings of a hundred megabytes in all, which the runtime
			// collects late where the machine is busy: 20 MB, and 60 in the worst case.
			watch.within(t, 96<<20, "qmail-inject", "qmail-queue")
			if q.Code != 0 {
				t.Fatalf("exit code %d: %s", q.Code, q.Stderr)
			}
			todo, _ := filepath.Glob(site.Home + "/queue/todo/*")
			if len(todo) != 1 {
				t.Fatalf("%d messages", len(todo))
			}
			f, err := os.Open(todo[0])
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			recipients := 0
			for b := bufio.NewReader(f); ; {
				record, err := b.ReadString(0)
				if err != nil {
					break
				}
				if strings.HasPrefix(record, "Tr") {
					recipients++
				}
			}
			if recipients != n {
				t.Errorf("%d recipients", recipients)
			}
		})
	}
}
