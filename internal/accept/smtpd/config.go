package smtpd

import (
	"errors"
	"math"
	"time"

	"goqmail/internal/accept/rcpthosts"
	"goqmail/internal/host/control"
	"goqmail/internal/mail/fold"
)

// Config is what the control files say. Sessions only read it, so that many may
// share one.
type Config struct {
	Greeting      string          // smtpgreeting: begins with the name of this host
	LocalIPHost   *string         // localiphost: stands for addresses of this host; nil means none does
	Databytes     uint64          // databytes: the largest message, in bytes; 0 means any
	MaxRecipients uint64          // maxrcpt: the most recipients of a message; 0 means any number
	Timeout       time.Duration   // timeoutsmtpd: for each read and write
	BadMailFrom   fold.Set        // badmailfrom: senders, and hosts as @host
	Recipients    *rcpthosts.List // rcpthosts, morercpthosts.cdb
}

// Controls are the control files.
var Controls = append([]string{"badmailfrom", "databytes", "localiphost", "maxrcpt", "me", "smtpgreeting", "timeoutsmtpd"}, rcpthosts.Controls...)

// ReadConfig reads the control files. An error is for the admin to see; a client
// is sent Unreadable.
func ReadConfig(dir control.Dir) (*Config, error) {
	greeting, err := lineOrMe(dir, "smtpgreeting")
	if err != nil {
		return nil, err
	}
	if greeting == nil {
		return nil, errors.New("unable to read control: neither smtpgreeting nor me exists")
	}
	c := &Config{Greeting: *greeting}
	if c.LocalIPHost, err = lineOrMe(dir, "localiphost"); err != nil {
		return nil, err
	}
	if c.Databytes, err = dir.Number("databytes", 0); err != nil {
		return nil, err
	}
	if c.MaxRecipients, err = dir.Number("maxrcpt", 0); err != nil {
		return nil, err
	}
	seconds, err := dir.Number("timeoutsmtpd", 1200)
	if err != nil {
		return nil, err
	}
	c.Timeout = time.Duration(min(max(seconds, 1), math.MaxInt64/uint64(time.Second))) * time.Second
	bad, _, err := dir.List("badmailfrom")
	if err != nil {
		return nil, err
	}
	c.BadMailFrom = fold.NewSet(bad)
	if c.Recipients, err = rcpthosts.Read(dir); err != nil {
		return nil, err
	}
	return c, nil
}

// lineOrMe is nil where neither the file nor me exists.
func lineOrMe(dir control.Dir, name string) (*string, error) {
	for _, name := range []string{name, "me"} {
		if line, exists, err := dir.Line(name); exists || err != nil {
			return &line, err
		}
	}
	return nil, nil
}

// Close closes what is open of the control files. No session may go on with them.
func (c *Config) Close() error { return c.Recipients.Close() }
