package remote

import (
	"errors"
	"math"
	"sync"
	"time"

	"goqmail/internal/deliver/smtproutes"
	"goqmail/internal/host/control"
	"goqmail/internal/wire/smtp"
)

// What control files say that are not there, in seconds.
const (
	defaultTimeoutConnect = 60
	defaultTimeoutRemote  = 1200
)

// maxTimeout is the longest time that is waited for anything.
const maxTimeout = 24 * time.Hour

// settings are what the control files say.
type settings struct {
	name           string // of this host, for saying hello
	timeoutConnect time.Duration
	timeoutRemote  time.Duration
	concurrency    int // connections to a host at once; 0 means any number
	routes         smtproutes.Routes
}

// errNoName says that this host does not know its name.
var errNoName = errors.New("no name to say hello with in control/helohost or control/me")

// Remembered are the settings that a delivery has read, for those after it: a process
// that has many at once looks at the files for each, and reads them when they have
// changed. It may be used by many at once.
type Remembered struct {
	mu    sync.Mutex
	stamp string
	settings
}

// files are the control files that are read.
var files = []string{"me", "helohost", "timeoutconnect", "timeoutremote", "concurrencyhost", "smtproutes"}

// settings returns what the control files say now.
func (c Config) settings() (settings, error) {
	dir := control.In(c.Home)
	if c.Remembered == nil {
		return readSettings(dir)
	}
	stamp := dir.Stamp(files...)
	r := c.Remembered
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stamp == stamp {
		return r.settings, nil
	}
	s, err := readSettings(dir)
	if err == nil {
		r.stamp, r.settings = stamp, s
	}
	return s, err
}

func readSettings(dir control.Dir) (settings, error) {
	name, errName := dir.LineOrMe("helohost", "")
	if errName == nil && (name == "" || smtp.HasLineBreak(name)) {
		errName = errNoName
	}
	connect, errConnect := dir.Number("timeoutconnect", defaultTimeoutConnect)
	remote, errRemote := dir.Number("timeoutremote", defaultTimeoutRemote)
	concurrency, errConcurrency := dir.Number("concurrencyhost", 0)
	entries, _, errRoutes := dir.List("smtproutes")
	return settings{name, seconds(connect), seconds(remote), int(min(concurrency, math.MaxInt32)), smtproutes.New(entries)},
		errors.Join(errName, errConnect, errRemote, errConcurrency, errRoutes)
}

func seconds(n uint64) time.Duration {
	return time.Duration(min(n, uint64(maxTimeout/time.Second))) * time.Second
}
