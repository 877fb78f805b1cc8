// Package tcpto is the table of hosts that do not answer, queue/lock/tcpto
// (qmail-tcpto(8)). qmail-remote notes there whose connection attempts have
// timed out, so that further deliveries need not wait for the same host.
//
// The file begins with 64 records of 16 bytes, those of the original:
//
//	0  IPv4 address
//	4  recent timeouts, at most 10; 0 means that the record is free
//	8  time of the last one, seconds since 1970, 32 bits, low byte first
//
// Behind them, where C qmail does not look, are up to 1024 records of 32 bytes:
//
//	 0  IPv6 address, or an IPv4 address mapped to IPv6
//	16  recent timeouts, as above
//	24  time of the last one, 64 bits
//
// Bytes that are not named are 0. The file has 1024 bytes when it is made and
// grows by a record when one is needed for an IPv6 address. IPv4 addresses go
// there too once the first 64 records are used, as far as the file reaches: an
// admin who wants more of them makes it longer.
//
// A new record takes the place of the one whose last timeout is the longest ago,
// where each recent timeout counts for 1024 seconds, if there is no other.
//
// Who changes the table holds an exclusive flock(2) on the file, as in the
// original. Records are written by one write each, so reading takes no lock. A
// table that is missing or cannot be read is an empty one: it saves time, and
// mail is delivered without it.
package tcpto

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// The two parts of the file.
const (
	classicSize   = 16
	classicNumber = 64
	classicEnd    = classicSize * classicNumber
	wideSize      = 32
	wideNumber    = 1024
	maxSize       = classicEnd + wideSize*wideNumber
)

const (
	// maxTimeouts is where counting ends.
	maxTimeouts = 10
	// apart is how long two timeouts must be apart to count as two.
	apart = 120 * time.Second
	// weight is what a recent timeout counts for when a record has to go.
	weight = 1024 * time.Second
)

// A Record is what is known of a host.
type Record struct {
	Address  netip.Addr
	Timeouts int       // recent ones; 0 after an attempt that did not time out
	Last     time.Time // when the last one was
}

// Unreachable tells whether an attempt is not worth while: there were two
// timeouts or more, and the last was within the given time.
func (r Record) Unreachable(now time.Time, within time.Duration) bool {
	ago := now.Sub(r.Last)
	return r.Timeouts >= 2 && ago >= 0 && ago < within
}

// A Table is a file.
type Table struct{ Path string }

// In returns the table of an installation.
func In(home string) Table { return Table{home + "/queue/lock/tcpto"} }

// open does not wait for anybody, as it would if a fifo had the name.
func (t Table) open(flag int) (*os.File, error) {
	f, err := os.OpenFile(t.Path, flag|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		f.Close()
		return nil, &os.PathError{Op: "open", Path: t.Path, Err: errors.New("not a regular file")}
	}
	return f, nil
}

// Records returns the records in use.
func (t Table) Records() ([]Record, error) {
	f, err := t.open(os.O_RDONLY)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	image, err := read(f)
	if err != nil {
		return nil, err
	}
	var list []Record
	for _, s := range slots(image) {
		if r := s.record(); r.Timeouts > 0 {
			list = append(list, r)
		}
	}
	return list, nil
}

// Find returns the record of a host, which may have no recent timeouts.
func (t Table) Find(host netip.Addr) (r Record, known bool) {
	f, err := t.open(os.O_RDONLY)
	if err != nil {
		return r, false
	}
	defer f.Close()
	image, err := read(f)
	if err != nil {
		return r, false
	}
	s, known := find(image, host)
	if known {
		r = s.record()
	}
	return r, known
}

// TimedOut notes that a connection attempt has timed out. A second one within
// two minutes does not count.
func (t Table) TimedOut(host netip.Addr, now time.Time) error {
	return t.change(func(f *os.File, image []byte) error {
		b, offset := timedOut(image, host, now)
		_, err := f.WriteAt(b, offset)
		return err
	})
}

// Answered notes that a host has accepted a connection or refused it. A host that
// is not in the table is not added.
func (t Table) Answered(host netip.Addr) error {
	return t.change(func(f *os.File, image []byte) error {
		s, known := find(image, host)
		if !known {
			return nil
		}
		r := s.record()
		r.Timeouts = 0
		_, err := f.WriteAt(s.with(r), s.offset)
		return err
	})
}

// Clear forgets everything. The file stays as long as it is.
func (t Table) Clear() error {
	f, err := t.lock()
	if err != nil {
		return err
	}
	return erase(f)
}

// ClearAtOnce is Clear for a mail system that starts, which must not wait for the
// lock: anybody who can read the table may hold it.
func (t Table) ClearAtOnce() error {
	f, err := t.open(os.O_WRONLY)
	if err != nil {
		return err
	}
	return erase(f)
}

func erase(f *os.File) error {
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	_, err = f.WriteAt(make([]byte, min(max(info.Size(), classicEnd), maxSize)), 0)
	return err
}

// change calls edit with the locked table.
func (t Table) change(edit func(f *os.File, image []byte) error) error {
	f, err := t.lock()
	if err != nil {
		return err
	}
	defer f.Close()
	image, err := read(f)
	if err != nil || len(image) < classicSize {
		return err
	}
	return edit(f, image)
}

func (t Table) lock() (*os.File, error) {
	f, err := t.open(os.O_RDWR)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		f.Close()
		return nil, fmt.Errorf("unable to lock %s: %w", t.Path, err)
	}
	return f, nil
}

// read returns the whole records of the file.
func read(f *os.File) ([]byte, error) {
	image, err := io.ReadAll(io.LimitReader(f, maxSize))
	if err != nil {
		return nil, err
	}
	size := classicSize
	if len(image) > classicEnd {
		size = wideSize
	}
	return image[:len(image)-len(image)%size], nil
}

// A slot is the place of one record in the file.
type slot struct {
	bytes  []byte
	offset int64
}

// slots divides a file.
func slots(image []byte) (list []slot) {
	for at, size := 0, classicSize; at < len(image); at += size {
		if at == classicEnd {
			size = wideSize
		}
		list = append(list, slot{image[at : at+size], int64(at)})
	}
	return list
}

func (s slot) classic() bool { return s.offset < classicEnd }

// record reads the slot.
func (s slot) record() Record {
	if s.classic() {
		return Record{
			netip.AddrFrom4([4]byte(s.bytes)),
			int(s.bytes[4]),
			time.Unix(int64(binary.LittleEndian.Uint32(s.bytes[8:])), 0),
		}
	}
	return Record{
		netip.AddrFrom16([16]byte(s.bytes)).Unmap(),
		int(s.bytes[16]),
		time.Unix(int64(binary.LittleEndian.Uint64(s.bytes[24:])), 0),
	}
}

// with returns what the slot is to hold for a record.
func (s slot) with(r Record) []byte {
	if s.classic() {
		b := make([]byte, classicSize)
		address := r.Address.As4()
		copy(b, address[:])
		b[4] = byte(r.Timeouts)
		binary.LittleEndian.PutUint32(b[8:], uint32(r.Last.Unix()))
		return b
	}
	b := make([]byte, wideSize)
	address := r.Address.As16()
	copy(b, address[:])
	b[16] = byte(r.Timeouts)
	binary.LittleEndian.PutUint64(b[24:], uint64(r.Last.Unix()))
	return b
}

// timedOut returns what a timeout makes of the table: the bytes to write, if any,
// and where.
func timedOut(image []byte, host netip.Addr, now time.Time) ([]byte, int64) {
	s, known := find(image, host)
	r := Record{Address: host}
	if known {
		r = s.record()
	} else {
		s = place(image, host)
	}
	if r.Timeouts > 0 && now.Before(r.Last.Add(apart)) {
		return nil, 0
	}
	return s.with(Record{host, min(r.Timeouts+1, maxTimeouts), now}), s.offset
}

// find looks for the record of a host.
func find(image []byte, host netip.Addr) (s slot, known bool) {
	for _, s := range slots(image) {
		if s.record().Address == host {
			return s, true
		}
	}
	return s, false
}

// place chooses where the record of a host that has none shall be.
func place(image []byte, host netip.Addr) slot {
	var oldest slot
	var last time.Time
	for _, s := range slots(image) {
		if s.classic() && !host.Is4() {
			continue
		}
		r := s.record()
		if r.Timeouts == 0 {
			return s
		}
		when := r.Last.Add(time.Duration(r.Timeouts) * weight)
		if oldest.bytes == nil || when.Before(last) {
			oldest, last = s, when
		}
	}
	if end := max(len(image), classicEnd); !host.Is4() && end+wideSize <= maxSize {
		return slot{offset: int64(end)}
	}
	return oldest
}
