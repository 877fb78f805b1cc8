// Package splogger hands lines to syslog (splogger(8)).
//
// Each line becomes a message of tag, time stamp and text:
//
//	<22>Nov 24 20:15:26 qmail: 1795551326.123456 new msg 457
//
// The first number is facility times 8 and priority (RFC 3164, section 4.1.1): 1
// (alert) for a line that begins with "alert:", 4 (warning) for "warning:", else 6.
// A line is cut into pieces of MaxPiece bytes, and those after the first have a +
// behind the time stamp of the first. Empty lines are passed over. Every byte that
// is not printable ASCII becomes a question mark.
//
// syslog promises nothing, and neither does this: a message that cannot be handed
// over is lost. But the input is always read on, since who writes it waits.
package splogger

import (
	"bufio"
	"fmt"
	"io"
	"time"
)

// MaxPiece is the longest text that is sent at once, in bytes.
const MaxPiece = 799

// Priorities and the default facility of syslog(3).
const (
	alert   = 1
	warning = 4
	info    = 6

	// Mail is the facility of mail.
	Mail = 2
)

// A Logger hands lines over.
type Logger struct {
	Tag      string
	Facility uint64
	Now      func() time.Time
	Send     func(message string)
}

// Copy reads lines until the input ends. A last line without its newline is not
// sent, as it never was.
func (l Logger) Copy(in io.Reader) error {
	r := bufio.NewReaderSize(in, 16<<10)
	var p piece
	for {
		c, err := r.ReadByte()
		if err != nil {
			if err == io.EOF {
				return nil
			}
			return err
		}
		if c == '\n' {
			l.flush(&p)
			p.continued = false
			continue
		}
		if len(p.text) == MaxPiece {
			l.flush(&p)
		}
		if c < ' ' || c > '~' {
			c = '?'
		}
		p.text = append(p.text, c)
	}
}

// A piece is what was read of a line and not sent.
type piece struct {
	text      []byte
	continued bool // what came before it was sent
	stamp     string
	priority  uint64
}

func (l Logger) flush(p *piece) {
	if len(p.text) == 0 {
		return
	}
	now := l.Now()
	separator := "+"
	if !p.continued {
		separator = " "
		p.continued = true
		p.stamp = fmt.Sprintf("%d.%06d", now.Unix(), now.Nanosecond()/1000)
		p.priority = priority(string(p.text))
	}
	l.Send(fmt.Sprintf("<%d>%s %s: %s%s%s", l.Facility<<3|p.priority, now.Format(time.Stamp), l.Tag, p.stamp, separator, p.text))
	p.text = p.text[:0]
}

func priority(text string) uint64 {
	switch {
	case len(text) >= 6 && text[:6] == "alert:":
		return alert
	case len(text) >= 8 && text[:8] == "warning:":
		return warning
	}
	return info
}
