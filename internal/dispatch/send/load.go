package send

import (
	"math"
	"path"
	"runtime"
	"slices"
	"sync"
	"time"

	"goqmail/internal/dispatch/activity"
	"goqmail/internal/dispatch/route"
	"goqmail/internal/dispatch/schedule"
	"goqmail/queue"

	"golang.org/x/sys/unix"
)

// load finds every message that is preprocessed, at the start, and tells the scheduler
// subdirectory by subdirectory. It reads directories rather than to look for each file
// that a message may have: a million messages take a million looks, at the time in
// each list. Of a message the scheduler keeps the number and the time, 24 bytes for
// each of its lists.
//
// What is found is delivered while the rest is looked for, once that is many: of a few,
// the most overdue one is first. Nothing is preprocessed meanwhile: a message that came
// through preprocessing into a subdirectory that is still to be read would be taken up
// twice. One that is in todo is not taken up, for it will be preprocessed anew.
func (s *scheduler) load() {
	todo := s.numbers(queue.Todo, 0)
	parts := make(chan uint64)
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for part := range parts {
				s.tell(discovered(s.loadPart(part, todo)))
			}
		})
	}
	for part := range s.q.Split() {
		parts <- part
	}
	close(parts)
	workers.Wait()
}

// discovered is the event that messages were found at the start.
type discovered []found

func (e discovered) apply(s *scheduler) {
	s.found += len(e)
	for _, m := range e {
		if s.runs > 1 { // everything was made due meanwhile
			m.due = [route.Channels]int64{s.now, s.now}
		}
		s.take(m)
	}
}

// many is how many messages are enough to begin with, at the start.
const many = 10000

// loaded is the event that all were found.
type loaded struct{}

func (loaded) apply(s *scheduler) {
	s.found = math.MaxInt
	if !s.exiting {
		s.startPreprocessing()
		close(s.admin.complete)
	}
}

// A found message is one found at the start.
type found struct {
	number  queue.Number
	lists   [route.Channels]bool
	due     [route.Channels]int64
	mark    queue.Mark
	unknown string // the file that could not be looked at, or empty
	gone    bool   // mess/N is not there
}

// take takes a message up.
func (s *scheduler) take(m found) {
	if m.unknown != "" {
		s.lines.Warning("unable to stat ", m.unknown, "; will try again later")
		s.unknown.Push(schedule.Entry{Due: s.now + sysfail, Number: m.number})
		return
	}
	if m.gone {
		s.bury(m.number)
		return
	}
	if s.marked(m) {
		return
	}
	s.add(m.number, m.lists, m.due)
}

// see takes note of what a recipient list is like.
func (m *found) see(c route.Channel, st *unix.Stat_t) {
	m.due[c] = st.Mtim.Sec
	if mark := queue.MarkOf(st.Mode); mark != queue.Unmarked {
		m.mark = mark
	}
}

// loadPart finds the messages in one subdirectory.
func (s *scheduler) loadPart(part uint64, todo []queue.Number) []found {
	var lists [route.Channels][]queue.Number
	var dirs [route.Channels]int
	for c := range route.Channel(route.Channels) {
		lists[c] = s.numbers(c.Kind(), part)
		dirs[c] = openDirectory(path.Dir(s.q.Path(c.Kind(), queue.Number(part))))
		defer unix.Close(dirs[c])
	}
	mess := s.numbers(queue.Mess, part)
	var all []found
	for _, n := range s.numbers(queue.Info, part) {
		if _, queued := slices.BinarySearch(todo, n); queued {
			continue
		}
		m := found{number: n}
		_, there := slices.BinarySearch(mess, n)
		m.gone = !there
		for c := range route.Channel(route.Channels) {
			if _, m.lists[c] = slices.BinarySearch(lists[c], n); !m.lists[c] {
				continue
			}
			var st unix.Stat_t
			if unix.Fstatat(dirs[c], n.String(), &st, 0) != nil {
				m.unknown = s.q.Name(c.Kind(), n)
				break
			}
			m.see(c, &st)
		}
		all = append(all, m)
	}
	return all
}

// openDirectory opens a directory to look at files in it. Where it cannot be opened,
// neither can they be looked at.
func openDirectory(path string) int {
	fd, _ := unix.Open(path, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	return fd
}

// numbers lists the messages in a directory, in order. It does not go on without:
// what is overlooked here would wait until the next start.
func (s *scheduler) numbers(k queue.Kind, part uint64) []queue.Number {
	for {
		var list []queue.Number
		var failed error
		for n, err := range s.q.NumbersIn(k, part) {
			if err != nil {
				failed = err
				break
			}
			list = append(list, n)
		}
		if failed == nil {
			slices.Sort(list)
			return list
		}
		var lines activity.Lines
		lines.Alert("unable to opendir ", path.Dir(s.q.Name(k, queue.Number(part))), ", sleeping...")
		s.tell(said{lines})
		time.Sleep(opendirAgain)
	}
}

// opendirAgain is when a directory that cannot be read is tried again.
const opendirAgain = 10 * time.Second

// look looks at a message again that could not be looked at.
func (s *scheduler) look(n queue.Number) {
	m := found{number: n}
	var st unix.Stat_t
	stat := func(k queue.Kind) bool {
		err := unix.Stat(s.q.Path(k, n), &st)
		if err != nil && err != unix.ENOENT {
			m.unknown = s.q.Name(k, n)
		}
		return err == nil
	}
	if there := stat(queue.Info); !there && m.unknown == "" {
		return
	}
	if stat(queue.Todo) {
		return
	}
	m.gone = !stat(queue.Mess)
	for c := range route.Channel(route.Channels) {
		if m.lists[c] = stat(c.Kind()); m.lists[c] {
			m.see(c, &st)
		}
	}
	s.take(m)
}
