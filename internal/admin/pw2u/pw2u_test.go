package pw2u

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"testing/iotest"

	"goqmail/internal/host/cdb"
	"goqmail/internal/host/users"
)

const (
	aliasLine = "alias:x:5:6:A:/:/bin/sh\n"
	aliasText = "+:alias:5:6:/:-::\n=alias:alias:5:6:/:::\n+alias-:alias:5:6:/:-::\n"
	joeLine   = "joe:x:7:8:Joe,,:/home/joe:/bin/sh\n"
	joeText   = "=joe:joe:7:8:/home/joe:::\n+joe-:joe:7:8:/home/joe:-::\n"
)

var plain = Options{Homes: NoHome, Separator: "-", Dash: "-"}

func TestPrint(t *testing.T) {
	home := t.TempDir()
	if err := os.Mkdir(home+"/users", 0o755); err != nil {
		t.Fatal(err)
	}
	me := os.Getuid()
	if me == 0 { // root is no user
		me = 47001
		os.Chown(home, me, -1)
	}
	mine := func(text string) string {
		return strings.NewReplacer("HOME", home, "ME", fmt.Sprint(me)).Replace(text)
	}
	upper, slash, plus, none := plain, plain, plain, plain
	upper.UpperCase, slash.Dash, plus.Separator, none.Separator = true, "-/", "+", ""
	skip, stop := plain, plain
	skip.Homes, stop.Homes = HomeOrSkip, HomeOrStop
	const ann = "ann:x:9:9::/home/ann:/bin/sh\n"
	for _, c := range []struct {
		name   string
		o      Options
		passwd string
		files  map[string]string
		want   string // the text, or the error where it has no newline
	}{
		{"alias and a user", plain, aliasLine + joeLine, nil, aliasText + joeText + ".\n"},
		{"the order stays", plain, joeLine + aliasLine, nil, joeText + aliasText + ".\n"},
		{"no alias", plain, joeLine, nil, "unable to find alias user"},
		{"nothing", plain, "", nil, "unable to find alias user"},
		{"root", plain, aliasLine + "root:x:0:0::/root:/\ntoor:x:00x:0::/:/\nno:x::0::/:/\n", nil, aliasText + ".\n"},
		{"upper case", plain, aliasLine + strings.Replace(joeLine, "joe", "Joe", 1), nil, aliasText + ".\n"},
		{"upper case allowed", upper, aliasLine + strings.Replace(joeLine, "joe", "Joe", 1), nil, aliasText + "=Joe:Joe:7:8:/home/joe:::\n+Joe-:Joe:7:8:/home/joe:-::\n.\n"},
		{"another dash", slash, aliasLine, nil, strings.ReplaceAll(aliasText, ":-::", ":-/::") + ".\n"},
		{"another separator", plus, aliasLine, nil, strings.ReplaceAll(aliasText, "alias-", "alias+") + ".\n"},
		{"no extensions", none, aliasLine + joeLine, nil, "+:alias:5:6:/:-::\n=alias:alias:5:6:/:::\n=joe:joe:7:8:/home/joe:::\n.\n"},
		{"lines that are none", plain, aliasLine + "junk\na:b\n\n:\nx\x00:x:7:8::/:/\n" + joeLine, nil, aliasText + joeText + ".\n"},
		{"no newline at the end", plain, aliasLine + strings.TrimSuffix(joeLine, "\n"), nil, aliasText + joeText + ".\n"},
		{"include", plain, aliasLine + joeLine + ann, map[string]string{"include": "# c\nALIAS\njoe \n"}, aliasText + joeText + ".\n"},
		{"empty include", plain, aliasLine, map[string]string{"include": ""}, "unable to find alias user"},
		{"exclude", plain, aliasLine + joeLine + ann, map[string]string{"exclude": "ann\n"}, aliasText + joeText + ".\n"},
		{"mailnames", plain, aliasLine + joeLine, map[string]string{"mailnames": "joe:a:\nnobody:x\njoe:j::joe.shmoe\n"},
			aliasText + "=j:joe:7:8:/home/joe:::\n+j-:joe:7:8:/home/joe:-::\n=joe.shmoe:joe:7:8:/home/joe:::\n+joe.shmoe-:joe:7:8:/home/joe:-::\n.\n"},
		{"no mailnames at all", plain, aliasLine + joeLine, map[string]string{"mailnames": "joe:\n"}, aliasText + ".\n"},
		{"subusers", plain, aliasLine + joeLine, map[string]string{"subusers": "kid:JOE:toy:more\nnone\n\n"}, aliasText + joeText + "=kid:joe:7:8:/home/joe:-:toy:\n+kid-:joe:7:8:/home/joe:-:toy-:\n.\n"},
		{"subuser of nobody", plain, aliasLine, map[string]string{"subusers": "kid:nobody:toy:\n"}, "unable to find nobody user for subuser"},
		{"append", plain, aliasLine, map[string]string{"append": "=x:y:1:2:/z:::\n"}, aliasText + "=x:y:1:2:/z:::\n.\n"},
		{"append without its newline", plain, aliasLine, map[string]string{"append": "=x:y:1:2:/z:::"}, aliasText + "=x:y:1:2:/z:::\n.\n"},
		{"empty append", plain, aliasLine, map[string]string{"append": ""}, aliasText + ".\n"},
		{"homes", skip, "alias:x:ME:6::HOME:/\ngone:x:ME:6::HOME/gone:/\nann:x:1:6::HOME:/\n", nil, "+:alias:ME:6:HOME:-::\n=alias:alias:ME:6:HOME:::\n+alias-:alias:ME:6:HOME:-::\n.\n"},
		{"a missing home stops", stop, "alias:x:ME:6::HOME:/\ngone:x:ME:6::HOME/gone:/\n", nil, "unable to stat HOME/gone"},
		{"a home that is below a file", skip, "alias:x:ME:6::HOME/users/append/x:/\n", map[string]string{"append": ""}, "unable to stat HOME/users/append/x"},
	} {
		for name, text := range c.files {
			if err := os.WriteFile(home+"/users/"+name, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		var b strings.Builder
		err := Print(home, c.o, strings.NewReader(mine(c.passwd)), &b)
		got := b.String()
		if err != nil {
			if strings.HasSuffix(got, ".\n") {
				t.Errorf("%s: %v, and yet complete: %q", c.name, err, got)
			}
			got = err.Error()
		}
		if got != mine(c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, mine(c.want))
		}
		for name := range c.files {
			os.Remove(home + "/users/" + name)
		}
	}
}

func TestTrouble(t *testing.T) {
	home := t.TempDir()
	os.Mkdir(home+"/users", 0o755)
	for _, c := range []struct {
		name   string
		home   string
		passwd io.Reader
		assign io.Writer
		spoil  string // a directory in place of a file
		want   string
	}{
		{"no home", "/nonexistent", strings.NewReader(aliasLine), io.Discard, "", "unable to chdir"},
		{"unreadable input", home, iotest.ErrReader(errors.New("x")), io.Discard, "", "unable to read input"},
		{"a long line", home, strings.NewReader(strings.Repeat("x", MaxLine+1)), io.Discard, "", "unable to read input"},
		{"no room for the output", home, strings.NewReader(aliasLine), full{}, "", "unable to write output"},
		{"include", home, strings.NewReader(aliasLine), io.Discard, "include", "unable to read controls"},
		{"mailnames", home, strings.NewReader(aliasLine), io.Discard, "mailnames", "unable to read controls"},
		{"subusers", home, strings.NewReader(aliasLine), io.Discard, "subusers", "unable to read controls"},
		{"append", home, strings.NewReader(aliasLine), io.Discard, "append", "unable to read controls"},
	} {
		if c.spoil != "" {
			os.Mkdir(home+"/users/"+c.spoil, 0o755)
		}
		if err := Print(c.home, plain, c.passwd, c.assign); err == nil || err.Error() != c.want {
			t.Errorf("%s: %v", c.name, err)
		}
		if c.spoil != "" {
			os.Remove(home + "/users/" + c.spoil)
		}
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no room") }

// FuzzPrint: what is printed whole, qmail-newu takes.
func FuzzPrint(f *testing.F) {
	f.Add(aliasLine + joeLine)
	f.Fuzz(func(t *testing.T, passwd string) {
		home := t.TempDir()
		var b strings.Builder
		if Print(home, plain, strings.NewReader(passwd), &b) != nil {
			return
		}
		err := cdb.Replace(home+"/cdb", home+"/tmp", func(w *cdb.Writer) error { return users.Compile(strings.NewReader(b.String()), w) })
		if err != nil {
			t.Errorf("%v: %q", err, b.String())
		}
	})
}
