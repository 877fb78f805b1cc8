// Package dialog is a conversation in which a server answers a client that may
// send many commands at once (SMTP with PIPELINING, QMTP, POP3).
//
// Replies are held back until the server has to wait for more input, so that a
// batch of commands is answered in one write, and nobody waits for a reply that
// is not sent.
//
// Each read and each write is bounded in time by what the dialog is held over; an
// error that is os.ErrDeadlineExceeded says that the time is up. A net.Conn may do
// that, or a Descriptor.
package dialog

import (
	"bufio"
	"io"
)

// The sizes of the buffers. Input is large for the texts of messages. Output is
// small: one write of this size never blocks once a descriptor is ready.
const (
	inputSize  = 32 << 10
	outputSize = 4 << 10
)

// A Dialog has the two directions. Reading from In first sends what was written
// to Out, if it has to wait.
type Dialog struct {
	In  *bufio.Reader
	Out *bufio.Writer
}

// New begins a dialog.
func New(in io.Reader, out io.Writer) Dialog {
	w := bufio.NewWriterSize(out, outputSize)
	return Dialog{In: bufio.NewReaderSize(flushing{in, w}, inputSize), Out: w}
}

// flushing is the input, which is only read when the buffer is empty.
type flushing struct {
	in  io.Reader
	out *bufio.Writer
}

func (f flushing) Read(p []byte) (int, error) {
	if err := f.out.Flush(); err != nil {
		return 0, err
	}
	return f.in.Read(p)
}
