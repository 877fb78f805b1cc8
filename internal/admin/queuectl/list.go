package queuectl

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"goqmail/internal/mail/outcome"
	wire "goqmail/internal/wire/queuectl"
	"goqmail/queue"
)

// list lists messages with their recipients that are not done.
func (c *call) list() error {
	q, err := c.openToRead()
	if err != nil {
		return err
	}
	defer q.close()
	messages, recipients, bytes := 0, 0, int64(0)
	missing, err := c.find(q, func(m wire.Message) error {
		messages++
		recipients += undone(m)
		bytes += max(m.Size, 0)
		if c.json {
			return c.printJSON(m)
		}
		c.printMessage(m)
		return nil
	})
	if err != nil {
		return err
	}
	if !c.json {
		fmt.Fprintf(c.out, "%d messages, %d recipients not done, %d bytes\n", messages, recipients, bytes)
	}
	return notAll(missing)
}

// notAll is the outcome where some messages could not be shown, of which was told.
func notAll(missing int) error {
	if missing > 0 {
		return &outcome.Status{Code: outcome.Failure.ExitCode()}
	}
	return nil
}

// undone counts the recipients that are not done.
func undone(m wire.Message) int {
	count := 0
	for _, r := range m.Recipients {
		if !r.Done {
			count++
		}
	}
	return count
}

// state is what is special about a message.
func state(m wire.Message) string {
	var words []string
	switch {
	case m.Queued:
		words = append(words, "queued")
	case m.Mark == queue.Held:
		words = append(words, "held")
	case m.Mark == queue.ToBounce:
		words = append(words, "to be bounced")
	case m.Mark == queue.ToQueue:
		words = append(words, "to be queued anew")
	}
	if m.Noted {
		words = append(words, "bouncing")
	}
	return strings.Join(words, ", ")
}

// status is how it stands with a recipient.
func status(m wire.Message, i int) string {
	live := wire.Live{}
	if i < len(m.Live) {
		live = m.Live[i]
	}
	switch {
	case m.Recipients[i].Done:
		return "done"
	case live.Running:
		return "running"
	case m.Mark == queue.Held:
		return "held"
	case live.Paused:
		return "paused"
	}
	return "waits"
}

// channel is which way a recipient's mail leaves, as far as that is known.
func channel(k queue.Kind) string {
	if k == queue.Todo {
		return "-"
	}
	return string(k)
}

func (c *call) clock(t time.Time) string {
	return t.In(c.Now.Location()).Format("2006-01-02 15:04:05")
}

// printMessage prints a message and its recipients that are not done.
func (c *call) printMessage(m wire.Message) {
	c.printHead(m)
	for i, r := range m.Recipients {
		if !r.Done {
			c.printRecipient(m, i)
		}
	}
}

func (c *call) printHead(m wire.Message) {
	fmt.Fprintf(c.out, "%-10d %s %9d <%s>", m.Number, c.clock(m.Born), m.Size, printable(m.Sender))
	if s := state(m); s != "" {
		c.out.WriteString(" " + s)
	}
	c.out.WriteByte('\n')
}

func (c *call) printRecipient(m wire.Message, i int) {
	r := m.Recipients[i]
	s := status(m, i)
	fmt.Fprintf(c.out, "  %-6s %-7s %s", channel(r.Kind), s, printable(r.Address))
	if s == "waits" && !r.Next.IsZero() {
		next := "now"
		if r.Next.After(c.Now) {
			next = c.clock(r.Next)
		}
		c.out.WriteString("  next try " + next)
	}
	c.out.WriteByte('\n')
}

// show prints all that is known of messages.
func (c *call) show() error {
	if len(c.choice.numbers) == 0 || c.choice.narrow() || c.choice.all {
		return c.wrong()
	}
	q, err := c.openToRead()
	if err != nil {
		return err
	}
	defer q.close()
	missing, err := c.find(q, func(m wire.Message) error {
		if c.json {
			return c.printJSON(m)
		}
		return c.printAll(m)
	})
	return errors.Join(err, notAll(missing))
}

// printAll prints a message with all recipients and what they last said, the notes for
// its bounce, and its header.
func (c *call) printAll(m wire.Message) error {
	c.printHead(m)
	for i := range m.Recipients {
		c.printRecipient(m, i)
		if i < len(m.Live) && m.Live[i].Reply != "" {
			fmt.Fprintf(c.out, "         %s: %s\n", c.clock(m.Live[i].Replied), printable(strings.TrimRight(m.Live[i].Reply, "\n")))
		}
	}
	q, err := queue.Open(c.Home + "/queue")
	if err != nil {
		return err
	}
	c.printFile("notes", q.Path(queue.Bounce, m.Number), false)
	c.printFile("header", q.Path(queue.Mess, m.Number), true)
	return nil
}

const (
	// maxShown is how much of a file is shown.
	maxShown = 64 << 10
	// maxLine is how much of a line.
	maxLine = 4 << 10
)

// printFile prints a file, or the header in it. What cannot be read is passed over, where
// it is not there or closed to this user.
func (c *call) printFile(what, path string, header bool) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return
	}
	if err != nil {
		fmt.Fprintf(c.out, "%s: %v\n", what, err)
		return
	}
	defer f.Close()
	fmt.Fprintf(c.out, "%s:\n", what)
	r := bufio.NewReaderSize(io.LimitReader(f, maxShown), maxLine)
	for {
		line, err := r.ReadSlice('\n')
		text := strings.TrimRight(string(line), "\r\n")
		if text == "" && (header || err != nil) {
			return
		}
		fmt.Fprintf(c.out, "    %s\n", printable(strings.ReplaceAll(text, "\t", " ")))
		if err != nil && err != bufio.ErrBufferFull {
			return
		}
	}
}

// What a message is in JSON, one to a line. Times are seconds since 1970.
type (
	jsonMessage struct {
		Number     queue.Number    `json:"number"`
		Sender     string          `json:"sender"`
		Arrived    int64           `json:"arrived"`
		Bytes      int64           `json:"bytes"`
		Queued     bool            `json:"queued"`
		Held       bool            `json:"held"`
		ToBounce   bool            `json:"to_be_bounced"`
		ToQueue    bool            `json:"to_be_queued_anew"`
		Bouncing   bool            `json:"bouncing"`
		Recipients []jsonRecipient `json:"recipients"`
	}
	jsonRecipient struct {
		Address string `json:"address"`
		Channel string `json:"channel,omitempty"`
		Status  string `json:"status"`
		Next    int64  `json:"next,omitempty"`
		Reply   string `json:"reply,omitempty"`
		Replied int64  `json:"replied,omitempty"`
	}
)

func (c *call) printJSON(m wire.Message) error {
	j := jsonMessage{
		Number: m.Number, Sender: m.Sender, Arrived: m.Born.Unix(), Bytes: m.Size, Queued: m.Queued,
		Held: m.Mark == queue.Held, ToBounce: m.Mark == queue.ToBounce, ToQueue: m.Mark == queue.ToQueue, Bouncing: m.Noted,
		Recipients: []jsonRecipient{},
	}
	for i, r := range m.Recipients {
		one := jsonRecipient{Address: r.Address, Status: status(m, i)}
		if r.Kind != queue.Todo {
			one.Channel = string(r.Kind)
		}
		if one.Status == "waits" && !r.Next.IsZero() {
			one.Next = r.Next.Unix()
		}
		if i < len(m.Live) && m.Live[i].Reply != "" {
			one.Reply, one.Replied = m.Live[i].Reply, m.Live[i].Replied.Unix()
		}
		j.Recipients = append(j.Recipients, one)
	}
	return c.encode(j)
}

// encode prints a line of JSON.
func (c *call) encode(v any) error {
	e := json.NewEncoder(c.out)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}
