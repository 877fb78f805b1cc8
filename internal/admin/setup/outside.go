package setup

import (
	"os"
	"path/filepath"
	"strings"
)

// links are where programs look for sendmail and its like, and what of bin they find.
var links = []struct{ path, program string }{
	{"/usr/sbin/sendmail", "sendmail"},
	{"/usr/lib/sendmail", "sendmail"},
	{"/usr/bin/mailq", "sendmail"},
	{"/usr/bin/newaliases", "newaliases"},
}

func (s *Setup) links(record) (step Step, err error) {
	for _, l := range links {
		target := s.inHome("bin/" + l.program)
		if now, err := os.Readlink(s.at(l.path)); err == nil && now == target {
			continue
		}
		if there, err := s.exists(filepath.Dir(l.path)); err != nil || !there {
			return step, err
		}
		there, err := s.exists(l.path)
		if err != nil {
			return step, err
		}
		if there {
			keep, err := s.keep(l.path)
			if err != nil {
				return step, err
			}
			step.Changes = append(step.Changes, keep)
		}
		step.Changes = append(step.Changes, s.link(l.path, target))
	}
	return step, nil
}

// unitDir is where an admin's units of systemd are.
const unitDir = "/etc/systemd/system"

// units copies the units to where systemd finds them. One that an admin has changed
// stays. None is enabled: that starts a server for the network.
func (s *Setup) units(rec record) (step Step, err error) {
	if there, err := s.exists(unitDir); err != nil || !there || s.Install.Sources == "" {
		return step, err
	}
	sources, err := filepath.Glob(filepath.Join(s.Install.Sources, "conf-templates/systemd/*.[st]*"))
	if err != nil {
		return step, err
	}
	for _, source := range sources {
		text, err := os.ReadFile(source)
		if err != nil {
			return step, err
		}
		path := filepath.Join(unitDir, filepath.Base(source))
		write := s.write(path, strings.ReplaceAll(string(text), "@QMAIL@", s.Install.Home), 0o644)
		changes, err := s.replace(path, write, rec)
		if err != nil {
			return step, err
		}
		if len(changes) > 1 {
			step.Notes = append(step.Notes, path+" is there and stays")
			continue
		}
		step.Changes = append(step.Changes, changes...)
	}
	return step, nil
}
