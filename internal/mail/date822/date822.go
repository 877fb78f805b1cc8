// Package date822 writes dates the way qmail does in every header field:
//
//	24 Nov 2026 14:05:00 -0000
//
// RFC 822 as amended by RFC 1123, without the day of the week. The zone -0000
// says that the time is UTC and that nothing is said about the local zone.
package date822

import "time"

// Format returns the date without a newline.
func Format(t time.Time) string { return t.UTC().Format("2 Jan 2006 15:04:05 -0000") }
