// Package queuectl runs qmail-queuectl with a qmail-send that runs, and without one.
package queuectl

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"goqmail/internal/integration/site"
)

func TestMain(m *testing.M) { site.Main(m) }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A queuectl is a site with a queue to look at.
type queuectl struct {
	*site.Site
	t *testing.T
}

func newQueuectl(t *testing.T) *queuectl { return &queuectl{site.New(t), t} }

// run calls the program, and wants an exit code.
func (q *queuectl) run(code int, args ...string) (stdout, stderr string) {
	q.t.Helper()
	return q.runAs(code, "", nil, args...)
}

func (q *queuectl) runAs(code int, user string, groups []uint32, args ...string) (stdout, stderr string) {
	q.t.Helper()
	r := q.Run(site.Command{Program: "qmail-queuectl", Args: args, As: user, Groups: groups})
	if r.Code != code || r.Signal != 0 {
		q.t.Fatalf("%v: exit code %d, signal %v\n%s%s", args, r.Code, r.Signal, r.Stdout, r.Stderr)
	}
	return r.Stdout, r.Stderr
}

// A message is one as -j shows it.
type message struct {
	Number     int
	Sender     string
	Held       bool
	Queued     bool
	ToBounce   bool `json:"to_be_bounced"`
	Bouncing   bool
	Bytes      int
	Arrived    int64
	Recipients []struct {
		Address, Channel, Status, Reply string
		Next                            int64
	}
}

func (q *queuectl) list(args ...string) []message {
	q.t.Helper()
	out, _ := q.run(0, append([]string{"list", "-j"}, args...)...)
	var list []message
	for line := range strings.Lines(out) {
		var m message
		must(q.t, json.Unmarshal([]byte(line), &m))
		list = append(list, m)
	}
	slices.SortFunc(list, func(a, b message) int { return strings.Compare(a.Sender, b.Sender) })
	return list
}

// senders are those of a list.
func senders(list []message) string {
	var all []string
	for _, m := range list {
		all = append(all, m.Sender)
	}
	return strings.Join(all, " ")
}

// queueWaiting queues messages to a user whose mail waits, one for each sender.
func (q *queuectl) queueWaiting(senders ...string) {
	q.t.Helper()
	for _, sender := range senders {
		q.Queue("Subject: from "+sender+"\n\nbody\n", sender, "joe-wait@host.example.org")
	}
}

// wait has mail to joe-wait deferred, or not any more.
func (q *queuectl) wait(yes bool) {
	if yes {
		q.UserFile("joe", ".qmail-wait", "|echo come back later; exit 111\n", 0o600)
	} else {
		q.UserFile("joe", ".qmail-wait", "./Maildir/\n", 0o600)
	}
}

// TestOnline: every command with a qmail-send that runs.
func TestOnline(t *testing.T) {
	q := newQueuectl(t)
	mail := q.Maildir("joe", "Maildir")
	bounces := q.Maildir("ann", "Maildir")
	q.wait(true)
	y := q.Up("./Maildir/")
	q.queueWaiting("ann@host.example.org", "b@x.example", "c@y.example", "d@y.example", "")
	q.Queue("Subject: to two\n\n"+strings.Repeat("long ", 1000), "e@z.example", "joe-wait@host.example.org", "nobody@host.example.org")
	q.Eventually("all deferrals", func() bool { return strings.Count(y.Log(), ": deferral: come_back_later/") == 6 })
	q.Eventually("the failure", func() bool {
		list := q.list("-s", "e@*")
		return len(list) == 1 && list[0].Bouncing
	})

	for _, c := range []struct{ want, args string }{
		{" ann@host.example.org b@x.example c@y.example d@y.example e@z.example", ""},
		{"c@y.example d@y.example", "-s *@Y.example"},
		{"", "-s <>"},
		{"e@z.example", "-g 2k"},
		{"c@y.example d@y.example", "-l 2k -s *@y*"},
		{"", "-o 1h -a"},
		{"e@z.example", "-n 1h -s e*"},
		{"b@x.example", "-d host.example.org -r joe-wait* -s b@*"},
		{"", "-r nobody*"},
		{"", "-H"},
	} {
		if got := senders(q.list(strings.Fields(c.args)...)); got != c.want {
			t.Errorf("list %s: %q, want %q", c.args, got, c.want)
		}
	}
	all := map[string]message{}
	for _, m := range q.list() {
		all[m.Sender] = m
	}
	number := func(sender string) string { return fmt.Sprint(all[sender].Number) }
	e := all["e@z.example"]
	if r := e.Recipients; len(r) != 2 || r[0].Status != "waits" || r[0].Reply != "come back later\n" || r[0].Next <= e.Arrived || r[1].Status != "done" {
		t.Errorf("%+v", e)
	}
	out, _ := q.run(0, "show", number("e@z.example"))
	for _, want := range []string{" <e@z.example> bouncing\n", "waits   joe-wait@host.example.org  next try 20", "come back later\n", "done    nobody@host.example.org\n", "notes:\n    <nobody@host.example.org>:\n", "header:\n    Received: (qmail ", "    Subject: to two\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("show: no %q in\n%s", want, out)
		}
	}
	if strings.Contains(out, "long long") {
		t.Errorf("show: more than the header:\n%s", out)
	}
	if out, _ := q.run(0, "list"); !strings.HasSuffix(out, "6 messages, 6 recipients not done, "+fmt.Sprint(total(q.list()))+" bytes\n") {
		t.Errorf("list:\n%s", out)
	}
	if out, _ := q.run(0, "count"); !regexp.MustCompile(`TOTAL +6 +6( +0){9}\nhost.example.org +6 +6( +0){9}\n$`).MatchString(out) {
		t.Errorf("count:\n%s", out)
	}
	if out, _ := q.run(0, "count", "-S", "-s", "*@y.example"); !regexp.MustCompile(`TOTAL +2 .*\n *y.example +2 `).MatchString(out) {
		t.Errorf("count:\n%s", out)
	}

	// What would lose mail is not done without its number being told.
	for _, verb := range []string{"delete", "bounce"} {
		for _, yes := range [][]string{nil, {"-y", "1"}, {"-y", "3"}, {"-y", ""}, {"-y", "02"}} {
			_, said := q.run(100, append(append([]string{verb}, yes...), "-s", "*@y.example")...)
			if !strings.Contains(said, "2 messages with 2 recipients") || !strings.Contains(said, "add -y 2\n") {
				t.Errorf("%s: %q", verb, said)
			}
		}
	}
	q.run(100, "delete")
	q.run(100, "hold")
	if len(q.list()) != 6 {
		t.Fatal("something was removed")
	}

	q.run(0, "delete", "-y", "2", "-s", "*@y.example")
	if out, said := q.run(100, "delete", "-y", "1", "999999", number("c@y.example")); !strings.Contains(said, "999999: no such message\n") {
		t.Errorf("%q, %q", out, said)
	}
	y.WaitLog(`^queuectl: uid 0: delete msg ` + number("c@y.example") + `$`)
	y.WaitLog(`^end msg ` + number("c@y.example") + `$`)

	// Held mail does not move, whatever is asked.
	q.run(0, "hold", number("b@x.example"))
	q.run(0, "hold", number("b@x.example"))
	q.wait(false)
	if _, said := q.run(100, "retry", number("b@x.example")); !strings.Contains(said, ": is held\n") {
		t.Errorf("%q", said)
	}
	q.run(0, "retry", "-s", "")
	q.Eventually("the message that was tried again", func() bool { return len(q.ReadDir(mail+"/new")) == 1 })
	q.wait(true)
	before := strings.Count(y.Log(), "deferral")
	q.run(0, "retry", "-a")
	q.Eventually("two more tries", func() bool { return strings.Count(y.Log(), "deferral") >= before+2 })
	if list := q.list("-H"); len(list) != 1 || list[0].Sender != "b@x.example" || list[0].Recipients[0].Status != "held" {
		t.Errorf("%+v", list)
	}

	// A bounce.
	q.run(0, "bounce", "-y", "1", "-m", "We do not\n\nwant this.", "-s", "ann@*")
	q.Eventually("the bounce", func() bool { return len(q.ReadDir(bounces+"/new")) == 1 })
	if text := q.ReadDir(bounces + "/new")[0]; !strings.Contains(text, "\n<joe-wait@host.example.org>:\nWe do not\n/want this.\n\n--- Below this line") {
		t.Errorf("the bounce:\n%s", text)
	}

	// Queued anew, a message is routed anew.
	q.Control("virtualdomains", "host.example.org:ann\n")
	q.Control("locals", "")
	y.Signal(syscall.SIGHUP)
	time.Sleep(time.Second) // nothing tells that it has read them again
	q.UserFile("ann", ".qmail-joe-wait", "./Maildir/\n", 0o600)
	q.run(0, "requeue", "-s", "e@z.example")
	q.Eventually("the message with another user", func() bool { return len(q.ReadDir(bounces+"/new")) == 2 })
	m := y.WaitLog(`^queuectl: requeued msg ` + number("e@z.example") + ` qp (\d+)$`)
	y.WaitLog(`^info msg \d+: bytes \d+ from <e@z.example> qp ` + m[1] + ` uid`)
	y.WaitLog(`^bounce msg ` + number("e@z.example") + ` qp `) // for the recipient that had failed before

	q.wait(false)
	q.Control("locals", "host.example.org\n")
	y.Signal(syscall.SIGHUP)
	if _, said := q.run(100, "release", "999999"); !strings.Contains(said, "no such message") {
		t.Errorf("%q", said)
	}
	q.run(0, "release", "-H")
	q.Eventually("the message that was held", func() bool { return len(q.ReadDir(mail+"/new")) == 2 })
	y.Stop()
	for line := range strings.Lines(y.Log()) {
		if !regexp.MustCompile(`^(status: |new msg |info msg |starting delivery |delivery \d+: |bounce msg |end msg |queuectl: )`).MatchString(line) {
			t.Errorf("%s", line)
		}
	}
}

func total(list []message) (bytes int) {
	for _, m := range list {
		bytes += m.Bytes
	}
	return bytes
}

// TestPaused: deliveries to a paused domain wait, those to others go on, also after a
// restart.
func TestPaused(t *testing.T) {
	q := newQueuectl(t)
	mail := q.Maildir("joe", "Maildir")
	q.Control("locals", "one.example\ntwo.example\n")
	q.run(0, "pause", "Two.Example") // while qmail-send is down
	y := q.Up("./Maildir/")
	q.Queue("Subject: x\n\n", "s@x", "joe@one.example", "joe@TWO.example")
	y.WaitLog(`^delivery 1: success: `)
	if list := q.list("-d", "two.example"); len(list) != 1 || list[0].Recipients[1].Status != "paused" || list[0].Recipients[0].Status != "done" {
		t.Errorf("%+v", list)
	}
	q.run(0, "retry", "-d", "two.example")
	q.run(0, "pause", "three.example")
	y.Stop()
	if out, _ := q.run(0, "pause"); out != "three.example\ntwo.example\n" {
		t.Errorf("%q", out)
	}
	y = q.Up("./Maildir/")
	q.run(0, "retry", "-a")
	if out, _ := q.run(0, "pause"); out != "three.example\ntwo.example\n" {
		t.Errorf("%q", out)
	}
	if got := len(q.ReadDir(mail + "/new")); got != 1 {
		t.Errorf("%d messages delivered", got)
	}
	q.run(100, "pause", "no domain")
	q.run(0, "resume", "two.example")
	q.run(0, "retry", "-d", "two.example")
	y.WaitLog(`^end msg `)
	if strings.Count(y.Log(), "starting delivery") != 1 {
		t.Errorf("%s", y.Log())
	}
	y.WaitLog(`^queuectl: uid 0: resume two.example$`)
	y.Stop()
}

// TestOffline: the same without qmail-send, which then finds what was ordered.
func TestOffline(t *testing.T) {
	q := newQueuectl(t)
	mail := q.Maildir("joe", "Maildir")
	bounces := q.Maildir("ann", "Maildir")
	q.wait(true)
	y := q.Up("./Maildir/")
	q.queueWaiting("ann@host.example.org", "b@x.example", "c@x.example", "d@x.example", "e@x.example")
	q.Eventually("all deferrals", func() bool { return strings.Count(y.Log(), ": deferral: ") == 5 })
	y.Stop()
	q.wait(false)
	q.queueWaiting("f@x.example", "g@x.example")
	if got := senders(q.list()); got != "ann@host.example.org b@x.example c@x.example d@x.example e@x.example f@x.example g@x.example" {
		t.Errorf("%s", got)
	}
	_, said := q.run(100, "hold", "-s", "f@*")
	if !strings.Contains(said, "is not preprocessed yet") {
		t.Errorf("%q", said)
	}
	q.run(100, "delete", "-s", "b@*")
	q.run(0, "delete", "-y", "1", "-s", "b@*")
	q.run(0, "delete", "-y", "1", "-s", "g@*")
	q.run(0, "hold", "-s", "c@*", "-s", "c@*")
	q.run(0, "bounce", "-y", "1", "-s", "ann@*")
	q.run(0, "requeue", "-s", "d@*")
	q.run(0, "retry", "-s", "e@*")
	if list := q.list(); senders(list) != "ann@host.example.org c@x.example d@x.example e@x.example f@x.example" || !list[0].ToBounce || !list[1].Held {
		t.Errorf("%+v", list)
	}
	if out, _ := q.run(0, "show", fmt.Sprint(q.list("-s", "d@*")[0].Number)); !strings.Contains(out, "to be queued anew\n") {
		t.Errorf("%s", out)
	}
	q.run(0, "count")
	q.run(0, "check")

	y = q.Up("./Maildir/")
	q.Eventually("all but the one that is held", func() bool { return len(q.ReadDir(mail+"/new")) == 3 && len(q.list()) == 1 })
	y.WaitLog(`^bounce msg `)
	y.WaitLog(`^queuectl: requeued msg `)
	q.Eventually("the bounce", func() bool { return len(q.ReadDir(bounces+"/new")) == 1 })
	if text := q.ReadDir(bounces + "/new")[0]; !strings.Contains(text, "\n<joe-wait@host.example.org>:\nThe administrator") {
		t.Errorf("the bounce:\n%s", text)
	}
	y.Stop()
	// It is still held after two restarts, one of them not in order, and can be released.
	y = q.Up("./Maildir/")
	if list := q.list("-H"); senders(list) != "c@x.example" {
		t.Errorf("%+v", list)
	}
	y.Signal(syscall.SIGALRM)
	y.Signal(syscall.SIGKILL)
	y.Wait()
	q.run(0, "list", "-a") // what a killed qmail-send has left of its socket is nobody
	if list := q.list("-H"); senders(list) != "c@x.example" {
		t.Errorf("%+v", list)
	}
	q.run(0, "release", "-a")
	y = q.Up("./Maildir/")
	q.Eventually("the message that was held", func() bool { return len(q.ReadDir(mail+"/new")) == 4 })
	y.WaitEmpty()
	y.Stop()
}

// TestLock: while it changes the queue by itself, no qmail-send can start, and beside one
// that does not listen it changes nothing.
func TestLock(t *testing.T) {
	q := newQueuectl(t)
	y := q.Up()
	q.run(0, "list")
	must(t, os.Rename(site.Home+"/queue/queuectl", site.Home+"/queue/away"))
	_, said := q.run(111, "retry", "-a")
	if !strings.Contains(said, "qmail-install") {
		t.Errorf("%q", said)
	}
	q.run(0, "list") // which reads only
	if _, said := q.run(111, "repair"); !strings.Contains(said, "already running") {
		t.Errorf("%q", said)
	}
	y.Stop()
	// A home of C qmail has no such directory, and qmail-send does without.
	y = q.Up()
	y.Stop()
	if strings.Contains(y.Log(), "warning") {
		t.Errorf("%s", y.Log())
	}
	if _, said := q.run(111, "pause", "x.example"); !strings.Contains(said, "qmail-install") {
		t.Errorf("%q", said)
	}
}

// TestPermission: root, qmails, and who is named in the line of its group may; others may
// not, not even those of the mail system who have the group.
func TestPermission(t *testing.T) {
	q := newQueuectl(t)
	q.wait(true)
	group := q.Read("/etc/group")
	t.Cleanup(func() { os.WriteFile("/etc/group", []byte(group), 0o644) })
	qmail := site.Account("qmails").GID
	y := q.Up()
	q.queueWaiting("s@x.example")
	y.WaitLog(`deferral`)
	q.runAs(111, "joe", nil, "list") // cannot even reach the socket
	for _, user := range []string{"qmailr", "qmailq"} {
		for _, args := range [][]string{{"list"}, {"delete", "-y", "1", "-a"}, {"hold", "-a"}, {"pause", "x.example"}} {
			if _, said := q.runAs(111, user, nil, args...); !strings.Contains(said, "permission denied") {
				t.Errorf("%s %v: %q", user, args, said)
			}
		}
	}
	if _, said := q.runAs(111, "bob", []uint32{qmail}, "list"); !strings.Contains(said, "permission denied") {
		t.Errorf("%q", said)
	}
	q.runAs(0, "qmails", nil, "list")
	must(t, os.WriteFile("/etc/group", []byte(strings.Replace(group, "qmail:x:46001:", "qmail:x:46001:ann,bob", 1)), 0o644))
	out, _ := q.runAs(0, "bob", []uint32{qmail}, "list")
	if !strings.Contains(out, "1 messages") {
		t.Errorf("%s", out)
	}
	q.runAs(0, "bob", []uint32{qmail}, "hold", "-a")
	y.WaitLog(fmt.Sprintf(`^queuectl: uid %d: hold msg \d+$`, site.Account("bob").UID))
	q.runAs(0, "bob", []uint32{qmail}, "delete", "-y", "1", "-a")
	y.WaitEmpty()
	y.Stop()
	q.runAs(111, "bob", []uint32{qmail}, "retry", "-a") // the queue itself is not his
}

// TestRunning: what is ordered about a message that is being delivered is done when the
// deliveries are over; and the rest of its recipients are left alone.
func TestRunning(t *testing.T) {
	q := newQueuectl(t)
	q.UserFile("joe", ".qmail-slow", "|while ! test -e go; do sleep 0.01; done; echo d >>log\n", 0o600)
	q.Control("concurrencylocal", "2\n")
	y := q.Up()
	recipients := slices.Repeat([]string{"joe-slow@host.example.org"}, 5)
	q.Queue("Subject: x\n\n", "a@x.example", recipients...)
	y.WaitLog(`^status: local 2/2 `)
	if list := q.list(); len(list) != 1 || list[0].Recipients[0].Status != "running" || list[0].Recipients[4].Status != "running" {
		t.Errorf("%+v", list)
	}
	_, said := q.run(0, "delete", "-y", "1", "-a")
	if !strings.Contains(said, "will be done when deliveries that run are over") {
		t.Errorf("%q", said)
	}
	if _, said := q.run(111, "bounce", "-y", "1", "-a"); !strings.Contains(said, "try again") {
		t.Errorf("%q", said)
	}
	q.UserFile("joe", "go", "", 0o600)
	y.WaitEmpty()
	y.Stop()
	if got := q.Read(site.Account("joe").Home + "/log"); got != "d\nd\n" {
		t.Errorf("delivered: %q", got)
	}
}

// TestKilled: orders and deliveries at the same time, and qmail-send is killed again and
// again. What was not deleted is delivered or bounced.
func TestKilled(t *testing.T) {
	q := newQueuectl(t)
	joe, ann := q.Maildir("joe", "Maildir"), q.Maildir("ann", "Maildir")
	q.wait(true)
	const rounds, messages = 4, 12
	for round := range rounds {
		y := q.Up("./Maildir/")
		for i := range messages {
			n := round*messages + i
			q.Queue(fmt.Sprintf("Subject: number %d.\n\nbody\n", n), "ann@host.example.org", "joe-wait@host.example.org", "joe@host.example.org")
		}
		y.WaitLog(`^delivery \d+: deferral`)
		verb := []string{"requeue", "bounce", "hold", "requeue"}[round]
		cmd := exec.Command(site.Home+"/bin/qmail-queuectl", verb, "-a")
		if verb == "bounce" {
			cmd.Args = append(cmd.Args[:2], "-y", fmt.Sprint(len(q.list())), "-a")
		}
		must(t, cmd.Start())
		y.WaitLog(`^queuectl: uid 0: `)
		y.Signal(syscall.SIGKILL)
		cmd.Wait()
		y.Wait()
	}
	q.wait(false)
	y := q.Up("./Maildir/")
	q.Eventually("the end of all", func() bool {
		q.Run(site.Command{Program: "qmail-queuectl", Args: []string{"release", "-H"}})
		q.Run(site.Command{Program: "qmail-queuectl", Args: []string{"retry", "-a"}})
		return len(q.list()) == 0
	})
	y.Stop()
	texts := strings.Join(q.ReadDir(joe+"/new"), "")
	bounced := strings.Join(q.ReadDir(ann+"/new"), "")
	for n := range rounds * messages {
		subject := fmt.Sprintf("Subject: number %d.\n", n)
		if c := strings.Count(texts, subject); c == 0 || c+strings.Count(bounced, subject) < 2 {
			t.Errorf("message %d: %d copies, %d bounces", n, c, strings.Count(bounced, subject))
		}
	}
}

// TestRepair: a queue with mail in it that is restored from an archive, to other inodes
// and by root, is repaired and delivered.
func TestRepair(t *testing.T) {
	for _, c := range []struct{ name, copy string }{
		{"tar", "tar cf ../q.tar --exclude=socket . && rm -rf ../queue/* && tar xf ../q.tar --no-same-owner && rm ../q.tar"},
		{"cp", "cp -a ../queue ../copy && chown -R root:root ../copy && rm -rf ../queue && mv ../copy ../queue"},
		{"into other directories", "cp -a ../queue ../copy && rm -rf ../queue && mv ../copy ../queue && cd ../queue && for k in mess info local; do for f in $k/*/*; do mv $f $k/0/ 2>/dev/null; done; done; rm lock/trigger; touch lock/trigger; echo T >bounce/77777; :"},
	} {
		t.Run(c.name, func(t *testing.T) {
			q := newQueuectl(t)
			mail, bounces := q.Maildir("joe", "Maildir"), q.Maildir("ann", "Maildir")
			q.wait(true)
			y := q.Up("./Maildir/")
			const messages = 12
			for i := range messages {
				q.Queue(fmt.Sprintf("Subject: number %d.\n\nbody\n", i), "ann@host.example.org", "joe-wait@host.example.org", "nobody@host.example.org")
			}
			q.Eventually("all deferrals and failures", func() bool {
				notes, _ := filepath.Glob(site.Home + "/queue/bounce/*")
				return strings.Count(y.Log(), ": deferral: ") == messages && len(notes) == messages
			})
			q.run(0, "hold", fmt.Sprint(q.list()[0].Number))
			y.Stop()
			q.wait(false)
			q.Queue("Subject: number 12.\n\nbody\n", "ann@host.example.org", "joe-wait@host.example.org", "nobody@host.example.org")
			q.run(0, "check")
			if out, err := exec.Command("sh", "-c", "cd "+site.Home+"/queue && "+c.copy).CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			out, said := q.run(100, "check")
			if !strings.Contains(out, ": has inode number ") || !strings.Contains(said, "things are not as they should be") {
				t.Errorf("check: %s%s", out, said)
			}
			out, _ = q.run(0, "repair")
			if !strings.Contains(out, "the numbers of their inodes\n") || !strings.HasSuffix(out, "the queue is in order\n") {
				t.Errorf("repair:\n%s", out)
			}
			for _, name := range q.QueueFiles() {
				if k, rest, _ := strings.Cut(name, "/"); k == "mess" {
					var st syscall.Stat_t
					must(t, syscall.Stat(filepath.Join(site.Home, "queue", name), &st))
					if got := fmt.Sprintf("%d/%d", st.Ino%23, st.Ino); got != rest || st.Uid != site.Account("qmailq").UID {
						t.Errorf("%s has number %s and belongs to %d", name, got, st.Uid)
					}
				}
			}
			y = q.Up("./Maildir/")
			q.run(0, "retry", "-a")
			q.Eventually("what is not held", func() bool { return len(q.ReadDir(mail+"/new")) == messages })
			q.Eventually("the end of all others", func() bool { return len(q.list()) == 1 })
			q.run(0, "release", "-H")
			q.Eventually("the one that was held, and the bounces", func() bool {
				return len(q.ReadDir(mail+"/new")) == messages+1 && len(q.ReadDir(bounces+"/new")) == messages+1
			})
			y.Stop()
			texts, bounced := strings.Join(q.ReadDir(mail+"/new"), ""), strings.Join(q.ReadDir(bounces+"/new"), "")
			for i := range messages + 1 {
				subject := fmt.Sprintf("Subject: number %d.\n", i)
				if strings.Count(texts, subject) != 1 || strings.Count(bounced, subject) != 1 {
					t.Errorf("message %d: %d copies, %d bounces", i, strings.Count(texts, subject), strings.Count(bounced, subject))
				}
			}
		})
	}
}
