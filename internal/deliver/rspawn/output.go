package rspawn

import (
	"bytes"
	"strings"
)

// maxReport is how much of a report is kept, in bytes: more than qmail-send takes.
const maxReport = 32 << 10

// An output collects what qmail-remote prints: of any number of reports of any
// length it keeps the ones that count, and of each the beginning.
type output struct {
	any     bool      // it has printed something
	reports int       // how many are complete
	first   [2]string // the first two reports, with their letters
	message byte      // letter of the first report on the message, or 0
	current []byte    // the report that is not complete yet
}

// Write takes a piece of what is printed.
func (o *output) Write(p []byte) (int, error) {
	n := len(p)
	o.any = o.any || n > 0
	for {
		i := bytes.IndexByte(p, 0)
		if i < 0 {
			o.extend(p)
			return n, nil
		}
		o.extend(p[:i])
		o.complete()
		p = p[i+1:]
	}
}

func (o *output) extend(p []byte) {
	o.current = append(o.current, p[:min(len(p), maxReport-len(o.current))]...)
}

func (o *output) complete() {
	if o.reports < len(o.first) {
		o.first[o.reports] = string(o.current)
	}
	if len(o.current) > 0 && o.message == 0 {
		if _, ok := severity[o.current[0]]; ok {
			o.message = o.current[0]
		}
	}
	o.reports++
	o.current = o.current[:0]
}

// severity orders outcomes: the worse the lower.
var severity = map[byte]int{'K': 1, 'Z': 0, 'D': -1}

// merge puts the reports on the recipient and the message together.
func (o *output) merge() string {
	if !o.any {
		return "Zqmail-remote produced no output.\n"
	}
	letter, recipient := cut(o.first[0])
	message, known := severity[o.message]
	outcome := message
	switch letter {
	case 's':
		outcome = severity['Z']
	case 'h':
		outcome = severity['D']
	default:
		if !known && len(o.current) > 0 {
			return "Zqmail-remote did not say what became of the message.\n"
		}
		if !known {
			outcome = severity['D']
		}
	}
	var text strings.Builder
	text.WriteByte("DZK"[outcome+1])
	text.WriteString(recipient)
	if letter, also := cut(o.first[1]); known && message <= outcome {
		if _, ok := severity[letter]; ok {
			text.WriteString(also)
		}
	}
	return text.String()
}

// cut takes the letter off a report.
func cut(report string) (letter byte, text string) {
	if report == "" {
		return 0, ""
	}
	return report[0], report[1:]
}
