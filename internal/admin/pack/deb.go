package main

import (
	"bytes"
	"crypto/md5"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"goqmail/internal/admin/install"
)

// scripts are what dpkg runs.
var scripts = []string{"preinst", "postinst", "prerm", "postrm"}

// deb makes a package: an ar file of a version, control.tar and data.tar (deb(5)).
func (j *job) deb() (string, error) {
	data, err := j.data()
	if err != nil {
		return "", err
	}
	control, err := j.control(data)
	if err != nil {
		return "", err
	}
	var packed [2][]byte
	var suffix [2]string
	for i, a := range []*archive{control, data} {
		var b bytes.Buffer
		if err := a.write(&b, "./", j.time); err != nil {
			return "", err
		}
		if packed[i], suffix[i], err = j.pack(b.Bytes()); err != nil {
			return "", err
		}
	}
	var ar bytes.Buffer
	ar.WriteString("!<arch>\n")
	j.member(&ar, "debian-binary", []byte("2.0\n"))
	j.member(&ar, "control.tar."+suffix[0], packed[0])
	j.member(&ar, "data.tar."+suffix[1], packed[1])
	made := filepath.Join(j.out, "goqmail_"+j.version+"_"+j.arch+".deb")
	return made, os.WriteFile(made, ar.Bytes(), 0o644)
}

// member adds a file to an ar file.
func (j *job) member(ar *bytes.Buffer, name string, text []byte) {
	fmt.Fprintf(ar, "%-16s%-12d%-6d%-6d%-8o%-10d`\n", name, j.time.Unix(), 0, 0, 0o100644, len(text))
	ar.Write(text)
	if len(text)%2 == 1 {
		ar.WriteByte('\n')
	}
}

// data is what the package installs. The queue is not in it, which would go away with
// the package: qmail-setup makes it.
func (j *job) data() (*archive, error) {
	a := &archive{}
	a.directory("", root, 0o755)
	home := strings.TrimPrefix(j.Home, "/") + "/"
	entries, err := j.Entries()
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		path, o := strings.TrimSuffix(home+e.Path, "/."), owner{e.Owner, e.Group}
		switch {
		case strings.HasPrefix(e.Path, "queue"):
			continue
		case e.Kind == install.Directory:
			a.directory(path, o, int64(e.Mode))
			continue
		}
		text, err := j.Content(e)
		if err != nil {
			return nil, err
		}
		a.file(path, o, int64(e.Mode), text)
		switch name := filepath.Base(e.Path); {
		case e.Kind == install.Page:
			a.symlink("usr/share/"+e.Path, j.Home+"/"+e.Path)
		case e.Kind == install.Program && strings.HasPrefix(name, "qmail-"):
			a.symlink("usr/sbin/"+name, j.Home+"/"+e.Path)
		}
	}
	for _, l := range install.Links {
		a.symlink(strings.TrimPrefix(l.Path, "/"), j.Home+"/bin/"+l.Program)
	}
	units, err := j.Units()
	if err != nil {
		return nil, err
	}
	for _, u := range units {
		a.file("usr/lib/systemd/system/"+u.Name, root, 0o644, u.Text)
	}
	err = j.walk("conf-templates", func(path, file string, mode int64) error {
		text, err := os.ReadFile(file)
		if !strings.HasPrefix(path, "conf-templates/debian/") {
			a.file("usr/share/doc/goqmail/examples/"+strings.TrimPrefix(path, "conf-templates/"), root, mode, j.fill(text))
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	licence, err := os.ReadFile(filepath.Join(j.Sources, "LICENSE"))
	a.file("usr/share/doc/goqmail/copyright", root, 0o644, licence)
	return a, err
}

// control is what dpkg has to know, and to run.
func (j *job) control(data *archive) (*archive, error) {
	a := &archive{}
	a.directory("", root, 0o755)
	read := func(name string) ([]byte, error) {
		return os.ReadFile(filepath.Join(j.Sources, "conf-templates", name))
	}
	accounts, err := read("accounts.sh")
	if err != nil {
		return nil, err
	}
	size := 0
	var sums []string
	for _, m := range data.members {
		size += (len(m.text) + 1023) / 1024
		if !m.dir && m.link == "" {
			sums = append(sums, fmt.Sprintf("%x  %s\n", md5.Sum(m.text), m.path))
		}
	}
	slices.Sort(sums)
	a.file("md5sums", root, 0o644, []byte(strings.Join(sums, "")))
	for _, name := range append([]string{"control"}, scripts...) {
		text, err := read("debian/" + name)
		if err != nil {
			return nil, err
		}
		mode := int64(0o755)
		if name == "control" {
			mode = 0o644
		}
		a.file(name, root, mode, j.fill(text, "@SIZE@", fmt.Sprint(size), "@ACCOUNTS@", strings.TrimSpace(string(accounts))))
	}
	return a, nil
}
