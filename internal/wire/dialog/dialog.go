// Package dialog is a conversation in which a server answers a client that may
// send many commands at once (SMTP with PIPELINING, QMTP, POP3).
//
// Replies are held back until the server has to wait for more input, so that a
// batch of commands is answered in one write, and nobody waits for a reply that
// is not sent.
//
// Each read and each write is bounded in time by what the dialog is held over; an
// error that is os.ErrDeadlineExceeded says that the time is up. A net.Conn may do
// that, or a Descriptor, which a process has inherited for one client, or a Socket,
// of which one process may serve thousands.
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

	socket  *Socket
	buffers *buffers // what In and Out are part of, if socket is not nil
}

// New begins a dialog.
func New(in io.Reader, out io.Writer) Dialog {
	if s, ok := in.(*Socket); ok && out == io.Writer(s) {
		d := Dialog{socket: s}
		d.take(newBuffers(s))
		return d
	}
	w := bufio.NewWriterSize(out, outputSize)
	return Dialog{In: bufio.NewReaderSize(flushing{in, w}, inputSize), Out: w}
}

// Await waits until the client begins something: a command, a package. The server
// calls it wherever the client may take its time, for over a Socket a dialog has no
// buffers meanwhile; In and Out may be others afterwards. There is nothing to wait
// for where input is there already, or where the dialog is not over a Socket.
//
// An error is one of reading, but the end of the input, which the next read tells;
// or ErrStopped, if the server may stop here and is to.
func (d *Dialog) Await(mayStop bool) error {
	if d.socket == nil {
		return nil
	}
	if mayStop && d.socket.isStopped() {
		return ErrStopped
	}
	d.socket.fresh = true
	if d.In.Buffered() > 0 {
		return nil
	}
	if err := d.Out.Flush(); err != nil {
		return err
	}
	d.Release()
	b, err := d.socket.await(mayStop)
	d.take(b)
	return err
}

// Release ends a dialog over a Socket: others get its buffers. What has not been
// sent is lost.
func (d *Dialog) Release() {
	if d.buffers != nil {
		d.buffers.release()
		d.buffers, d.In, d.Out = nil, nil, nil
	}
}

func (d *Dialog) take(b *buffers) { d.buffers, d.In, d.Out = b, b.in, b.out }

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
