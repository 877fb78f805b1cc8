package main

import (
	"debug/buildinfo"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const domain = "bench.test"

// A suite is an installed mail system.
type suite struct {
	b     *bench
	label string
	home  string
	ours  bool // goqmail: its network servers listen by themselves
	saved map[string][]byte
	log   string
}

func openSuite(b *bench, arg string) (*suite, error) {
	label, home, found := strings.Cut(arg, "=")
	if !found {
		label, home = filepath.Base(arg), arg
	}
	s := &suite{b: b, label: label, home: home, saved: map[string][]byte{}, log: filepath.Join(b.dir, label+".log")}
	if info, err := buildinfo.ReadFile(s.bin("qmail-smtpd")); err == nil {
		s.ours = strings.HasPrefix(info.Path, "goqmail/")
	}
	lock, err := os.OpenFile(s.path("queue/lock/sendmutex"), os.O_WRONLY, 0)
	if err != nil {
		return nil, err
	}
	defer lock.Close()
	if unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil {
		return nil, fmt.Errorf("%s: qmail-send is running", home)
	}
	if n := s.count("mess/*/*", "todo/*", "info/*/*"); n != 0 {
		return nil, fmt.Errorf("%s: the queue is not empty", home)
	}
	return s, nil
}

func (s *suite) path(name string) string   { return filepath.Join(s.home, name) }
func (s *suite) bin(program string) string { return s.path("bin/" + program) }

// count is how many files there are in the queue.
func (s *suite) count(patterns ...string) (n int) {
	for _, p := range patterns {
		files, _ := filepath.Glob(s.path("queue/" + p))
		n += len(files)
	}
	return n
}

// control replaces control files: those that every workload needs, and the
// given ones. An empty text removes the file.
func (s *suite) control(files map[string]string) error {
	all := map[string]string{
		"me": domain, "locals": domain, "rcpthosts": domain, "virtualdomains": "", "spawnlimit": "",
		"smtproutes":       fmt.Sprint(":127.0.0.1:", s.b.port(sinkPort)),
		"concurrencylocal": "10", "concurrencyremote": "20",
	}
	for name, text := range files {
		all[name] = text
	}
	for name, text := range all {
		path := s.path("control/" + name)
		if _, seen := s.saved[name]; !seen {
			old, err := os.ReadFile(path)
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			s.saved[name] = old
		}
		if err := write(path, text); err != nil {
			return err
		}
	}
	return nil
}

func write(path, text string) error {
	if text == "" {
		if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	return os.WriteFile(path, []byte(text+"\n"), 0o644)
}

// restore puts the control files back, and empties the queue, which is not empty
// where a workload came to no end. It was when we began.
func (s *suite) restore() {
	s.purge()
	for name, old := range s.saved {
		if old == nil {
			os.Remove(s.path("control/" + name))
		} else {
			os.WriteFile(s.path("control/"+name), old, 0o644)
		}
	}
}

// send starts qmail-start.
func (s *suite) send() (*tree, error) {
	log, err := os.Create(s.log)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.Command(s.bin("qmail-start"), "./Maildir/")
	cmd.Env = []string{"PATH=" + s.path("bin") + ":/usr/bin:/bin"}
	cmd.Stdout, cmd.Dir = log, "/"
	return startTree(cmd)
}

// running waits until qmail-send has said that it runs.
func (s *suite) running() error { return s.logged("status:") }

// logged waits until a text is in the log.
func (s *suite) logged(text string) error {
	for end := time.Now().Add(5 * time.Minute); time.Now().Before(end); {
		if log, _ := os.ReadFile(s.log); strings.Contains(string(log), text) {
			return nil
		}
		if err := s.b.sleep(5 * time.Millisecond); err != nil {
			return err
		}
	}
	return fmt.Errorf("%q is not in the log after 5 minutes", text)
}

// drained waits until nothing is in the queue. It looks whether there is anything, not
// for all that is there: to read the directories of a busy queue again and again takes
// processors and locks from the ones who are measured.
func (s *suite) drained() error {
	for end := time.Now().Add(15 * time.Minute); time.Now().Before(end); {
		if s.empty("todo") && s.empty("mess/*") {
			return nil
		}
		if err := s.b.sleep(10 * time.Millisecond); err != nil {
			return err
		}
	}
	return errors.New("the queue is not done after 15 minutes")
}

// empty tells whether there is nothing in some directories of the queue.
func (s *suite) empty(pattern string) bool {
	dirs, _ := filepath.Glob(s.path("queue/" + pattern))
	for _, dir := range dirs {
		f, err := os.Open(dir)
		if err != nil {
			return false
		}
		names, _ := f.Readdirnames(1)
		f.Close()
		if len(names) > 0 {
			return false
		}
	}
	return true
}

// successes wants a number of successful deliveries in the log.
func (s *suite) successes(n int) error {
	text, err := os.ReadFile(s.log)
	if got := strings.Count(string(text), ": success: "); err == nil && got != n {
		err = fmt.Errorf("%d deliveries succeeded instead of %d", got, n)
	}
	return err
}

// timed measures qmail-send from the moment that it runs, or from its start,
// through work, until the queue is empty.
func (s *suite) timed(n int, cold bool, work func() (time.Duration, error)) (result, error) {
	begun := time.Now()
	t, err := s.send()
	if err != nil {
		return result{}, err
	}
	defer t.stop()
	var before time.Duration
	if !cold {
		if err := s.running(); err != nil {
			return result{}, err
		}
		before, begun = t.cpu(), time.Now()
	}
	memory := sample(t)
	cpu, err := work()
	if err == nil {
		err = s.drained()
	}
	r := result{n: n, wall: time.Since(begun), pss: memory.finish()}
	r.cpu = t.cpu() - before + cpu
	return r, err
}

// smtpd starts the SMTP server: ours listens, others are started by tcpserver.
func (s *suite) smtpd() (*tree, error) {
	port := fmt.Sprint(s.b.port(smtpPort))
	cmd := exec.Command("tcpserver", "-H", "-R", "-l", "0", "-c", "200", "-b", "200",
		"-u", fmt.Sprint(s.b.qmaild.UID), "-g", fmt.Sprint(s.b.qmaild.GID), "127.0.0.1", port, s.bin("qmail-smtpd"))
	if s.ours {
		cmd = exec.Command(s.bin("qmail-smtpd"), "-H", "-a", "127.0.0.1:"+port)
	}
	cmd.Env = []string{"PATH=" + s.path("bin") + ":/usr/bin:/bin"}
	cmd.Dir = "/"
	t, err := startTree(cmd)
	if err != nil {
		return nil, err
	}
	return t, await("127.0.0.1:" + port)
}
