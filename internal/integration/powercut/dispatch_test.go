package powercut

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"goqmail/internal/admin/install"
	"goqmail/internal/integration/site"
	"goqmail/internal/wire/spawn"
)

// TestDispatch cuts the power at every moment of qmail-send, qmail-clean and the
// qmail-queue of a bounce, from preprocessing to the end of a message with one
// recipient who gets it and one who is unknown. Afterwards the same programs go on
// with what the disk has. Whatever was lost: the one has it, the sender has heard of
// the other, and nothing is left in the queue that waits for anybody.
func TestDispatch(t *testing.T) { sweepDispatch(t, 0, false) }

// TestTwoDisks is TestDispatch with a qmail-local that delivers into a maildir on
// another disk, which loses its power at the same moment as that of the queue. What is
// in the maildir counts.
func TestTwoDisks(t *testing.T) { sweepDispatch(t, fewer(6), true) }

// sweepDispatch takes one moment of every so many.
func sweepDispatch(t *testing.T, every int, maildir bool) {
	eachCut(t, func(t *testing.T, kind Kind, mode Mode) {
		dir := site.Home + "/queue"
		s, disk := newDisk(t, kind, dir)
		disk.Every = every
		wanted := []string{"known@host.example.org got it\n", "sender heard of unknown@far.example\n"}
		if maildir {
			other := filepath.Join(site.Account("joe").Home, "disk")
			if err := os.Mkdir(other, 0o755); err != nil {
				t.Fatal(err)
			}
			disk.With = NewDisk(t, kind, other)
			s.Maildir("joe", inbox)
			wanted = wanted[1:]
		}
		if err := (install.Plan{Home: site.Home, Accounts: install.NewSystemAccounts()}).InstallDirectories(); err != nil {
			t.Fatal(err)
		}
		ledger, complaints := filepath.Join(t.TempDir(), "ledger"), filepath.Join(t.TempDir(), "complaints")
		defer func() {
			if text, _ := os.ReadFile(complaints); t.Failed() {
				t.Logf("it said: %s", text)
			}
		}()
		start := func() Command {
			os.Remove(ledger)
			for _, f := range arrived() {
				os.Remove(f)
			}
			s.Queue("Subject: x\n\nbody\n", "sender@host.example.org", "known@host.example.org", "unknown@far.example")
			syscall.Sync()
			said, err := os.Create(complaints)
			if err != nil {
				t.Fatal(err)
			}
			return Command{Path: "/proc/self/exe", Args: []string{"test", "dispatch", ledger}, Files: []*os.File{input(t, nil), said, said}}
		}
		moments := disk.Sweep(mode, start, func(bool) {
			if out, err := exec.Command("/proc/self/exe", "dispatch", ledger).CombinedOutput(); err != nil {
				t.Fatalf("going on: %v\n%s", err, out)
			}
			text, _ := os.ReadFile(ledger)
			for _, line := range wanted {
				if !strings.Contains(string(text), line) {
					t.Errorf("not in the ledger: %s%s", line, text)
				}
			}
			if maildir && len(arrived()) == 0 {
				t.Error("nothing in the maildir")
			}
			for _, f := range arrived() {
				if text, err := os.ReadFile(f); !strings.HasSuffix(string(text), "\nSubject: x\n\nbody\n") {
					t.Errorf("torn: %q, %v", text, err)
				}
			}
		})
		t.Logf("%d moments", moments)
	})
}

// inbox is the maildir on another disk, in joe's home.
const inbox = "disk/Maildir"

// arrived lists the messages in that.
func arrived() []string {
	found, _ := filepath.Glob(filepath.Join(site.Account("joe").Home, inbox, "new/*"))
	return found
}

// A dispatcher runs qmail-send and qmail-clean and is both spawners itself.
type dispatcher struct {
	ledger *os.File
	send   *exec.Cmd
}

// dispatch works until nothing in the queue waits for anybody, and writes down what
// was delivered before it says so.
func dispatch(ledger string) {
	d := &dispatcher{}
	var err error
	if d.ledger, err = os.OpenFile(ledger, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600); err != nil {
		die(err)
	}
	d.start()
	deadline := time.Now().Add(time.Minute)
	// A message goes from todo to info, and one that goes from info may have put its
	// bounce into todo: only in this order does nothing slip by.
	for !empty("info/*/*") || !empty("todo/*") || !empty("info/*/*") {
		if time.Now().After(deadline) {
			die(fmt.Errorf("still in the queue after a minute"))
		}
		time.Sleep(5 * time.Millisecond)
	}
	d.send.Process.Signal(syscall.SIGTERM)
	// Where there was nothing left to do, the signal may have come before qmail-send
	// was ready for it.
	d.send.Wait()
	if status := d.send.ProcessState.Sys().(syscall.WaitStatus); status.Signal() != syscall.SIGTERM && status.ExitStatus() != 0 {
		die(fmt.Errorf("qmail-send: %v", d.send.ProcessState))
	}
	if !empty("local/*/*") || !empty("remote/*/*") || !empty("bounce/*") {
		die(fmt.Errorf("files of messages that are gone"))
	}
	os.Exit(0)
}

func die(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func empty(pattern string) bool {
	found, _ := filepath.Glob(site.Home + "/queue/" + pattern)
	return len(found) == 0
}

// start starts the two programs with all their pipes.
func (d *dispatcher) start() {
	ends := map[string]*os.File{}
	pipe := func(reader, writer string) {
		r, w, err := os.Pipe()
		if err != nil {
			die(err)
		}
		ends[reader], ends[writer] = r, w
	}
	pipe("local commands", "1")
	pipe("2", "local reports")
	pipe("remote commands", "3")
	pipe("4", "remote reports")
	pipe("clean requests", "5")
	pipe("6", "clean answers")
	run := func(program, user string, files ...*os.File) *exec.Cmd {
		account := site.Account(user)
		cmd := exec.Command(site.Home + "/bin/" + program)
		cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = files[0], files[1], files[2], files[3:]
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: account.UID, Gid: account.GID}, Pdeathsig: syscall.SIGKILL}
		if err := cmd.Start(); err != nil {
			die(err)
		}
		return cmd
	}
	run("qmail-clean", "qmailq", ends["clean requests"], ends["clean answers"], os.Stderr)
	d.send = run("qmail-send", "qmails", os.Stderr, ends["1"], ends["2"], ends["3"], ends["4"], ends["5"], ends["6"])
	go d.spawn(ends["local commands"], ends["local reports"])
	go d.spawn(ends["remote commands"], ends["remote reports"])
}

// spawn is a spawner.
func (d *dispatcher) spawn(commands, reports *os.File) {
	reports.Write([]byte{spawn.DefaultLimit})
	r := spawn.NewCommands(commands, spawn.Classic)
	for {
		c, err := r.Next()
		if err != nil {
			return
		}
		text := d.deliver(c)
		reports.Write(spawn.Report{Delivery: c.Delivery, Text: text}.Append(nil, spawn.Classic))
	}
}

func (d *dispatcher) deliver(c spawn.Command) string {
	switch c.Recipient {
	case "known@host.example.org":
		if _, err := os.Stat(filepath.Join(site.Account("joe").Home, inbox)); err == nil {
			return deliverToMaildir(c)
		}
		fmt.Fprintln(d.ledger, c.Recipient, "got it")
		return "Kok\n"
	case "unknown@far.example":
		return "Dno such user\n"
	}
	f, err := os.Open(site.Home + "/queue/mess/" + c.Message)
	if err != nil {
		return "Znot there\n"
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if lines.Text() == "<unknown@far.example>:" {
			fmt.Fprintln(d.ledger, "sender heard of unknown@far.example")
		}
	}
	return "Kok\n"
}

// deliverToMaildir has qmail-local deliver into the maildir.
func deliverToMaildir(c spawn.Command) string {
	text, err := os.Open(site.Home + "/queue/mess/" + c.Message)
	if err != nil {
		return "Znot there\n"
	}
	defer text.Close()
	joe := site.Account("joe")
	local := exec.Command(site.Home+"/bin/qmail-local", "--", "joe", joe.Home, "known", "", "", "host.example.org", c.Sender, "./"+inbox+"/")
	local.Stdin, local.Stderr = text, os.Stderr
	local.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: joe.UID, Gid: joe.GID}, Pdeathsig: syscall.SIGKILL}
	if err := local.Run(); err != nil {
		return "Z" + err.Error() + "\n"
	}
	return "Kok\n"
}
