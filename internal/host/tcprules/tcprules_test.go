package tcprules

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"goqmail/internal/host/cdb"
)

// write makes a file of rules: key, instructions, key, instructions...
func write(t testing.TB, path string, rules ...string) {
	t.Helper()
	err := cdb.Replace(path, path+".tmp", func(w *cdb.Writer) error {
		for i := 0; i < len(rules); i += 2 {
			if err := w.Add(rules[i], []byte(rules[i+1])); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func info(s string) *string { return &s }

var joe = Client{IP: "192.0.2.1", Host: "a.b.test", Info: info("joe")}

// TestOrder takes the rule that counts away, again and again.
func TestOrder(t *testing.T) {
	for _, c := range []struct {
		client Client
		keys   []string
	}{
		{joe, []string{"joe@192.0.2.1", "joe@=a.b.test", "192.0.2.1", "=a.b.test", "192.0.2.", "192.0.", "192.", "=.b.test", "=.test", "=", ""}},
		{Client{IP: "192.0.2.1"}, []string{"192.0.2.1", "192.0.2.", "192.0.", "192.", ""}},
		{Client{IP: "192.0.2.1", Info: info("")}, []string{"@192.0.2.1", "192.0.2.1", "192.0.2.", "192.0.", "192.", ""}},
		{Client{IP: "2001:db8::1", Host: "h"}, []string{"2001:db8::1", "=h", "2001:db8::", "2001:db8:", "2001:", "=", ""}},
		{Client{IP: "1", Host: strings.Repeat("x.", 200), Info: info(strings.Repeat("x", 300))}, []string{"1", ""}},
	} {
		path := filepath.Join(t.TempDir(), "cdb")
		f := New(path)
		for i := range c.keys {
			var rules []string
			for _, key := range c.keys[i:] {
				rules = append(rules, key, "+KEY="+key+"\x00")
			}
			write(t, path, rules...)
			v, err := f.Find(c.client)
			if err != nil || v.Deny || !slices.Equal(v.Env, []string{"KEY=" + c.keys[i]}) {
				t.Errorf("%v without %q: %v, %v", c.client, c.keys[:i], v, err)
			}
		}
		write(t, path, "192.0.2", "D\x00", "2.1", "D\x00", "=b.test", "D\x00", "bob@192.0.2.1", "D\x00")
		if v, err := f.Find(c.client); v.Deny || v.Env != nil || err != nil {
			t.Errorf("%v: %v, %v from rules for others", c.client, v, err)
		}
		f.Close()
	}
}

func TestInstructions(t *testing.T) {
	for data, want := range map[string]Verdict{
		"":                                 {},
		"D\x00":                            {Deny: true},
		"D":                                {},
		"+A=b\x00":                         {Env: []string{"A=b"}},
		"+A=b\x00+C=\x00+A=c=d\x00":        {Env: []string{"A=b", "C=", "A=c=d"}},
		"D\x00+A=b\x00":                    {Deny: true, Env: []string{"A=b"}},
		"+A=b":                             {},
		"+A\x00+=b\x00+\x00\x00X\x00-\x00": {},
		"Dx\x00":                           {Deny: true},
	} {
		if got := parse(data); got.Deny != want.Deny || !slices.Equal(got.Env, want.Env) {
			t.Errorf("%q: %v", data, got)
		}
	}
}

// TestChange: every search is in the file that is there.
func TestChange(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cdb")
	f := New(path)
	defer f.Close()
	find := func() Verdict {
		t.Helper()
		v, err := f.Find(joe)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	if _, err := f.Find(joe); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	write(t, path, "", "D\x00")
	if !find().Deny {
		t.Error("not denied")
	}
	write(t, path, "", "+A=b\x00")
	if v := find(); v.Deny || len(v.Env) != 1 {
		t.Error(v)
	}
	os.WriteFile(path, []byte("text"), 0o644)
	if _, err := f.Find(joe); !errors.Is(err, cdb.ErrFormat) {
		t.Error(err)
	}
	os.Remove(path)
	if _, err := f.Find(joe); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	os.Mkdir(path, 0o755)
	if _, err := f.Find(joe); err == nil {
		t.Error("a directory can be read")
	}
}

// TestCompiler reads what the tcprules of ucspi-tcp has made.
func TestCompiler(t *testing.T) {
	program, err := exec.LookPath("tcprules")
	if err != nil {
		t.Skip("needs tcprules of ucspi-tcp")
	}
	path := filepath.Join(t.TempDir(), "cdb")
	cmd := exec.Command(program, path, path+".tmp")
	cmd.Stdin = strings.NewReader("# comment\n192.0.2.1-2:allow,RELAYCLIENT=\"\",X=/a\"b/\n192.0.2.:deny\n=.test:allow,DATABYTES=\"5\"\n=:allow\n:allow,QMAILQUEUE=\"bin/scan\"\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	f := New(path)
	defer f.Close()
	for _, c := range []struct {
		client Client
		want   Verdict
	}{
		{Client{IP: "192.0.2.1"}, Verdict{Env: []string{"RELAYCLIENT=", `X=a"b`}}},
		{Client{IP: "192.0.2.2", Host: "a.test"}, Verdict{Env: []string{"RELAYCLIENT=", `X=a"b`}}},
		{Client{IP: "192.0.2.3", Host: "a.test"}, Verdict{Deny: true}},
		{Client{IP: "198.51.100.1", Host: "a.test"}, Verdict{Env: []string{"DATABYTES=5"}}},
		{Client{IP: "198.51.100.1", Host: "a.example"}, Verdict{}},
		{Client{IP: "2001:db8::1"}, Verdict{Env: []string{"QMAILQUEUE=bin/scan"}}},
	} {
		v, err := f.Find(c.client)
		if err != nil || v.Deny != c.want.Deny || !slices.Equal(v.Env, c.want.Env) {
			t.Errorf("%v: %v, %v", c.client, v, err)
		}
	}
}

// FuzzRules: whatever the file says of whatever client, variables are variables and
// the searches are bounded. (Hostile files are a matter of package cdb.)
func FuzzRules(f *testing.F) {
	f.Add("D\x00+A=b\x00", "192.0.2.1", "a.test", "joe")
	f.Add("+A=b\x00+C\x00x", "2001:db8::1", "", "")
	f.Fuzz(func(t *testing.T, data, ip, host, info string) {
		list := keys(Client{IP: ip, Host: host, Info: &info})
		if list[len(list)-1] != "" || len(list) > maxName+len(ip)+7 {
			t.Errorf("%d keys", len(list))
		}
		for _, v := range parse(data).Env {
			name, value, set := strings.Cut(v, "=")
			if name == "" || !set || strings.Contains(value, "\x00") || !strings.Contains(data, "+"+v+"\x00") {
				t.Errorf("variable %q", v)
			}
		}
	})
}
