package soak

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"goqmail/internal/admin/install"
	"goqmail/internal/integration/site"

	"golang.org/x/sys/unix"
)

// A world is the installation, the other host, the load and the troubles.
type world struct {
	site    *site.Site
	network *site.Network
	far     *site.Host
	plan    plan
	ledger  *ledger
	load    *load
	record  *record
	mail    *supervised // qmail-start
	server  *supervised // qmail-smtpd
	events  *events
	sent    int64 // TCP segments that were sent again before
}

// newWorld sets it up: the queue and the homes on disks of their own, joe with a maildir
// and a password for POP3, ann who forwards to him, bob with a mailbox and a program, a
// list, and a host that all mail for others goes to.
func newWorld(t *testing.T, s *site.Site, p plan) *world {
	w := &world{site: s, plan: p, ledger: newLedger(), network: s.NewNetwork(), events: &events{}}
	address := w.network.Join()
	w.far = w.network.Host("far")
	newDisk(t, site.Home+"/queue")
	newDisk(t, "/mnt/home")
	must(t, install.Plan{Home: site.Home, Accounts: install.NewSystemAccounts()}.InstallQueue())
	for u := range site.Users {
		a := site.Account(u)
		must(t, os.Mkdir(a.Home, 0o755))
		must(t, os.Chown(a.Home, int(a.UID), int(a.GID)))
	}
	joe := site.Account("joe")
	s.Maildir("joe", "Maildir")
	s.UserFile("joe", ".qmail-default", "./Maildir/\n", 0o600)
	s.UserFile("ann", ".qmail", "&joe"+here+"\n", 0o600)
	s.UserFile("bob", ".qmail", "./Mailbox\n", 0o600)
	s.UserFile("bob", ".qmail-program", "|sed -n '/^$/q; s/^Message-ID: //p' >> taken\n", 0o600)
	must(t, os.WriteFile(site.Home+"/alias/.qmail-list", []byte("&joe"+here+"\n&bob"+here+"\n&far@list.example\n"), 0o644))
	must(t, os.WriteFile(site.Home+"/users/passwd", fmt.Appendf(nil, "joe%s:{PLAIN}%s:%d:%d::%s\n", here, password, joe.UID, joe.GID, joe.Home), 0o600))
	s.Control("rcpthosts", "host.example.org\n.example\n")
	s.Control("smtproutes", ":"+w.far.Address+"\n")
	s.Control("remotebatch", "10\n")
	s.Control("concurrencyhost", "5\n")
	s.Control("concurrencyremote", "50\n")
	s.Control("timeoutconnect", "10\n")
	s.Control("timeoutremote", "60\n")

	l, err := w.far.Listen(w.far.Address + ":25")
	must(t, err)
	t.Cleanup(func() { l.Close() })
	go w.ledger.takeMail(l)
	w.load = &load{
		ledger: w.ledger, pause: p.pause, seen: map[string]bool{},
		local:  &client{keep: true, dial: func() (net.Conn, error) { return net.Dial("tcp", "127.0.0.1:25") }},
		remote: &client{dial: func() (net.Conn, error) { return w.far.Dial(address+":25", 30*time.Second) }},
	}
	w.record = newRecord(w.ledger)
	w.mail = supervise(t, w.record.pipe(t), "qmail-start", "./Maildir/")
	w.server = supervise(t, w.record.pipe(t), "qmail-smtpd", "-H", "-a", "0.0.0.0:25")
	w.sent = retransmitted()
	return w
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// newDisk mounts an ext4 of its own, in a file in memory; or, where that cannot be had, a
// tmpfs.
func newDisk(t *testing.T, dir string) {
	t.Helper()
	const size = 256 << 20
	image := filepath.Join("/mnt", strings.ReplaceAll(dir, "/", "-")+".image")
	must(t, os.WriteFile(image, nil, 0o600))
	must(t, os.Truncate(image, size))
	t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH); os.Remove(image) })
	out, err := exec.Command("mkfs.ext4", "-q", "-F", "-m", "0", image).CombinedOutput()
	if err == nil {
		out, err = exec.Command("mount", "-o", "loop", image, dir).CombinedOutput()
	}
	if err != nil {
		t.Logf("no ext4, but a tmpfs on %s: %v %s", dir, err, out)
		must(t, unix.Mount("soak", dir, "tmpfs", 0, fmt.Sprint("mode=0755,size=", size)))
		return
	}
	must(t, os.Remove(dir+"/lost+found"))
}

// An event is a time in which something was wrong.
type event struct {
	what       string
	begin, end time.Time
}

type events struct {
	mu   sync.Mutex
	list []event
}

func (e *events) add(what string, begin time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.list = append(e.list, event{what, begin, time.Now()})
}

// A trouble comes, stays and goes, again and again.
type trouble struct {
	what       string
	every      time.Duration
	stays      time.Duration
	until      time.Time // when it comes no more
	begin, end func()
}

func (t trouble) comeAndGo(stop <-chan struct{}, seen *events) {
	for rest(stop, t.every-t.stays) && time.Now().Before(t.until) {
		begun := time.Now()
		t.begin()
		rest(stop, t.stays)
		t.end()
		seen.add(t.what, begun)
	}
}

// troubles are those besides kills. Full disks take turns: the queue's is full in the
// second quarter of its time, that of the homes in the fourth.
func (w *world) troubles() []trouble {
	period := min(max(w.plan.duration/4, 8*time.Second), 4*time.Minute)
	end := time.Now().Add(w.plan.duration)
	half := time.Now().Add(w.plan.duration / 2)
	var queue, homes filler
	nothing := func() {}
	return []trouble{
		{"disk of the queue full", period, period / 4, end, func() { queue.fill(site.Home + "/queue") }, queue.free},
		{"disk of the homes full", period * 3 / 4, period / 4, end, func() { homes.fill("/mnt/home") }, homes.free},
		{"packets lost", period * 4 / 5, period / 3, end, func() { w.lose(0.2) }, func() { w.lose(0) }},
		{"HUP", period / 3, 0, end, func() { w.mail.signal(syscall.SIGHUP) }, nothing},
		{"restart of qmail-send", period / 2, 0, half, func() { w.mail.signal(syscall.SIGTERM) }, nothing},
		{"restart of qmail-smtpd", period * 2 / 3, 0, half, func() { w.server.signal(syscall.SIGTERM) }, nothing},
	}
}

func (w *world) lose(probability float64) {
	if err := w.network.Lose(w.far, probability); err != nil {
		panic(err)
	}
}

// A filler fills a disk, and keeps it full.
type filler struct {
	file *os.File
	stop chan struct{}
	done chan struct{}
}

func (f *filler) fill(dir string) {
	var err error
	if f.file, err = os.CreateTemp(dir, "fill"); err != nil {
		panic(err)
	}
	f.stop, f.done = make(chan struct{}), make(chan struct{})
	go func() {
		defer close(f.done)
		block := make([]byte, 1<<20)
		for open(f.stop) {
			if _, err := f.file.Write(block); err != nil {
				if len(block) > 512 {
					block = block[:len(block)/2]
				} else {
					rest(f.stop, 20*time.Millisecond)
				}
			}
		}
	}()
}

func (f *filler) free() {
	close(f.stop)
	<-f.done
	os.Remove(f.file.Name())
	f.file.Close()
}

// signals has mail that waits tried again, and read where it arrives.
func (w *world) signals(stop <-chan struct{}) {
	for n := 0; rest(stop, 500*time.Millisecond); n++ {
		if !w.plan.troubles || n%10 == 0 {
			w.mail.signal(syscall.SIGALRM)
		}
		w.load.collect()
		reap()
	}
}

// forgetTimeouts has hosts that did not answer tried at once.
func (w *world) forgetTimeouts() { command("qmail-tcpok").Run() }

// settled has everything tried that waits, and tells whether no recipient is left.
func (w *world) settled() bool {
	w.mail.signal(syscall.SIGALRM)
	w.load.collect()
	return !slices.ContainsFunc(waiting(w.site), func(f string) bool {
		return strings.HasPrefix(f, "todo/") || strings.HasPrefix(f, "local/") || strings.HasPrefix(f, "remote/")
	})
}

// drained has everything tried that waits, and tells whether all has arrived.
func (w *world) drained() bool {
	w.mail.signal(syscall.SIGALRM)
	w.load.collect()
	return w.ledger.missing() == 0 && len(waiting(w.site)) == 0
}

// retransmitted is how many TCP segments were sent again.
func retransmitted() int64 {
	text, _ := os.ReadFile("/proc/thread-self/net/snmp")
	var names []string
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if len(f) == 0 || f[0] != "Tcp:" {
			continue
		}
		if names == nil {
			names = f
			continue
		}
		for i, name := range names {
			if name == "RetransSegs" {
				n, _ := strconv.ParseInt(f[i], 10, 64)
				return n
			}
		}
	}
	return 0
}

// mustHaveHurt wants each trouble to have been one.
func (w *world) mustHaveHurt(t *testing.T) {
	count := map[string]int{}
	for _, e := range w.events.list {
		count[e.what]++
	}
	t.Logf("troubles: %v; TCP segments sent again: %d", count, retransmitted()-w.sent)
	for _, tr := range w.troubles() {
		if count[tr.what] == 0 {
			t.Errorf("never: %s", tr.what)
		}
	}
	if retransmitted() == w.sent {
		t.Error("no packet was lost")
	}
}
