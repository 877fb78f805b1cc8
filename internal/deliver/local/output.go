package local

import (
	"os"

	"goqmail/internal/host/child"
)

// An Output is where programs write, and the report of a success. What is written
// becomes the text that qmail-lspawn sends on.
type Output interface {
	// Files returns descriptors 1 and 2 of programs; one that is nil is closed.
	Files() (output, errors *os.File, err error)
	// Print writes on descriptor 1, Warn on 2. Whether anybody listens does not
	// change what was done.
	Print(text string)
	Warn(text string)
}

// Descriptors is the Output of a process that does one delivery: its own descriptors
// 1 and 2, nil where they are closed.
type Descriptors struct{ Output, Errors *os.File }

// Files are the descriptors.
func (d Descriptors) Files() (output, errors *os.File, err error) { return d.Output, d.Errors, nil }

// Print writes on descriptor 1.
func (d Descriptors) Print(text string) { d.Output.WriteString(text) }

// Warn writes on descriptor 2.
func (d Descriptors) Warn(text string) { d.Errors.WriteString(text) }

// A collected Output is one of many in a process. The pipe for programs is made when
// the first of them is started.
type collected struct {
	text   []byte        // the beginning of what was written; the reader's while it runs
	pipe   *os.File      // for programs, nil before the first
	reader chan struct{} // closed once the last writer is gone
}

// maxCollected is how much of an output is kept, in bytes: a bit more than
// qmail-lspawn reports, for it to see that there was more.
const maxCollected = 4 << 10

// Files returns the pipe twice.
func (c *collected) Files() (output, errors *os.File, err error) {
	if c.pipe == nil {
		theirs, ours, err := child.PipeFrom()
		if err != nil {
			return nil, nil, err
		}
		c.pipe, c.reader = theirs, make(chan struct{})
		go c.read(ours)
	}
	return c.pipe, c.pipe, nil
}

// read collects until the last writer is gone. What is too much is read as well, for
// nobody shall wait.
func (c *collected) read(ours *os.File) {
	defer close(c.reader)
	defer ours.Close()
	var piece [2048]byte
	for {
		n, err := ours.Read(piece[:])
		c.keep(piece[:n])
		if err != nil {
			return
		}
	}
}

func (c *collected) keep(p []byte) {
	c.text = append(c.text, p[:min(len(p), maxCollected-len(c.text))]...)
}

// Print adds to the text, behind what programs have written.
func (c *collected) Print(text string) {
	if c.pipe != nil {
		c.pipe.WriteString(text)
	} else {
		c.keep([]byte(text))
	}
}

// Warn is Print: both descriptors are the same.
func (c *collected) Warn(text string) { c.Print(text) }

// end waits until no program can write any more, and returns the text.
func (c *collected) end() string {
	if c.pipe != nil {
		c.pipe.Close()
		<-c.reader
	}
	return string(c.text)
}
