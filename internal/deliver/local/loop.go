package local

import (
	"bufio"
	"bytes"
	"io"
)

// hasLine tells whether a line, newline included, stands in the header of a
// message exactly as it is. The header ends at the first empty line. What is
// behind the last newline is no line, and one that is longer than all memory is
// compared in pieces.
func hasLine(message io.Reader, line string) (bool, error) {
	r := bufio.NewReaderSize(message, 16<<10)
	rest, same := []byte(line), true // what is to come of the line if it is the same
	for begins := true; ; {
		piece, err := r.ReadSlice('\n')
		if begins && len(piece) == 1 && err == nil {
			return false, nil
		}
		if same = same && bytes.HasPrefix(rest, piece); same {
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
		rest, same, begins = []byte(line), true, true
	}
}
