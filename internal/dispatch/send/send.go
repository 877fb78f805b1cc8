// Package send is qmail-send: it decides which message is delivered when
// (qmail-send(8)).
//
// # Who does what
//
// One goroutine, the scheduler, owns all state: which messages wait until when,
// which deliveries run, which recipient lists are open. It never waits for a disk
// to write or for another program. Everything that may take time is done beside it
// by others, who own nothing and tell the scheduler, in an event, how it went:
//
//	todo ──▶ preprocessing ──▶ ┌───────────┐ ──▶ commands to qmail-lspawn, -rspawn
//	        reports of both ─▶ │ scheduler │ ──▶ notes on failures ──┐
//	       ends of messages ─▶ └───────────┘ ──▶ ends of messages ──┐│
//	                   ▲  ▲                                         ││
//	                   │  └──── bounce, removal, qmail-clean ◀──────┘│
//	                   └─────── bounce/N written and synced ◀────────┘
//
// So deliveries never wait for preprocessing, nor the other way round.
//
// A turn of the scheduler is: take all events that have come, start what can be
// started, write the activity record in one write, then the commands, one write
// for each spawner. The record is always out before a command is, and before the
// scheduler waits.
//
// # A message from preprocessed to gone
//
// A message waits in the queue of a channel until it is due. Then its list,
// local/N or remote/N, is opened and read piece by piece, and a delivery is started
// for each recipient that is not done, as slots become free. A long list gives way
// to others that are due after every 50 recipients.
//
//	success   T becomes D in the list
//	deferral  nothing
//	failure   a note goes to bounce/N and is synced; then T becomes D
//
// When the list is read to its end and all its deliveries are over, it is removed
// if every recipient is done; else the message waits again. With its last list a
// message ends: its bounce is queued, info/N is removed, qmail-clean removes
// mess/N.
//
// An admin can have messages removed, held, bounced and so on (qmail-queuectl(8)). Such
// an order is carried out like an end, on a message that nobody else has (orders.go).
//
// A crash at any moment leaves a queue to go on with. What is not synced is the
// letter D of a success, and removals: if they are taken back, a recipient may get
// a message twice, or a sender a bounce, but none is lost.
package send

import (
	"errors"
	"io"
	"os"
	"time"

	"goqmail/internal/dispatch/activity"
	"goqmail/internal/dispatch/clean"
	"goqmail/internal/dispatch/preprocess"
	"goqmail/internal/dispatch/route"
	"goqmail/internal/host/control"
	"goqmail/internal/wire/spawn"
	"goqmail/internal/wire/submit"
	"goqmail/queue"
)

// ErrStart is returned where qmail-send could not begin. The reason is in the
// activity record.
var ErrStart = errors.New("cannot start")

// Pipes are both ways to another program. Commands must be non-blocking.
type Pipes struct{ Commands, Reports *os.File }

// A Config is what qmail-send gets from the world.
type Config struct {
	Home     string
	Record   io.Writer // of activity; a write may block
	Spawners [route.Channels]Pipes
	Width    spawn.Width
	Clean    Pipes
	Signals  <-chan Signal
	Bounces  submit.Queue
	Now      func() time.Time
}

// A Signal is what an admin can ask for.
type Signal int

// The signals: TERM, ALRM and HUP.
const (
	Exit   Signal = iota // finish what runs, then leave
	RunAll               // every message is due now
	Reread               // read locals and virtualdomains again
)

// Run works until it is told to leave, or until it has lost another program.
func Run(c Config) error {
	s := &scheduler{Config: c, events: make(chan event, 256), both: make(map[queue.Number]struct{}), runs: 1, admin: newAdmin()}
	lock, err := s.prepare()
	if err != nil {
		s.lines.Alert("cannot start: ", err.Error())
		s.writeRecord()
		return ErrStart
	}
	defer lock.Close()
	s.now = s.Now().Unix()
	s.status()
	s.begin()
	s.run()
	return nil
}

// prepare reads everything there is to know, and makes sure that there is no other
// qmail-send.
func (s *scheduler) prepare() (lock *os.File, err error) {
	if _, err := os.Stat(s.Home + "/."); err != nil {
		return nil, errors.New("unable to switch to home directory")
	}
	settings, err := ReadSettings(control.In(s.Home))
	if err != nil {
		return nil, errors.New("unable to read controls")
	}
	if _, err := os.Stat(s.Home + "/queue/."); err != nil {
		return nil, errors.New("unable to switch to queue directory")
	}
	if s.q, err = queue.Open(s.Home + "/queue"); err != nil {
		return nil, err
	}
	s.settings = settings
	s.routes.Store(settings.Routes)
	if lock, err = s.q.Lock(); err != nil {
		if !errors.Is(err, queue.ErrRunning) {
			err = errors.New("unable to open mutex")
		}
		return nil, err
	}
	for i := range s.channels {
		if s.channels[i], err = s.meet(route.Channel(i)); err != nil {
			lock.Close()
			return nil, err
		}
	}
	return lock, nil
}

// meet waits until a spawner says how many deliveries it can run.
func (s *scheduler) meet(c route.Channel) (*channel, error) {
	reports := spawn.NewReports(s.Spawners[c].Reports, s.Width)
	said, err := reports.Limit()
	if err != nil {
		return nil, errors.New("hath the daemon spawn no fire?")
	}
	limit := min(s.settings.Concurrency[c], uint64(said), s.Width.MaxLimit())
	return &channel{
		Channel: c,
		alive:   true,
		limit:   int(limit),
		reports: reports,
		pipe:    pipe{file: s.Spawners[c].Commands},
		lists:   make(map[queue.Number]*list),
	}, nil
}

// begin starts everything that works beside the scheduler.
func (s *scheduler) begin() {
	s.clean = clean.NewClient(s.Clean.Commands, s.Clean.Reports, func() { s.tell(cleanLost{}) })
	for _, c := range s.channels {
		s.maxLists += c.limit + maxAside + 2
		go s.listen(c)
	}
	s.preprocessor = &preprocess.Preprocessor{
		Queue:  s.q,
		Routes: s.routes.Load,
		Clean:  s.clean,
		Report: func(r preprocess.Report) { s.tell(preprocessed(r)) },
		Now:    s.Now,
		User:   os.Getuid(),
	}
	s.startNotes()
	s.startListening()
	go s.removeDebris()
	go func() {
		s.load()
		s.tell(loaded{})
	}()
}

// status adds a status line to the record.
func (s *scheduler) status() {
	var now [route.Channels]activity.Channel
	for i, c := range s.channels {
		now[i] = activity.Channel{Deliveries: c.used, Limit: c.limit}
	}
	s.lines.Status(now, s.exiting)
}
