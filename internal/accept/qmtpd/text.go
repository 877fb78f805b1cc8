package qmtpd

import (
	"bytes"

	"goqmail/internal/wire/submit"
)

// text is the text of a message on its way to qmail-queue. In the encoding with
// CR LF each such pair becomes LF; any other CR or LF is a byte like others. Only
// a CR at the end of what has been written is held back.
type text struct {
	m        *submit.Message
	crlf     bool
	heldCR   bool
	size     uint64 // as stored
	limit    uint64 // 0 means none
	tooLarge bool
}

// Write takes the next bytes. It never fails.
func (t *text) Write(p []byte) (int, error) {
	n := len(p)
	if !t.crlf {
		t.store(p)
		return n, nil
	}
	if t.heldCR && n > 0 {
		t.heldCR = false
		if p[0] != '\n' {
			t.store([]byte{'\r'})
		}
	}
	for len(p) > 0 {
		cr := bytes.IndexByte(p, '\r')
		switch {
		case cr < 0:
			t.store(p)
			return n, nil
		case cr == len(p)-1:
			t.store(p[:cr])
			t.heldCR = true
			return n, nil
		case p[cr+1] == '\n':
			t.store(p[:cr])
		default:
			t.store(p[:cr+1])
		}
		p = p[cr+1:]
	}
	return n, nil
}

// end stores what is held back.
func (t *text) end() {
	if t.heldCR {
		t.store([]byte{'\r'})
	}
}

func (t *text) store(p []byte) {
	t.size += uint64(len(p))
	if t.limit > 0 && t.size > t.limit {
		t.tooLarge = true
		t.m.Cancel()
	}
	t.m.Write(p)
}
