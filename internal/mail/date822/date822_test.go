package date822

import (
	"strings"
	"testing"
	"time"
)

var (
	winter = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	summer = time.Date(2026, 7, 12, 13, 14, 15, 0, time.UTC)
)

func TestFormat(t *testing.T) {
	for want, when := range map[string]time.Time{
		"2 Jan 2026 03:04:05 -0000":  winter,
		"12 Jul 2026 13:14:15 -0000": summer,
		"1 Jan 2026 23:04:05 -0000":  time.Date(2026, 1, 2, 0, 4, 5, 0, time.FixedZone("", 3600)),
	} {
		if got := Format(when); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// TestZone: rules of POSIX are followed, in both halves of the year.
func TestZone(t *testing.T) {
	for _, c := range []struct{ tz, winter, summer string }{
		{"UTC0", "2 Jan 2026 03:04:05 +0000", "12 Jul 2026 13:14:15 +0000"},
		{"EST5", "1 Jan 2026 22:04:05 -0500", "12 Jul 2026 08:14:15 -0500"},
		{"IST-5:30", "2 Jan 2026 08:34:05 +0530", "12 Jul 2026 18:44:15 +0530"},
		{"<+0330>-3:30", "2 Jan 2026 06:34:05 +0330", "12 Jul 2026 16:44:15 +0330"},
		{"CET-1CEST,M3.5.0,M10.5.0/3", "2 Jan 2026 04:04:05 +0100", "12 Jul 2026 15:14:15 +0200"},
		{"AEST-10AEDT,M10.1.0,M4.1.0/3", "2 Jan 2026 14:04:05 +1100", "12 Jul 2026 23:14:15 +1000"},
		{"nonsense", "2 Jan 2026 03:04:05 +0000", "12 Jul 2026 13:14:15 +0000"},
	} {
		zone := Zone(c.tz)
		if w, s := FormatLocal(winter.In(zone)), FormatLocal(summer.In(zone)); w != c.winter || s != c.summer {
			t.Errorf("%s: %s, %s", c.tz, w, s)
		}
	}
}

// TestNoRule: what is not a rule is a matter of the time zone database, or nothing.
func TestNoRule(t *testing.T) {
	for _, tz := range []string{"", "UTC", ":UTC", "/etc/localtime", ":/etc/localtime", "EST5\nx", "EST5\x00", strings.Repeat("x", 10000)} {
		if Zone(tz) != time.Local {
			t.Errorf("%q", tz)
		}
	}
}

func FuzzZone(f *testing.F) {
	f.Add("CET-1CEST,M3.5.0,M10.5.0/3")
	f.Fuzz(func(t *testing.T, tz string) {
		zone := Zone(tz)
		for _, when := range []time.Time{winter, summer} {
			if !when.In(zone).Equal(when) || !strings.Contains(FormatLocal(when.In(zone)), " 202") {
				t.Errorf("%q", tz)
			}
		}
	})
}
