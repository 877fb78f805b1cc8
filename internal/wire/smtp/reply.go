package smtp

import (
	"bufio"
	"errors"
	"io"
)

// A Reply is what a server answers to a command:
//
//	reply = { digit digit digit "-" text LF } digit digit digit text LF
//
// A CR is dropped wherever it is. The code of the first line decides, whatever the
// others have.
type Reply struct {
	Code int    // of the first line; NoCode where that has none
	Text string // all lines with their codes, the first MaxReplyText bytes
}

const (
	// MaxReplyText is how much of a reply is kept, in bytes.
	MaxReplyText = 5000
	// maxReply is how long a reply may be, in bytes.
	maxReply = 1 << 20
	// NoCode stands for a first line that does not begin with three digits. qmail
	// takes a server that says something else for one that refuses for good.
	NoCode = 599
)

// errReplyTooLong says that a server does not stop talking.
var errReplyTooLong = errors.New("the reply does not end")

// readReply reads a reply. One that is cut off is io.ErrUnexpectedEOF.
func readReply(r *bufio.Reader) (Reply, error) {
	var text []byte
	code, size := -1, 0
	for {
		first, n, err := readReplyLine(r, &text, maxReply-size)
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return Reply{}, err
		}
		size += n
		if code < 0 {
			code = replyCode(first)
		}
		if len(first) < 4 || first[3] != '-' {
			return Reply{code, string(text)}, nil
		}
	}
}

// readReplyLine reads a line of n bytes, max at most, and keeps it in text as far as
// there is room. It returns what the line begins with.
func readReplyLine(r *bufio.Reader, text *[]byte, max int) (first []byte, n int, err error) {
	for {
		piece, err := r.ReadSlice('\n')
		if err != nil && err != bufio.ErrBufferFull {
			return nil, 0, err
		}
		first = append(first, piece[:min(len(piece), 4-len(first))]...)
		for _, c := range piece {
			if c != '\r' && len(*text) < MaxReplyText {
				*text = append(*text, c)
			}
		}
		if n += len(piece); n > max {
			return nil, 0, errReplyTooLong
		}
		if err == nil {
			return first, n, nil
		}
	}
}

func replyCode(line []byte) int {
	if len(line) < 3 {
		return NoCode
	}
	code := 0
	for _, c := range line[:3] {
		if c < '0' || c > '9' {
			return NoCode
		}
		code = code*10 + int(c-'0')
	}
	return code
}
