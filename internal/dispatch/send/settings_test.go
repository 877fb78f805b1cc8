package send

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"goqmail/internal/dispatch/bounce"
	"goqmail/internal/dispatch/route"
	"goqmail/internal/host/control"
	"goqmail/internal/mail/fold"
)

// controls makes a control directory; a text of "/" makes a directory in the place
// of a file, which cannot be read.
func controls(t testing.TB, home string, files map[string]string) control.Dir {
	t.Helper()
	dir := filepath.Join(home, "control")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		path := filepath.Join(dir, name)
		var err error
		if text == "/" {
			err = os.Mkdir(path, 0o755)
		} else {
			err = os.WriteFile(path, []byte(text), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return control.In(home)
}

func TestReadSettings(t *testing.T) {
	plain := func(change func(*Settings)) Settings {
		s := Settings{
			Concurrency: [route.Channels]uint64{10, 20},
			Lifetime:    604800,
			Office:      bounce.Office{From: "MAILER-DAEMON", Host: "me.example", DoubleTo: "postmaster@me.example"},
			Routes: &route.Table{
				Locals:      fold.NewSet([]string{"me.example"}),
				PercentHack: fold.Set{},
				Virtual:     fold.Map{},
				EnvNoAtHost: "me.example",
			},
		}
		if change != nil {
			change(&s)
		}
		return s
	}
	for _, c := range []struct {
		name  string
		files map[string]string
		want  Settings
	}{
		{"only me", map[string]string{"me": "me.example\n"}, plain(nil)},
		{"everything", map[string]string{
			"me": "me.example\n", "locals": "#comment\na.example\n\nb.example \n", "percenthack": "p.example\n",
			"virtualdomains": "v.example:vu\n", "envnoathost": "e.example\n", "bouncefrom": "The Daemon\n", "bouncehost": "b.example\n",
			"doublebouncehost": "d.example\n", "doublebounceto": "dr\n", "concurrencylocal": "3\n", "concurrencyremote": "5000 \n", "queuelifetime": "0\n",
		}, Settings{
			Concurrency: [route.Channels]uint64{3, 5000},
			Office:      bounce.Office{From: "The Daemon", Host: "b.example", DoubleTo: "dr@d.example"},
			Routes: &route.Table{
				Locals:      fold.NewSet([]string{"a.example", "b.example"}),
				PercentHack: fold.NewSet([]string{"p.example"}),
				Virtual:     fold.NewMap([]string{"v.example:vu"}),
				EnvNoAtHost: "e.example",
			},
		}},
		{"no me", map[string]string{"locals": "me.example\n"}, plain(func(s *Settings) {
			s.Routes.EnvNoAtHost = "envnoathost"
			s.Office.Host, s.Office.DoubleTo = "bouncehost", "postmaster@doublebouncehost"
		})},
		{"empty locals", map[string]string{"me": "me.example\n", "locals": ""}, plain(func(s *Settings) { s.Routes.Locals = fold.Set{} })},
		{"numbers that are none", map[string]string{"me": "me.example\n", "concurrencylocal": "many\n", "queuelifetime": "-1\n"}, plain(nil)},
		{"numbers too large", map[string]string{"me": "me.example\n", "concurrencyremote": strings.Repeat("9", 30), "queuelifetime": strings.Repeat("9", 30)},
			plain(func(s *Settings) { s.Concurrency[route.Remote], s.Lifetime = 1<<64-1, maxLifetime })},
	} {
		got, err := ReadSettings(controls(t, t.TempDir(), c.files))
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v, %v, want %+v", c.name, got, err, c.want)
		}
	}
}

// TestUnreadable: every file that cannot be read prevents the start, and so does one
// that is too large.
func TestUnreadable(t *testing.T) {
	for _, name := range []string{
		"bouncefrom", "bouncehost", "concurrencylocal", "concurrencyremote", "doublebouncehost", "doublebounceto",
		"envnoathost", "locals", "percenthack", "queuelifetime", "virtualdomains", "me",
	} {
		files := map[string]string{"me": "me.example\n"}
		files[name] = "/"
		if _, err := ReadSettings(controls(t, t.TempDir(), files)); err == nil {
			t.Errorf("%s is a directory: no error", name)
		}
		files[name] = strings.Repeat("x", control.MaxLine+1)
		if _, err := ReadSettings(controls(t, t.TempDir(), files)); err == nil {
			t.Errorf("%s has an endless line: no error", name)
		}
	}
	if _, err := ReadSettings(controls(t, t.TempDir(), nil)); err == nil {
		t.Error("neither locals nor me: no error")
	}
}

func TestRereadRoutes(t *testing.T) {
	old := &route.Table{Locals: fold.NewSet([]string{"old.example"}), PercentHack: fold.NewSet([]string{"p.example"}), EnvNoAtHost: "e.example"}
	for _, c := range []struct {
		name  string
		files map[string]string
		want  *route.Table
		err   string
	}{
		{"both", map[string]string{"locals": "new.example\n", "virtualdomains": "v.example:vu\n"},
			&route.Table{Locals: fold.NewSet([]string{"new.example"}), Virtual: fold.NewMap([]string{"v.example:vu"}), PercentHack: old.PercentHack, EnvNoAtHost: "e.example"}, ""},
		{"me", map[string]string{"me": "me.example\n"},
			&route.Table{Locals: fold.NewSet([]string{"me.example"}), Virtual: fold.Map{}, PercentHack: old.PercentHack, EnvNoAtHost: "e.example"}, ""},
		{"neither locals nor me", nil, nil, "unable to reread control/locals"},
		{"locals cannot be read", map[string]string{"locals": "/"}, nil, "unable to reread control/locals"},
		{"virtualdomains cannot be read", map[string]string{"me": "x\n", "virtualdomains": "/"}, nil, "unable to reread control/virtualdomains"},
	} {
		got, err := RereadRoutes(controls(t, t.TempDir(), c.files), old)
		if !reflect.DeepEqual(got, c.want) || (err != nil || c.err != "") && (err == nil || err.Error() != c.err) {
			t.Errorf("%s: %+v, %v", c.name, got, err)
		}
	}
}
