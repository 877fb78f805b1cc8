package quote_test

import (
	"strings"
	"testing"

	"goqmail/internal/mail/address"
	"goqmail/internal/mail/quote"
)

func TestAddress(t *testing.T) {
	for plain, want := range map[string]string{
		"":                 "",
		"joe@h":            "joe@h",
		"joe":              "joe",
		"a.b@h":            "a.b@h",
		"@h":               `""@h`,
		"joe@":             "joe@",
		"a b@h":            `"a b"@h`,
		"a@b@h":            `"a@b"@h`,
		".a@h":             `".a"@h`,
		"a.@h":             `"a."@h`,
		"a..b@h":           `"a..b"@h`,
		`a"b\c@h`:          `"a\"b\\c"@h`,
		"a\r\nb@h":         "\"a\\\r\\\nb\"@h",
		"\xe9@h":           "\"\xe9\"@h",
		"a\x7f@h":          "\"a\x7f\"@h",
		"(a)@h":            `"(a)"@h`,
		"!#$%&'*+-/=?^_@h": "!#$%&'*+-/=?^_@h",
		"`{|}~@h":          "`{|}~@h",
		"a b@c d":          `"a b"@c d`, // a host is never quoted
		"#@[]":             "#@[]",
		"l-@h-@[]":         `"l-@h-"@[]`,
	} {
		if got := quote.Address(plain); got != want {
			t.Errorf("%q: %q, want %q", plain, got, want)
		}
	}
}

// FuzzLocal: a header that has a quoted local part is read as that local part, and only
// what needs quotes gets them.
func FuzzLocal(f *testing.F) {
	f.Add(`a "b" \c`)
	f.Add(".a..b.")
	f.Fuzz(func(t *testing.T, local string) {
		if len(local) > address.MaxWord {
			return
		}
		quoted := quote.Local(local)
		tokens, err := address.Tokens(quoted)
		if err != nil || address.Plain(tokens) != local {
			t.Errorf("%q was quoted as %q, and read as %q, %v", local, quoted, address.Plain(tokens), err)
		}
		if quote.Needed(local) != strings.HasPrefix(quoted, `"`) {
			t.Errorf("%q was quoted as %q", local, quoted)
		}
	})
}

func TestOneLine(t *testing.T) {
	if got := quote.OneLine("a\r\nb\rc\nd@e"); got != "a__b_c_d@e" {
		t.Errorf("%q", got)
	}
}
