package spawner

import (
	"io"
	"sync"

	"goqmail/internal/wire/spawn"
)

// maxWaiting is how many bytes of reports may wait for their reader before
// deliveries do, and with them the next commands.
const maxWaiting = 64 << 10

// A reporter writes reports, and knows which deliveries run. Reports that come
// while others are being written go out together.
type reporter struct {
	w     io.Writer
	width spawn.Width

	mu      sync.Mutex
	room    sync.Cond // in waiting
	inUse   []bool    // by delivery number
	waiting []byte
	spare   []byte // what waiting was before it was written
	writing bool
	deaf    bool // nobody reads any more
}

func newReporter(w io.Writer, width spawn.Width, limit uint32) *reporter {
	r := &reporter{w: w, width: width, inUse: make([]bool, limit)}
	r.room.L = &r.mu
	return r
}

// begin notes that a delivery runs, unless its number is wrong.
func (r *reporter) begin(delivery uint32) (refusal string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case uint64(delivery) >= uint64(len(r.inUse)):
		return "ZInternal error: delnum too big. (#4.3.5)\n"
	case r.inUse[delivery]:
		return "ZInternal error: delnum in use. (#4.3.5)\n"
	}
	r.inUse[delivery] = true
	return ""
}

// end reports deliveries that ran. The number of one is free before its report is out,
// since it may be used again at once.
func (r *reporter) end(reports ...spawn.Report) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, report := range reports {
		r.add(report)
		r.inUse[report.Delivery] = false
	}
	r.write()
}

// refuse reports a command that did not become a delivery.
func (r *reporter) refuse(report spawn.Report) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.add(report)
	r.write()
}

func (r *reporter) add(report spawn.Report) {
	for len(r.waiting) > maxWaiting {
		if r.writing {
			r.room.Wait()
		} else {
			r.write()
		}
	}
	r.waiting = report.Append(r.waiting, r.width)
}

// write writes what waits, unless somebody is at it, who will then.
func (r *reporter) write() {
	if r.writing {
		return
	}
	r.writing = true
	for len(r.waiting) > 0 {
		batch := r.waiting
		r.waiting = r.spare[:0]
		r.room.Broadcast()
		if !r.deaf {
			r.mu.Unlock()
			_, err := r.w.Write(batch)
			r.mu.Lock()
			r.deaf = err != nil
		}
		r.spare = batch
	}
	r.writing = false
}
