package send

import "golang.org/x/sys/unix"

// A RecordDescriptor is the descriptor that the activity record goes to. A write
// takes as long as the reader lets it, also where somebody else has made the
// descriptor non-blocking; what cannot be written is lost.
type RecordDescriptor int

// Write writes everything, or returns the error that prevents it.
func (d RecordDescriptor) Write(text []byte) (written int, err error) {
	for written < len(text) {
		n, err := unix.Write(int(d), text[written:])
		switch {
		case err == unix.EINTR:
		case err == unix.EAGAIN:
			unix.Poll([]unix.PollFd{{Fd: int32(d), Events: unix.POLLOUT}}, -1)
		case err != nil:
			return written, err
		default:
			written += n
		}
	}
	return written, nil
}
