package accept

import (
	"bytes"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"goqmail/internal/integration/site"
)

// TestIdleConnections: a connection that waits costs little memory, also one that
// has sent mail.
func TestIdleConnections(t *testing.T) {
	const most = 12 << 10
	s := open(t)
	y, a := serve(s, "-c1300", "-i0", "-n0")
	connections := func(n int) {
		var clients []*client
		for range n {
			clients = append(clients, greeted(t, a))
		}
		for _, c := range clients {
			c.send("EHLO client", "MAIL FROM:<s@x.test>", "RCPT TO:<r@a.test>")
			c.want("250-.*", "250-.*", "250 .*", "250 ok", "250 ok")
			c.send("RSET")
			c.want("250 .*")
		}
	}
	connections(200)
	before := anonymous(t, s, y.Pid())
	connections(1000)
	if each := (anonymous(t, s, y.Pid()) - before) / 1000; each > most {
		t.Errorf("%d bytes for each idle connection", each)
	} else {
		t.Logf("%d bytes for each idle connection", each)
	}
}

// anonymous is how much memory a process has that is not of its file.
func anonymous(t *testing.T, s *site.Site, pid int) int {
	t.Helper()
	m := regexp.MustCompile(`(?m)^RssAnon:\s+(\d+) kB$`).FindStringSubmatch(s.Read(filepath.Join("/proc", strconv.Itoa(pid), "status")))
	if m == nil {
		t.Fatal("no RssAnon")
	}
	n, _ := strconv.Atoi(m[1])
	return n << 10
}

var (
	_ = bytes.NewReader
	_ = io.Copy
	_ = fmt.Sprint
	_ = strings.Repeat
)
