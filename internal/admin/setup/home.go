package setup

import (
	"errors"
	"fmt"
	"strings"

	"goqmail/internal/admin/install"
	"goqmail/internal/host/account"
	"goqmail/internal/mail/outcome"
)

// The accounts, and the groups that they are in.
var (
	groups = []string{"nofiles", "qmail"}
	users  = []string{"alias", "qmaild", "qmaill", "qmailp", "qmailq", "qmailr", "qmails"}
)

// accountScript creates the accounts that are missing. It is below the sources.
const accountScript = "conf-templates/accounts.sh"

func (s *Setup) accounts(record) (step Step, err error) {
	for _, list := range []struct {
		kind  Kind
		names []string
		look  func(string) (uint32, error)
	}{{Group, groups, s.Install.Accounts.GID}, {User, users, s.Install.Accounts.UID}} {
		for _, name := range list.names {
			_, err := list.look(name)
			if errors.Is(err, account.ErrUnknown) {
				step.Changes = append(step.Changes, Change{Kind: list.kind, Path: name})
			} else if err != nil {
				return step, err
			}
		}
	}
	if len(step.Changes) > 0 {
		script := s.Install.Sources + "/" + accountScript
		if s.Install.Sources == "" {
			return step, outcome.Fail("%s is missing: run accounts.sh", step.Changes[0].Path)
		}
		step.finish = func() error { return s.Run(script, s.Install.Home) }
	}
	return step, nil
}

// home lays out the home. Install makes it all and puts owners and modes right, also
// where nothing is to be changed.
func (s *Setup) home(rec record) (step Step, err error) {
	entries := s.Install.Directories()
	step.finish = s.Install.InstallDirectories
	if s.Install.Build != "" {
		if entries, err = s.Install.Entries(); err != nil {
			return step, err
		}
		step.finish = s.Install.Install
	}
	for _, e := range entries {
		changes, err := s.entry(e, rec)
		if err != nil {
			return step, err
		}
		step.Changes = append(step.Changes, changes...)
	}
	return step, nil
}

// entry finds out what installing an entry changes.
func (s *Setup) entry(e install.Entry, rec record) ([]Change, error) {
	path := s.inHome(e.Path)
	there, err := s.exists(path)
	switch {
	case err != nil || path == s.Install.Home:
		return nil, err
	case !e.Copied() && there:
		return nil, nil
	case e.Kind == install.Directory:
		return []Change{{Kind: Directory, Path: path}}, nil
	case !e.Copied():
		return []Change{{Kind: Lock, Path: path}}, nil
	}
	text, err := s.Install.Content(e)
	if err != nil {
		return nil, err
	}
	return s.replace(path, Change{Kind: File, Path: path, Arg: sum(text)}, rec)
}

// replace puts the change that writes a file behind what has to be done about one
// that is there: nothing, if set-up has written it, or else it is kept.
func (s *Setup) replace(path string, write Change, rec record) ([]Change, error) {
	there, err := s.exists(path)
	if err != nil {
		return nil, err
	}
	now, err := s.sumOf(path)
	switch {
	case err != nil:
		return nil, err
	case now == write.Arg && there:
		return nil, nil
	case !there, now != "" && now == rec.wrote(path):
		return []Change{write}, nil
	}
	keep, err := s.keep(path)
	return []Change{keep, write}, err
}

// rc is the script that starts the mail system: one of those in boot.
func (s *Setup) rc(record) (step Step, err error) {
	path := s.inHome("rc")
	there, err := s.exists(path)
	if err != nil || there {
		return step, err
	}
	if s.Boot == "" || strings.Contains(s.Boot, "/") {
		return step, outcome.Fail("%q is not the name of a file of %s", s.Boot, s.inHome("boot"))
	}
	text, err := s.bootScript()
	if err != nil {
		return step, fmt.Errorf("unable to read boot/%s: %w", s.Boot, err)
	}
	step.Changes = append(step.Changes, s.write(path, string(text), 0o755))
	if s.Boot == "maildir" {
		step.Notes = append(step.Notes, "mail for a user waits until there is a Maildir in the user's home: see maildirmake(1)")
	}
	return step, nil
}
