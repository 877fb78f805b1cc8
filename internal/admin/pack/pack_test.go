package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"goqmail/internal/admin/install"
)

// newJob packs the real documents and templates with programs that are none.
func newJob(t *testing.T, home string) *job {
	t.Helper()
	j := &job{
		Plan:    install.Plan{Home: home, Build: t.TempDir(), Sources: "../../.."},
		version: "1.2", arch: "amd64", maintainer: "me <me@example.org>", out: t.TempDir(),
		time: time.Unix(1700000000, 0), compress: "gzip",
	}
	entries, err := j.Entries()
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Kind == install.Program {
			if err := os.WriteFile(filepath.Join(j.Build, filepath.Base(e.Path)), []byte("program"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	return j
}

func read(t *testing.T, path string, err error) []byte {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// members reads a compressed tar file.
func members(t *testing.T, packed []byte) (list map[string]*tar.Header, texts map[string]string) {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	list, texts = map[string]*tar.Header{}, map[string]string{}
	var names []string
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, strings.TrimSuffix(h.Name, "/"))
		list[strings.TrimSuffix(h.Name, "/")], texts[h.Name] = h, string(text)
	}
	if !slices.IsSorted(names) || len(slices.Compact(names)) != len(list) {
		t.Errorf("members are not sorted, or not unique: %q", names)
	}
	return list, texts
}

// part finds a member of an ar file.
func part(t *testing.T, ar []byte, name string) []byte {
	t.Helper()
	for rest := ar[8:]; len(rest) > 60; {
		var size int
		for _, c := range bytes.TrimSpace(rest[48:58]) {
			size = size*10 + int(c-'0')
		}
		if strings.TrimSpace(string(rest[:16])) == name {
			return rest[60 : 60+size]
		}
		rest = rest[60+size+size%2:]
	}
	t.Fatalf("no %s", name)
	return nil
}

func TestDeb(t *testing.T) {
	j := newJob(t, "/srv/qmail")
	made, err := j.deb()
	deb := read(t, made, err)
	if filepath.Base(made) != "goqmail_1.2_amd64.deb" {
		t.Error(made)
	}
	again := newJob(t, "/srv/qmail")
	made, err = again.deb()
	if !bytes.Equal(read(t, made, err), deb) {
		t.Error("packed twice, and different")
	}
	list, texts := members(t, part(t, deb, "data.tar.gz"))
	for path, want := range map[string]tar.Header{
		"./srv/qmail/bin/qmail-queue":                  {Mode: 0o4711, Uname: "qmailq", Gname: "qmail", Uid: nobody, Gid: nobody, Typeflag: tar.TypeReg},
		"./srv/qmail/bin/qmail-start":                  {Mode: 0o700, Uname: "root", Gname: "qmail", Gid: nobody, Typeflag: tar.TypeReg},
		"./srv/qmail/alias":                            {Mode: 0o2755, Uname: "alias", Gname: "qmail", Uid: nobody, Gid: nobody, Typeflag: tar.TypeDir},
		"./srv":                                        {Mode: 0o755, Uname: "root", Gname: "root", Typeflag: tar.TypeDir},
		"./usr/sbin/sendmail":                          {Mode: 0o777, Uname: "root", Gname: "root", Typeflag: tar.TypeSymlink, Linkname: "/srv/qmail/bin/sendmail"},
		"./usr/sbin/qmail-showctl":                     {Mode: 0o777, Uname: "root", Gname: "root", Typeflag: tar.TypeSymlink, Linkname: "/srv/qmail/bin/qmail-showctl"},
		"./usr/share/man/man8/qmail-send.8":            {Mode: 0o777, Uname: "root", Gname: "root", Typeflag: tar.TypeSymlink, Linkname: "/srv/qmail/man/man8/qmail-send.8"},
		"./usr/lib/systemd/system/qmail-smtpd.service": {Mode: 0o644, Uname: "root", Gname: "root", Typeflag: tar.TypeReg},
	} {
		h := list[path]
		if h == nil {
			t.Errorf("no %s", path)
			continue
		}
		got := tar.Header{Mode: h.Mode, Uname: h.Uname, Gname: h.Gname, Uid: h.Uid, Gid: h.Gid, Typeflag: h.Typeflag, Linkname: h.Linkname}
		if got.Mode != want.Mode || got.Uname != want.Uname || got.Gname != want.Gname || got.Uid != want.Uid || got.Gid != want.Gid || got.Typeflag != want.Typeflag || got.Linkname != want.Linkname || h.ModTime.Unix() != 1700000000 {
			t.Errorf("%s: %+v", path, h)
		}
	}
	for path, text := range texts {
		if strings.HasPrefix(path, "./srv/qmail/queue") {
			t.Errorf("%s would be removed with the package", path)
		}
		if strings.Contains(text, "@QMAIL@") && !strings.Contains(path, "README") {
			t.Errorf("%s has a place that was not filled", path)
		}
	}
	_, texts = members(t, part(t, deb, "control.tar.gz"))
	for _, name := range append(scripts, "control", "md5sums") {
		text := texts["./"+name]
		if text == "" || strings.Contains(text, "@QMAIL@") || strings.Contains(text, "@ACCOUNTS@") || strings.Contains(text, "@VERSION@") {
			t.Errorf("%s: %s", name, text)
		}
		if slices.Contains(scripts, name) {
			shell := exec.Command("/bin/sh", "-n")
			shell.Stdin = strings.NewReader(text)
			if out, err := shell.CombinedOutput(); err != nil {
				t.Errorf("%s: %v: %s", name, err, out)
			}
		}
	}
	if !strings.Contains(texts["./preinst"], "\nuser alias nofiles ") || !strings.Contains(texts["./control"], "\nVersion: 1.2\n") {
		t.Error(texts["./preinst"], texts["./control"])
	}
}

// TestReadable asks the program that will read the package.
func TestReadable(t *testing.T) {
	if _, err := exec.LookPath("dpkg-deb"); err != nil {
		t.Skip("needs dpkg-deb")
	}
	for _, compress := range []string{"gzip", "xz"} {
		j := newJob(t, "/var/qmail")
		j.compress = compress
		made, err := j.deb()
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		out, err := exec.Command("dpkg-deb", "-R", made, dir).CombinedOutput()
		if err != nil {
			t.Errorf("%v: %s", err, out)
		}
		if text, err := os.ReadFile(dir + "/var/qmail/bin/qmail-send"); err != nil || string(text) != "program" {
			t.Error(err)
		}
	}
}

func TestTarball(t *testing.T) {
	j := newJob(t, "/var/qmail")
	made, err := j.tarball()
	text := read(t, made, err)
	if filepath.Base(made) != "goqmail-1.2-linux-amd64.tar.gz" {
		t.Error(made)
	}
	list, _ := members(t, text)
	for path, mode := range map[string]int64{
		"build/bin/qmail-setup": 0o755, "conf-templates/accounts.sh": 0o755, "conf-templates/boot/maildir": 0o755,
		"docs/man/qmail-setup.8": 0o644, "README.md": 0o644, "conf-templates": 0o755,
	} {
		if h := list["goqmail-1.2/"+path]; h == nil || h.Mode != mode || h.Uname != "root" {
			t.Errorf("%s: %+v", path, h)
		}
	}
	again := newJob(t, "/var/qmail")
	made, err = again.tarball()
	if !bytes.Equal(read(t, made, err), text) {
		t.Error("packed twice, and different")
	}
}
