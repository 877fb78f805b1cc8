package aliases

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/iotest"

	"goqmail/internal/deliver/looselist"
	"goqmail/internal/host/cdb"
	"goqmail/internal/mail/outcome"
)

var hosts = looselist.Hosts{Host: "me.example", Domain: "dd.example", Plus: "pd.example"}

// printed is a database as Printforward prints it, on one line.
func printed(t *testing.T, path string) string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	var out strings.Builder
	if err := Printforward(&out, f); err != nil {
		t.Errorf("%s: %v", path, err)
	}
	return strings.ReplaceAll(out.String(), "\n", "")
}

// What the original's setforward and printforward make of instructions.
var tables = []struct {
	name, text, want string
	err              string
}{
	{"all kinds", "# c\nRoot@Y.to: god@h.mil , &st\\ aff@af.mil, |dew a b , !pre, ./list.bin, /abs/l;\n", `root@y.to:, &god@h.mil, &st\ aff@af.mil, |dewab, !pre, ./list.bin, /abs/l;`, ""},
	{"owner", "@dom: x@y, ?own@er;", "@dom: ?own@er;@dom:, &x@y;", ""},
	{"owner elsewhere", "list@a:?o2@x;\nlist@a:b@c;", "list@a: ?o2@x;list@a:, &b@c;", ""},
	{"nothing", "e@x:;", "", ""},
	{"empty", "", "", ""},
	{"empty owner", "a:?;", "a: ?;", ""},
	{"no target", ":x@y;", ":, &x@y;", ""},
	{"two of a name", "a: x@y;a: z@y;", "a:, &x@y;a:, &z@y;", ""},
	{"quotes mean nothing", `a:"x";`, `a:, &"x";`, ""},
	{"spaces in a command", "a: b c@d;", "a:, &bc@d;", ""},
	{"empty commands", "a: b@c, , ;", "a:, &b@c;", ""},
	{"comment within", "a:b#x;\n@c;", "a:, &b@c;", ""},
	{"backslashes", `a\:\;\,\#\\\ :\:\;\,\#\\\ ;`, `a\:\;\,\#\\\ :, &\:\;\,\#\\\ ;`, ""},
	{"comment at the end", "#", "", ""},
	{"backslash at the end", `\`, "", ""},
	{"800 bytes", "a:" + strings.Repeat("0", 800) + ";", "a:, &" + strings.Repeat("0", 800) + ";", ""},
	{"801 bytes", "a:" + strings.Repeat("0", 801) + ";", "", "addresses over 800 bytes are not permitted"},
	{"801 bytes with the mark", "a:&" + strings.Repeat("0", 800) + ";", "", "addresses over 800 bytes are not permitted"},
	{"no colon", "a", "", "final instruction must end with semicolon"},
	{"no semicolon", "a:b@c", "", "final instruction must end with semicolon"},
	{"backslash in a target at the end", `a\`, "", "final instruction must end with semicolon"},
	{"comma for a colon", "a,", "", "commas are not permitted before colons"},
	{"semicolon for a colon", "a:b@c;;", "", "commas are not permitted before colons"},
	{"two colons", "a:b:c;", "", "double colons are not permitted"},
	{"NUL", "a:b\x00c;", "", "NUL bytes are not permitted"},
	{"NUL behind a backslash", "a:b\\\x00c;", "", "NUL bytes are not permitted"},
	{"endless target", strings.Repeat("x", 100000), "", "targets and commands over 65536 bytes are not permitted"},
	{"endless command", "a:|" + strings.Repeat("x", 100000), "", "targets and commands over 65536 bytes are not permitted"},
	{"too many commands", "a:" + strings.Repeat("b@c,", 300000) + ";", "", "more than 1 MiB of instructions for a"},
}

func TestSetforward(t *testing.T) {
	for _, c := range tables {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			args := []string{dir + "/data.cdb", dir + "/data.tmp"}
			err := Setforward(strings.NewReader(c.text), args)
			if c.err == "" && err != nil || c.err != "" && (fmt.Sprint(err) != c.err || outcome.Of(err) != outcome.Failure) {
				t.Errorf("%v, want %s", err, c.err)
			}
			if got := printed(t, args[0]); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
			if files, _ := os.ReadDir(dir); len(files) > 1 {
				t.Errorf("left %v", files)
			}
		})
	}
}

// TestSetforwardBytes: the database is to the byte what the original makes.
func TestSetforwardBytes(t *testing.T) {
	path := t.TempDir() + "/data"
	if err := Setforward(strings.NewReader("list@a:?o2@x,b@c;"), []string{path, path + ".tmp"}); err != nil {
		t.Fatal(err)
	}
	text, _ := os.ReadFile(path)
	want := "\x07\x00\x00\x00\x04\x00\x00\x00?list@ao2@x\x07\x00\x00\x00\x05\x00\x00\x00:list@a&b@c\x00"
	if len(text) != 2048+len(want)+32 || string(text[2048:2048+len(want)]) != want {
		t.Errorf("%q", text[2048:])
	}
}

func TestReplaceErrors(t *testing.T) {
	dir := t.TempDir()
	os.Mkdir(dir+"/d", 0o700)
	for _, c := range []struct{ path, temp, want string }{
		{dir + "/x", dir + "/none/t", "unable to create " + dir + "/none/t: file does not exist"},
		{dir + "/none/x", dir + "/t", "unable to move " + dir + "/t to " + dir + "/none/x: file does not exist"},
		{dir + "/d", dir + "/t", "unable to move " + dir + "/t to " + dir + "/d: file already exists"},
	} {
		for name, set := range map[string]func() error{
			"Setforward":  func() error { return Setforward(strings.NewReader("a:b;"), []string{c.path, c.temp}) },
			"Setmaillist": func() error { return Setmaillist(strings.NewReader("b@c\n"), []string{c.path, c.temp}) },
		} {
			if err := set(); fmt.Sprint(err) != c.want || outcome.Of(err) != outcome.Deferral {
				t.Errorf("%s: %v, want %s", name, err, c.want)
			}
		}
	}
	broken := iotest.ErrReader(errors.New("broken"))
	if err := Setforward(broken, []string{dir + "/x", dir + "/t"}); fmt.Sprint(err) != "unable to read input: broken" {
		t.Error(err)
	}
	if err := Setmaillist(broken, []string{dir + "/x", dir + "/t"}); fmt.Sprint(err) != "unable to read input: broken" {
		t.Error(err)
	}
	if err := Setforward(nil, []string{"x"}); err != usageSetforward {
		t.Error(err)
	}
	if err := Setmaillist(nil, nil); err != usageSetmaillist {
		t.Error(err)
	}
}

func TestPrintforwardErrors(t *testing.T) {
	record := func(key, data string) string {
		return string([]byte{byte(len(key)), 0, 0, 0, byte(len(data)), 0, 0, 0}) + key + data
	}
	database := func(records string, more int) string {
		end := 2048 + len(records) + more
		return string([]byte{byte(end), byte(end >> 8), 0, 0}) + strings.Repeat("\x00", 2044) + records
	}
	for name, text := range map[string]string{
		"empty":                "",
		"short":                "abc",
		"no header":            strings.Repeat("\xff", 2047),
		"ends too early":       database(record(":a", "&b\x00"), 20),
		"empty key":            database(record("", "&b\x00"), 0),
		"another kind":         database(record("!a", "&b\x00"), 0),
		"no NUL":               database(record(":a", "&b"), 0),
		"no command":           database(record(":a", "*b\x00"), 0),
		"empty command":        database(record(":a", "\x00"), 0),
		"longer than the rest": database("\xff\xff\xff\xff\xff\xff\xff\xff", 0),
		"long key":             string([]byte{0xff, 0xff, 0xff, 0xff}) + strings.Repeat("\x00", 2044) + "\xff\xff\xff\x00\x00\x00\x00\x00",
		"long data":            string([]byte{0xff, 0xff, 0xff, 0xff}) + strings.Repeat("\x00", 2044) + "\x01\x00\x00\x00\xff\xff\xff\x7f",
		"half a record":        database("\x01\x00\x00", 0),
	} {
		if err := Printforward(&strings.Builder{}, strings.NewReader(text)); err != errFormat {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := Printforward(&strings.Builder{}, iotest.ErrReader(errors.New("broken"))); fmt.Sprint(err) != "unable to read input: broken" {
		t.Error(err)
	}
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip(err)
	}
	defer full.Close()
	if err := Printforward(full, strings.NewReader(database(record(":a", "&b\x00"), 0))); fmt.Sprint(err) != "unable to write output: out of disk space" {
		t.Error(err)
	}
}

var lists = []struct{ name, text, want, err string }{
	{"usual", "# c\n./inc.bin\n&a@b.c\nd@e.f \t \n\n/abs\n", "./inc.bin|&a@b.c|&d@e.f|/abs|", ""},
	{"no newline", "a@b", "&a@b|", ""},
	{"no commands", "|x\n!x\n\"x\"@y\n", "&|x|&!x|&\"x\"@y|", ""},
	{"space first", " a@b\n", "& a@b|", ""},
	{"empty address", "&\n", "&|", ""},
	{"nothing", "", "", ""},
	{"800 bytes", strings.Repeat("0", 800), "&" + strings.Repeat("0", 800) + "|", ""},
	{"801 bytes", strings.Repeat("0", 801), "", "addresses must be under 800 bytes"},
	{"800 bytes and the mark", "&" + strings.Repeat("0", 800), "", "addresses must be under 800 bytes"},
	{"NUL", "a\x00b\n", "", "NUL in input"},
	{"endless line", "/" + strings.Repeat("x", 100000), "", "lines must be under 65536 bytes"},
}

func TestSetmaillist(t *testing.T) {
	for _, c := range lists {
		t.Run(c.name, func(t *testing.T) {
			path := t.TempDir() + "/list"
			err := Setmaillist(strings.NewReader(c.text), []string{path, path + ".tmp"})
			if c.err == "" && err != nil || c.err != "" && fmt.Sprint(err) != c.err {
				t.Errorf("%v, want %s", err, c.err)
			}
			list, _ := os.ReadFile(path)
			if got := strings.ReplaceAll(string(list), "\x00", "|"); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
			var out strings.Builder
			if err := Printmaillist(&out, bytes.NewReader(list)); err != nil || out.String() != strings.ReplaceAll(string(list), "\x00", "\n") {
				t.Errorf("printed %q %v", out.String(), err)
			}
		})
	}
}

func TestPrintmaillistErrors(t *testing.T) {
	for _, list := range []string{"abc", "abc\x00", "&a@b", "|x\x00", "!x\x00", "\x00", "&" + strings.Repeat("x", 899) + "\x00", "/" + strings.Repeat("x", 100000)} {
		if err := Printmaillist(&strings.Builder{}, strings.NewReader(list)); err != errListFormat {
			t.Errorf("%.50q: %v", list, err)
		}
	}
}

// What the original's newaliases makes of a file.
func TestNewaliases(t *testing.T) {
	for _, c := range []struct{ name, text, want, err string }{
		{"comments", "# c\n continued: x\n\n\t: y\n#\n", "", ""},
		{"several lines", "root: alice, bill\n\n\t, \"third one\"\n", `root@:, &third\ one@me.example, &bill@me.example, &alice@me.example;`, ""},
		{"hosts", "Postmaster@Heaven.af.mil: bob@heaven, joe@x+\n", "postmaster@heaven.af.mil:, &joe@x.pd.example, &bob@heaven.dd.example;", ""},
		{"domain", "@v.dom: \"|prog a b\" , x+\n", `@v.dom:, !prog\ a\ b, &x+@me.example;`, ""},
		{"owner", "owner-list: ann\nlist: joe\n", "list@: ?owner-list@me.example;owner-list@:, &ann@me.example;list@:, &joe@me.example;", ""},
		{"include", "list: :include:/etc/list, joe (Joe) , Joe <j@k.l>\n", "list@:, &j@k.l, /etc/list.bin, &joe@me.example;", ""},
		{"relative include", "l: :include:rel\n", "l@:, ./rel.bin;", ""},
		{"three words", "a:b:c\n", "a@:, &c@me.example, &b@me.example;", ""},
		{"no newline at the end", "a: b", "a@:, &b@me.example;", ""},
		{"no file", "", "", ""},
		{"alias alone", "a:\n", "", "unable to parse this line: a:"},
		{"program alone", "\"|x\"\n", "", "unable to parse this line: \"|x\""},
		{"file", "a: /var/mail/a\n", "", "file delivery /var/mail/a not supported"},
		{"empty address", "a: <>\n", "", "empty recipient addresses not permitted"},
		{"empty include", "a: :include:\n", "", "empty :include: filenames not permitted"},
		{"open quote", "a: \"b\n", "", "unable to parse this line: a: \"b"},
		{"long address", "a: " + strings.Repeat("b", 900) + "\n", "", "addresses over 800 bytes are not permitted"},
		{"NUL", "a: b\x00c, d\n", "", "NUL not permitted in recipient addresses"},
		{"NUL in a program", "a: \"|b\x00\"\n", "", "NUL not permitted in program names"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := t.TempDir() + "/aliases"
			if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			err := Newaliases(path, hosts)
			if c.err == "" && err != nil || c.err != "" && fmt.Sprint(err) != c.err {
				t.Errorf("%v, want %s", err, c.err)
			}
			if got := printed(t, path+".cdb"); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
	if err := Newaliases("/nonexistent/aliases", hosts); fmt.Sprint(err) != "unable to read /nonexistent/aliases: file does not exist" {
		t.Error(err)
	}
}

func TestNewinclude(t *testing.T) {
	for _, c := range []struct{ name, text, want, err string }{
		{"usual", "# c\na@b, c\n:include:/x/y\n\nFoo <d@e.f>\n", "&c@me.example|&a@b.dd.example|/x/y.bin|&d@e.f|", ""},
		{"program", "\"|x\"\n", "", "program delivery |x not supported"},
		{"file", "/x\n", "", "file delivery /x not supported"},
		{"malformed", "(\n", "", "unable to parse this line: ("},
	} {
		path := t.TempDir() + "/list"
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		err := Newinclude([]string{path}, hosts)
		if c.err == "" && err != nil || c.err != "" && fmt.Sprint(err) != c.err {
			t.Errorf("%s: %v, want %s", c.name, err, c.err)
		}
		list, _ := os.ReadFile(path + ".bin")
		if got := strings.ReplaceAll(string(list), "\x00", "|"); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	if err := Newinclude(nil, hosts); err != usageNewinclude {
		t.Error(err)
	}
}

// FuzzSetforward: what is printed of a database makes the same database.
func FuzzSetforward(f *testing.F) {
	for _, c := range tables {
		if len(c.text) < 1000 {
			f.Add(c.text)
		}
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text string) {
		if Setforward(strings.NewReader(text), []string{dir + "/a", dir + "/t"}) != nil {
			return
		}
		first, _ := os.ReadFile(dir + "/a")
		var out strings.Builder
		if err := Printforward(&out, bytes.NewReader(first)); err != nil {
			t.Fatal(err)
		}
		err := Setforward(strings.NewReader(out.String()), []string{dir + "/b", dir + "/t"})
		if err == errAddress {
			return // one of 800 bytes has the mark now
		}
		if err != nil {
			t.Fatalf("%v: %q", err, out.String())
		}
		if second, _ := os.ReadFile(dir + "/b"); !bytes.Equal(first, second) {
			t.Errorf("%q\n%q", first[2048:], second[2048:])
		}
	})
}

func FuzzPrintforward(f *testing.F) {
	f.Add([]byte(strings.Repeat("\x00\x08\x00\x00", 512)))
	f.Fuzz(func(t *testing.T, database []byte) { Printforward(&strings.Builder{}, bytes.NewReader(database)) })
}

func FuzzCommands(f *testing.F) {
	f.Add([]byte("&a@b\x00|c\x00./d\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		commands, err := Commands(data)
		if err == nil && len(commands) != bytes.Count(data, []byte{0}) {
			t.Errorf("%q: %q", data, commands)
		}
	})
}

func FuzzAddAlias(f *testing.F) {
	f.Add("list: :include:/x, \"|y\", joe <a@b>")
	f.Fuzz(func(t *testing.T, line string) {
		path := t.TempDir() + "/x"
		cdb.Replace(path, path+".tmp", func(w *cdb.Writer) error { return addAlias(w, line, hosts) })
	})
}
