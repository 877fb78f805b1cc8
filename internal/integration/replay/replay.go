// Package replay makes the states that a disk can be in after a power cut, thousands of
// them, and lets a test look at each.
//
//	disk := replay.NewDisk(t, replay.Ext4, dir)
//	recording := disk.Record()
//	... programs write below dir; recording.Mark("accepted 1") notes a promise ...
//	log := recording.Stop()
//	disk.Each(log, log.States(begin, 1000, rng, replay.Ext4), func(s replay.State) { ... })
//
// # The disk
//
// A Disk is an image in memory with a filesystem. While it is recorded, the kernel has
// it as a loop device on a file that a small FUSE server has (fuse.go): so everything
// that the filesystem writes, and every flush that it asks for, comes by in the order in
// which it is asked for, and nothing of it is kept back in a cache, or made up by one.
// The server is a process of its own, since one that uses a filesystem that it serves
// itself can wait for itself. It has one request under way at a time: what it has
// answered before a flush came is on the disk after that flush, as the filesystem may
// rely on, and all else is not.
//
// The log is what was written, flushes, and marks, in one order. A mark is what the test
// has seen of its programs, such as that they accepted a message. As it is noted after
// that was seen, what the programs did before is before it in the log.
//
// # States
//
// A power cut is at a moment of the log. What was written up to the last flush before it
// is on the disk. Of what was written since, anything may be, in any order: all of it,
// none, all up to some write, any of them or all but any, and the last one in part.
// What is in part are sectors of 512 bytes, but superblocks are whole (see Filesystem).
// Promises are the marks before the moment.
//
// Each state is written to another image, mounted, so that the filesystem recovers, and
// given to the test. A filesystem that cannot be mounted, or be unmounted, fails the test.
//
// # Needs, and limits
//
// Root, /dev/fuse, loop devices and mkfs; a test without them is skipped. Mounts are made
// in the mount namespace of the test: package site gives it a private one, with which
// they go. Loop devices go with the last mount of them, and the server with the
// descriptor it reads from or with the namespace, so that nothing stays whatever ends
// the test.
//
// What was under way when a flush came in, and was answered before it was done, is taken
// for being flushed. No disk must do so, but no filesystem may rely on the contrary of
// what is not visible to it; of these states there are none.
package replay

import (
	"encoding/binary"
	"fmt"
	"io"
)

// An Event is an entry of the log.
type Event struct {
	Kind   Kind
	Offset int64  // of a write, in bytes
	Data   []byte // what was written, or the text of a mark
}

// A Kind is what an event is.
type Kind byte

// The kinds.
const (
	Write Kind = 'W'
	Flush Kind = 'F'
	Mark  Kind = 'M'
)

// A Log is what happened to a disk.
type Log struct {
	base   image // what was on it
	Events []Event
}

// Marks are the texts of the marks before a moment.
func (l *Log) Marks(moment int) (texts []string) {
	for _, e := range l.Events[:moment] {
		if e.Kind == Mark {
			texts = append(texts, string(e.Data))
		}
	}
	return texts
}

// head is the length of an event in its file besides its data: its kind, its offset and
// the length of its data.
const head = 1 + 8 + 8

// append appends the event as it is in the file. It must be written to it by one call: so
// the server and the test can write to it both.
func (e Event) append(b []byte) []byte {
	b = append(b, byte(e.Kind))
	b = binary.LittleEndian.AppendUint64(b, uint64(e.Offset))
	b = binary.LittleEndian.AppendUint64(b, uint64(len(e.Data)))
	return append(b, e.Data...)
}

// readEvents reads the file.
func readEvents(r io.Reader) (l []Event, err error) {
	text, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	for len(text) > 0 {
		if len(text) < head {
			return nil, fmt.Errorf("event %d: %w", len(l), io.ErrUnexpectedEOF)
		}
		e := Event{Kind: Kind(text[0]), Offset: int64(binary.LittleEndian.Uint64(text[1:]))}
		length := binary.LittleEndian.Uint64(text[9:])
		text = text[head:]
		if uint64(len(text)) < length {
			return nil, fmt.Errorf("event %d, a %q of %d bytes: %w", len(l), e.Kind, length, io.ErrUnexpectedEOF)
		}
		e.Data, text = text[:length], text[length:]
		l = append(l, e)
	}
	return l, nil
}
