package send

import (
	"errors"

	"goqmail/internal/dispatch/bounce"
	"goqmail/internal/dispatch/route"
	"goqmail/internal/host/control"
	"goqmail/internal/mail/fold"
)

// Settings is what the control files say.
type Settings struct {
	Concurrency [route.Channels]uint64
	Lifetime    int64 // of a message in the queue, in seconds
	Office      bounce.Office
	Routes      *route.Table
}

const (
	// defaultLifetime is a week.
	defaultLifetime = 604800
	// maxLifetime keeps the arithmetic with times far from overflow.
	maxLifetime = 1 << 40
)

var (
	errLocals         = errors.New("neither control/locals nor control/me")
	errReadLocals     = errors.New("unable to reread control/locals")
	errVirtualDomains = errors.New("unable to reread control/virtualdomains")
)

// ReadSettings reads all control files. One that is missing has a default; but of
// locals and me there must be one.
func ReadSettings(dir control.Dir) (Settings, error) {
	s := Settings{Routes: &route.Table{}}
	var doubleTo, doubleHost string
	var percentHack []string
	var err error
	read := func(f func() error) {
		if err == nil {
			err = f()
		}
	}
	number := func(file string, n *uint64, def uint64) {
		read(func() (err error) { *n, err = dir.Number(file, def); return })
	}
	line := func(file string, text *string, def string) {
		read(func() (err error) { *text, err = dir.LineOr(file, def); return })
	}
	lineOrMe := func(file string, text *string) {
		read(func() (err error) { *text, err = dir.LineOrMe(file, file); return })
	}
	var lifetime uint64
	number("queuelifetime", &lifetime, defaultLifetime)
	number("concurrencylocal", &s.Concurrency[route.Local], 10)
	number("concurrencyremote", &s.Concurrency[route.Remote], 20)
	lineOrMe("envnoathost", &s.Routes.EnvNoAtHost)
	line("bouncefrom", &s.Office.From, "MAILER-DAEMON")
	lineOrMe("bouncehost", &s.Office.Host)
	lineOrMe("doublebouncehost", &doubleHost)
	line("doublebounceto", &doubleTo, "postmaster")
	read(func() (err error) { s.Routes.Locals, err = locals(dir); return })
	read(func() (err error) { percentHack, _, err = dir.List("percenthack"); return })
	read(func() (err error) { s.Routes.Virtual, err = virtualDomains(dir); return })
	s.Lifetime = int64(min(lifetime, maxLifetime))
	s.Office.DoubleTo = doubleTo + "@" + doubleHost
	s.Routes.PercentHack = fold.NewSet(percentHack)
	return s, err
}

// RereadRoutes returns a table with what locals and virtualdomains say now, at HUP.
func RereadRoutes(dir control.Dir, old *route.Table) (*route.Table, error) {
	table := *old
	var err error
	if table.Locals, err = locals(dir); err != nil {
		return nil, errReadLocals
	}
	if table.Virtual, err = virtualDomains(dir); err != nil {
		return nil, errVirtualDomains
	}
	return &table, nil
}

// locals reads control/locals. An empty file says that no host is local; without a
// file it is the host in control/me.
func locals(dir control.Dir) (fold.Set, error) {
	entries, exists, err := dir.List("locals")
	if err == nil && !exists {
		var me string
		me, exists, err = dir.Line("me")
		entries = []string{me}
	}
	if err == nil && !exists {
		err = errLocals
	}
	return fold.NewSet(entries), err
}

func virtualDomains(dir control.Dir) (fold.Map, error) {
	entries, _, err := dir.List("virtualdomains")
	return fold.NewMap(entries), err
}
