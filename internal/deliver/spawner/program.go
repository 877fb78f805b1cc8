package spawner

import (
	"io"
	"slices"

	"goqmail/internal/host/child"
)

// Run starts a program with c.Files, where the listed ones are a pipe, and gives what
// is written there to output until the last writer is gone. A program whose path has
// no slash is looked up in PATH. An error means that the program does not run.
func Run(c child.Command, output io.Writer, pipes ...int) (child.Status, error) {
	theirs, ours, err := child.PipeFrom()
	if err != nil {
		return child.Status{}, err
	}
	defer ours.Close()
	c.Files = slices.Clone(c.Files)
	for _, fd := range pipes {
		c.Files[fd] = theirs
	}
	p, err := child.StartFound(c)
	theirs.Close()
	if err != nil {
		return child.Status{}, err
	}
	var piece [2048]byte
	for {
		n, err := ours.Read(piece[:])
		output.Write(piece[:n])
		if err != nil {
			break
		}
	}
	return p.Wait()
}

// A Head keeps the beginning of what is written to it.
type Head struct {
	Max  int // bytes
	Kept []byte
}

func (h *Head) Write(p []byte) (int, error) {
	h.Kept = append(h.Kept, p[:min(len(p), h.Max-len(h.Kept))]...)
	return len(p), nil
}
