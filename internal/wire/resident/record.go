package resident

import (
	"errors"
	"fmt"
	"strconv"

	"goqmail/internal/wire/netstring"
)

// The kinds of records.
const (
	hello   = "hello"
	request = "request"
	reply   = "reply"
	refuse  = "refuse"
	crash   = "crash"
	ping    = "ping"
	pong    = "pong"
)

// A record is one thing said. A packet holds one or several.
type record struct {
	kind   string
	number uint64
	fields []string
}

// errProtocol says that a peer broke the protocol.
var errProtocol = errors.New("protocol violated")

// errSize says that a record would be longer than MaxRecord, or have more than
// MaxFields fields.
var errSize = errors.New("record too large")

// size is how many bytes the record takes in a packet, or errSize.
func (r record) size() (int, error) {
	if len(r.fields) > MaxFields {
		return 0, errSize
	}
	size := maxHead
	for _, f := range r.fields {
		size += netstring.Size(len(f))
	}
	if size > MaxRecord {
		return 0, errSize
	}
	return size, nil
}

// maxHead is how long the kind, the number and the count of fields are at most.
const maxHead = len("7:request,20:18446744073709551615,3:256,")

// appendTo encodes the record behind b.
func (r record) appendTo(b []byte) []byte {
	b = netstring.Append(b, r.kind)
	b = netstring.Append(b, strconv.FormatUint(r.number, 10))
	b = netstring.Append(b, strconv.Itoa(len(r.fields)))
	for _, f := range r.fields {
		b = netstring.Append(b, f)
	}
	return b
}

// cut decodes the first record of a packet. Nothing in the record refers to it.
func cut(packet []byte) (r record, rest []byte, err error) {
	var head [3][]byte // kind, number, how many fields
	rest = packet
	for i := range head {
		if head[i], rest, err = netstring.Cut(rest); err != nil {
			return record{}, nil, fmt.Errorf("%w: head of a record: %w", errProtocol, err)
		}
	}
	r.kind = known(head[0])
	r.number, err = strconv.ParseUint(string(head[1]), 10, 64)
	n, nerr := strconv.ParseUint(string(head[2]), 10, 16)
	if r.kind == "" || err != nil || nerr != nil || n > MaxFields {
		return record{}, nil, fmt.Errorf("%w: kind %q, number %q, %q fields", errProtocol, brief(head[0]), brief(head[1]), brief(head[2]))
	}
	for range n {
		var field []byte
		if field, rest, err = netstring.Cut(rest); err != nil {
			return record{}, nil, fmt.Errorf("%w: field: %w", errProtocol, err)
		}
		r.fields = append(r.fields, string(field))
	}
	return r, rest, nil
}

// each calls use for the records of a packet, until one is not well-formed or use
// returns an error.
func each(packet []byte, use func(record) error) error {
	for len(packet) > 0 {
		r, rest, err := cut(packet)
		if err == nil {
			err = use(r)
		}
		if err != nil {
			return err
		}
		packet = rest
	}
	return nil
}

// only decodes a packet of one record.
func only(packet []byte) (record, error) {
	r, rest, err := cut(packet)
	if err == nil && len(rest) > 0 {
		err = fmt.Errorf("%w: more behind %s", errProtocol, r.kind)
	}
	return r, err
}

// known returns the kind of a record, or "".
func known(kind []byte) string {
	for _, k := range [...]string{request, reply, ping, pong, refuse, crash, hello} {
		if string(kind) == k {
			return k
		}
	}
	return ""
}

// brief is the beginning of what a peer sent, for an error.
func brief(b []byte) []byte { return b[:min(len(b), 20)] }
