// Package model compares whole programs, over inputs made at random, with what they must
// do, told in another way:
//
//	smtp_test.go      qmail-smtpd against a model of the protocol (server_test.go): the
//	                  replies, and what reaches qmail-queue, to the byte
//	letters_test.go   qmail-inject against messages of which it is known what they mean,
//	                  since they were written from that
//	original_test.go  qmail-inject against the answers of the C qmail-inject: those that
//	                  were recorded in testdata/original, and its own to other inputs
//
// Each test goes on for some seconds, or for as long as GOQMAIL_MODEL says, but makes a
// hundred inputs at least. An input is made from a number, the seed; what fails is told
// with it, and GOQMAIL_MODEL_SEED=N begins with that one:
//
//	GOQMAIL_MODEL=5m GOQMAIL_MODEL_SEED=17 go test -v -timeout 30m ./internal/integration/model
//
// Where GOQMAIL_C_HOME names the home of an installed C qmail, that one's qmail-smtpd is
// held against the model as well, and its qmail-inject against ours ("make model C=HOME").
// It is only read: all happens in a site at the home that the C programs have compiled in.
package model

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"goqmail/internal/integration/site"
)

// cHome is where a C qmail is installed; empty where there is none.
var cHome = os.Getenv("GOQMAIL_C_HOME")

func TestMain(m *testing.M) {
	if cHome != "" {
		site.Home = cHome
	}
	site.Main(m)
}

// needsC skips a test without the C programs.
func needsC(t *testing.T) {
	t.Helper()
	if cHome == "" {
		t.Skip("needs the home of an installed C qmail in GOQMAIL_C_HOME (make model C=HOME)")
	}
}

// original is a program of the C qmail.
func original(program string) string { return filepath.Join(site.Aside, program) }

// usually is how long a test makes inputs.
const usually = 4 * time.Second

// atLeast is how many it makes, however slow the machine is.
const atLeast = 100

// failures is after how many a test gives up.
const failures = 5

// run gives a test its inputs one after another until its time is up. try returns how the
// programs differ from what they must do, if they do.
func run(t *testing.T, try func(seed uint64) (difference string)) {
	t.Helper()
	limit, first := usually, uint64(1)
	var err error
	if text := os.Getenv("GOQMAIL_MODEL"); text != "" {
		if limit, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
	}
	if text := os.Getenv("GOQMAIL_MODEL_SEED"); text != "" {
		if first, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	seed, failed := first, 0
	for end := time.Now().Add(limit); (time.Now().Before(end) || seed < first+atLeast) && failed < failures; seed++ {
		if difference := try(seed); difference != "" {
			failed++
			t.Errorf("seed %d: %s", seed, difference)
		}
	}
	t.Logf("%d inputs, seeds %d to %d", seed-first, first, seed-1)
}

// dice makes the choices of which an input consists.
type dice struct{ *rand.Rand }

func newDice(seed uint64) dice { return dice{rand.New(rand.NewPCG(seed, 0))} }

// oneIn holds once in n times.
func (d dice) oneIn(n int) bool { return d.IntN(n) == 0 }

// pick takes one of a list. What is written several times is taken more often.
func (d dice) pick(list ...string) string { return list[d.IntN(len(list))] }

// bytes makes up to n bytes of any kind.
func (d dice) bytes(n int) string {
	b := make([]byte, d.IntN(n+1))
	for i := range b {
		b[i] = byte(d.IntN(256))
	}
	return string(b)
}

// spoil changes a text in a few places: bytes go, come or are doubled.
func (d dice) spoil(text string, with ...string) string {
	for range 1 + d.IntN(3) {
		i := d.IntN(len(text) + 1)
		j := min(len(text), i+d.IntN(4))
		switch d.IntN(4) {
		case 0:
			text = text[:i] + text[j:]
		case 1:
			text = text[:j] + text[i:]
		default:
			text = text[:i] + d.pick(with...) + text[i:]
		}
	}
	return text
}
