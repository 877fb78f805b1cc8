// Package faults has something go wrong at one system call of one program, while mail
// takes its way through all of them: the call fails, with each error that it can have, or
// its process is killed. Then the test plays what would happen on a machine that nobody
// looks after, and wants that
//
//   - the message is delivered to each recipient, by each of the ways that there are, once
//     or, where what a program did could not be told or noted, twice;
//   - who was not told that it was accepted is refused for the time being, and accepted
//     when he comes again, by the same server;
//   - nothing bounces but what must, no message is torn, and nothing is left in the queue
//     that waits;
//   - no program panics, computes for long, or says nothing where something was refused,
//     deferred or ended.
//
// A scene is a program in one of the ways of mail. In each scene the test first lets the
// program run in peace under the tracer (package trace), which lists its calls and the
// errors that they can have, and then plays the scene again for each call chosen. Time
// passes by ALRM to qmail-send, which makes all due that was deferred. What it leaves alone
// for two minutes after an error of its own it is stopped and started for; that it comes
// back to such things by itself is for the long form of TestFull. Who cannot pull the
// trigger says nothing, as in qmail: the message waits for the next, or for 25 minutes.
//
// The short form takes one call of each program for each error, with or without processes
// that are kept, by turns. GOQMAIL_FAULTS is how many it takes of each, spread over the life
// of the program; every call, if that is large:
//
//	GOQMAIL_FAULTS=20 go test -v -timeout 2h ./internal/integration/faults
//
// Two more things go wrong, without a fault: disks are full (TestFull), and the clock is
// wrong (TestClock and below).
//
// Not met are calls that the Go runtime makes and that cannot fail for lack of anything,
// but for kills, and a second fault in the same scene. Where the runtime cannot go on
// without what it has asked for, memory, a thread, its poller, a crash is what is wanted.
package faults

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"goqmail/internal/integration/site"
	"goqmail/internal/integration/trace"
)

// long is the long form.
var long = os.Getenv("GOQMAIL_FAULTS") != ""

// A scene is a way of mail in which faults are to meet a program.
type scene struct {
	program   string
	way       string
	residence string // in control/residence
	enters    bool   // the message only enters; who delivers it has no fault
	run       func(*stage) outcome
}

// scenes are all ways of mail, as each program sees them.
func scenes() (all []scene) {
	for _, program := range []string{"qmail-smtpd", "qmail-queue"} {
		all = append(all,
			scene{program, "a session of SMTP", "0", true, oneSession},
			scene{program, "a listening server", "1", true, listening})
	}
	for _, program := range []string{"qmail-inject", "qmail-queue"} {
		all = append(all, scene{program, "qmail-inject", "0", true, injecting})
	}
	for _, program := range []string{"qmail-start", "qmail-send", "qmail-clean", "qmail-lspawn", "qmail-getpw", "qmail-local", "qmail-rspawn", "qmail-remote", "qmail-queue"} {
		for _, residence := range []string{"0", "1"} {
			all = append(all, scene{program, "delivery", residence, false, delivering})
		}
	}
	return all
}

func (c scene) String() string {
	return fmt.Sprintf("%s in %s with residence %s", c.program, c.way, c.residence)
}

// A stage is where a scene is played with one fault.
type stage struct {
	t     *testing.T
	s     *site.Site
	l     *ledger
	fault trace.Fault
	mail  *site.System // runs without faults, for what only enters
}

// An outcome is how a scene went on, after the fault.
type outcome struct {
	story    trace.Story
	refused  bool // the message was, for the time being, and was sent again
	retried  bool // what was deferred was due
	restarts int  // of the daemons
	waited   bool // one of these stands for the two minutes that qmail-send waits
	copies   map[string]int
	said     string // what is not said when all is well
}

// TestFaults has each fault meet each program.
func TestFaults(t *testing.T) {
	if !trace.CanFail {
		t.Skip("needs amd64: on no other architecture can calls be made to fail, so far")
	}
	for i, c := range scenes() {
		t.Run(c.String(), func(t *testing.T) {
			s := site.New(t)
			g := &stage{t: t, s: s, l: newLedger(t, s), fault: trace.Fault{Program: c.program}}
			s.Control("residence", c.residence+"\n")
			if c.enters {
				g.mail = s.Up("./Maildir/")
			}
			calls := g.play(c).story.Could
			for j, e := range trace.Errnos {
				if !long && e != trace.Kill && (i+j)%2 != 0 {
					continue // the next scene, or the one before, has it
				}
				g.sweep(c, e, choose(calls[e], i+j), len(calls[e]))
			}
		})
	}
}

// sweep plays a scene with a fault at some of the calls.
func (g *stage) sweep(c scene, e unix.Errno, calls []int, of int) {
	counts := map[string]int{}
	for _, n := range calls {
		g.fault.Nth, g.fault.Errno = n, e
		o := g.play(c)
		counts[o.String()]++
		for _, n := range o.copies {
			counts["duplicates"] += n - 1
		}
	}
	var text []string
	for _, k := range slices.Sorted(maps.Keys(counts)) {
		if counts[k] > 0 {
			text = append(text, fmt.Sprintf("%d %s", counts[k], k))
		}
	}
	g.t.Logf("%-7s %4d of %4d calls: %s", name(e), len(calls), of, strings.Join(text, ", "))
}

func (o outcome) String() string {
	switch {
	case o.story.Met == "":
		return "not met"
	case o.refused:
		return "refused, then accepted"
	case o.waited:
		return "delivered after two minutes"
	case o.restarts > 0:
		return "delivered after a start"
	case o.retried:
		return "deferred, then delivered"
	}
	return "delivered"
}

func name(e unix.Errno) string {
	if e == trace.Kill {
		return "killed"
	}
	return unix.ErrnoName(e)
}

// choose tells which calls a fault is to meet, as many as GOQMAIL_FAULTS says or one: of
// those that differ, if there are enough, and spread evenly. Turn has different scenes and
// faults begin at different places.
func choose(calls []string, turn int) []int {
	want := 1
	if long {
		want, _ = strconv.Atoi(os.Getenv("GOQMAIL_FAULTS"))
	}
	var points, rest []int
	seen := map[string]bool{}
	for i, call := range calls {
		call = digits.ReplaceAllString(call, "#")
		if seen[call] || ofStart.MatchString(call) {
			rest = append(rest, i+1)
		} else {
			points = append(points, i+1)
		}
		seen[call] = true
	}
	if more := want - len(points); more > 0 {
		return slices.Sorted(slices.Values(append(points, spread(rest, more, turn)...)))
	}
	return spread(points, want, turn)
}

// spread takes n of some points.
func spread(points []int, n, turn int) (some []int) {
	if n >= len(points) {
		return points
	}
	const turns = 9
	for i := range n {
		some = append(some, points[(i*turns+turn%turns)*len(points)/(n*turns)])
	}
	return some
}

var (
	digits = regexp.MustCompile(`\d+`)
	// ofStart are files in which the Go runtime looks what the machine has. It can do
	// without.
	ofStart = regexp.MustCompile(` (/sys/|/proc/(self|#)/(mountinfo|cgroup)$)`)
)

// play plays the scene once, and holds what must be true whatever the fault.
func (g *stage) play(c scene) outcome {
	t := g.t
	failures := 0
	errorf := func(format string, args ...any) { failures++; t.Errorf(format, args...) }
	begun := time.Now()
	o := c.run(g)
	took := time.Since(begun)
	for kind, n := range o.copies {
		if n > 2 {
			errorf("%d copies: %s", n, kind)
		}
	}
	for _, e := range o.story.Ends {
		if e.Status.Exited() && e.Status.ExitStatus() == 2 && !ofRuntime.MatchString(o.story.Met) {
			errorf("%s ended with exit code 2", e.Program)
		}
	}
	if crash.MatchString(o.said) && !ofRuntime.MatchString(o.story.Met) {
		errorf("a crash")
	}
	if o.story.CPU > 5*time.Second || o.story.Calls > 50_000 {
		errorf("it computed for %v, and made %d calls", o.story.CPU, o.story.Calls)
	}
	if g.fault.Errno != trace.Kill && o.said == "" && (o.refused || o.retried || o.restarts > 0) && !strings.HasSuffix(o.story.Met, "/lock/trigger") {
		errorf("nothing was said")
	}
	if os.Getenv("GOQMAIL_FAULTS_SAY") != "" || failures > 0 {
		t.Logf("that was %s at call %d, %s: %s in %v; %d starts; copies: %v; left: %v; ends: %v\n%.400s",
			name(g.fault.Errno), g.fault.Nth, o.story.Met, o, took, o.restarts, o.copies, waiting(g.s), o.story.Ends, o.said)
	}
	g.l.clear()
	return o
}

var (
	crash = regexp.MustCompile(`(?m)^(panic|fatal error|goroutine \d)`)
	// ofRuntime are calls without which the Go runtime cannot go on. It opens /dev/null in
	// the place of descriptors that are closed, before the program begins; an exit code
	// of 2 cannot be helped there.
	ofRuntime = regexp.MustCompile(`^(mmap|clone|epoll_create1|eventfd2|openat /dev/null)`)
)

// entering is a scene in which a message comes in. Send sends it, and tells whether it
// was accepted, and what was said. Who is refused comes again.
func entering(g *stage, send func(under func(site.Command) site.Command) (ok, forGood bool, said string)) (o outcome) {
	ok, forGood, said := send(func(c site.Command) site.Command { return under(g.fault, c) })
	if forGood {
		g.t.Error("refused for good")
	}
	o.said, o.story = said, told(g.t)
	if o.refused = !ok; o.refused {
		if ok, _, said = send(func(c site.Command) site.Command { return c }); !ok {
			g.t.Errorf("not accepted the second time: %s", said)
		}
	}
	g.mail = g.arrive(&o, g.mail, []string{"maildir"})
	return o
}

func oneSession(g *stage) outcome {
	return entering(g, func(under func(site.Command) site.Command) (bool, bool, string) {
		r := g.s.Run(under(site.Command{Program: "qmail-smtpd", As: "qmaild", Stdin: strings.NewReader(session([]string{"maildir"}))}))
		ok, forGood := accepted(r.Stdout)
		return ok, forGood, unusual(r.Stdout) + r.Stderr
	})
}

func injecting(g *stage) outcome {
	return entering(g, func(under func(site.Command) site.Command) (bool, bool, string) {
		r := g.s.Run(under(site.Command{Program: "qmail-inject", As: "ann", Env: []string{"QMAILUSER=joe", "QMAILHOST=host.example.org"},
			Stdin: strings.NewReader("To: joe\nSubject: x\n\n" + body)}))
		return r.Code == 0, r.Code == 100, r.Stdout + r.Stderr
	})
}

// listening has a session with a server that keeps a qmail-queue. Where the fault has
// not ended it, the same server takes the message the second time.
func listening(g *stage) outcome {
	const address = "127.0.0.1:25"
	command := site.Command{Program: "qmail-smtpd", Args: []string{"-H", "-a", address}}
	var o outcome
	first := g.s.Start(under(g.fault, command))
	server := first
	g.s.Eventually("a message to be accepted", func() bool {
		if server.Over() {
			o.restarts++
			server = g.s.Start(command)
		}
		if !listens(address) {
			return false
		}
		replies := talk(address, []string{"maildir"})
		ok, forGood := accepted(replies)
		if forGood {
			g.t.Error("refused for good")
		}
		o.said += unusual(replies)
		o.refused = o.refused || !ok
		return ok
	})
	server.Signal(syscall.SIGTERM)
	server.Wait()
	first.Wait()
	o.story = told(g.t)
	o.said += first.Log()
	g.mail = g.arrive(&o, g.mail, []string{"maildir"})
	return o
}

// delivering is a scene in which a message is delivered in all ways.
func delivering(g *stage) (o outcome) {
	emptyQueue(g.s)
	all := slices.Sorted(maps.Keys(recipients))
	g.s.Queue("Subject: x\n\n"+body, "joe@host.example.org", addresses(all)...)
	y := g.s.Start(under(g.fault, qmailStart))
	last := g.arrive(&o, y, all)
	if last != y {
		last.Stop()
	}
	y.Signal(syscall.SIGTERM)
	y.Wait()
	o.story = told(g.t)
	o.said = unusualLines(y.Log())
	return o
}

var qmailStart = site.Command{Program: "qmail-start", Args: []string{"./Maildir/"}}

// arrive waits until the message has come to all, and nothing is left in the queue. What
// is deferred becomes due now and then; daemons that have ended are started again. Where
// qmail-send lets two minutes pass, that is done as well.
func (g *stage) arrive(o *outcome, y *site.System, kinds []string) *site.System {
	begun, since := time.Now(), time.Now()
	for tick := 1; ; tick++ {
		o.copies = g.l.copies()
		missing := slices.DeleteFunc(slices.Clone(kinds), func(k string) bool { return o.copies[k] > 0 })
		if len(missing) == 0 && len(waiting(g.s)) == 0 {
			for k := range o.copies {
				if !slices.Contains(kinds, k) {
					delete(o.copies, k)
				}
			}
			return y
		}
		if time.Since(begun) > 40*time.Second {
			g.t.Errorf("lost, or still waiting: %v; in the queue: %v", missing, waiting(g.s))
			o.said += y.Log()
			return y
		}
		if since := time.Since(since); !y.Over() && (since > 8*time.Second || since > time.Second && leftAlone.MatchString(y.Log())) {
			o.waited = true
			y.Signal(syscall.SIGTERM)
			g.s.Eventually("the end of the daemons", y.Over)
		}
		if y.Over() {
			o.restarts++
			since = time.Now()
			y = g.s.Start(qmailStart)
		}
		if tick%30 == 0 && strings.Contains(y.Log(), "status: local 0/") {
			if strings.Contains(y.Log(), ": deferral: ") {
				o.retried = true
			}
			y.Signal(syscall.SIGALRM)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// leftAlone are lines after which something is left alone for two minutes.
var leftAlone = regexp.MustCompile(`(?m)^(warning: (trouble |qmail-clean |unable to (unlink|open|stat|create|start))|alert: unable to opendir)`)

// unusual are the replies of a session that are not said when all is well, or that it has
// ended before a message was accepted or refused.
func unusual(replies string) string {
	if !acceptance.MatchString(replies) && !refusal.MatchString(replies) {
		return "no reply\n"
	}
	var text strings.Builder
	for line := range strings.Lines(replies) {
		if line[0] == '4' || line[0] == '5' {
			text.WriteString(line)
		}
	}
	return text.String()
}

// unusualLines are those of the activity record.
func unusualLines(log string) string {
	var text strings.Builder
	for line := range strings.Lines(log) {
		if !usual.MatchString(line) {
			text.WriteString(line)
		}
	}
	return text.String()
}

var usual = regexp.MustCompile(`^(new msg|info msg|end msg|bounce msg|starting delivery|status:|exiting|delivery \d+: (success:|failure: Sorry,_no_mailbox_here))`)
