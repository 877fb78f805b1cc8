package aliases

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"

	"goqmail/internal/host/cdb"
	"goqmail/internal/mail/outcome"
)

var errFormat = outcome.Fail("bad database format")

// headerSize is that of the pointers at the beginning of a cdb.
const headerSize = 2048

// Printforward prints the instructions in a database, in their order, as Setforward
// reads them. The database need not be seekable.
func Printforward(out io.Writer, database io.Reader) error {
	r := bufio.NewReader(database)
	w := bufio.NewWriter(out)
	var header [headerSize]byte
	if err := readFull(r, header[:]); err != nil {
		return err
	}
	end := uint64(binary.LittleEndian.Uint32(header[:]))
	for position := uint64(headerSize); position < end; {
		key, data, err := readRecord(r, end-position)
		if err != nil {
			return err
		}
		position += 8 + uint64(len(key)) + uint64(len(data))
		if err := printRecord(w, key, data); err != nil {
			return err
		}
	}
	return outputError(w.Flush())
}

func readFull(r io.Reader, p []byte) error {
	switch _, err := io.ReadFull(r, p); err {
	case nil:
		return nil
	case io.EOF, io.ErrUnexpectedEOF:
		return errFormat
	default:
		return inputError(err)
	}
}

// readRecord reads a record that has at most room bytes.
func readRecord(r io.Reader, room uint64) (key, data []byte, err error) {
	var lengths [8]byte
	if err := readFull(r, lengths[:]); err != nil {
		return nil, nil, err
	}
	k := binary.LittleEndian.Uint32(lengths[:])
	d := binary.LittleEndian.Uint32(lengths[4:])
	if 8+uint64(k)+uint64(d) > room || k > maxCommand+1 || d > cdb.MaxData {
		return nil, nil, errFormat
	}
	both := make([]byte, k+d)
	if err := readFull(r, both); err != nil {
		return nil, nil, err
	}
	return both[:k], both[k:], nil
}

func printRecord(w *bufio.Writer, key, data []byte) error {
	if len(key) == 0 {
		return errFormat
	}
	switch key[0] {
	case '?':
		printEscaped(w, key[1:])
		w.WriteString(": ?")
		printEscaped(w, data)
	case ':':
		printEscaped(w, key[1:])
		w.WriteString(":\n")
		commands, err := Commands(data)
		if err != nil {
			return errFormat
		}
		for _, command := range commands {
			w.WriteString(", ")
			printEscaped(w, []byte(command))
			w.WriteByte('\n')
		}
	default:
		return errFormat
	}
	w.WriteString(";\n")
	return nil
}

// printEscaped puts a backslash before each byte that would mean something else.
func printEscaped(w *bufio.Writer, text []byte) {
	for _, c := range text {
		if c <= ' ' || bytes.IndexByte([]byte(",:;\\#"), c) >= 0 {
			w.WriteByte('\\')
		}
		w.WriteByte(c)
	}
}
