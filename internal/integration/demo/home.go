package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"goqmail/internal/host/account"
)

// people is the user and group number of joe, ann, bob and eve, who need no
// account: users/assign says who they are (qmail-users(5)).
const people = 47999

// A demo is an installation that runs.
type demo struct {
	ctx       context.Context
	home      string
	accounts  []string // what was created, as accounts.sh says it
	log       *logFile
	qmailSend int    // process number
	server    int    // process number of serveSMTP
	smtpd     string // address of qmail-smtpd
}

// setUp builds, installs and starts everything. The demo is returned with an
// error too, so that what there is of it can be removed.
func setUp(ctx context.Context) (*demo, error) {
	// Not below the checkout: the qmail users must be able to get there.
	home, err := os.MkdirTemp("/var/lib", "goqmail-demo.")
	if err != nil {
		return nil, err
	}
	d := &demo{ctx: ctx, home: home}
	for _, step := range []func() error{d.createAccounts, d.install, d.configure, d.startServer, d.startSend} {
		if err := errors.Join(ctx.Err(), step()); err != nil {
			return d, err
		}
	}
	return d, nil
}

func (d *demo) createAccounts() error {
	out, err := exec.Command("conf-templates/accounts.sh", d.home).Output()
	d.accounts = strings.Split(strings.TrimSpace(string(out)), "\n")
	if d.accounts[0] == "" {
		d.accounts = nil
	}
	for _, a := range d.accounts {
		fmt.Println(a, "(removed in the end)")
	}
	return err
}

func (d *demo) install() error {
	fmt.Println("building, and installing into", d.home)
	build := filepath.Join(d.home, "build")
	cmd := exec.CommandContext(d.ctx, "make", "-s", "install", "QMAIL="+d.home, "BUILD="+build)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("make install: %w", err)
	}
	return os.RemoveAll(build)
}

// configure writes control files, users/assign and the homes of four people.
func (d *demo) configure() error {
	files := map[string]string{
		"control/me":         "demo.example\n",
		"control/rcpthosts":  "demo.example\n",
		"control/smtproutes": "remote.example:127.0.0.2:" + freePort("127.0.0.2") + "\n",
	}
	assign := ""
	for _, name := range []string{"joe", "ann", "bob", "eve"} {
		home := filepath.Join(d.home, "people", name)
		for _, dir := range []string{"", "Maildir", "Maildir/tmp", "Maildir/new", "Maildir/cur"} {
			path := filepath.Join(home, dir)
			if err := errors.Join(os.MkdirAll(path, 0o755), os.Chown(path, people, people)); err != nil {
				return err
			}
		}
		assign += fmt.Sprintf("=%s:%[1]s:%d:%[2]d:%s:::\n+%[1]s-:%[1]s:%[2]d:%[2]d:%[3]s:-::\n", name, people, home)
	}
	alias, err := account.LookupUser("alias") // whose home may be that of another installation
	if err != nil {
		return err
	}
	assign += fmt.Sprintf("+:alias:%d:%d:%s/alias:-::\n.\n", alias.UID, alias.GID, d.home)
	files["users/assign"] = assign
	files["people/joe/.qmail-list"] = listFile
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(d.home, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	dotQmail := filepath.Join(d.home, "people/joe/.qmail-list")
	return errors.Join(
		os.Chmod(d.home, 0o755),
		os.Chown(dotQmail, people, people),
		os.Mkdir(filepath.Join(d.home, "remote-host"), 0o700),
		exec.Command(filepath.Join(d.home, "bin/qmail-newu")).Run())
}

// freePort finds a port that nobody listens on.
func freePort(host string) string {
	l, err := net.Listen("tcp", host+":0")
	if err != nil {
		return "2525"
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// startServer starts this program again as the SMTP server, in a session of its
// own so that it can stay.
func (d *demo) startServer() error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	cmd := exec.Command("/proc/self/exe", "-serve", d.home)
	cmd.Stdout, cmd.Stderr = w, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = cmd.Start()
	w.Close()
	if err != nil {
		return err
	}
	go cmd.Wait() // a zombie would look alive to the script that ends it
	d.server = cmd.Process.Pid
	if _, err := fmt.Fscanln(r, &d.smtpd); err != nil {
		return fmt.Errorf("the SMTP server did not start: %w", err)
	}
	return nil
}

// startSend starts qmail-start, which becomes qmail-send. The log goes to a file.
func (d *demo) startSend() error {
	path := filepath.Join(d.home, "log")
	log, err := os.Create(path)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(filepath.Join(d.home, "bin/qmail-start"), "./Maildir/")
	cmd.Env = []string{"PATH=" + d.home + "/bin:/usr/bin:/bin"}
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	d.qmailSend = cmd.Process.Pid
	go cmd.Wait()
	d.log, err = openLog(path)
	if err != nil {
		return err
	}
	return d.follow("status: local 0/")
}

// stopScript ends the processes and removes the home and the accounts.
func (d *demo) stopScript() string {
	s := "#!/bin/sh\n# Ends this demo and removes what it made.\n"
	for _, pid := range []int{d.qmailSend, d.server} {
		if pid != 0 {
			s += fmt.Sprintf("kill %d && while kill -0 %[1]d 2>/dev/null; do sleep 0.1; done\n", pid)
		}
	}
	s += "rm -rf '" + d.home + "'\n"
	for i := len(d.accounts) - 1; i >= 0; i-- { // users before their groups
		f := strings.Fields(d.accounts[i])
		if len(f) == 3 && f[1] == "account" {
			s += "userdel " + f[2] + "\n"
		} else if len(f) == 3 {
			s += "groupdel " + f[2] + "\n"
		}
	}
	return s
}

func (d *demo) remove() {
	cmd := exec.Command("/bin/sh")
	cmd.Stdin = strings.NewReader(d.stopScript())
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "demo: unable to remove everything:", err)
	}
}

func (d *demo) tellHowToStop() {
	script := filepath.Join(d.home, "stop")
	if err := os.WriteFile(script, []byte(d.stopScript()), 0o700); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
	}
	fmt.Printf(`
It goes on running:
   home         %[1]s
   SMTP         %[2]s (try: swaks --server %[2]s --to joe@demo.example)
   log          tail -f %[1]s/log
   qmail-send   process %[3]d

To stop it and remove everything:
   sudo %[4]s
`, d.home, d.smtpd, d.qmailSend, script)
}
