package send

import (
	"path"
	"time"

	"goqmail/internal/dispatch/activity"
	"goqmail/internal/dispatch/clean"
	"goqmail/queue"

	"golang.org/x/sys/unix"
)

// debrisAgain is the time between two looks for debris: somewhat less than a day,
// so that it is not always at the same hour.
const debrisAgain = 76431 * time.Second

// removeDebris has messages removed, at the start and then daily, that a crash has
// left in S2 or S3: those that nobody has used for 36 hours and that are neither
// queued nor preprocessed. For what a crash has left without mess/N see bury.
//
// This runs beside everything else, so it must not take a message for debris that
// is on its way through these states. One that comes in is younger (queue.Death).
// One that leaves has the read lock from the moment that info/N goes until
// qmail-clean has answered; without it, the number could meanwhile be that of a new
// message, which would be removed. And todo/N is looked for before info/N: one that
// is preprocessed between the two looks has info/N by then.
func (s *scheduler) removeDebris() {
	for {
		for part := range s.q.Split() {
			s.removeDebrisIn(part)
		}
		time.Sleep(debrisAgain)
	}
}

func (s *scheduler) removeDebrisIn(part uint64) {
	for n, err := range s.q.NumbersIn(queue.Mess, part) {
		var lines activity.Lines
		switch {
		case err != nil:
			lines.Alert("unable to opendir ", path.Dir(s.q.Name(queue.Mess, queue.Number(part))), ", sleeping...")
		case s.isOld(n):
			s.removeIfDebris(n, &lines)
		}
		if len(lines.Text()) > 0 {
			s.tell(said{lines})
		}
	}
}

// isOld tells whether nobody has used a message for a long time.
func (s *scheduler) isOld(n queue.Number) bool {
	var st unix.Stat_t
	if unix.Stat(s.q.Path(queue.Mess, n), &st) != nil {
		return false // its qmail-queue has just taken it back
	}
	return s.Now().Sub(time.Unix(st.Atim.Unix())) > queue.Ossified
}

// removeIfDebris looks at an old message when no message is just leaving.
func (s *scheduler) removeIfDebris(n queue.Number, lines *activity.Lines) {
	s.leaving.Lock()
	defer s.leaving.Unlock()
	if !s.isOld(n) || s.has(queue.Todo, n) || s.has(queue.Info, n) {
		return
	}
	s.removeOwn(n) // what is left of it is in nobody's way
	if answer := s.clean.Ask(clean.Foop, n)[0]; answer != clean.Done && answer != clean.Lost {
		lines.Warning("qmail-clean unable to clean up foop/", n.String())
	}
}

// bury deals, at the start, with what there is of a message that has no mess/N. That is
// removed when all else was, so all has been done. On a filesystem that keeps no order
// between directories, as btrfs does, a power cut can take back that the rest was
// removed before. It can be neither delivered nor returned, and it is not debris before
// its time, in case that mess/N was lost in another way and somebody finds it.
func (s *scheduler) bury(n queue.Number) {
	var st unix.Stat_t
	done := "; ignoring "
	if unix.Stat(s.q.Path(queue.Info, n), &st) == nil && s.Now().Sub(time.Unix(st.Mtim.Unix())) > queue.Ossified && s.removeOwn(n) {
		done = "; removed "
	}
	s.lines.Warning(s.q.Name(queue.Mess, n), " is gone", done, s.q.Name(queue.Info, n))
}

// removeOwn removes the files of a message that are ours. It tells whether none is left.
func (s *scheduler) removeOwn(n queue.Number) bool {
	for _, k := range []queue.Kind{queue.Local, queue.Remote, queue.Bounce, queue.Info} {
		if err := unix.Unlink(s.q.Path(k, n)); err != nil && err != unix.ENOENT {
			return false
		}
	}
	return true
}

// has tells whether a message has a file, and yes where that is not known.
func (s *scheduler) has(k queue.Kind, n queue.Number) bool {
	var st unix.Stat_t
	return unix.Stat(s.q.Path(k, n), &st) != unix.ENOENT
}
