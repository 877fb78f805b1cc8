// Package cdb reads and writes constant databases, cdb(5): users/cdb,
// control/morercpthosts.cdb and tcprules' files are such.
//
//	file   = 256 pointers, records, 256 hash tables
//	pointer = position of a table, number of its slots
//	record = length of key, length of data, key, data
//	slot   = hash of the key, position of the record; position 0 is empty
//
// All numbers have four bytes, little end first. The hash of a key is 5381, then
// for each byte c: h = (h * 33) xor c. Its low byte selects the table, the rest
// modulo the number of slots the slot to begin with; the search goes on from slot
// to slot until an empty one.
//
// The reader trusts nothing in the file: a search looks at each slot once at the
// most, and every position and length is checked against the size of the file,
// so that a broken file is an error (ErrFormat) and no more.
package cdb

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
)

// ErrFormat says that a file is not a constant database.
var ErrFormat = errors.New("malformed cdb")

// MaxData is the longest data that Find returns, in bytes.
const MaxData = 1 << 20

const (
	tables      = 256
	headerSize  = tables * 8
	maxFileSize = 1<<32 - 1
)

// A Reader searches an open database.
type Reader struct {
	f    io.ReaderAt
	size uint64
	file *os.File
}

// Open opens a database.
func Open(path string) (*Reader, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, err
	}
	return &Reader{f: f, size: uint64(info.Size()), file: f}, nil
}

// NewReader searches a database of a size that is not a file.
func NewReader(f io.ReaderAt, size int64) *Reader { return &Reader{f: f, size: uint64(size)} }

// Close closes what Open has opened.
func (r *Reader) Close() error { return r.file.Close() }

// Find returns the data of the first record with a key.
func (r *Reader) Find(key string) (data []byte, found bool, err error) {
	h := hash(key)
	table, slots, err := r.pair(uint64(h&255) * 8)
	if err != nil || slots == 0 {
		return nil, false, err
	}
	if uint64(table)+uint64(slots)*8 > r.size {
		return nil, false, fmt.Errorf("%w: a table lies outside", ErrFormat)
	}
	for i, slot := uint32(0), h>>8%slots; i < slots; i++ {
		slotHash, record, err := r.pair(uint64(table) + uint64(slot)*8)
		if err != nil || record == 0 {
			return nil, false, err
		}
		if slotHash == h {
			data, found, err := r.record(record, key)
			if err != nil || found {
				return data, found, err
			}
		}
		if slot++; slot == slots {
			slot = 0
		}
	}
	return nil, false, nil
}

// record returns the data of a record, if it has a key.
func (r *Reader) record(position uint32, key string) (data []byte, found bool, err error) {
	keyLength, dataLength, err := r.pair(uint64(position))
	if err != nil || uint64(keyLength) != uint64(len(key)) {
		return nil, false, err
	}
	start := uint64(position) + 8
	end := start + uint64(keyLength) + uint64(dataLength)
	if end > r.size || dataLength > MaxData {
		return nil, false, fmt.Errorf("%w: a record is too long", ErrFormat)
	}
	both := make([]byte, end-start)
	if err := r.read(both, start); err != nil {
		return nil, false, err
	}
	return both[keyLength:], string(both[:keyLength]) == key, nil
}

// pair reads two numbers.
func (r *Reader) pair(position uint64) (a, b uint32, err error) {
	var both [8]byte
	if err := r.read(both[:], position); err != nil {
		return 0, 0, err
	}
	return binary.LittleEndian.Uint32(both[:]), binary.LittleEndian.Uint32(both[4:]), nil
}

func (r *Reader) read(p []byte, position uint64) error {
	if position+uint64(len(p)) > r.size {
		return fmt.Errorf("%w: it ends too early", ErrFormat)
	}
	_, err := r.f.ReadAt(p, int64(position))
	if err == io.EOF {
		err = fmt.Errorf("%w: it ends too early", ErrFormat)
	}
	return err
}

func hash(key string) uint32 {
	h := uint32(5381)
	for i := 0; i < len(key); i++ {
		h = h*33 ^ uint32(key[i])
	}
	return h
}
