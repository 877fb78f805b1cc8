package local

import (
	"bufio"
	"io"
	"strings"
	"sync"
)

// readers are kept for the next message.
var readers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, 16<<10) }}

// hasLine tells whether a line, newline included, stands in the header of a
// message exactly as it is. The header ends at the first empty line. What is
// behind the last newline is no line, and one that is longer than all memory is
// compared in pieces.
func hasLine(message io.Reader, line string) (bool, error) {
	r := readers.Get().(*bufio.Reader)
	defer readers.Put(r)
	r.Reset(message)
	defer r.Reset(nil)
	rest, same := line, true // what is to come of the line if it is the same
	for begins := true; ; {
		piece, err := r.ReadSlice('\n')
		if begins && len(piece) == 1 && err == nil {
			return false, nil
		}
		if same = same && strings.HasPrefix(rest, string(piece)); same {
			rest = rest[len(piece):]
		}
		switch {
		case err == io.EOF:
			return false, nil
		case err == bufio.ErrBufferFull:
			begins = false
			continue
		case err != nil:
			return false, err
		case same && len(rest) == 0:
			return true, nil
		}
		rest, same, begins = line, true, true
	}
}
