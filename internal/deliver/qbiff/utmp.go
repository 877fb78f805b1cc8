package qbiff

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
	"iter"
	"runtime"
	"strings"
)

// A record of utmp(5), as the C library of Linux has it. Only the parts behind the
// user differ in size among processors.
const (
	lineOffset = 8
	lineSize   = 32
	userOffset = 44
	userSize   = 32

	userProcess = 7 // the type of a record of somebody who is logged in
)

// recordSize is the size of a record, in bytes: where long integers have 64 bits
// from the beginning, so have the times in it.
func recordSize() int {
	switch runtime.GOARCH {
	case "arm64", "riscv64", "loong64":
		return 400
	}
	return 384
}

// maxRecords bounds how much of the file is looked at. In many systems everybody
// can write there by way of some program.
const maxRecords = 1 << 16

// terminals goes through the terminals at which a user is logged in, by their names
// below /dev. A name comes once.
func terminals(utmp io.Reader, user string) iter.Seq[string] {
	return func(yield func(string) bool) {
		if user == "" || len(user) > userSize {
			return
		}
		seen := make(map[string]bool)
		r := bufio.NewReaderSize(utmp, 64<<10)
		record := make([]byte, recordSize())
		for range maxRecords {
			if _, err := io.ReadFull(r, record); err != nil {
				return
			}
			if binary.NativeEndian.Uint16(record) != userProcess || text(record[userOffset:], userSize) != user {
				continue
			}
			line := text(record[lineOffset:], lineSize)
			if !below(line) || seen[line] {
				continue
			}
			seen[line] = true
			if !yield(line) {
				return
			}
		}
	}
}

// text is what is in a field of a fixed size, up to the first NUL.
func text(field []byte, size int) string {
	t, _, _ := bytes.Cut(field[:size], []byte{0})
	return string(t)
}

// below tells whether a name can only be that of something below /dev.
func below(line string) bool {
	return line != "" && line[0] != '/' && !strings.Contains(line, ".")
}
