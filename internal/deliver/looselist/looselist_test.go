package looselist

import (
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"goqmail/internal/host/control"
)

var lines = []struct{ line, want string }{
	{"joe", "joe"},
	{"root: alice, bill", "bill alice root"},
	{"root:alice bill", "bill alice root"},
	{"a@b.c: d@e.f", "d@e.f(at) a@b.c(at)"},
	{"root: bob (Bob, the postmaster)", "bob root"},
	{"joe: Joe Shmoe <shmoe@heaven.af.mil>", "shmoe@heaven.af.mil(at) joe"},
	{"joe:Joe (x) Q. Shmoe <shmoe>, <a@b>", "a@b(at) shmoe joe"},
	{`fred: "spaced out mailbox"@heaven.af.mil`, "spaced out mailbox@heaven.af.mil(at) fred"},
	{`weather: "|weather-server -x"`, "|weather-server -x weather"},
	{`odd: "a@b"`, "a@b odd"},
	{"list: :include:/etc/list", "/etc/list(include) list"},
	{"list: : include : /etc/list, joe", "joe /etc/list(include) list"},
	{"list: ann, :include:/etc/list", "/etc/list(include) ann list"},
	{`list: :include:"/a b"`, "/a b(include) list"},
	{"x: :include:", "(include) x"},
	{"x: :Include:/y", "/y Include x"},
	{"bob (Bob) @heaven.af.mil", "bob@heaven.af.mil(at)"},
	{"@host.dom: joe", "joe @host.dom(at)"},
	{"us: a, b;", "b a us"},
	{"<>", ""},
	{"", ""},
	{" \t, ,", ""},
	{`\joe`, "joe"},
	{"a.b@[1.2.3.4]", "a.b@[1.2.3.4](at)"},
	{"a>", "syntax error"},
	{"a, (b", "syntax error"},
	{`"a`, "syntax error"},
	{") a", "syntax error"},
}

func show(entries []Entry, err error) string {
	if err != nil {
		return "syntax error"
	}
	var words []string
	for _, e := range entries {
		w := e.Text
		if e.HasAt {
			w += "(at)"
		}
		if e.Include {
			w += "(include)"
		}
		words = append(words, w)
	}
	return strings.Join(words, " ")
}

func TestEntries(t *testing.T) {
	for _, c := range lines {
		if got := show(Entries(c.line)); got != c.want {
			t.Errorf("%q: %s, want %s", c.line, got, c.want)
		}
	}
}

func FuzzEntries(f *testing.F) {
	for _, c := range lines {
		f.Add(c.line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		entries, err := Entries(line)
		if err == nil && len(entries) > len(line) {
			t.Errorf("%q: %d entries", line, len(entries))
		}
	})
}

func TestHosts(t *testing.T) {
	dir := t.TempDir()
	os.Mkdir(dir+"/control", 0o700)
	if h, err := ReadHosts(control.In(dir)); h != (Hosts{"me", "me", "me"}) || err != nil {
		t.Errorf("%+v %v", h, err)
	}
	for name, text := range map[string]string{"me": "x.y", "defaultdomain": "d.z", "plusdomain": "p.z"} {
		os.WriteFile(dir+"/control/"+name, []byte(text+"\n"), 0o600)
	}
	h, err := ReadHosts(control.In(dir))
	if h != (Hosts{"x.y", "d.z", "p.z"}) || err != nil {
		t.Errorf("%+v %v", h, err)
	}
	for address, want := range map[string]string{
		"joe": "joe@x.y", `"a@b.c"`: "a@b.c@x.y", "joe@": "joe@x.y", "joe@a": "joe@a.d.z", "joe@a+": "joe@a.p.z", "joe@a.b": "joe@a.b",
		"j.oe@a": "j.oe@a.d.z", "j@x.y@a": "j@x.y@a.d.z", "joe+": "joe+@x.y", "@": "@x.y", "joe@[1.2.3.4]": "joe@[1.2.3.4]",
	} {
		entries, err := Entries(address)
		if err != nil || len(entries) != 1 {
			t.Fatal(address, entries, err)
		}
		if got := h.Complete(entries[0]); got != want {
			t.Errorf("%s: %s, want %s", address, got, want)
		}
	}
	os.Remove(dir + "/control/me")
	os.Mkdir(dir+"/control/me", 0o700)
	os.Remove(dir + "/control/defaultdomain")
	if _, err := ReadHosts(control.In(dir)); err == nil || !strings.HasPrefix(err.Error(), "unable to read controls: ") {
		t.Errorf("%v", err)
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

func TestReadLines(t *testing.T) {
	for text, want := range map[string]string{"": "[]", "a": "[a]", "a\n": "[a]", "a\n\nb": "[a  b]", "\n": "[]"} {
		if got, err := ReadLines(strings.NewReader(text)); fmt.Sprint(got) != want || err != nil {
			t.Errorf("%q: %v %v", text, got, err)
		}
	}
	if _, err := ReadLines(io.Reader(endless{})); err != ErrTooLarge {
		t.Errorf("%v", err)
	}
}
