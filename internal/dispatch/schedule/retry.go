// Package schedule knows when a message is tried again.
//
// # Retries
//
// The time between attempts grows with the age of the message: the n-th attempt
// is n² times a constant after its birth. If a message is tried at an age of x
// seconds, the next attempt is at
//
//	(√x + skip)²
//
// seconds, where √ is rounded down and skip is 10 for local and 20 for remote
// recipients. That is 400 seconds, 1600, 3600 and so on for remote ones. The next
// time depends on the age alone, so nothing has to be remembered between two
// attempts, and an attempt that was late does not shift the later ones.
//
// # Queue
//
// A Queue is a priority queue of messages by the time at which something is to
// be done with them. An entry takes 24 bytes, so that a million messages fit.
//
// Times are seconds since 1970, UTC, as the file times that they are kept in.
package schedule

import (
	"math"

	"goqmail/internal/dispatch/route"
)

// skips is how far the square root of the age goes between attempts.
var skips = [route.Channels]int64{route.Local: 10, route.Remote: 20}

// maxAge keeps the arithmetic far from overflow. No message is a century old.
const maxAge = 1 << 32

// Next is when a message born at one time and tried now is tried again. A birth
// in the future counts as now in the formula, but the result is counted from it.
func Next(c route.Channel, birth, now int64) int64 {
	age := min(max(now-birth, 0), maxAge)
	root := int64(math.Sqrt(float64(age))) + skips[c] // exact: age has less than 53 bits
	return birth + root*root
}
