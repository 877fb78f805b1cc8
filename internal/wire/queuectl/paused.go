package queuectl

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"goqmail/internal/host/durable"
	"goqmail/internal/mail/fold"

	"golang.org/x/sys/unix"
)

// The domains that are paused are kept in queue/queuectl/paused, one to a line, so that
// they are paused after a restart too. C qmail does not know the file.
const pausedFile = "paused"

// maxPaused is how long the file may be.
const maxPaused = 16 << 20

// ReadPaused reads which domains are paused, in order. Without a file there are none.
// Lines that are no domains are passed over.
func ReadPaused(queueDir string) ([]string, error) {
	f, err := os.Open(queueDir + "/" + Directory + "/" + pausedFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxPaused+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxPaused {
		return nil, fmt.Errorf("%s has more than %d bytes", f.Name(), maxPaused)
	}
	return ParsePaused(text), nil
}

// ParsePaused reads the text of the file.
func ParsePaused(text []byte) []string {
	var domains []string
	for line := range bytes.Lines(text) {
		if d := fold.Lower(strings.TrimSpace(string(line))); ValidDomain(d) {
			domains = append(domains, d)
		}
	}
	slices.Sort(domains)
	return slices.Compact(domains)
}

// ChangePaused pauses domains, or resumes them, and returns all that are paused then. It
// is durable when it returns, and the file belongs to who has the directory. The caller
// is the only one to call it: a running qmail-send, or else who holds its lock.
func ChangePaused(queueDir string, pause bool, domains []string) ([]string, error) {
	now, err := ReadPaused(queueDir)
	if err != nil {
		return nil, err
	}
	for _, d := range domains {
		d = fold.Lower(d)
		now = slices.DeleteFunc(now, func(other string) bool { return other == d })
		if pause {
			now = append(now, d)
		}
	}
	slices.Sort(now)
	var text bytes.Buffer
	for _, d := range now {
		text.WriteString(d + "\n")
	}
	if text.Len() > maxPaused {
		return nil, Refusal("too many domains are paused")
	}
	dir := queueDir + "/" + Directory
	return now, durable.Replace(dir+"/"+pausedFile, dir+"/"+pausedFile+".tmp", 0o600, func(f *os.File) error {
		if _, err := f.Write(text.Bytes()); err != nil {
			return err
		}
		var st unix.Stat_t
		if err := unix.Stat(dir, &st); err != nil || os.Geteuid() != 0 {
			return err
		}
		return f.Chown(int(st.Uid), int(st.Gid))
	})
}
