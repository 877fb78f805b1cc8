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

// A record is what one packet holds.
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

// appendTo encodes the record behind b.
func (r record) appendTo(b []byte) ([]byte, error) {
	if len(r.fields) > MaxFields {
		return b, errSize
	}
	size := len(b)
	b = netstring.Append(b, r.kind)
	b = netstring.Append(b, strconv.FormatUint(r.number, 10))
	for _, f := range r.fields {
		if len(b)-size+len(f) > MaxRecord {
			return b, errSize
		}
		b = netstring.Append(b, f)
	}
	if len(b)-size > MaxRecord {
		return b, errSize
	}
	return b, nil
}

// parse decodes a packet. Nothing in the record refers to it.
func parse(packet []byte) (record, error) {
	kind, rest, err := netstring.Cut(packet)
	if err != nil {
		return record{}, fmt.Errorf("%w: kind: %w", errProtocol, err)
	}
	number, rest, err := netstring.Cut(rest)
	if err != nil {
		return record{}, fmt.Errorf("%w: number: %w", errProtocol, err)
	}
	r := record{kind: known(kind)}
	if r.number, err = strconv.ParseUint(string(number), 10, 64); err != nil || r.kind == "" {
		return record{}, fmt.Errorf("%w: kind %q, number %q", errProtocol, brief(kind), brief(number))
	}
	for len(rest) > 0 {
		var field []byte
		if field, rest, err = netstring.Cut(rest); err != nil {
			return record{}, fmt.Errorf("%w: field: %w", errProtocol, err)
		}
		if len(r.fields) == MaxFields {
			return record{}, fmt.Errorf("%w: more than %d fields", errProtocol, MaxFields)
		}
		r.fields = append(r.fields, string(field))
	}
	return r, nil
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
