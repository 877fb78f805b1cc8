package preprocess

import (
	"bytes"
	"io"
	"math"
	"strconv"
)

// Submissions are the bounces that qmail-send is queueing. They are kept back until
// the activity record has told of them: first
//
//	bounce msg 457 qp 6701
//	end msg 457
//
// and then "new msg 458" and "info msg 458: ... qp 6701". A bounce is in todo a
// little before qmail-send knows that it is. What may be a bounce is known by the
// user who queued it. It is kept back until every submission is over that had begun
// when it was found, or until it has been there for two minutes: one that hangs stops
// nothing for long, and no mail of others at any time.
type submissions struct {
	begun   uint64
	running map[uint64]bool // by their numbers
}

// none is a number that no submission has.
const none = 0

// oldest is the number of the oldest submission that is not over.
func (s *submissions) oldest() uint64 {
	oldest := uint64(math.MaxUint64)
	for n := range s.running {
		oldest = min(oldest, n)
	}
	return oldest
}

// Hold begins to keep bounces back. It is to be released.
func (p *Preprocessor) Hold() (submission uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bounces.running == nil {
		p.bounces.running = make(map[uint64]bool)
	}
	p.bounces.begun++
	p.bounces.running[p.bounces.begun] = true
	return p.bounces.begun
}

// Release ends a Hold.
func (p *Preprocessor) Release(submission uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.bounces.running, submission)
	p.Queue.PullTrigger() // so that what was kept back is looked for again
}

// holdBack tells whether a message is to be kept back. It is not if it was before.
func (p *Preprocessor) holdBack(m *message, todo io.ReaderAt) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.bounces.running) == 0 || p.inHand[m.number].behind != none || submitter(todo) != p.User {
		return false
	}
	m.behind = p.bounces.begun
	return true
}

// submitter reads from the beginning of an envelope who queued it, or -1.
func submitter(todo io.ReaderAt) int {
	var head [32]byte
	n, _ := todo.ReadAt(head[:], 0)
	record, _, complete := bytes.Cut(head[:n], []byte{0})
	if !complete || len(record) == 0 || record[0] != 'u' {
		return -1
	}
	uid, err := strconv.Atoi(string(record[1:]))
	if err != nil {
		return -1
	}
	return uid
}
