package replay

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// A survey is what is found on a disk. What somebody has or gets is noted as "joe 17".
type survey struct {
	root     string
	kind     Filesystem
	waiting  map[string]bool // is in the queue, for this recipient
	there    map[string]bool // is in a maildir
	numbers  map[string]kinds
	problems []string
}

// kinds are the files that a message has.
type kinds map[string]bool

func (s *survey) problem(format string, args ...any) {
	s.problems = append(s.problems, fmt.Sprintf(format, args...))
}

// lookAt looks at every message on a disk, in the queue and in maildirs.
func lookAt(root string, on Filesystem) *survey {
	s := &survey{root: root, kind: on, waiting: map[string]bool{}, there: map[string]bool{}, numbers: map[string]kinds{}}
	for _, kind := range []string{"mess", "intd", "todo", "info", "local", "remote", "bounce"} {
		files, _ := filepath.Glob(filepath.Join(root, "queue", kind, "*"))
		if split(kind) {
			files, _ = filepath.Glob(filepath.Join(root, "queue", kind, "*", "*"))
		}
		for _, f := range files {
			number := filepath.Base(f)
			if s.numbers[number] == nil {
				s.numbers[number] = kinds{}
			}
			s.numbers[number][kind] = true
		}
	}
	for number, has := range s.numbers {
		s.message(number, has)
	}
	for _, user := range []string{"joe", "bob"} {
		files, _ := filepath.Glob(filepath.Join(root, user, "Maildir/new/*"))
		for _, f := range files {
			s.mailbox(f)
		}
	}
	return s
}

func split(kind string) bool {
	return slices.Contains([]string{"mess", "info", "local", "remote"}, kind)
}

func (s *survey) path(kind, number string) string {
	if !split(kind) {
		return filepath.Join(s.root, "queue", kind, number)
	}
	n, _ := strconv.Atoi(number)
	return filepath.Join(s.root, "queue", kind, strconv.Itoa(n%23), number)
}

// read reads a file of the queue; one that is not there is empty.
func (s *survey) read(kind, number string) string {
	text, err := os.ReadFile(s.path(kind, number))
	if err != nil && !os.IsNotExist(err) {
		s.problem("%v", err)
	}
	return string(text)
}

// state is which of the states of docs/design/queue.md a message is in, and what there is of
// it besides what it has in this state.
func (has kinds) state() (state string, besides []string) {
	alien := map[string][]string{
		"S1": {"intd", "todo", "info", "local", "remote", "bounce"},
		"S2": {"local", "remote", "bounce"},
		"S3": {"local", "remote", "bounce"},
		"S4": {"bounce"},
		"S5": {"intd"},
	}
	switch {
	case !has["mess"]:
		state = "S1"
	case has["todo"]:
		state = "S4"
	case has["info"]:
		state = "S5"
	case has["intd"]:
		state = "S3"
	default:
		state = "S2"
	}
	for _, kind := range alien[state] {
		if has[kind] {
			besides = append(besides, kind)
		}
	}
	return state, besides
}

// message looks at one in the queue.
func (s *survey) message(number string, has kinds) {
	var st syscall.Stat_t
	if has["mess"] && (syscall.Stat(s.path("mess", number), &st) != nil || fmt.Sprint(st.Ino) != number) {
		s.problem("mess/%s has inode number %d", number, st.Ino)
	}
	state, besides := has.state()
	if len(besides) > 0 && !s.kind.unordered {
		s.problem("message %s is in none of the states: %s with %v", number, state, besides)
	}
	switch state {
	case "S4":
		s.queued(number, s.read("todo", number))
	case "S5":
		s.preprocessed(number)
	}
}

var envelope = regexp.MustCompile(`^u\d+\x00p\d+\x00F([^\x00]*)\x00((?:T[^\x00]+\x00)+)$`)

// queued looks at one in todo.
func (s *survey) queued(number, todo string) {
	m := envelope.FindStringSubmatch(todo)
	if m == nil {
		s.problem("torn todo/%s: %q", number, todo)
		return
	}
	to := strings.Split(strings.TrimSuffix(m[2], "\x00"), "\x00")
	l, ok := s.letter(number, m[1])
	if ok && strings.Join(to, " ") != "T"+strings.Join(l.to, " T") {
		s.problem("todo/%s: recipients %q and not %q", number, to, l.to)
	}
	for _, r := range to {
		s.waiting[l.whose(r[1:])] = true
	}
}

// preprocessed looks at one with info.
func (s *survey) preprocessed(number string) {
	info := s.read("info", number)
	from, ok := strings.CutPrefix(info, "F")
	from, ended := strings.CutSuffix(from, "\x00")
	if !ok || !ended || strings.Contains(from, "\x00") {
		s.problem("torn info/%s: %q", number, info)
		return
	}
	l, ok := s.letter(number, from)
	if !ok {
		return
	}
	for _, kind := range []string{"local", "remote"} {
		list := s.read(kind, number)
		if !s.numbers[number][kind] {
			continue
		}
		var want []string
		for _, r := range l.to {
			if strings.HasSuffix(r, host) == (kind == "local") {
				want = append(want, r)
			}
		}
		var found []string
		for _, record := range strings.SplitAfter(list, "\x00") {
			r, ended := strings.CutSuffix(record, "\x00")
			if !ended && r != "" || ended && !strings.HasPrefix(r, "T") && !strings.HasPrefix(r, "D") {
				s.problem("torn %s/%s: %q", kind, number, list)
				return
			}
			if ended {
				found = append(found, r[1:])
			}
			if strings.HasPrefix(r, "T") {
				s.waiting[l.whose(r[1:])] = true
			}
		}
		if !slices.Equal(found, want) {
			s.problem("%s/%s: recipients %q and not %q", kind, number, found, want)
		}
	}
	if note.MatchString(s.read("bounce", number)) {
		s.waiting[l.whose("none"+host)] = true
	}
}

// note is a whole note on the one recipient that fails.
var note = regexp.MustCompile(`^<none@host\.example\.org>:\n(.+\n)+\n$`)

// A letter is what a message in the queue is.
type letter struct {
	id   string
	kind string   // "" as it was submitted, "ann" forwarded by her, "none" a bounce
	to   []string // whom it must be for
}

// whose is what a recipient of it gets.
func (l letter) whose(recipient string) string {
	if l.kind != "" {
		return l.kind + " " + l.id
	}
	name, _, _ := strings.Cut(recipient, "@")
	return name + " " + l.id
}

// letter reads a message in the queue, which must be whole.
func (s *survey) letter(number, from string) (l letter, ok bool) {
	text := s.read("mess", number)
	head, id, ok := whole(text)
	if !ok || !strings.HasPrefix(head, "Received: (qmail ") {
		s.problem("torn mess/%s from <%s>: %d bytes, %.200q", number, from, len(text), text)
		return l, false
	}
	l = letter{id: strconv.Itoa(id), kind: kindOf(head, from), to: []string{address("joe")}}
	switch l.kind {
	case "":
		l.to = nil
		for _, r := range recipients(id) {
			l.to = append(l.to, address(r))
		}
	case "none":
		l.to = []string{sender(id)}
		return l, true
	}
	if from != sender(id) {
		s.problem("mess/%s is message %d and from <%s>", number, id, from)
		return l, false
	}
	return l, true
}

// kindOf tells which kind of letter it is, by what is before the text.
func kindOf(head, from string) string {
	switch {
	case from == "" && strings.Contains(head, "\n<none"+host+">:\n"):
		return "none"
	case strings.Contains(head, "\nDelivered-To: ann"+host+"\n"):
		return "ann"
	}
	return ""
}

var (
	ending = regexp.MustCompile(`end of (\d+)\n$`)
	fields = regexp.MustCompile(`^((Return-Path|Delivered-To|Received): .*\n)+$`)
	bounce = regexp.MustCompile(`(?s)\nHi\. This is the .*\n--- Below this line is a copy of the message\.\n\nReturn-Path: `)
)

// whole tells which message a text ends with, and what is before it, if nothing is missing.
func whole(text string) (head string, id int, ok bool) {
	m := ending.FindStringSubmatch(text)
	if m == nil {
		return "", 0, false
	}
	id, _ = strconv.Atoi(m[1])
	head, ok = strings.CutSuffix(text, body(id))
	return head, id, ok && (fields.MatchString(head) || bounce.MatchString(head))
}

// mailbox looks at a message in a maildir.
func (s *survey) mailbox(file string) {
	text, err := os.ReadFile(file)
	if err != nil {
		s.problem("%v", err)
		return
	}
	head, id, ok := whole(string(text))
	from, to := "", "joe"+host
	if !strings.HasPrefix(head, "Return-Path: <>\n") {
		from = sender(id)
	} else {
		to = sender(id)
	}
	if !ok || !strings.HasPrefix(head, "Return-Path: <"+from+">\nDelivered-To: "+to+"\n") {
		s.problem("torn %s: %d bytes, %.200q", strings.TrimPrefix(file, s.root), len(text), text)
		return
	}
	recipient := kindOf(head, from)
	if recipient == "" {
		recipient = "joe"
	}
	s.there[fmt.Sprint(recipient, " ", id)] = true
}

// keeps checks that what was promised is true of the disk: what was accepted waits, or has
// arrived; what was delivered has arrived.
func (s *survey) keeps(promises []string) {
	got := map[string]bool{}
	for _, p := range promises {
		if whose, ok := strings.CutPrefix(p, "got "); ok {
			got[whose] = true
		}
	}
	for _, p := range promises {
		if id, ok := strings.CutPrefix(p, "accepted "); ok {
			number, _ := strconv.Atoi(id)
			for _, r := range recipients(number) {
				if whose := r + " " + id; !s.waiting[whose] && !s.there[whose] && !got[whose] {
					s.problem("%s is lost", whose)
				}
			}
		}
		if whose, ok := strings.CutPrefix(p, "delivered "); ok && !s.there[whose] {
			s.problem("%s was delivered and is lost", whose)
		}
	}
}

// finished checks that nothing in the queue waits, and that nothing is left but debris.
func (s *survey) finished() {
	for whose := range s.waiting {
		s.problem("%s still waits", whose)
	}
	for number, has := range s.numbers {
		if state, _ := has.state(); state == "S4" || state == "S5" {
			s.problem("message %s is left: %v", number, has)
		}
	}
}
