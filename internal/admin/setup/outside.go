package setup

import (
	"os"
	"path/filepath"

	"goqmail/internal/admin/install"
)

// links makes those that programs look for.
func (s *Setup) links(record) (step Step, err error) {
	for _, l := range install.Links {
		target := s.inHome("bin/" + l.Program)
		if now, err := os.Readlink(s.at(l.Path)); err == nil && now == target {
			continue
		}
		if there, err := s.exists(filepath.Dir(l.Path)); err != nil || !there {
			return step, err
		}
		there, err := s.exists(l.Path)
		if err != nil {
			return step, err
		}
		if there {
			keep, err := s.keep(l.Path)
			if err != nil {
				return step, err
			}
			step.Changes = append(step.Changes, keep)
		}
		step.Changes = append(step.Changes, s.link(l.Path, target))
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
	units, err := s.Install.Units()
	if err != nil {
		return step, err
	}
	for _, u := range units {
		path := filepath.Join(unitDir, u.Name)
		write := s.write(path, string(u.Text), 0o644)
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
