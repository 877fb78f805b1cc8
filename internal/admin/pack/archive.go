package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"goqmail/internal/host/child"
)

// An owner is the names of a user and a group.
type owner struct{ user, group string }

var root = owner{"root", "root"}

// nobody is the number of each name but root, for the case that a machine has no such
// account when the archive is unpacked.
const nobody = 65534

// An archive is the members of a tar file.
type archive struct {
	members []member
}

type member struct {
	path  string // relative
	owner owner
	mode  int64
	text  []byte
	link  string // where not empty, a symbolic link to this
	dir   bool
}

func (a *archive) file(path string, o owner, mode int64, text []byte) {
	a.members = append(a.members, member{path: path, owner: o, mode: mode, text: text})
}

func (a *archive) directory(path string, o owner, mode int64) {
	a.members = append(a.members, member{path: path, owner: o, mode: mode, dir: true})
}

func (a *archive) symlink(path, target string) {
	a.members = append(a.members, member{path: path, owner: root, mode: 0o777, link: target})
}

// parents adds the directories that members are in and that are no members themselves.
func (a *archive) parents() {
	have := map[string]bool{"": true, ".": true}
	for _, m := range a.members {
		have[m.path] = have[m.path] || m.dir
	}
	for _, m := range a.members {
		for dir := path.Dir(m.path); !have[dir]; dir = path.Dir(dir) {
			have[dir] = true
			a.directory(dir, root, 0o755)
		}
	}
}

// write writes the tar file, in the order of the paths.
func (a *archive) write(w io.Writer, prefix string, modified time.Time) error {
	a.parents()
	slices.SortStableFunc(a.members, func(x, y member) int { return strings.Compare(x.path, y.path) })
	t := tar.NewWriter(w)
	for _, m := range a.members {
		h := &tar.Header{
			Name: prefix + m.path, Mode: m.mode, ModTime: modified, Format: tar.FormatGNU,
			Typeflag: tar.TypeReg, Size: int64(len(m.text)),
			Uname: m.owner.user, Gname: m.owner.group, Uid: number(m.owner.user), Gid: number(m.owner.group),
		}
		switch {
		case m.dir:
			h.Typeflag = tar.TypeDir
			h.Name = strings.TrimSuffix(h.Name, "/") + "/"
		case m.link != "":
			h.Typeflag, h.Linkname = tar.TypeSymlink, m.link
		}
		if err := t.WriteHeader(h); err != nil {
			return err
		}
		if _, err := t.Write(m.text); err != nil {
			return err
		}
	}
	return t.Close()
}

func number(name string) int {
	if name == "root" {
		return 0
	}
	return nobody
}

// pack compresses a tar file. It returns what the name of the result ends with.
func (j *job) pack(text []byte) (packed []byte, suffix string, err error) {
	if j.compress == "xz" {
		if _, missing := child.Find("xz"); missing == nil {
			packed, err = xz(text)
			return packed, "xz", err
		}
	}
	packed, err = gzipped(text)
	return packed, "gz", err
}

func gzipped(text []byte) ([]byte, error) {
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	if err != nil {
		return nil, err
	}
	if _, err := z.Write(text); err != nil {
		return nil, err
	}
	err = z.Close()
	return b.Bytes(), err
}

// xz runs xz, in one thread, since its output differs with their number.
func xz(text []byte) ([]byte, error) {
	files := []*os.File{nil, nil, os.Stderr}
	for i := range 2 {
		f, err := os.CreateTemp("", "goqmail-pack")
		if err != nil {
			return nil, err
		}
		defer f.Close()
		os.Remove(f.Name())
		files[i] = f
	}
	if _, err := files[0].Write(text); err != nil {
		return nil, err
	}
	if _, err := files[0].Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	p, err := child.StartFound(child.Command{Path: "xz", Args: []string{"xz", "--threads=1", "--lzma2=preset=1,dict=64MiB", "--stdout"}, Files: files})
	if err != nil {
		return nil, err
	}
	status, err := p.Wait()
	if err != nil {
		return nil, err
	}
	if status.Crashed || status.Code != 0 {
		return nil, fmt.Errorf("xz did not succeed")
	}
	if _, err := files[1].Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	return io.ReadAll(files[1])
}
