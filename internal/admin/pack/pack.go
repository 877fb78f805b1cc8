// pack makes what is handed out of the built programs (make deb, make tarball):
//
//	deb      a Debian package, which lays out the home as qmail-install does and adds
//	         links and units where Debian has them
//	tarball  the programs with what qmail-setup needs of the sources, for machines
//	         without Go: unpack it anywhere and run build/bin/qmail-setup
//
// It needs no root and no accounts: the owners stand in the archive by name, and dpkg
// looks the names up when it unpacks. The same sources give the same archive to the
// byte, with the same Go and xz: entries are sorted, have the time in
// SOURCE_DATE_EPOCH, and nothing of the machine.
//
// The programs have most of their bytes in common, the Go runtime, so a compressor that
// remembers all of them makes the archive five times smaller than gzip. That is xz with
// a dictionary of 64 MiB, if there is an xz; else it is gzip.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"goqmail/internal/admin/install"
)

// A job says what to make, of what, and where.
type job struct {
	install.Plan
	version, arch, maintainer string
	out                       string // directory
	time                      time.Time
	compress                  string // xz or gzip
}

func main() {
	var j job
	flag.StringVar(&j.Home, "home", "/var/qmail", "home that the programs were built for")
	flag.StringVar(&j.Build, "build", "build/bin", "directory with the built programs")
	flag.StringVar(&j.Sources, "sources", ".", "directory with docs and conf-templates")
	flag.StringVar(&j.out, "out", "build", "directory for the archive")
	flag.StringVar(&j.version, "version", "0", "")
	flag.StringVar(&j.arch, "arch", "amd64", "architecture in Debian's words")
	flag.StringVar(&j.maintainer, "maintainer", "goqmail <postmaster@localhost>", "")
	flag.StringVar(&j.compress, "compress", "xz", "xz or gzip")
	flag.Parse()
	epoch, err := strconv.ParseInt(os.Getenv("SOURCE_DATE_EPOCH"), 10, 64)
	if err != nil {
		epoch = 0
	}
	j.time = time.Unix(epoch, 0)
	made := ""
	switch flag.Arg(0) {
	case "deb":
		made, err = j.deb()
	case "tarball":
		made, err = j.tarball()
	default:
		err = fmt.Errorf("usage: pack [options] deb|tarball")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "pack:", err)
		os.Exit(1)
	}
	fmt.Println(made)
}

// fill puts values into the places that a template has for them.
func (j *job) fill(text []byte, more ...string) []byte {
	replace := append([]string{"@QMAIL@", j.Home, "@VERSION@", j.version, "@ARCH@", j.arch, "@MAINTAINER@", j.maintainer}, more...)
	return []byte(strings.NewReplacer(replace...).Replace(string(text)))
}

// walk visits the files below a path of the sources, but for those of Go. Of their modes
// only counts whether they are programs.
func (j *job) walk(below string, visit func(path, file string, mode int64) error) error {
	return filepath.WalkDir(filepath.Join(j.Sources, below), func(file string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || strings.HasSuffix(file, ".go") {
			return err
		}
		path, err := filepath.Rel(j.Sources, file)
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		return visit(path, file, int64(info.Mode().Perm()&0o111|0o644))
	})
}

// tarball has the layout of the sources, as far as qmail-setup looks at it.
func (j *job) tarball() (string, error) {
	name := "goqmail-" + j.version
	var a archive
	a.directory("", root, 0o755)
	add := func(path, file string, mode int64) error {
		text, err := os.ReadFile(file)
		a.file(path, root, mode, text)
		return err
	}
	entries, err := j.Entries()
	if err != nil {
		return "", err
	}
	for _, e := range entries {
		if e.Kind != install.Program {
			continue
		}
		base := filepath.Base(e.Path)
		if err := add("build/bin/"+base, filepath.Join(j.Build, base), 0o755); err != nil {
			return "", err
		}
	}
	for _, path := range []string{"README.md", "LICENSE", "docs", "conf-templates"} {
		if err := j.walk(path, add); err != nil {
			return "", err
		}
	}
	var b bytes.Buffer
	if err := a.write(&b, name+"/", j.time); err != nil {
		return "", err
	}
	packed, suffix, err := j.pack(b.Bytes())
	if err != nil {
		return "", err
	}
	made := filepath.Join(j.out, name+"-linux-"+j.arch+".tar."+suffix)
	return made, os.WriteFile(made, packed, 0o644)
}
