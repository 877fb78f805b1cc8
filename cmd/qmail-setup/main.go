// qmail-setup makes a mail server of this machine, and takes that back
// (qmail-setup(8)).
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"goqmail/internal/admin/install"
	"goqmail/internal/admin/setup"
	"goqmail/internal/host/child"
	"goqmail/internal/host/home"
	"goqmail/internal/host/process"
	"goqmail/internal/mail/outcome"
)

const usage = outcome.Usage("qmail-setup [-dry-run] [-v] [-undo] [-me name] [-postmaster who] [-boot file] [-steps a,b] [-sources dir]")

func main() {
	process.Start(0o022)
	process.Exit("qmail-setup", run())
}

func run() error {
	s := setup.Setup{
		Install: install.Plan{Home: home.Dir(), Accounts: install.NewSystemAccounts()},
		Run:     command,
	}
	flags := flag.NewFlagSet("qmail-setup", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	dry := flags.Bool("dry-run", false, "")
	undo := flags.Bool("undo", false, "")
	all := flags.Bool("v", false, "")
	steps := flags.String("steps", strings.Join(setup.StepNames(), ","), "")
	flags.StringVar(&s.Me, "me", "", "")
	flags.StringVar(&s.Postmaster, "postmaster", user(os.Getenv("SUDO_USER")), "")
	flags.StringVar(&s.Boot, "boot", "maildir", "")
	flags.StringVar(&s.Install.Sources, "sources", "", "")
	if flags.Parse(os.Args[1:]) != nil || flags.NArg() > 0 {
		return usage
	}
	if os.Geteuid() != 0 && !*dry {
		return outcome.Fail("needs root; -dry-run shows what it would do")
	}
	if *undo {
		return s.Undo(os.Stdout, *dry, *all)
	}
	self, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return err
	}
	if err := s.From(self); err != nil {
		return err
	}
	hostname, _ := os.Hostname() // without one, a name has to be given
	if err := s.On(hostname, "/etc/resolv.conf"); err != nil {
		return err
	}
	return setUp(&s, strings.Split(*steps, ","), *dry, *all)
}

func setUp(s *setup.Setup, names []string, dry, all bool) error {
	steps, err := s.Steps(names)
	if err != nil {
		return err
	}
	if err := setup.Show(os.Stdout, steps, all); err != nil {
		return err
	}
	switch {
	case dry && setup.Pending(steps):
		fmt.Println("Nothing of this was done.")
		return nil
	case dry:
		fmt.Println("There is nothing to do.")
		return nil
	}
	if err := s.Do(steps); err != nil {
		return err
	}
	fmt.Println("Done.")
	return nil
}

// user is somebody who can get mail.
func user(name string) string {
	if name == "root" {
		return ""
	}
	return name
}

// command runs a command with the descriptors of this program.
func command(args ...string) error {
	p, err := child.StartFound(child.Command{Path: args[0], Args: args, Files: process.Descriptors()})
	if err != nil {
		return err
	}
	status, err := p.Wait()
	if err == nil && (status.Crashed || status.Code != 0) {
		err = fmt.Errorf("%s did not succeed", strings.Join(args, " "))
	}
	return err
}
