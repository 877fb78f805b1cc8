package replay

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"goqmail/internal/admin/install"
	"goqmail/internal/integration/site"
	"goqmail/internal/wire/submit"

	"golang.org/x/sys/unix"
)

// The mail of a recording. Message 17 is from bob-17, who gets its bounce, and has some of
// these recipients, by its number:
//
//	joe   into his maildir
//	ann   forwarded to joe
//	far   on another host
//	none  unknown
const host = "@host.example.org"

func sender(id int) string { return fmt.Sprint("bob-", id, host) }

func recipients(id int) []string {
	return [][]string{
		{"joe", "ann"},
		{"joe", "none"},
		{"ann", "far", "none"},
		{"far", "joe"},
		{"none"},
	}[id%5]
}

func address(recipient string) string {
	if recipient == "far" {
		return "far@far.example"
	}
	return recipient + host
}

// body is a message, some less than a page and some several. It ends in a way that tells that it
// is whole.
func body(id int) string {
	return fmt.Sprintf("Subject: %d\n\n%send of %d\n", id, strings.Repeat("The quick brown fox jumps over the lazy dog.\n", (id%7)*(id%7)*20), id)
}

// A system is the mail system, with its queue and its maildirs on one disk.
type system struct {
	t    *testing.T
	s    *site.Site
	disk *Disk

	mu   sync.Mutex
	sink func(id string) // is told whose message has come to the other host
}

func newSystem(t *testing.T, kind Filesystem) *system {
	s, disk := newDisk(t, kind)
	y := &system{t: t, s: s, disk: disk}
	s.Control("smtproutes", ":127.0.0.2\n")
	site.Listen(t, "127.0.0.2:25", y.receive)
	return y
}

func (y *system) must(err error) {
	y.t.Helper()
	if err != nil {
		y.t.Fatal(err)
	}
}

// receive is the other host. It has a message when it has told the sink.
func (y *system) receive(conn net.Conn) {
	in := bufio.NewReader(conn)
	reply, id := "220 sink ESMTP", ""
	for {
		if _, err := io.WriteString(conn, reply+"\r\n"); err != nil {
			return
		}
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		reply = "250 ok"
		switch verb, rest, _ := strings.Cut(line, "bob-"); {
		case strings.HasPrefix(verb, "MAIL"):
			id, _, _ = strings.Cut(rest, "@")
		case strings.HasPrefix(line, "DATA"):
			io.WriteString(conn, "354 go on\r\n")
			for line != ".\r\n" {
				if line, err = in.ReadString('\n'); err != nil {
					return
				}
			}
			y.mu.Lock()
			y.sink(id)
			y.mu.Unlock()
		}
	}
}

func (y *system) setSink(sink func(id string)) {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.sink = sink
}

// places are the directories of the disk, by where they belong.
var places = map[string]string{
	site.Home + "/queue": "queue",
	"/mnt/home/joe":      "joe",
	"/mnt/home/ann":      "ann",
	"/mnt/home/bob":      "bob",
}

// bind puts the directories of the disk where they belong, until the function that it
// returns is called.
func (y *system) bind() (undo func()) {
	y.t.Helper()
	for place, name := range places {
		y.must(unix.Mount(filepath.Join(dir, name), place, "", unix.MS_BIND, ""))
	}
	return func() {
		for place := range places {
			if err := Unmount(place); err != nil {
				y.t.Error(err)
			}
		}
	}
}

// record has mail go through a new disk until all of it has left the queue. The mail is
// submitted by several at the same time, half of them by one resident qmail-queue. The log
// begins to count at the event that is returned. Between now and then everything is synced
// by somebody else where often is set, so that the filesystem commits at any moment, too.
func (y *system) record(messages int, often bool) (*Log, int) {
	y.t.Helper()
	r := y.disk.Record()
	for place, name := range places {
		y.must(os.Mkdir(filepath.Join(dir, name), 0o755))
		if name != "queue" {
			a := site.Account(filepath.Base(place))
			y.must(os.Chown(filepath.Join(dir, name), int(a.UID), int(a.GID)))
		}
	}
	unbind := sync.OnceFunc(y.bind())
	defer unbind()
	y.must(install.Plan{Home: site.Home, Accounts: install.NewSystemAccounts()}.InstallDirectories())
	y.s.Maildir("joe", "Maildir")
	y.s.Maildir("bob", "Maildir")
	y.s.UserFile("ann", ".qmail", "&joe"+host+"\n", 0o600)
	y.s.UserFile("bob", ".qmail-default", "./Maildir/\n", 0o600)
	syscall.Sync()
	r.Mark(begun)
	y.setSink(func(id string) { r.Mark("got far " + id) })

	running := y.s.Up("./Maildir/")
	stop := make(chan struct{})
	var watchers, submitters sync.WaitGroup
	watchers.Go(func() { follow(running, r, stop) })
	if often {
		watchers.Go(func() { syncOften(stop) })
	}
	resident := submit.NewResident(site.Home)
	var next atomic.Int64
	for i := range 6 {
		q := submit.Queue{Home: site.Home}
		if i%2 == 0 {
			q.Resident = resident
		}
		submitters.Go(func() {
			for id := int(next.Add(1)); id <= messages; id = int(next.Add(1)) {
				if err := send(q, id); err != nil {
					y.t.Errorf("message %d: %v", id, err)
					return
				}
				r.Mark(fmt.Sprint("accepted ", id))
			}
		})
	}
	submitters.Wait()
	resident.Close()
	running.WaitEmpty()
	close(stop)
	watchers.Wait()
	running.Stop()
	unbind()
	log := r.Stop()
	for i, e := range log.Events {
		if e.Kind == Mark && string(e.Data) == begun {
			return log, i
		}
	}
	y.t.Fatal("the log does not begin")
	return nil, 0
}

const begun = "begun"

func send(q submit.Queue, id int) error {
	m, err := q.Open()
	if err != nil {
		return err
	}
	m.WriteString(body(id))
	m.From(sender(id))
	for _, r := range recipients(id) {
		m.To(address(r))
	}
	return m.Close()
}

func syncOften(stop chan struct{}) {
	f, err := os.Open(dir)
	if err != nil {
		return
	}
	defer f.Close()
	for {
		select {
		case <-stop:
			return
		case <-time.After(time.Duration(rand.IntN(50)) * time.Millisecond):
			unix.Syncfs(int(f.Fd()))
		}
	}
}

var (
	infoLine     = regexp.MustCompile(`^info msg (\d+): bytes \d+ from <(?:bob-(\d+)@.*)?> qp \d+ uid (\d+)$`)
	startLine    = regexp.MustCompile(`^starting delivery (\d+): msg (\d+) to local (?:(joe)|bob-(\d+))@`)
	deliveryLine = regexp.MustCompile(`^delivery (\d+): success: `)
)

// follow marks deliveries into a maildir when qmail-send has said that they were made.
func follow(running *site.System, r *Recording, stop chan struct{}) {
	type message struct{ id, recipient string }
	messages, deliveries := map[string]message{}, map[string]message{}
	ann := strconv.Itoa(int(site.Users["ann"]))
	for read, end := 0, false; !end; {
		select {
		case <-stop:
			end = true
		case <-time.After(time.Millisecond):
		}
		log := running.Log()
		log = log[:strings.LastIndexByte(log, '\n')+1]
		for line := range strings.Lines(log[read:]) {
			line = strings.TrimSuffix(line, "\n")
			if m := infoLine.FindStringSubmatch(line); m != nil {
				messages[m[1]] = message{m[2], "joe"}
				if m[3] == ann {
					messages[m[1]] = message{m[2], "ann"}
				}
			}
			if m := startLine.FindStringSubmatch(line); m != nil {
				deliveries[m[1]] = messages[m[2]]
				if m[4] != "" {
					deliveries[m[1]] = message{m[4], "none"}
				}
			}
			if m := deliveryLine.FindStringSubmatch(line); m != nil {
				if d, ok := deliveries[m[1]]; ok {
					r.Mark("delivered " + d.recipient + " " + d.id)
				}
			}
		}
		read = len(log)
	}
}

// goOn starts the mail system on the disk as it is, and waits until nothing in the queue waits
// for anybody. It returns whose mail came to the other host.
func (y *system) goOn() []string {
	y.t.Helper()
	defer y.bind()()
	var got []string
	y.setSink(func(id string) { got = append(got, "got far "+id) })
	running := y.s.Up("./Maildir/")
	y.s.Eventually("an empty queue", func() bool {
		running.Signal(syscall.SIGALRM)
		time.Sleep(10 * time.Millisecond)
		// A message goes from todo to info, and one that goes from info may have put its
		// bounce into todo: only in this order does nothing slip by.
		return !preprocessed() && !queued() && !preprocessed()
	})
	running.Stop()
	return got
}

func queued() bool {
	found, _ := filepath.Glob(site.Home + "/queue/todo/*")
	return len(found) > 0
}

// preprocessed tells whether there is such a message, and not only what is left of one.
func preprocessed() bool {
	found, _ := filepath.Glob(site.Home + "/queue/info/*/*")
	return slices.ContainsFunc(found, func(info string) bool {
		_, err := os.Stat(strings.Replace(info, "/info/", "/mess/", 1))
		return err == nil
	})
}
