package control

import (
	"math"
	"math/big"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// FuzzReadList: entries have no white space behind them, none is empty or a comment, and
// they do not depend on how the file is read.
func FuzzReadList(f *testing.F) {
	for _, text := range []string{"", "a\n", "a \t\n#b\n\n c", "\x00\n#", "a\r\n"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		entries, err := ReadList(strings.NewReader(text))
		if err != nil {
			if len(text) <= MaxLine {
				t.Fatal(err)
			}
			return
		}
		for _, e := range entries {
			if e == "" || e[0] == '#' || strings.Contains(e, "\n") || strings.TrimRight(e, " \t") != e {
				t.Errorf("%q", e)
			}
		}
		if pieces, err := ReadList(iotest.OneByteReader(strings.NewReader(text))); err != nil || !slices.Equal(pieces, entries) {
			t.Errorf("%q, %q, %v", entries, pieces, err)
		}
	})
}

// FuzzLeadingNumber: the digits that a line begins with, up to the largest number.
func FuzzLeadingNumber(f *testing.F) {
	for _, line := range []string{"", "0", "17x", "x", "18446744073709551615", "18446744073709551616", "99999999999999999999999"} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		n, ok := LeadingNumber(line)
		digits := line[:len(line)-len(strings.TrimLeft(line, "0123456789"))]
		want, isNumber := new(big.Int).SetString(digits, 10)
		if ok != isNumber {
			t.Fatalf("%v", ok)
		}
		if most := new(big.Int).SetUint64(math.MaxUint64); ok && want.Cmp(most) > 0 {
			want = most
		}
		if ok && want.Cmp(new(big.Int).SetUint64(n)) != 0 {
			t.Errorf("%d, want %d", n, want)
		}
	})
}
