package model

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"goqmail/internal/integration/site"
)

// TestLetters gives qmail-inject messages that were written from what they mean: to whom
// they go, and how their header looks when it is as qmail-inject writes it. So that is
// known without reading what was written.
func TestLetters(t *testing.T) {
	s := site.New(t)
	s.Control("defaulthost", "dh.example\n")
	s.Control("defaultdomain", "dd.example\n")
	s.Control("plusdomain", "plus.example\n")
	dir := "/mnt/record"
	must(t, os.Mkdir(dir, 0o755))
	t.Cleanup(func() { os.RemoveAll(dir) })
	must(t, os.WriteFile("/mnt/recorder", []byte(recorder), 0o755))
	run(t, func(seed uint64) string {
		d := newDice(seed)
		m := randomMail(d)
		r := s.Run(site.Command{Program: "qmail-inject", Args: m.args, Env: append(m.env, "QMAILQUEUE=/mnt/recorder", "RECORD="+dir, "CODE=0"),
			Stdin: &inPieces{d, m.text}, Often: true})
		got := undated(r.Stdout)
		for _, file := range []string{"text", "envelope"} {
			found, _ := filepath.Glob(dir + "/*." + file)
			for _, f := range found {
				got += undated(s.Read(f))
				os.Remove(f)
			}
		}
		if r.Code != 0 || got != m.want {
			return fmt.Sprintf("arguments %q, environment %q, message\n%s\nexit code %d, %s\n%q\ninstead of\n%q", m.args, m.env, m.text, r.Code, r.Stderr, got, m.want)
		}
		return ""
	})
}

var dates = regexp.MustCompile(`(?m)^((?:Resent-)?(?:Date: |Message-ID: <)).*`)

// undated leaves out of a header what differs from run to run.
func undated(text string) string { return dates.ReplaceAllString(text, "$1") }

// inPieces is a message that comes in pieces of any size.
type inPieces struct {
	d    dice
	rest string
}

func (p *inPieces) Read(b []byte) (int, error) {
	if p.rest == "" {
		return 0, io.EOF
	}
	n := copy(b[:min(len(b), 1+p.d.IntN(300))], p.rest)
	p.rest = p.rest[n:]
	return n, nil
}

// A token is a word, a comment or a special as it is written into a message, and as
// qmail-inject writes it.
type token struct {
	written, canonical string
	plain              string // in an envelope
	word               bool   // or comment: two of them need a space between them
}

func special(c string) token { return token{c, c, c, false} }

// spelled joins tokens the way qmail-inject writes them.
func spelled(tokens []token) string {
	text := ""
	for i, t := range tokens {
		if i > 0 {
			before := tokens[i-1]
			if before.canonical == ":" || before.canonical == "," || t.canonical == "<" || before.word && t.word {
				text += " "
			}
		}
		text += t.canonical
	}
	return text
}

func plainly(tokens []token) (text string) {
	for _, t := range tokens {
		text += t.plain
	}
	return text
}

// written joins tokens the way people may.
func written(d dice, tokens []token) string {
	text := ""
	for i, t := range tokens {
		space := ""
		if i > 0 && tokens[i-1].word && t.word {
			space = " "
		}
		if d.oneIn(3) {
			space += d.pick("", " ", "\t", "  ", "\n ", "\n\t", " \n ", "\r")
		}
		text += space + t.written
	}
	return text
}

var escapes = strings.NewReplacer(`"`, `\"`, `[`, `\[`, `]`, `\]`, `(`, `\(`, `)`, `\)`, `\`, `\\`)

// word is any word.
func word(d dice) token {
	text := d.pick("joe", "ann", "x", "a-b", "very-long-word-of-a-local-part-that-makes-lines-fold", "J", "#$%&'*/=?^_{}~", "8", "a+b", "Joe")
	if d.oneIn(3) {
		text = d.pick(text, "a b", `q"u`, `b\s`, "a,b", "a@b", "<x>", "(p)", "[l]", "", " ", "\xe4\xf6", "a.b", ":;")
		return quotedWord(d, text)
	}
	return token{atom(d, text), text, text, true}
}

// atom writes a word without quotes.
func atom(d dice, text string) string {
	if d.oneIn(10) {
		i := d.IntN(len(text))
		return text[:i] + `\` + text[i:]
	}
	return text
}

// quotedWord writes a word in quotes, or all of it behind backslashes.
func quotedWord(d dice, text string) token {
	t := token{"", `"` + escapes.Replace(text) + `"`, text, true}
	if text != "" && d.oneIn(8) && strings.ContainsAny(text, " ,@<()[].:\"\\") {
		for i := range len(text) {
			t.written += `\` + text[i:i+1]
		}
		return t
	}
	for i := range len(text) {
		if strings.ContainsAny(text[i:i+1], `"\`) || d.oneIn(6) {
			t.written += `\`
		}
		t.written += text[i : i+1]
	}
	t.written = `"` + t.written + `"`
	return t
}

func comment(d dice) token {
	text := d.pick("c", "a comment", `q\"`, "\xe4", "", "x@y, z")
	plain := strings.ReplaceAll(text, `\`, "")
	return token{"(" + text + ")", "(" + escapes.Replace(plain) + ")", "", true}
}

// name is some words with dots.
func name(d dice) (tokens []token) {
	tokens = append(tokens, word(d))
	for d.oneIn(3) {
		tokens = append(tokens, special("."), word(d))
	}
	return tokens
}

// A mailbox is an address: as it is written, and as it is completed.
type mailbox struct{ written, completed []token }

func randomMailbox(d dice) mailbox {
	a := name(d)
	label := func(text string) token { return token{text, text, text, true} }
	labels := func(domain string) (tokens []token) {
		for i, l := range strings.Split(domain, ".") {
			if i > 0 {
				tokens = append(tokens, special("."))
			}
			tokens = append(tokens, label(l))
		}
		return tokens
	}
	with := func(written, completed []token) mailbox {
		at := append(slices.Clone(a), special("@"))
		return mailbox{append(slices.Clone(at), written...), append(slices.Clone(at), completed...)}
	}
	switch d.IntN(8) {
	case 0:
		m := with(nil, labels("dh.example"))
		m.written = m.written[:len(m.written)-d.IntN(2)] // an @ without a host, or none
		return m
	case 1:
		return with(labels("h"), labels("h.dd.example"))
	case 2:
		return with(labels("h+"), labels("h.plus.example"))
	case 3:
		return with(labels("sub.h+"), labels("sub.h.plus.example"))
	case 4:
		literal := token{"[192.0.2.1]", "[192.0.2.1]", "[192.0.2.1]", true}
		return with([]token{literal}, []token{literal})
	case 5:
		return with(append(labels("host.example"), special(".")), labels("host.example"))
	}
	return with(labels("host.example"), labels("host.example"))
}

// A list is an address list: written, as it becomes, and whom it names.
type list struct {
	written, completed []token
	addresses          []string
}

func (l *list) add(m mailbox) {
	l.written = append(l.written, m.written...)
	l.completed = append(l.completed, m.completed...)
	l.addresses = append(l.addresses, plainly(m.completed))
}

func (l *list) both(tokens ...token) {
	l.written = append(l.written, tokens...)
	l.completed = append(l.completed, tokens...)
}

// element adds an address in one of the ways to write one.
func (l *list) element(d dice) {
	m := randomMailbox(d)
	switch d.IntN(4) {
	case 0: // Phrase <@route:address>
		if d.oneIn(2) {
			l.both(name(d)...)
			if d.oneIn(3) {
				l.both(comment(d))
			}
		}
		l.both(special("<"))
		if d.oneIn(4) {
			l.written = append(l.written, token{"@r.example,@s.example:", "", "", false})
		}
		l.add(m)
		l.both(special(">"))
	case 1: // comments move behind the address
		c := comment(d)
		at := d.IntN(len(m.written) + 1)
		m.written = slices.Insert(slices.Clone(m.written), at, c)
		l.add(m)
		l.completed = append(l.completed, c)
	default:
		l.add(m)
	}
}

func randomList(d dice, elements int) *list {
	l := &list{}
	for i := range elements {
		if i > 0 {
			l.both(special(","))
		}
		if !d.oneIn(10) {
			l.element(d)
			continue
		}
		l.both(word(d), special(":"))
		for j := range d.IntN(3) {
			if j > 0 {
				l.both(special(","))
			}
			l.element(d)
		}
		l.both(special(";"))
	}
	return l
}

// folded is a field with a list, in lines of 78 bytes where commas allow it.
func folded(name string, l *list) string {
	tokens := append([]token{{canonical: name, word: true}, special(":")}, l.completed...)
	field, line := "", ""
	for len(tokens) > 0 {
		n := slices.IndexFunc(tokens, func(t token) bool { return t.canonical == "," }) + 1
		if n == 0 {
			n = len(tokens)
		}
		part := spelled(tokens[:n])
		tokens = tokens[n:]
		switch {
		case line == "":
			line = part
		case len(line)+1+len(part) <= 78:
			line += " " + part
		default:
			field += line + "\n"
			line = "  " + part
		}
	}
	return field + line + "\n"
}

// A mail is a call of qmail-inject, and what comes of it: what it prints or gives to
// qmail-queue, the text and the envelope.
type mail struct {
	args, env  []string
	text, want string
}

// What an address field is for.
var lists = []struct {
	name                  string
	recipient, is, resent bool // the addresses get the message; it stays; it says that the message is forwarded
}{
	{"To", true, true, false}, {"To", true, true, false}, {"Cc", true, true, false}, {"Bcc", true, false, false}, {"Apparently-To", true, true, false},
	{"From", false, true, false}, {"Reply-To", false, true, false}, {"Sender", false, true, false}, {"Errors-To", false, true, false},
	{"Resent-To", true, true, true}, {"Resent-Cc", true, true, true}, {"Resent-Bcc", true, false, true}, {"Resent-From", false, true, true},
	{"Resent-Sender", false, true, true},
}

func randomMail(d dice) mail {
	var m mail
	var to, resentTo []string // as the header has them
	kept := ""
	seen := map[string]bool{}
	resent := false
	sender := ""
	for range d.IntN(6) {
		f := lists[d.IntN(len(lists))]
		if f.resent && !resent && !d.oneIn(4) {
			continue
		}
		l := randomList(d, 1+d.IntN(1+d.IntN(8)))
		named := d.pick(f.name, f.name, strings.ToUpper(f.name), strings.ToLower(f.name))
		space := d.pick("", "", "", " ", "\t")
		if named == "From" {
			space = "" // a line with "From " is another thing
		}
		m.text += named + space + ":" + written(d, l.written) + "\n"
		seen[f.name] = true
		resent = resent || f.resent
		if f.is {
			kept += folded(named, l)
		}
		slices.Reverse(l.addresses)
		switch {
		case f.resent && f.recipient:
			resentTo = append(resentTo, l.addresses...)
		case f.recipient:
			to = append(to, l.addresses...)
		}
		if d.oneIn(4) {
			other := d.pick("Subject: x", "X-Folded: a,\n b,\n\tc", "Comments: (", "Date: 1 Jan", "Message-ID: <x@y>", "Received: x", "Subject : \xe4\xff", "Resent-Date: 2 Jan") + "\n"
			if name, _, _ := strings.Cut(other, ":"); name != "Resent-Date" || resent {
				m.text += other
				kept += other
				seen[name] = true
			}
		}
	}
	if d.oneIn(4) {
		l := randomList(d, 1)
		m.text += "Return-Path:" + written(d, l.written) + "\n"
		if len(l.addresses) > 0 {
			sender = l.addresses[len(l.addresses)-1]
		}
	}
	if d.oneIn(4) {
		m.text += "Content-Length: 5\n"
	}
	body := d.pick("", "\n", "\nbody\n", "\nTo: nobody\n\n.\n", "\n"+d.bytes(300)+"\n")
	m.text += body

	// Who sends it.
	from := "anonymous@dh.example"
	if user := d.pick("", "joe", "q-x"); user != "" {
		m.env = append(m.env, d.pick("QMAILUSER=", "MAILUSER=", "USER=", "LOGNAME=")+user)
		from = user + "@dh.example"
	}
	address := from
	if d.oneIn(4) {
		full := d.pick("Joe Bloggs", `a "b"`, "")
		m.env = append(m.env, d.pick("QMAILNAME=", "MAILNAME=", "NAME=")+full)
		if d.oneIn(2) {
			m.env = append(m.env, "QMAILINJECT=c")
			from = from + " (" + escapes.Replace(full) + ")"
		} else {
			from = `"` + escapes.Replace(full) + `" <` + from + ">"
		}
	}
	if sender == "" {
		sender = address
	}
	if d.oneIn(5) {
		m.args, sender = append(m.args, "-f"), d.pick("s@other.example", "s@other.example", "", "#@[]")
		m.args = append(m.args, sender)
	}

	// To whom.
	option := d.pick("", "", "-A", "-a", "-h", "-H")
	if option != "" {
		m.args = append(m.args, option)
	}
	prints := d.oneIn(3)
	if prints {
		m.args = append(m.args, "-n")
	}
	var given []string
	for range d.IntN(3) {
		r := d.pick("bob", "bob@h", "kim@h+", "a,b@host.example", "a b", "l@[192.0.2.3]")
		m.args = append(m.args, r)
		given = append(given, map[string]string{"bob": "bob@dh.example", "bob@h": "bob@h.dd.example", "kim@h+": "kim@h.plus.example", "a b": "a b@dh.example"}[r])
		if given[len(given)-1] == "" {
			given[len(given)-1] = r
		}
	}
	header := to
	if resent {
		header = resentTo
	}
	var recipients []string
	if option != "-h" {
		recipients = given
	}
	if option == "-h" || option == "-H" || option != "-a" && len(given) == 0 {
		recipients = append(recipients, header...)
	}

	// What is new in the header.
	prefix := ""
	if resent {
		prefix = "Resent-"
	}
	added := ""
	if !seen[prefix+"Date"] {
		added += prefix + "Date: \n"
	}
	if !seen[prefix+"Message-ID"] {
		added += prefix + "Message-ID: <\n"
	}
	if !seen[prefix+"From"] {
		added += prefix + "From: " + from + "\n"
	}
	if !seen[prefix+"To"] && !seen[prefix+"Cc"] {
		added += prefix + "Cc: recipient list not shown: ;\n"
	}
	m.want = undated(added + kept + body)
	if prints {
		m.want = "Return-Path: <" + quotedLocal(sender) + ">\n" + m.want
		return m
	}
	m.want += "F" + sender + "\x00"
	for _, r := range recipients {
		m.want += "T" + r + "\x00"
	}
	m.want += "\x00"
	return m
}

// quotedLocal is an address with its local part in quotes, where it needs some.
func quotedLocal(address string) string {
	local, host, found := cutLast(address, "@")
	if address == "" || regexp.MustCompile(`^[!#-'*+\-/-9=?A-Z^-~]+(\.[!#-'*+\-/-9=?A-Z^-~]+)*$`).MatchString(local) {
		return address
	}
	local = `"` + strings.NewReplacer("\r", "\\\r", "\n", "\\\n", `"`, `\"`, `\`, `\\`).Replace(local) + `"`
	if found {
		local += "@" + host
	}
	return local
}
