// Package clean removes files from the queue for qmail-send, which may not
// itself (qmail-clean(8)).
//
// A request is a path and a NUL, the answer one byte:
//
//	foop/457   the message is done: remove intd/457, then mess/457
//	todo/457   it is preprocessed: remove intd/457, then todo/457
//
//	+  done; a file that is not there counts as removed
//	!  a file could not be removed
//	x  refused: no such request
//
// Requests are carried out one after another, in order; the answers to those that have
// come together leave together. Whatever is not exactly one
// of the two forms is refused. Since qmail-send may be in anybody's hands, a
// request cannot name anything but a number.
//
// At the start and after every 30 requests, files in pid that were last read 36
// hours ago are removed: the qmail-queue that made them is dead.
package clean

import (
	"bufio"
	"bytes"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"goqmail/queue"
)

const (
	// maxRequest is the longest request that is looked at, in bytes with its NUL.
	maxRequest = 100
	// interval is how many requests lie between two looks into pid.
	interval = 30
)

// Serve answers requests until there are no more. It returns an error only where
// an answer could not be written.
func Serve(dir string, requests io.Reader, answers io.Writer, now func() time.Time) error {
	q, err := queue.Open(dir)
	if err != nil {
		return err
	}
	r := bufio.NewReaderSize(requests, 4<<10)
	w := bufio.NewWriterSize(answers, 1<<10)
	for n := 0; ; n++ {
		if n%interval == 0 {
			removeOld(filepath.Join(dir, "pid"), now())
		}
		request, ok := next(r)
		if !ok {
			return nil
		}
		w.WriteByte(answer(q, request)) // an error is told by Flush
		if waiting, _ := r.Peek(r.Buffered()); bytes.IndexByte(waiting, 0) >= 0 {
			continue
		}
		if err := w.Flush(); err != nil {
			return err
		}
	}
}

// next reads a request. One that is too long comes back cut, too long still, so
// that it is refused. The end of the input inside a request is its end.
func next(r *bufio.Reader) (string, bool) {
	var request []byte
	for {
		piece, err := r.ReadSlice(0)
		if len(request) <= maxRequest {
			request = append(request, piece[:min(len(piece), maxRequest+1)]...)
		}
		if err == bufio.ErrBufferFull {
			continue
		}
		return string(request), err == nil
	}
}

// answer does what a request asks for.
func answer(q *queue.Queue, request string) byte {
	if len(request) > maxRequest {
		return 'x'
	}
	what, name, _ := strings.Cut(strings.TrimSuffix(request, "\x00"), "/")
	n, ok := queue.ParseNumber(name)
	if !ok {
		return 'x'
	}
	switch what {
	case "foop":
		return remove(q.Path(queue.Intd, n), q.Path(queue.Mess, n))
	case "todo":
		return remove(q.Path(queue.Intd, n), q.Path(queue.Todo, n))
	}
	return 'x'
}

// remove removes files in order and stops at the first that cannot be.
func remove(paths ...string) byte {
	for _, path := range paths {
		if err := syscall.Unlink(path); err != nil && err != syscall.ENOENT {
			return '!'
		}
	}
	return '+'
}

// removeOld removes what dead qmail-queues have left in pid.
func removeOld(dir string, now time.Time) {
	f, err := os.Open(dir)
	if err != nil {
		return
	}
	defer f.Close()
	for {
		entries, err := f.ReadDir(100)
		for _, e := range entries {
			removeIfOld(dir, e, now)
		}
		if err != nil {
			return
		}
	}
}

func removeIfOld(dir string, e fs.DirEntry, now time.Time) {
	info, err := e.Info()
	if err != nil {
		return
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if ok && now.Sub(time.Unix(st.Atim.Unix())) >= queue.Ossified {
		os.Remove(filepath.Join(dir, e.Name()))
	}
}
