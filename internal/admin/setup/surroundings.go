package setup

import (
	"path/filepath"

	"goqmail/internal/admin/config"
	"goqmail/internal/admin/lookup"
	"goqmail/internal/host/ipme"
	"goqmail/internal/wire/dns"
)

// From finds what is to be installed, by where the program of set-up is: the programs
// beside it, and the sources, unless they are given, above the directory that they were
// built in, build/bin. Nothing is, if it is in the home itself. The working directory
// has no say in what root installs.
func (s *Setup) From(program string) error {
	p := &s.Install
	bin, err := filepath.EvalSymlinks(s.at(filepath.Join(p.Home, "bin")))
	if err == nil && filepath.Dir(program) == bin {
		return nil
	}
	p.Build = filepath.Dir(program)
	if p.Sources == "" {
		p.Sources = filepath.Dir(filepath.Dir(p.Build))
	}
	p.Sources, err = filepath.Abs(p.Sources)
	return err
}

// On says which machine this is: one of this host name, whose name servers are in a
// file.
func (s *Setup) On(hostname, resolvConf string) error {
	own, err := lookup.Own(ipme.Addresses)
	s.Resolver = dns.FromFile(resolvConf)
	s.Machine = config.Machine{Hostname: hostname, Search: dns.SearchList(resolvConf), Own: own}
	return err
}
