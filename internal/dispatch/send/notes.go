package send

import (
	"bufio"
	"io"
	"os"
	"time"

	"goqmail/internal/dispatch/activity"
	"goqmail/queue"
)

const (
	// maxNotes is how many notes may wait before no more deliveries are started.
	maxNotes = 1000
	// noteAgain is when a note that could not be written is tried again.
	noteAgain = 10 * time.Second
)

// A note tells of a recipient that failed for good. It goes to bounce/N and must be
// on disk before the recipient's letter becomes D: otherwise a crash could make the
// failure one that nobody ever hears of.
type note struct {
	list   *list
	offset int64
	text   []byte
}

// noted is the event that notes are written, or given up at the end.
type noted struct {
	lines   activity.Lines
	notes   []note
	written bool
}

func (e noted) apply(s *scheduler) {
	s.lines.Take(e.lines)
	for _, n := range e.notes {
		s.noting--
		n.list.notes--
		if e.written {
			n.list.undone--
		}
		s.release(n.list)
	}
}

// note has a note written, which takes the place of a delivery among the uses of its
// list. There is always room: each comes from a delivery, and
// none is started where too many notes wait.
func (s *scheduler) note(n note) {
	s.noting++
	n.list.refs++
	n.list.notes++
	s.release(n.list)
	s.notes <- n
}

func (s *scheduler) startNotes() {
	room := maxNotes
	for _, c := range s.channels {
		room += c.limit
	}
	s.notes = make(chan note, room)
	s.stop = make(chan struct{})
	go s.writeNotes()
}

// writeNotes writes notes as they come, those of all messages that have come
// together with one turn of syncs. Where a note cannot be written, as on a full
// disk, it tries again until it can; other messages' failures wait, and deliveries
// do when there are many. At the end such notes are given up: their recipients are
// tried again by the next qmail-send.
func (s *scheduler) writeNotes() {
	for first := range s.notes {
		batch := []note{first}
		for range len(s.notes) {
			batch = append(batch, <-s.notes)
		}
		for _, n := range s.append(batch) {
			s.insist(n)
		}
	}
}

// insist writes notes that could not be written at first.
func (s *scheduler) insist(notes []note) {
	for {
		var lines activity.Lines
		lines.Alert("unable to append to bounce message; HELP! sleeping...")
		s.tell(said{lines})
		select {
		case <-s.stop:
			s.tell(noted{notes: notes})
			return
		case <-time.After(noteAgain):
		}
		if len(s.append(notes)) == 0 {
			return
		}
	}
}

// A bounceFile is a bounce/N that notes are appended to.
type bounceFile struct {
	file  *os.File
	size  int64 // before
	notes []note
}

// append appends notes, makes them durable, marks their recipients as done, and
// tells the scheduler. It returns those it could not write, message by message; of
// these nothing is left in the file.
func (s *scheduler) append(notes []note) (failed [][]note) {
	byMessage := map[queue.Number][]note{}
	for _, n := range notes {
		byMessage[n.list.number] = append(byMessage[n.list.number], n)
	}
	var files []*bounceFile
	var syncs []func() error
	fresh := false
	for number, notes := range byMessage {
		b, err := s.appendTo(number, notes)
		if err != nil {
			failed = append(failed, notes)
			continue
		}
		defer b.file.Close()
		fresh = fresh || b.size == 0
		files = append(files, b)
		syncs = append(syncs, b.file.Sync)
	}
	if fresh {
		syncs = append(syncs, func() error { return s.q.SyncDirectory(queue.Bounce, 0) })
	}
	errs := queue.SyncTogether(syncs...)
	for i, b := range files {
		if errs[i] != nil || b.size == 0 && errs[len(errs)-1] != nil {
			b.takeBack()
			failed = append(failed, b.notes)
			continue
		}
		s.tell(s.mark(b.notes))
	}
	return failed
}

// appendTo writes notes to the end of bounce/N, all or nothing.
func (s *scheduler) appendTo(n queue.Number, notes []note) (*bounceFile, error) {
	f, size, err := s.openNotes(n)
	if err != nil {
		return nil, err
	}
	var text []byte
	for _, n := range notes {
		text = append(text, n.text...)
	}
	b := &bounceFile{f, size, notes}
	if _, err := f.Write(text); err != nil {
		b.takeBack()
		f.Close()
		return nil, err
	}
	return b, nil
}

// takeBack removes the notes. A file that had none goes with its name: where that could
// not be synced, it would not be by a second sync of the directory, whatever this says.
func (b *bounceFile) takeBack() {
	b.file.Truncate(b.size)
	if b.size == 0 {
		os.Remove(b.file.Name())
	}
}

// openNotes opens bounce/N to append to it, and tells its size.
func (s *scheduler) openNotes(n queue.Number) (f *os.File, size int64, err error) {
	f, err = s.q.OpenFile(queue.Bounce, n, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return nil, 0, err
	}
	size, err = cutDebris(f)
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, size, nil
}

// cutDebris cuts off what a power cut has made of notes that were not synced, and
// returns the size of what is left. The file may be as long as they were and have NULs
// in their place, which no note has. Their recipients are not marked, so each will
// have a note again, or the message.
func cutDebris(f *os.File) (size int64, err error) {
	st, err := f.Stat()
	if err != nil || st.Size() == 0 {
		return 0, err
	}
	last := make([]byte, 1)
	if _, err := f.ReadAt(last, st.Size()-1); err != nil || last[0] != 0 {
		return st.Size(), err
	}
	for notes := bufio.NewReader(io.NewSectionReader(f, 0, st.Size())); ; size++ {
		if b, err := notes.ReadByte(); err != nil {
			return 0, err
		} else if b == 0 {
			return size, f.Truncate(size)
		}
	}
}

// mark marks the recipients that notes are on disk for.
func (s *scheduler) mark(notes []note) noted {
	e := noted{notes: notes, written: true}
	for _, n := range notes {
		if queue.MarkDone(n.list.file, n.offset) != nil {
			e.lines.Warning("trouble marking ", s.q.Name(n.list.Kind(), n.list.number), "; message will be delivered twice!")
		}
	}
	return e
}
