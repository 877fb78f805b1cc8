// Package spawn is what qmail-send and a spawner (qmail-lspawn, qmail-rspawn) say
// to each other, over a pipe in each direction.
//
// The spawner speaks first, one byte: its limit, how many deliveries it runs at
// once. Then qmail-send writes commands, and the spawner a report for each, in
// whatever order the deliveries end:
//
//	commands = { command }
//	command  = delivery message NUL sender NUL recipient NUL
//	reports  = limit { report }
//	report   = delivery text NUL
//
//	limit    = a number
//	delivery = a number, chosen by qmail-send; it is below the limit, and free
//	           for another command after its report
//	message  = the name of the message below queue/mess, such as 19/457
//	text     = a letter, K (success), Z (deferral) or D (failure), and then
//	           lines for the log and the bounce; it may be empty
//
// Closing the pipe of commands tells the spawner to finish what it runs and to
// leave; what has come of a command by then is not one.
//
// Neither side trusts the other. A reader here takes any bytes at all, keeps at
// most a stated number of them per record, and always finds the next record. What
// a record says (that a number is in range, that a message has such a name) is for
// the receiver to check.
//
// The protocol is qmail's; either side may be a program of the original, so there
// is no version in it and no room for one. A number is one byte, which bounds the
// deliveries at 255. Where control/spawnlimit asks for more, and qmail-start sees
// that both sides are our own programs, it starts them with the argument
// WideArgument, and a number is four bytes, the most significant first.
package spawn

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
	"strings"

	"goqmail/internal/host/control"
)

const (
	// DefaultLimit is the limit of a spawner that is not set to another.
	DefaultLimit = 120
	// ClassicLimit is the largest limit where a delivery is known by one byte.
	ClassicLimit = 255
	// WideLimit is the largest limit where it is known by four.
	WideLimit = 10000

	// MaxField is the longest message name, sender or recipient that is kept,
	// in bytes. No program can be given an argument longer than this.
	MaxField = 128<<10 - 1
	// MaxText is the longest text of a report that is kept, in bytes. More is
	// cut off.
	MaxText = 9999
)

// Limit reads control/spawnlimit: the most deliveries that a spawner shall run at
// once, which the original has compiled in (conf-spawn).
func Limit(dir control.Dir) (uint64, error) { return dir.Number("spawnlimit", DefaultLimit) }

// WideArgument, as the last argument of a program, says that its numbers are
// wide.
const WideArgument = "wide"

// A Width is how many bytes a number has.
type Width int

// The widths.
const (
	Classic Width = 1 // qmail's
	Wide    Width = 4
)

// ParseWidth takes the last of a program's arguments away if it asks for wide
// numbers.
func ParseWidth(args []string) ([]string, Width) {
	if last := len(args) - 1; last >= 0 && args[last] == WideArgument {
		return args[:last], Wide
	}
	return args, Classic
}

// MaxLimit is the largest limit that a number of this width allows.
func (w Width) MaxLimit() uint64 {
	if w == Classic {
		return ClassicLimit
	}
	return WideLimit
}

func (w Width) append(b []byte, n uint32) []byte {
	if w == Classic {
		return append(b, byte(n))
	}
	return binary.BigEndian.AppendUint32(b, n)
}

// read reads a number. An end within one is an end like any other.
func (w Width) read(in *bufio.Reader) (uint32, error) {
	var b [4]byte
	if _, err := io.ReadFull(in, b[4-w:]); err == io.ErrUnexpectedEOF {
		return 0, io.EOF
	} else if err != nil {
		return 0, err
	}
	return binary.BigEndian.Uint32(b[:]), nil
}

// AppendLimit adds what a spawner says first.
func (w Width) AppendLimit(b []byte, limit uint32) []byte { return w.append(b, limit) }

// A Command asks a spawner for a delivery.
type Command struct {
	Delivery  uint32
	Message   string // below queue/mess
	Sender    string
	Recipient string

	// TooLong says that a field was longer than MaxField. The fields are of
	// no use then.
	TooLong bool
}

// Append adds a command to b. The fields must have no NUL; what follows one is
// left out.
func (c Command) Append(b []byte, w Width) []byte {
	b = w.append(b, c.Delivery)
	for _, field := range [...]string{c.Message, c.Sender, c.Recipient} {
		b = appendText(b, field)
	}
	return b
}

// Ready tells whether a whole command has come already, so that Next returns at once.
func (c *Commands) Ready() bool { return whole(c.in, c.width, 3) }

// whole tells whether a number, and behind it as many texts, have come.
func whole(in *bufio.Reader, w Width, texts int) bool {
	come, _ := in.Peek(in.Buffered())
	if len(come) <= int(w) {
		return false
	}
	for come = come[w:]; texts > 0; texts-- {
		end := bytes.IndexByte(come, 0)
		if end < 0 {
			return false
		}
		come = come[end+1:]
	}
	return true
}

// A Report tells qmail-send how a delivery ended.
type Report struct {
	Delivery uint32
	Text     string
}

// Append adds a report to b. What follows a NUL in the text is left out.
func (r Report) Append(b []byte, w Width) []byte {
	return appendText(w.append(b, r.Delivery), r.Text)
}

func appendText(b []byte, s string) []byte {
	s, _, _ = strings.Cut(s, "\x00")
	return append(append(b, s...), 0)
}

// Commands reads commands, at the spawner's side.
type Commands struct {
	in    *bufio.Reader
	width Width
}

// NewCommands reads commands from r.
func NewCommands(r io.Reader, w Width) *Commands {
	return &Commands{bufio.NewReaderSize(r, 16<<10), w}
}

// Next waits for a command. The error is io.EOF when there are no more, or that
// of reading.
func (c *Commands) Next() (Command, error) {
	var cmd Command
	var err error
	if cmd.Delivery, err = c.width.read(c.in); err != nil {
		return Command{}, err
	}
	for _, field := range [...]*string{&cmd.Message, &cmd.Sender, &cmd.Recipient} {
		text, cut, err := readText(c.in, MaxField)
		if err != nil {
			return Command{}, err
		}
		*field, cmd.TooLong = text, cmd.TooLong || cut
	}
	return cmd, nil
}

// Reports reads what a spawner says, at the side of qmail-send.
type Reports struct {
	in    *bufio.Reader
	width Width
}

// NewReports reads reports from r.
func NewReports(r io.Reader, w Width) *Reports {
	return &Reports{bufio.NewReaderSize(r, 16<<10), w}
}

// Limit waits for the first number. It must be called once, before Next. A spawner
// that leaves without having said a word is io.EOF.
func (r *Reports) Limit() (uint32, error) { return r.width.read(r.in) }

// Next waits for a report. The error is io.EOF when the spawner has left, or that
// of reading.
func (r *Reports) Next() (Report, error) {
	delivery, err := r.width.read(r.in)
	if err != nil {
		return Report{}, err
	}
	text, _, err := readText(r.in, MaxText)
	if err != nil {
		return Report{}, err
	}
	return Report{delivery, text}, nil
}

// Ready tells whether a whole report has come already, so that Next returns at
// once.
func (r *Reports) Ready() bool { return whole(r.in, r.width, 1) }

// readText reads up to a NUL, and tells whether text was cut to max bytes.
func readText(in *bufio.Reader, max int) (text string, cut bool, err error) {
	var b []byte
	for {
		piece, err := in.ReadSlice(0)
		if err == nil {
			piece = piece[:len(piece)-1]
		}
		if room := max - len(b); len(piece) > room {
			piece, cut = piece[:room], true
		}
		b = append(b, piece...)
		if err != bufio.ErrBufferFull {
			return string(b), cut, err
		}
	}
}
