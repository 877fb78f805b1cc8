package pop3d

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"goqmail/internal/retrieve/maildir"
)

// What can be wrong with a maildir.
var (
	ErrNoMaildir = errors.New("no maildir")                 // it cannot be entered
	ErrScan      = errors.New("unable to scan the maildir") // new or cur cannot be read
)

// A Mailbox is what a session sees of a maildir: the messages that were there when
// it was opened.
type Mailbox struct {
	maildir  *maildir.Dir
	messages []message
}

type message struct {
	maildir.Message
	uid     string
	deleted bool // in this session
}

// Open lists the messages of a maildir. Close what it returns.
func Open(dir string, now time.Time) (*Mailbox, error) {
	d, err := maildir.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoMaildir, err)
	}
	d.Clean(now)
	files, err := d.Scan(now, maildir.New, maildir.Cur)
	if err != nil {
		d.Close()
		return nil, fmt.Errorf("%w: %w", ErrScan, err)
	}
	m := &Mailbox{maildir: d, messages: make([]message, len(files))}
	for i, f := range files {
		m.messages[i].Message = f
	}
	identify(m.messages)
	return m, nil
}

// Close forgets the mailbox.
func (m *Mailbox) Close() { m.maildir.Close() }

// identify gives each message its unique-id, by which a client knows it again in
// later sessions. It is the name of the file without flags, which stays the same
// from new to cur, on another host, and since qmail 1.03.
//
// Two kinds of names cannot serve. One that is empty or has bytes that POP3 does
// not allow there becomes a hash of the name. One that is taken (a program that
// delivers has made it twice) becomes a hash of name and time for the later one.
func identify(messages []message) {
	taken := make(map[string]struct{}, len(messages))
	hashes := map[string]int{} // of a name and time, so that the next one is not looked for among them
	for i := range messages {
		m := &messages[i]
		name := base(m.Name)
		m.uid = name
		if !printable(name) {
			m.uid = hash(name)
		}
		_, again := taken[m.uid]
		for again {
			twice := fmt.Sprintf("%s\x00%d", name, m.Delivered.UnixNano())
			m.uid = hash(fmt.Sprintf("%s\x00%d", twice, hashes[twice]))
			hashes[twice]++
			_, again = taken[m.uid]
		}
		taken[m.uid] = struct{}{}
	}
}

// base is the name of a file without its directory and its flags.
func base(name string) string {
	_, name, _ = strings.Cut(name, "/")
	name, _, _ = strings.Cut(name, ":")
	return name
}

// printable tells whether a name has only the bytes that a unique-id may have.
// It may have 70 of them, which the original does not look at: a name that is
// longer stays what clients know it by.
func printable(name string) bool {
	for _, c := range []byte(name) {
		if c < 0x21 || c > 0x7e {
			return false
		}
	}
	return name != ""
}

func hash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:20])
}
