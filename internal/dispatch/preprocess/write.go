package preprocess

import (
	"bufio"
	"errors"
	"io"
	"os"
	"path"
	"strconv"

	"goqmail/internal/dispatch/activity"
	"goqmail/internal/dispatch/clean"
	"goqmail/internal/dispatch/route"
	"goqmail/queue"

	"golang.org/x/sys/unix"
)

// A Step is a moment of preprocessing; the package comment tells what lies behind.
type Step int

// The steps, in order.
const (
	Cleared Step = iota
	Created
	Written
	Synced
)

// A message is one of a batch.
type message struct {
	number  queue.Number
	lines   activity.Lines
	files   map[queue.Kind]*os.File // open until they are synced
	lists   [route.Channels]bool
	trouble bool   // it is to be tried again
	behind  uint64 // it is kept back behind this submission, or none
	done    bool
}

// fail notes what went wrong with a file.
func (m *message) fail(what, name string) {
	m.lines.Warning(what, name)
	m.trouble = true
}

func (m *message) close() {
	for _, f := range m.files {
		f.Close()
	}
}

// A writer preprocesses one batch after another. It keeps its buffers.
type writer struct {
	*Preprocessor
	ordered bool // see preprocess
	in      *queue.RecordReader
	out     map[queue.Kind]*bufio.Writer
}

func newWriter(p *Preprocessor) *writer {
	w := &writer{Preprocessor: p, ordered: p.Queue.Ordered(), in: queue.NewRecordReader(nil, 0), out: map[queue.Kind]*bufio.Writer{}}
	for _, k := range []queue.Kind{queue.Info, queue.Local, queue.Remote} {
		w.out[k] = bufio.NewWriterSize(nil, 4<<10)
	}
	return w
}

// preprocess does it for a batch. In the result each message is done, or has made
// trouble, or was not in todo any more.
//
// The names in todo may not be durable yet: qmail-queue syncs them while we see them.
// Where the filesystem does not keep the order of the two, they are synced here first.
// Otherwise a power cut could leave what is written here, or half of it, of a message that
// is not in todo.
func (w *writer) preprocess(batch []queue.Number) []*message {
	var messages, written []*message
	queued := w.ordered || w.Queue.SyncDirectory(queue.Todo, 0) == nil
	for _, n := range batch {
		m := &message{number: n, files: map[queue.Kind]*os.File{}}
		defer m.close()
		messages = append(messages, m)
		if !queued {
			m.fail("trouble fsyncing ", string(queue.Todo))
		} else if w.write(m) {
			written = append(written, m)
		}
	}
	if w.crashes(Written) {
		return messages
	}
	w.sync(written)
	if w.crashes(Synced) {
		return messages
	}
	w.remove(written)
	return messages
}

func (w *writer) crashes(s Step) bool { return w.crash != nil && w.crash(s) }

// write writes the files of a message, and tells whether they are complete.
func (w *writer) write(m *message) bool {
	todo, err := w.Queue.OpenFile(queue.Todo, m.number, os.O_RDONLY, 0)
	if errors.Is(err, os.ErrNotExist) {
		return false // it was preprocessed while its name was on the way here
	}
	if err != nil {
		m.fail("unable to open ", w.Queue.Name(queue.Todo, m.number))
		return false
	}
	defer todo.Close()
	if w.holdBack(m, todo) {
		return false
	}
	var st unix.Stat_t
	if unix.Stat(w.Queue.Path(queue.Mess, m.number), &st) != nil {
		m.fail("unable to stat ", w.Queue.Name(queue.Mess, m.number))
		return false
	}
	for _, k := range []queue.Kind{queue.Local, queue.Remote, queue.Info} {
		if err := unix.Unlink(w.Queue.Path(k, m.number)); err != nil && err != unix.ENOENT {
			m.fail("unable to unlink ", w.Queue.Name(k, m.number))
			return false
		}
	}
	if w.crashes(Cleared) || !w.create(m, queue.Info) || w.crashes(Created) {
		return false
	}
	m.lines.New(m.number)
	w.in.Reset(todo, 0)
	return w.copyEnvelope(m, st.Size) && w.flush(m)
}

// create makes a file of a message, which must not be there.
func (w *writer) create(m *message, k queue.Kind) bool {
	f, err := w.Queue.OpenFile(k, m.number, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		m.fail("unable to create ", w.Queue.Name(k, m.number))
		return false
	}
	m.files[k] = f
	w.out[k].Reset(f)
	return true
}

// copyEnvelope sorts the records of todo into info, local and remote. They come as
// a stream, so it does not matter how many recipients there are. An envelope
// without a sender, or whose last record is cut off, is not taken: half a list of
// recipients would look like a whole one ever after.
func (w *writer) copyEnvelope(m *message, bytes int64) bool {
	routes := w.Routes()
	name := w.Queue.Name(queue.Todo, m.number)
	var uid, pid uint64
	sender := false
	for {
		r, err := w.in.Next()
		switch {
		case err == io.EOF && sender:
			return true
		case errors.Is(err, queue.ErrRecord) && !errors.Is(err, io.ErrUnexpectedEOF):
			m.fail("unknown record type in ", name)
			return false
		case err != nil:
			m.fail("trouble reading ", name)
			return false
		}
		text := string(r.Text)
		complete := true
		switch r.Kind {
		case 'u':
			uid, _ = strconv.ParseUint(text, 10, 64)
		case 'p':
			pid, _ = strconv.ParseUint(text, 10, 64)
		case 'F':
			if sender {
				continue // the first counts
			}
			sender = true
			complete = w.put(m, queue.Info, 'F', text)
			m.lines.Info(m.number, bytes, text, pid, uid)
		case 'T':
			channel, recipient := routes.Route(text)
			if !m.lists[channel] && !w.create(m, channel.Kind()) {
				return false
			}
			m.lists[channel] = true
			complete = w.put(m, channel.Kind(), 'T', recipient)
		default:
			m.fail("unknown record type in ", name)
			return false
		}
		if !complete {
			return false
		}
	}
}

// put writes a record.
func (w *writer) put(m *message, k queue.Kind, kind byte, text string) bool {
	out := w.out[k]
	out.WriteByte(kind)
	out.WriteString(text)
	if out.WriteByte(0) != nil {
		m.fail("trouble writing to ", w.Queue.Name(k, m.number))
		return false
	}
	return true
}

// flush writes out what is left in the buffers.
func (w *writer) flush(m *message) bool {
	for k := range m.files {
		if w.out[k].Flush() != nil {
			m.fail("trouble writing to ", w.Queue.Name(k, m.number))
			return false
		}
	}
	return true
}

// sync makes the files of messages and their names durable. A sync that failed is
// trouble for all messages that needed it; their files will be written anew, for
// what did not get to the disk may be gone.
func (w *writer) sync(messages []*message) {
	var syncs []func() error
	var names []string
	var needing [][]*message
	directories := map[string]int{}
	for _, m := range messages {
		for k, f := range m.files {
			name := w.Queue.Name(k, m.number)
			syncs = append(syncs, f.Sync)
			names = append(names, name)
			needing = append(needing, []*message{m})
			i, known := directories[path.Dir(name)]
			if known {
				needing[i] = append(needing[i], m)
				continue
			}
			directories[path.Dir(name)] = len(syncs)
			syncs = append(syncs, func() error { return w.Queue.SyncDirectory(k, m.number) })
			names = append(names, path.Dir(name))
			needing = append(needing, []*message{m})
		}
	}
	for i, err := range queue.SyncTogether(syncs...) {
		if err == nil {
			continue
		}
		for _, m := range needing[i] {
			m.fail("trouble fsyncing ", names[i])
		}
	}
}

// remove has qmail-clean remove the envelopes of the messages that are on disk.
func (w *writer) remove(messages []*message) {
	var numbers []queue.Number
	var safe []*message
	for _, m := range messages {
		if !m.trouble {
			safe = append(safe, m)
			numbers = append(numbers, m.number)
		}
	}
	for i, answer := range w.Clean.Ask(clean.Todo, numbers...) {
		m := safe[i]
		switch answer {
		case clean.Done:
			m.done = true
		case clean.Lost: // it is unknown whether todo is gone: that is for the next start
			m.trouble = true
		default:
			m.fail("qmail-clean unable to clean up ", w.Queue.Name(queue.Todo, m.number))
		}
	}
}
