package getopt

import (
	"slices"
	"strings"
	"testing"
)

// read returns options as "n", "t=value" or the text of a problem, and the rest.
func read(args []string, accepted string) (got, rest []string) {
	r := New(args, accepted)
	for r.Next() {
		switch {
		case r.Letter == Problem:
			got = append(got, r.Text)
		case r.Value != "" || strings.Contains(accepted, string(r.Letter)+":"):
			got = append(got, string(r.Letter)+"="+r.Value)
		default:
			got = append(got, string(r.Letter))
		}
	}
	return got, r.Rest()
}

func TestReader(t *testing.T) {
	for _, c := range []struct{ args, options, rest string }{
		{"", "", ""},
		{"a -n", "", "a -n"},
		{"-n a", "n", "a"},
		{"-nN -n a b", "n,N,n", "a b"},
		{"-t5 a", "t=5", "a"},
		{"-t 5 a", "t=5", "a"},
		{"-nt -n a", "n,t=-n", "a"},
		{"-t -- a", "t=--", "a"},
		{"-tn-", "t=n-", ""},
		{"-n -- -N", "n", "-N"},
		{"--n -N", "", "-N"},
		{"-n - -N", "n", "- -N"},
		{"-n-N a", "n,illegal option -- -,N", "a"},
		{"-x a", "illegal option -- x", "a"},
		{"-nxN a", "n,illegal option -- x,N", "a"},
		{"-: a", "illegal option -- :", "a"},
		{"-t", "option requires an argument -- t", ""},
		{"-\xff", "illegal option -- \xff", ""},
	} {
		options, rest := read(strings.Fields(c.args), "nNt:")
		if strings.Join(options, ",") != c.options || strings.Join(rest, " ") != c.rest {
			t.Errorf("%q: %q, %q", c.args, options, rest)
		}
	}
}

// TestEmptyArguments: an empty argument is no option, but may be a value.
func TestEmptyArguments(t *testing.T) {
	for _, c := range []struct{ args, options, rest []string }{
		{[]string{"", "-n"}, nil, []string{"", "-n"}},
		{[]string{"-t", "", "-n"}, []string{"t=", "n"}, nil},
	} {
		options, rest := read(c.args, "nNt:")
		if !slices.Equal(options, c.options) || !slices.Equal(rest, c.rest) {
			t.Errorf("%q: %q, %q", c.args, options, rest)
		}
	}
}

// TestSkip: what is left out are letters of the same argument.
func TestSkip(t *testing.T) {
	r := New([]string{"-nxyz", "-N", "a"}, "nN")
	var got string
	for r.Next() {
		got += string(r.Letter)
		r.Skip()
	}
	if got != "nN" || !slices.Equal(r.Rest(), []string{"a"}) {
		t.Errorf("%q, %q", got, r.Rest())
	}
}

func FuzzReader(f *testing.F) {
	f.Add("-nN\n-t\n--\nx", "nNt:")
	f.Fuzz(func(t *testing.T, args, accepted string) {
		given := strings.Split(args, "\n")
		options, rest := read(given, accepted)
		if len(options) > len(args) {
			t.Errorf("%d options", len(options))
		}
		if !slices.Equal(given[len(given)-len(rest):], rest) {
			t.Errorf("%q is not what is left of %q", rest, given)
		}
	})
}
