package address

import (
	"slices"
	"strings"
)

// Hosts is what the host names in addresses are completed with.
type Hosts struct {
	host, domain, plus []Token
}

// NewHosts makes a Hosts of the default host, which is added to an address without a
// host; the default domain, which is added to a host without a dot; and the plus
// domain, which is added to a host that ends with a +, in its place.
func NewHosts(host, domain, plus string) (*Hosts, error) {
	h := &Hosts{}
	for _, c := range []struct {
		to    *[]Token
		added string
	}{{&h.domain, "." + domain}, {&h.host, "@" + host}, {&h.plus, "." + plus}} {
		var err error
		if *c.to, err = Tokens(c.added); err != nil {
			return nil, &TextError{c.added, err}
		}
	}
	return h, nil
}

// A TextError says which text cannot be read.
type TextError struct {
	Text string
	err  error
}

func (e *TextError) Error() string { return e.err.Error() + ": " + e.Text }

// Unwrap returns the reason.
func (e *TextError) Unwrap() error { return e.err }

// Complete makes an address as envelopes want it: it removes the source route, gives
// it a host where it has none, and makes that host fully qualified. The empty
// address, and one at [], stay as they are.
func (h *Hosts) Complete(address []Token) []Token {
	a := slices.Clone(address)
	if n := len(a); n >= 2 && a[n-1] == (Token{Kind: Literal}) && a[n-2].Kind == At {
		return a // that of a double bounce
	}
	a = withoutRoute(a)
	a = withoutLast(a, Dot)
	a = withoutLast(a, At)
	if len(a) == 0 {
		return a
	}
	if !slices.ContainsFunc(a, isAt) {
		a = append(a, h.host...)
	}
	if last := &a[len(a)-1]; last.Kind == Atom && strings.HasSuffix(last.Text, "+") {
		last.Text = strings.TrimSuffix(last.Text, "+")
		a = append(a, h.plus...)
	}
	if !qualified(a) {
		a = append(a, h.domain...)
	}
	return a
}

// withoutRoute removes a source route: what begins with an @, up to the first colon.
func withoutRoute(a []Token) []Token {
	if len(a) == 0 || a[0].Kind != At {
		return a
	}
	colon := slices.IndexFunc(a, func(t Token) bool { return t.Kind == Colon })
	if colon < 0 {
		return nil
	}
	return a[colon+1:]
}

func withoutLast(a []Token, kind Kind) []Token {
	if n := len(a); n > 0 && a[n-1].Kind == kind {
		return a[:n-1]
	}
	return a
}

// qualified tells whether the host of an address has a dot or is a literal.
func qualified(a []Token) bool {
	for _, t := range slices.Backward(a) {
		switch t.Kind {
		case Dot, Literal:
			return true
		case At:
			return false
		}
	}
	return false
}

func isAt(t Token) bool { return t.Kind == At }
