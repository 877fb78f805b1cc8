package submit

import (
	"strings"

	"goqmail/internal/mail/outcome"
)

// A Rejection is what Close returns for a message that is not in the queue.
// outcome.Of tells whether it may be accepted later.
type Rejection struct {
	Text      string // such as "qq write error or disk full (#4.3.0)"
	Permanent bool
}

func (r *Rejection) Error() string { return r.Text }

// Outcome tells outcome.Of whether trying again may help.
func (r *Rejection) Outcome() outcome.Outcome {
	if r.Permanent {
		return outcome.Failure
	}
	return outcome.Deferral
}

// rejection translates an exit code of qmail-queue.
func rejection(code int, text string) *Rejection {
	temporary := func(text string) *Rejection { return &Rejection{Text: text} }
	permanent := func(text string) *Rejection { return &Rejection{Text: text, Permanent: true} }
	switch {
	case code == 82 && len(text) > 2:
		if i := strings.IndexByte(text, 0); i >= 0 {
			text = text[:i]
		}
		return &Rejection{Text: text[1:], Permanent: text[0] == 'D'}
	case code == 11, code == 115: // 115 is what old ones say
		return permanent("envelope address too long for qq (#5.1.3)")
	case code == 31:
		return permanent("mail server permanently rejected message (#5.3.0)")
	case code == 51:
		return temporary("qq out of memory (#4.3.0)")
	case code == 52:
		return temporary("qq timeout (#4.3.0)")
	case code == 53:
		return temporary("qq write error or disk full (#4.3.0)")
	case code == 54:
		return temporary("qq read error (#4.3.0)")
	case code == 55:
		return temporary("qq unable to read configuration (#4.3.0)")
	case code == 56:
		return temporary("qq trouble making network connection (#4.3.0)")
	case code == 61:
		return temporary("qq trouble in home directory (#4.3.0)")
	case code >= 62 && code <= 66:
		return temporary("qq trouble creating files in queue (#4.3.0)")
	case code == 71:
		return temporary("mail server temporarily rejected message (#4.3.0)")
	case code == 72:
		return temporary("connection to mail server timed out (#4.4.1)")
	case code == 73:
		return temporary("connection to mail server rejected (#4.4.1)")
	case code == 74:
		return temporary("communication with mail server failed (#4.4.2)")
	case code == 81, code == 91:
		return temporary("qq internal bug (#4.3.0)")
	case code == 120:
		return temporary("unable to exec qq (#4.3.0)")
	case code >= 11 && code <= 40:
		return permanent("qq permanent problem (#5.3.0)")
	}
	return temporary("qq temporary problem (#4.3.0)")
}
