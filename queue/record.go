package queue

import (
	"bufio"
	"errors"
	"fmt"
	"io"
)

// MaxRecord is the longest record that is read, in bytes. Addresses come in with
// up to 1002 bytes; a virtual domain may put a prefix before them.
const MaxRecord = 128 << 10

// ErrRecord says that a file of the queue is not made of records.
var ErrRecord = errors.New("malformed record")

// A Record is an element of the files todo, intd, info, local and remote:
//
//	file   = { record }
//	record = kind text NUL
//
// The kinds are, in todo and intd: u the user number and p the process number of
// qmail-queue, F the envelope sender, T a recipient. info has one F. local and
// remote have T for a recipient that is not done and D for one that is: a
// delivery marks it by overwriting the byte at Offset.
type Record struct {
	Kind   byte
	Text   []byte // valid until the next record is read
	Offset int64  // of the kind, from the start of the file
}

// A RecordReader reads records one after another, so that a file with a million
// recipients takes no memory.
type RecordReader struct {
	r    *bufio.Reader
	pos  int64
	text []byte
}

// NewRecordReader reads from a place in a file that pos bytes come before.
func NewRecordReader(r io.Reader, pos int64) *RecordReader {
	return &RecordReader{r: bufio.NewReaderSize(r, 8<<10), pos: pos}
}

// Reset makes the reader read another file, so that its buffer is used again.
func (r *RecordReader) Reset(f io.Reader, pos int64) {
	r.r.Reset(f)
	r.pos = pos
}

// Offset is where the next record begins.
func (r *RecordReader) Offset() int64 { return r.pos }

// Next reads a record. At the end of the file it returns io.EOF; a record that
// is incomplete, empty or too long is ErrRecord, an incomplete one also
// io.ErrUnexpectedEOF: the file may be about to grow.
func (r *RecordReader) Next() (Record, error) {
	r.text = r.text[:0]
	for {
		piece, err := r.r.ReadSlice(0)
		r.text = append(r.text, piece...)
		switch {
		case len(r.text) > MaxRecord:
			return Record{}, fmt.Errorf("%w: more than %d bytes", ErrRecord, MaxRecord)
		case err == bufio.ErrBufferFull:
			continue
		case err == io.EOF && len(r.text) == 0:
			return Record{}, io.EOF
		case err == io.EOF:
			return Record{}, fmt.Errorf("%w: %w", ErrRecord, io.ErrUnexpectedEOF)
		case err != nil:
			return Record{}, err
		case len(r.text) == 1:
			return Record{}, fmt.Errorf("%w: empty", ErrRecord)
		}
		rec := Record{Kind: r.text[0], Text: r.text[1 : len(r.text)-1], Offset: r.pos}
		r.pos += int64(len(r.text))
		return rec, nil
	}
}

// MarkDone turns the record at an offset of an open local or remote file from T
// into D. The mark is not synced: where a crash takes it back, the recipient gets
// the message twice, which costs less than a sync for each delivery.
func MarkDone(list io.WriterAt, offset int64) error {
	_, err := list.WriteAt([]byte{'D'}, offset)
	return err
}
