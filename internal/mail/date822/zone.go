package date822

import (
	"encoding/binary"
	"strings"
	"time"
)

// FormatLocal returns a date in the zone that the time has:
//
//	24 Nov 2026 15:05:00 +0100
func FormatLocal(t time.Time) string { return t.Format("2 Jan 2006 15:04:05 -0700") }

// maxZone is the longest rule of a zone that is taken, in bytes.
const maxZone = 256

// Zone returns the zone that the variable TZ describes: time.Local, which knows the
// names of zones, or one made of a rule of POSIX such as CET-1CEST,M3.5.0,M10.5.0/3,
// which time.Local takes for UTC.
func Zone(tz string) *time.Location {
	name := strings.TrimPrefix(tz, ":")
	if len(tz) > maxZone || strings.ContainsAny(tz, "\x00\n") || strings.HasPrefix(name, "/") {
		return time.Local
	}
	if _, err := time.LoadLocation(name); err == nil {
		return time.Local
	}
	if zone, err := time.LoadLocationFromTZData("Local", ruleFile(tz)); err == nil {
		return zone
	}
	return time.Local
}

// ruleFile is a file of the time zone database (RFC 8536) for a zone that has always
// followed one rule: UTC for an old reader, then nothing but a footer with the rule,
// which counts behind the last change of the zone in the table, of which there is none.
func ruleFile(rule string) []byte {
	const table = "\x00\x00\x00\x00\x00\x00UTC\x00" // one kind of time: offset 0, no daylight saving, name at 0
	header := func(b []byte) []byte {
		b = append(b, "TZif2"...)
		b = append(b, make([]byte, 15)...)
		for _, count := range []uint32{0, 0, 0, 0, 1, 4} { // kinds of time, bytes of names
			b = binary.BigEndian.AppendUint32(b, count)
		}
		return append(b, table...)
	}
	return append(header(header(nil)), "\n"+rule+"\n"...)
}
