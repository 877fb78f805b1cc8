package address

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// marks show the kinds of words; a special shows itself.
var marks = map[Kind]string{Atom: "a", Quoted: "q", Literal: "l", Comment: "c"}

// show writes tokens as a:text for an atom and so on, and specials as they are.
func show(tokens []Token) string {
	var list []string
	for _, t := range tokens {
		if t.Kind.isSpecial() {
			list = append(list, t.text())
		} else {
			list = append(list, marks[t.Kind]+":"+t.Text)
		}
	}
	return strings.Join(list, " ")
}

func TestTokens(t *testing.T) {
	for _, c := range []struct{ name, text, tokens string }{
		{"nothing", "", ""},
		{"white space", " \t\r\n", ""},
		{"atom", "joe", "a:joe"},
		{"atoms", " joe\tbob\n", "a:joe a:bob"},
		{"specials", ".,@<>:;", ". , @ < > : ;"},
		{"address", "a.b@c.d", "a:a . a:b @ a:c . a:d"},
		{"atom characters", "!#$%&'*+-/=?^_`{|}~", "a:!#$%&'*+-/=?^_`{|}~"},
		{"quoted", `"a b"`, "q:a b"},
		{"empty quoted", `""`, "q:"},
		{"quoted specials", `"<a,b>"`, "q:<a,b>"},
		{"quoted escapes", `"\"\\\a"`, `q:"\a`},
		{"quoted newline", "\"a\nb\"", "q:a\nb"},
		{"quoted parentheses", `"(a"`, "q:(a"},
		{"words without space", `a"b"c`, "a:a q:b a:c"},
		{"literal", "[1.2.3.4]", "l:1.2.3.4"},
		{"literal escapes", `[\]\[[]`, "l:][["},
		{"comment", "(a b)", "c:a b"},
		{"nested comment", "(a(b(c)d)e)", "c:abcde"},
		{"comment escapes", `(\)\(\\)`, `c:)(\`},
		{"comment with quotes", `(")`, `c:"`},
		{"comment within a word", "a(b)c", "a:a c:b a:c"},
		{"atom with a closing parenthesis", "a)b", "q:a)b"},
		{"atom with a closing bracket", "a]", "q:a]"},
		{"8-bit atom", "\xe9", "q:\xe9"},
		{"control character", "a\x01", "q:a\x01"},
		{"DEL", "a\x7f", "q:a\x7f"},
		{"NUL", "a\x00b", "q:a\x00b"},
		{"atom with an escaped letter", `a\bc`, "a:abc"},
		{"atom with an escaped space", `a\ b`, "q:a b"},
		{"atom with an escaped special", `a\,b\@c`, "q:a,b@c"},
		{"atom with an escaped backslash", `\\`, `q:\`},
		{"backslash at the end", `a\`, "a:a"},
		{"backslash alone", `\`, "q:"},
	} {
		t.Run(c.name, func(t *testing.T) {
			tokens, err := Tokens(c.text)
			if got := show(tokens); got != c.tokens || err != nil {
				t.Errorf("%s, %v", got, err)
			}
		})
	}
}

func TestTokensErrors(t *testing.T) {
	for _, text := range []string{")", "]", "a )", "(", "(a", "((a)", `(a\`, `(a\)`, `"`, `"a`, `"a\`, `"a\"`, "[", "[a", `[a\]`, `"a" "`} {
		if tokens, err := Tokens(text); err != ErrSyntax {
			t.Errorf("%s: %s, %v", text, show(tokens), err)
		}
	}
}

// TestNesting: comments may be nested as deep as anybody wants.
func TestNesting(t *testing.T) {
	const n = 1 << 20
	tokens, err := Tokens(strings.Repeat("(", n) + "a" + strings.Repeat(")", n))
	if show(tokens) != "c:a" || err != nil {
		t.Errorf("%s, %v", show(tokens), err)
	}
	if _, err := Tokens(strings.Repeat("(", n)); err != ErrSyntax {
		t.Error(err)
	}
}

func TestMaxWord(t *testing.T) {
	for _, form := range []string{"%", `"%"`, "[%]", "(%)"} {
		for n, want := range map[int]error{MaxWord: nil, MaxWord + 1: ErrLong} {
			if _, err := Tokens(strings.Replace(form, "%", strings.Repeat("x", n), 1)); err != want {
				t.Errorf("%s with %d bytes: %v", form, n, err)
			}
		}
	}
}

// TestReadError: an error of reading is never taken for the end of a word.
func TestReadError(t *testing.T) {
	broken := errors.New("broken")
	for _, text := range []string{"", "a", `a\`, "a ", `"a`, `"a\`, "(a", "[a", "a@"} {
		s := NewScanner(bufio.NewReader(io.MultiReader(strings.NewReader(text), iotest.ErrReader(broken))))
		var err error
		for err == nil {
			_, err = s.Next()
		}
		if err != broken {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestPlain(t *testing.T) {
	for text, want := range map[string]string{
		"":                      "",
		"joe@h":                 "joe@h",
		"joe (x) @ h . y":       "joe@h.y",
		`"a b"@h`:               "a b@h",
		`"a\"b".c@h`:            `a"b.c@h`,
		"joe@[1.2.3.4]":         "joe@[1.2.3.4]",
		"#@[]":                  "#@[]",
		"<a,b>:;":               "<a,b>:;",
		"(c)":                   "",
		"Joe Bloggs <joe@h.ex>": "JoeBloggs<joe@h.ex>",
	} {
		tokens, err := Tokens(text)
		if got := Plain(tokens); got != want || err != nil {
			t.Errorf("%s: %s, %v", text, got, err)
		}
	}
}

// FuzzScanner: what is read and written is read as the same again, but for line
// breaks.
func FuzzScanner(f *testing.F) {
	f.Add(`Joe "B\"l" <@a,@b:joe (x(y))@[1.2]>, g: a\,b;`)
	f.Add("\\")
	f.Fuzz(func(t *testing.T, text string) {
		tokens, err := Tokens(text)
		if err != nil {
			if err != ErrSyntax && err != ErrLong {
				t.Error(err)
			}
			return
		}
		if strings.ContainsAny(text, "\r\n") {
			return
		}
		var b bytes.Buffer
		w := NewWriter(&b, "To")
		for _, token := range tokens {
			w.Add(token)
		}
		w.Close()
		again, err := Tokens(strings.TrimPrefix(b.String(), "To:"))
		if err != nil || !slices.Equal(again, tokens) {
			t.Errorf("%q was read as %s, written as %q, read as %s, %v", text, show(tokens), b.String(), show(again), err)
		}
	})
}
