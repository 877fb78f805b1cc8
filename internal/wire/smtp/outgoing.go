package smtp

import "bytes"

// Outgoing turns a stored message into the text that is sent behind DATA, which
// Text reads back. It is the one way that goqmail sends a message by SMTP:
//
//	LF, CR LF, CR     a line end: CR LF
//	.                 at the beginning of a line gets another in front of it
//	other bytes       stay
//	a partial line    at the end is completed
//
// A CR that is on its own in a stored message becomes a line end, because servers
// disagree on what it means. The line behind it is one like others: a dot that it
// begins with is doubled. So nothing within a message can be taken for its end.
//
//	state       CR              LF                .               other byte
//	lineStart   lineCR          lineStart +CRLF   inLine +..      inLine +byte
//	inLine      lineCR          lineStart +CRLF   inLine +.       inLine +byte
//	lineCR      lineCR +CRLF    lineStart +CRLF   inLine +CRLF..  inLine +CRLF byte
//
// "+" is what is sent. The zero value is ready for a message.
type Outgoing struct{ state state }

const crlf = "\r\n"

// Append appends what is sent for the next piece of the message, which is at most
// twice as long and two bytes.
func (o *Outgoing) Append(text, piece []byte) []byte {
	for len(piece) > 0 {
		if o.state == lineCR {
			if piece[0] == '\n' {
				piece = piece[1:]
			}
			text = append(text, crlf...)
			o.state = lineStart
			continue
		}
		if o.state == lineStart && piece[0] == '.' {
			text = append(text, '.')
		}
		line, rest := cutLine(piece)
		text = append(text, line...)
		piece = rest
		switch {
		case len(rest) == 0:
			o.state = inLine
		case rest[0] == '\n':
			text = append(text, crlf...)
			o.state, piece = lineStart, rest[1:]
		default:
			o.state, piece = lineCR, rest[1:]
		}
	}
	return text
}

// cutLine cuts a piece before its first CR or LF.
func cutLine(piece []byte) (line, rest []byte) {
	n := len(piece)
	if lf := bytes.IndexByte(piece, '\n'); lf >= 0 {
		n = lf
	}
	if cr := bytes.IndexByte(piece[:n], '\r'); cr >= 0 {
		n = cr
	}
	return piece[:n], piece[n:]
}

// End appends what is sent when the message is complete, the end of the text
// included.
func (o *Outgoing) End(text []byte) []byte {
	if o.state != lineStart {
		text = append(text, crlf...)
	}
	o.state = lineStart
	return append(text, '.', '\r', '\n')
}
