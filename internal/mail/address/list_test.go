package address

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
)

func hosts(t testing.TB) *Hosts {
	t.Helper()
	h, err := NewHosts("dh.example", "dd.example", "plus.example")
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// rewrite returns a field with its addresses completed, and the addresses in the
// order in which they came.
func rewrite(h *Hosts, list string) (field string, addresses []string, err error) {
	given, err := Tokens(list)
	if err != nil {
		return "", nil, err
	}
	var b bytes.Buffer
	w := NewWriter(&b, "To")
	var completed Slice
	err = Rewrite(&completed, (*Slice)(&given), func(a []Token) ([]Token, error) {
		a = h.Complete(a)
		addresses = append(addresses, Plain(a))
		return a, nil
	})
	for t, popErr := completed.Pop(); popErr == nil; t, popErr = completed.Pop() {
		w.Add(t)
	}
	w.Close()
	return b.String(), addresses, err
}

func TestRewrite(t *testing.T) {
	h := hosts(t)
	for _, c := range []struct{ name, list, field, addresses string }{
		{"empty", "", "", ""},
		{"bare box", "joe", "joe@dh.example", "joe@dh.example"},
		{"host without a dot", "joe@short", "joe@short.dd.example", "joe@short.dd.example"},
		{"full address", "JoE@a.B.example", "JoE@a.B.example", "JoE@a.B.example"},
		{"plus", "joe@sun+", "joe@sun.plus.example", "joe@sun.plus.example"},
		{"plus with a dot", "joe@sun.cs+", "joe@sun.cs.plus.example", "joe@sun.cs.plus.example"},
		{"plus alone", "joe@+", "joe@.plus.example", "joe@.plus.example"},
		{"plus in a quoted host is none", `joe@"sun+"`, `joe@"sun+".dd.example`, "joe@sun+.dd.example"},
		{"plus in the box is none", "joe+@a.example", "joe+@a.example", "joe+@a.example"},
		{"box with plus and no host", "joe+", "joe+@dh.example", "joe+@dh.example"},
		{"literal", "joe@[1.2.3.4]", "joe@[1.2.3.4]", "joe@[1.2.3.4]"},
		{"dots in the box only", "a.b@h", "a.b@h.dd.example", "a.b@h.dd.example"},
		{"trailing dot", "joe@a.example.", "joe@a.example", "joe@a.example"},
		{"two trailing dots", "joe@a.example..", "joe@a.example.", "joe@a.example."},
		{"trailing at", "joe@", "joe@dh.example", "joe@dh.example"},
		{"at alone", "@", "", ""},
		{"dot alone", "<.>", "<>", ""},
		{"double bounce", "#@[]", "#@[]", "#@[]"},
		{"VERP of double bounce", "l-@h-@[]", "l-@h-@[]", "l-@h-@[]"},
		{"brackets", "<joe>", "<joe@dh.example>", "joe@dh.example"},
		{"empty brackets", "<>", "<>", ""},
		{"comment within brackets", "<joe (c)@h>", "<joe (c)@h.dd.example>", "joe@h.dd.example"},
		{"phrase", "Joe Shmoe <joe>", "Joe Shmoe <joe@dh.example>", "joe@dh.example"},
		{"phrase with dots", "J. R. Shmoe <joe@h>", "J.R.Shmoe <joe@h.dd.example>", "joe@h.dd.example"},
		{"phrase with an at", "joe@h <joe@h>", "joe@h <joe@h.dd.example>", "joe@h.dd.example"},
		{"phrase with a literal ends at it", "x [1] y <z>", "x@dh.example, [1]@dh.example y <z@dh.example>", "z@dh.example|[1]@dh.example|x@dh.example"},
		{"quoted phrase", `"Shmoe, Joe" <joe>`, `"Shmoe, Joe" <joe@dh.example>`, "joe@dh.example"},
		{"comment after", "joe (Joe)", "joe@dh.example (Joe)", "joe@dh.example"},
		{"comment before moves", "(Joe) joe@h", "joe@h.dd.example (Joe)", "joe@h.dd.example"},
		{"comment within moves", "joe (Joe) @ h", "joe@h.dd.example (Joe)", "joe@h.dd.example"},
		{"comment and brackets", "(x) Joe (y) <joe> (z)", "(x) Joe (y) <joe@dh.example>(z)", "joe@dh.example"},
		{"comment only", "(nobody)", "(nobody)", ""},
		{"route", "<@a,@b:joe@h>", "<joe@h.dd.example>", "joe@h.dd.example"},
		{"route without brackets is a group", "@a:joe@h;", "@a: joe@h.dd.example;", "joe@h.dd.example"},
		{"route and nothing", "<@a:>", "<>", ""},
		{"route without colon", "<@a>", "<>", ""},
		{"two", "a, b", "a@dh.example, b@dh.example", "b@dh.example|a@dh.example"},
		{"old style", "a b c@h", "a@dh.example, b@dh.example, c@h.dd.example", "c@h.dd.example|b@dh.example|a@dh.example"},
		{"old style with brackets", "a <b> c", "a <b@dh.example>, c@dh.example", "c@dh.example|b@dh.example"},
		{"brackets in a row", "<a> <b>", "<a@dh.example> <b@dh.example>", "b@dh.example|a@dh.example"},
		{"empty elements", ",a,,b,", ", a@dh.example, , b@dh.example,", "b@dh.example|a@dh.example"},
		{"group", "friends: a, b@h;", "friends: a@dh.example, b@h.dd.example;", "b@h.dd.example|a@dh.example"},
		{"group with a long name", "Old Friends: a;", "Old Friends: a@dh.example;", "a@dh.example"},
		{"empty group", "nobody:;", "nobody: ;", ""},
		{"groups and addresses", "b, g: a;, c, h: d;", "b@dh.example, g: a@dh.example;, c@dh.example, h: d@dh.example;", "d@dh.example|c@dh.example|a@dh.example|b@dh.example"},
		{"address behind a group without comma", "g: a; b", "g: a@dh.example;, b@dh.example", "b@dh.example|a@dh.example"},
		{"group without a colon", "a;", "a@dh.example;", "a@dh.example"},
		{"bracket that is not closed", "a < b, c", "a <b@dh.example, c@dh.example", "c@dh.example|a<b@dh.example"},
		{"comma within brackets", "<a,b>", "<a, b@dh.example>", "a,b@dh.example"},
		{"quoted box", `"a b"@h.example`, `"a b"@h.example`, "a b@h.example"},
		{"percent and bang", "a%b!c@h.example", "a%b!c@h.example", "a%b!c@h.example"},
		{"escaped comma stays one word", `a\,b@h.example`, `"a,b"@h.example`, "a,b@h.example"},
		{"line break within a word", "\"a\nb\"@h.example", `"a b"@h.example`, "a\nb@h.example"},
	} {
		t.Run(c.name, func(t *testing.T) {
			field, addresses, err := rewrite(h, c.list)
			want := "To: " + c.field + "\n"
			if c.field == "" {
				want = "To:\n"
			}
			if got := strings.Join(addresses, "|"); field != want || got != c.addresses || err != nil {
				t.Errorf("%q, %s, %v", field, got, err)
			}
		})
	}
}

func TestRewriteErrors(t *testing.T) {
	h := hosts(t)
	for _, c := range []struct{ list, addresses string }{
		{"a: b", "b@dh.example"},
		{"a: b: c;;", ""},
		{"a: b; c;", "c@dh.example"},
		{"joe>, bob", "bob@dh.example|joe@dh.example"},
		{">", ""},
	} {
		_, addresses, err := rewrite(h, c.list)
		if got := strings.Join(addresses, "|"); err != ErrSyntax || got != c.addresses {
			t.Errorf("%s: %s, %v", c.list, got, err)
		}
	}
}

// TestLongAddress: what belongs to one address has a limit, the list has none.
func TestLongAddress(t *testing.T) {
	h := hosts(t)
	for part, most := range map[string]int{"a.": MaxWord / 2, "(c)": MaxWord, "()": MaxWord, "ab ": MaxWord / 2} {
		for n, want := range map[int]error{most: nil, most + 1: ErrLong} {
			if _, _, err := rewrite(h, "<"+strings.Repeat(part, n)+">"); err != want {
				t.Errorf("%d times %s: %v", n, part, err)
			}
		}
	}
	if _, addresses, err := rewrite(h, strings.Repeat("a@b.c,", 50_000)); len(addresses) != 50_000 || err != nil {
		t.Errorf("%d addresses, %v", len(addresses), err)
	}
}

// A brokenStack fails after some tokens.
type brokenStack struct {
	Slice
	left int
}

var errBroken = errors.New("broken")

func (s *brokenStack) Push(t Token) error {
	if s.left--; s.left < 0 {
		return errBroken
	}
	return s.Slice.Push(t)
}

func (s *brokenStack) Pop() (Token, error) {
	if s.left--; s.left < 0 {
		return Token{}, errBroken
	}
	return s.Slice.Pop()
}

// TestBrokenStack: an error of a stack, or of completing, ends it all.
func TestBrokenStack(t *testing.T) {
	same := func(a []Token) ([]Token, error) { return a, nil }
	const list = "g: X <a@b>, c (d) e;, f"
	for n := range 12 {
		given, _ := Tokens(list)
		if err := Rewrite(&Slice{}, &brokenStack{given, n}, same); err != errBroken {
			t.Errorf("reading after %d: %v", n, err)
		}
		given, _ = Tokens(list)
		if err := Rewrite(&brokenStack{left: n}, (*Slice)(&given), same); err != errBroken {
			t.Errorf("writing after %d: %v", n, err)
		}
	}
	given, _ := Tokens(list)
	if err := Rewrite(&Slice{}, (*Slice)(&given), func([]Token) ([]Token, error) { return nil, errBroken }); err != errBroken {
		t.Error(err)
	}
}

func TestNewHosts(t *testing.T) {
	for _, c := range []struct{ host, domain, plus, text string }{
		{")", "d", "p", "@)"},
		{"h", "(", "p", ".("},
		{"h", "d", `"`, `."`},
	} {
		_, err := NewHosts(c.host, c.domain, c.plus)
		var text *TextError
		if !errors.As(err, &text) || text.Text != c.text || !errors.Is(err, ErrSyntax) {
			t.Errorf("%v: %v", c, err)
		}
	}
	h, err := NewHosts("dh+", "d.d", "p.p") // the default host is completed, too
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if field, _, _ := rewrite(h, "a, b@h"); field != "To: a@dh.p.p, b@h.d.d\n" {
			t.Errorf("%q", field)
		}
	}
}

func TestFolding(t *testing.T) {
	x := func(n int) string { return strings.Repeat("x", n) }
	for _, c := range []struct{ name, list, field string }{
		{"up to 78 bytes", x(36) + ".," + x(34) + ".", "To: " + x(36) + "., " + x(34) + ".\n"},
		{"79 bytes", x(36) + ".," + x(35) + ".", "To: " + x(36) + ".,\n  " + x(35) + ".\n"},
		{"78 bytes in the second line", x(70) + "," + x(36) + "," + x(38), "To: " + x(70) + ",\n  " + x(36) + ", " + x(38) + "\n"},
		{"79 bytes in the second line", x(70) + "," + x(37) + "," + x(38), "To: " + x(70) + ",\n  " + x(37) + ",\n  " + x(38) + "\n"},
		{"no comma", x(100) + "." + x(100), "To: " + x(100) + "." + x(100) + "\n"},
		{"long words", x(100) + "," + x(100) + ",a", "To: " + x(100) + ",\n  " + x(100) + ",\n  a\n"},
		{"comma within quotes", `"` + x(50) + "," + x(50) + `"`, `To: "` + x(50) + "," + x(50) + "\"\n"},
		{"comma at the end of a full line", x(74) + ",", "To: " + x(74) + ",\n"},
		{"commas only", strings.Repeat(",", 80), "To: ," + strings.Repeat(" ,", 36) + "\n " + strings.Repeat(" ,", 38) + "\n " + strings.Repeat(" ,", 5) + "\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			tokens, err := Tokens(c.list)
			if err != nil {
				t.Fatal(err)
			}
			var b bytes.Buffer
			w := NewWriter(&b, "To")
			for _, token := range tokens {
				w.Add(token)
			}
			if err := w.Close(); b.String() != c.field || err != nil {
				t.Errorf("%q, %v", b.String(), err)
			}
		})
	}
}

func TestWriteError(t *testing.T) {
	r, w := io.Pipe()
	r.CloseWithError(errBroken)
	f := NewWriter(w, "To")
	if err := f.Add(Token{Kind: Comma}); err != errBroken {
		t.Error(err)
	}
	if err := f.Close(); err != errBroken {
		t.Error(err)
	}
}

// FuzzRewrite: no word is lost, added or changed but by completing, and all but
// commas stays; a line is never longer than 78 bytes where a comma allows it, and
// never made of white space alone.
func FuzzRewrite(f *testing.F) {
	f.Add("Joe <@a,@b:joe@c>, g: a, b c;, (x) d@e+ (y)")
	f.Add("a < b, c> d: e; f")
	h := hosts(f)
	f.Fuzz(func(t *testing.T, list string) {
		tokens, err := Tokens(list)
		if err != nil {
			return
		}
		given, put := Slice(slices.Clone(tokens)), Slice{}
		err = Rewrite(&put, &given, func(a []Token) ([]Token, error) { return a, nil })
		if err == nil {
			if before, after := sorted(tokens), sorted(put); before != after {
				t.Errorf("%q: %s became %s", list, before, after)
			}
		}
		field, _, again := rewrite(h, list)
		if (again == nil) != (err == nil) {
			t.Errorf("%q: %v, then %v", list, err, again)
		}
		for _, line := range strings.Split(strings.TrimSuffix(field, "\n"), "\n") {
			if strings.TrimSpace(line) == "" || len(line) > 78 && !strings.ContainsAny(line[:78], `("[<:`) && strings.Contains(line[4:len(line)-1], ", ") {
				t.Errorf("%q: line %q", list, line)
			}
		}
	})
}

// sorted shows tokens but commas without regard to their order.
func sorted(tokens []Token) string {
	var list []string
	for _, t := range tokens {
		if t.Kind != Comma {
			list = append(list, fmt.Sprintf("%d%q", t.Kind, t.Text))
		}
	}
	slices.Sort(list)
	return strings.Join(list, " ")
}

func BenchmarkRewrite(b *testing.B) {
	h := hosts(b)
	list := strings.Repeat("Joe Shmoe <joe@host.example>, (comment) bob@h, ", 100)
	b.SetBytes(int64(len(list)))
	for b.Loop() {
		if _, _, err := rewrite(h, list); err != nil {
			b.Fatal(err)
		}
	}
}
