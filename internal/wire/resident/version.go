package resident

import (
	"fmt"
	"strconv"

	"golang.org/x/sys/unix"
)

// A fileVersion tells one state of a file from any other: device, inode number,
// size, and times of change in nanoseconds.
type fileVersion struct {
	dev, ino, size uint64
	mtime, ctime   int64
}

// executable is the file that this process is executing, whatever names it has now.
const executable = "/proc/self/exe"

// versionOf looks at the file that a path names.
func versionOf(path string) (fileVersion, error) {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return fileVersion{}, fmt.Errorf("unable to stat %s: %w", path, err)
	}
	return statVersion(&st), nil
}

func statVersion(st *unix.Stat_t) fileVersion {
	return fileVersion{
		dev: uint64(st.Dev), ino: st.Ino, size: uint64(st.Size),
		mtime: st.Mtim.Nano(), ctime: st.Ctim.Nano(),
	}
}

// fields is how a version stands in a hello.
func (v fileVersion) fields() []string {
	return []string{
		strconv.FormatUint(v.dev, 10), strconv.FormatUint(v.ino, 10), strconv.FormatUint(v.size, 10),
		strconv.FormatInt(v.mtime, 10), strconv.FormatInt(v.ctime, 10),
	}
}

// newHello is the first record of a child that takes some requests at once.
func newHello(v fileVersion, inFlight int) record {
	fields := append([]string{version}, v.fields()...)
	return record{kind: hello, fields: append(fields, strconv.Itoa(inFlight))}
}

// readHello checks the first record of a child against the file that was started,
// and tells how many requests it takes at once.
func readHello(r record, started fileVersion) (inFlight int, err error) {
	want := newHello(started, 0).fields
	if r.kind != hello || r.number != 0 || len(r.fields) != len(want) {
		return 0, fmt.Errorf("%w: no hello", errProtocol)
	}
	last := len(want) - 1
	for i, w := range want[:last] {
		if r.fields[i] != w {
			return 0, fmt.Errorf("%w: hello of a different file or version: %q", errProtocol, brief([]byte(r.fields[i])))
		}
	}
	inFlight, err = strconv.Atoi(r.fields[last])
	if err != nil || inFlight < 1 {
		return 0, fmt.Errorf("%w: hello: %q requests at once", errProtocol, brief([]byte(r.fields[last])))
	}
	return inFlight, nil
}
