package setup

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"goqmail/internal/admin/config"
	"goqmail/internal/admin/install"
	"goqmail/internal/host/account"
	"goqmail/internal/mail/fold"
	"goqmail/internal/mail/outcome"
)

// controlFiles are those that an installation begins with, the one that tells whether
// it has begun last.
var controlFiles = []string{"defaultdomain", "plusdomain", "locals", "rcpthosts", "me"}

// control makes the control files of a host that has none. Where there is a me, they
// are the admin's.
func (s *Setup) control(record) (step Step, err error) {
	path := func(name string) string { return s.inHome("control/" + name) }
	there, err := s.exists(path("me"))
	if err != nil {
		return step, err
	}
	if there {
		there, err = s.exists(path("rcpthosts"))
		if err == nil && !there {
			step.Notes = append(step.Notes, path("rcpthosts")+" is missing: this host is an open relay")
		}
		return step, err
	}
	files := memory{}
	note, err := s.identify(files)
	if err != nil {
		return step, err
	}
	if note != "" {
		step.Notes = append(step.Notes, note)
	}
	for _, name := range controlFiles {
		there, err := s.exists(path(name))
		if err != nil {
			return step, err
		}
		if !there {
			step.Changes = append(step.Changes, s.write(path(name), strings.Join(files[name], "\n")+"\n", 0o644))
		}
	}
	return step, nil
}

// memory holds control files until it is known which of them are wanted.
type memory map[string][]string

func (m memory) List(name string) ([]string, bool, error) {
	lines, exists := m[name]
	return lines, exists, nil
}

func (m memory) Write(name string, lines ...string) error {
	m[name] = lines
	return nil
}

// identify makes control files for the name that was given, or the one that DNS knows
// this host by, or where it knows none the one in the hosts file.
func (s *Setup) identify(files memory) (note string, err error) {
	c := config.Config{Home: s.Install.Home, Control: files, Out: io.Discard}
	if s.Me != "" {
		return "", c.Fast(s.Me)
	}
	asked := c.Discover(s.Resolver, s.Machine)
	if asked == nil {
		return "", nil
	}
	clear(files)
	name, err := s.hostsName()
	if err != nil {
		return "", err
	}
	if name == "" {
		return "", outcome.Fail("this host has no full name: give one with -me. DNS says: %w", asked)
	}
	return "DNS does not know " + name + ", the name that this host gives itself: " + asked.Error(), c.Fast(name)
}

// hostsName is the full name of this host in the manner of hostname -f, but without
// DNS: the host name itself, or the first name with a dot beside it in /etc/hosts.
func (s *Setup) hostsName() (string, error) {
	host := s.Machine.Hostname
	if strings.Contains(host, ".") || host == "" {
		return fold.Lower(host), nil
	}
	found := ""
	err := account.Each(s.at("/etc/hosts"), func(line string) bool {
		line, _, _ = strings.Cut(line, "#")
		names := strings.Fields(line)
		if len(names) < 2 || !slices.ContainsFunc(names[1:], func(n string) bool { return fold.Equal(n, host) }) {
			return false
		}
		i := slices.IndexFunc(names[1:], func(n string) bool { return strings.Contains(n, ".") })
		if i >= 0 {
			found = fold.Lower(names[1+i])
		}
		return i >= 0
	})
	if err == account.ErrUnknown || os.IsNotExist(err) {
		err = nil
	}
	return found, err
}

// alias sees to it that somebody gets the mail that each host has to accept
// (RFC 2142), and that of root, who gets none by himself.
func (s *Setup) alias(record) (step Step, err error) {
	name := func(ext string) string { return s.inHome("alias/.qmail-" + ext) }
	if there, err := s.exists(name("default")); err != nil || there {
		return step, err // that takes all of them
	}
	there, err := s.exists(name("postmaster"))
	if err != nil {
		return step, err
	}
	if !there {
		changes, err := s.postmaster(name("postmaster"))
		if err != nil {
			return step, err
		}
		step.Changes = append(step.Changes, changes...)
	}
	for _, ext := range []string{"mailer-daemon", "root", "abuse"} {
		there, err := s.exists(name(ext))
		if err != nil {
			return step, err
		}
		if !there {
			step.Changes = append(step.Changes, s.write(name(ext), "&postmaster\n", 0o644))
		}
	}
	return step, nil
}

// postmaster gives the mail of postmaster to somebody, or keeps it with alias.
func (s *Setup) postmaster(path string) (changes []Change, err error) {
	switch who := s.Postmaster; {
	case who == "root" || who == "postmaster":
		return nil, outcome.Fail("the mail of %s goes to postmaster: give somebody else with -postmaster", who)
	case who != "" && strings.Trim(who, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_+=@") != "":
		return nil, outcome.Fail("%q is neither a user nor a plain address", who)
	case who != "":
		return []Change{s.write(path, "&"+who+"\n", 0o644)}, nil
	}
	for _, dir := range []string{"", "/tmp", "/new", "/cur"} {
		maildir := s.inHome("alias/Maildir" + dir)
		there, err := s.exists(maildir)
		if err != nil {
			return nil, err
		}
		if !there {
			changes = append(changes, s.directory(maildir, "alias", "qmail", 0o700))
		}
	}
	return append(changes, s.write(path, "./Maildir/\n", 0o644)), nil
}

// bootScript is the text of the boot script that becomes rc, of the sources or, where
// programs are not installed now, of the home.
func (s *Setup) bootScript() ([]byte, error) {
	if s.Install.Build == "" {
		return os.ReadFile(s.at(s.inHome("boot/" + s.Boot)))
	}
	return s.Install.Content(install.Entry{Kind: install.BootScript, From: filepath.Join(s.Install.Sources, "conf-templates/boot", s.Boot)})
}
