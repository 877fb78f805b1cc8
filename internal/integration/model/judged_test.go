package model

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"goqmail/internal/integration/site"
)

// A difference is one between the two qmail-injects that is meant to be. Those in header
// fields have a way to write the field so that C does with it what ours does without.
type difference struct {
	name, why string
	example   call
}

// differences is all of them; docs/deviations.md has them too.
var differences = []difference{
	{"unfolded", "a line break within a word, which somebody has folded, is none of the word: RFC 822, 3.1.1",
		call{Args: []string{"-n"}, Text: "To: \"a\n b\"@h.example, joe (c\n\td) <j\\\n\t@h.example>\n"}},
	{"escaped", "a word of backslashes that needs quotes is written with them, or the field names others than before",
		call{Args: []string{"-n"}, Text: "To: a\\,b@h.example, \\ @h.example\n"}},
	{"line break", "a CR within a word is written as a space, for it would end a line",
		call{Args: []string{"-n"}, Text: "To: \"a\rb\"@h.example (c\rd)\n"}},
	{"last comma", "a list that ends with a comma does not end with a line of one space, which some take for the end of the header",
		call{Args: []string{"-n"}, Text: "To: " + strings.Repeat("x", 70) + "@h.example,\n"}},
	{"NUL", "an address with a NUL byte is refused: C cuts it there, and the mail goes to somebody else",
		call{Text: "To: joe\x00x@h.example\n"}},
	{"brackets", "a host in brackets in the environment is a literal: C writes no address at all",
		call{Args: []string{"-n"}, Env: []string{"QMAILHOST=[192.0.2.1]"}, Text: "To: joe@h.example\n"}},
	{"escaped host", "the same for a host in the environment",
		call{Args: []string{"-n"}, Env: []string{"QMAILHOST=a\"b", "QMAILPLUSDOMAIN=p\\"}, Text: "To: joe@h+\n"}},
	{"newline in a name", "the same as for a CR",
		call{Args: []string{"-n"}, Env: []string{"USER=joe", "QMAILNAME=a\nb"}, Text: "To: joe@h.example\n"}},
	{"newline in idhost", "it is an underscore, for it would begin a header field",
		call{Args: []string{"-n"}, Env: []string{"QMAILIDHOST=a\nb"}, Text: "To: joe@h.example\n"}},
}

// judge tells by which differences that are meant to be our answer is another than that of
// C, and how it is another in spite of these. askC is asked what C does with another call.
func judge(c call, ours answer, askC func(call) answer) (names []string, difference string) {
	theirs := askC(c)
	if theirs == ours {
		return nil, ""
	}
	if ours.Code == 100 && strings.Contains(ours.Said, "\x00") {
		return []string{"NUL"}, ""
	}
	met := map[string]bool{}
	asked := c
	if asked.Text = asOurs(c.Text, met); len(met) > 0 {
		theirs = askC(asked)
		theirs.Said, ours.Said = field(theirs.Said), field(ours.Said)
		theirs.Envelope, ours.Envelope = withoutCR(theirs.Envelope), withoutCR(ours.Envelope)
		// A field that nobody could read has stayed as it was.
		theirs.Printed, ours.Printed = asOurs(theirs.Printed, map[string]bool{}), asOurs(ours.Printed, map[string]bool{})
	}
	if theirs != ours && strings.Contains(theirs.Printed, lastComma) {
		met["last comma"] = true
		theirs.Printed, ours.Printed = strings.ReplaceAll(theirs.Printed, lastComma, ",\n"), strings.ReplaceAll(ours.Printed, lastComma, ",\n")
	}
	names = slices.Sorted(maps.Keys(met))
	if theirs == ours {
		return names, ""
	}
	return names, fmt.Sprintf("a difference that nobody has judged, besides %q:\n%sto\n%sC answered\n%sand ours to the former\n%s",
		names, c, asked, theirs, ours)
}

// lastComma is how C may end a list. A field that stays as it was can have it too.
const lastComma = ",\n \n"

func withoutCR(s string) string { return strings.ReplaceAll(s, "\r", " ") }

// field is an error about a field without its text.
func field(said string) string {
	text, line, _ := strings.Cut(said, "\n")
	name, _, _ := strings.Cut(line, ":")
	return text + "\n" + name
}

var (
	beginning = regexp.MustCompile(`^[!-9;-~]+[ \t]*:`)
	isList    = regexp.MustCompile(`^(?i:(resent-)?(to|cc|bcc|from|sender|reply-to)|apparently-to|return-path|return-receipt-to|errors-to)[ \t]*:`)
)

// asOurs writes the lists in a header so that C does with them what ours does with them as
// they are. It notes which differences it has met.
func asOurs(text string, met map[string]bool) string {
	rewritten := ""
	for text != "" {
		line, rest, _ := strings.Cut(text, "\n")
		if !beginning.MatchString(line) && !strings.HasPrefix(line, "From ") {
			break
		}
		for rest != "" && (rest[0] == ' ' || rest[0] == '\t') {
			more, after, _ := strings.Cut(rest, "\n")
			line, rest = line+"\n"+more, after
		}
		if name := beginning.FindString(line); isList.MatchString(line) && !strings.HasPrefix(line, "From ") {
			line = name + wordsAsOurs(line[len(name):], met)
		}
		rewritten += line + "\n"
		text = rest
	}
	return rewritten + text
}

// wordsAsOurs does it for the list of one field.
func wordsAsOurs(in string, met map[string]bool) (out string) {
	// Where a line break is within a word it has to go; elsewhere it makes no difference.
	note := func(name, before, after string) string {
		if before != after {
			met[name] = true
		}
		return after
	}
	one := func() string { // the next byte, with the backslash before it
		n := 1
		for n < len(in) && in[n-1] == '\n' { // line breaks are none
			n++
		}
		c := in[:n]
		in = in[n:]
		return c
	}
	for in != "" {
		switch {
		case strings.ContainsRune(" \t\r\n.,@<>:;)]", rune(in[0])):
			out += in[:1]
			in = in[1:]
		case in[0] == '(' || in[0] == '"' || in[0] == '[':
			n := enclosed(in)
			word := note("unfolded", in[:n], strings.ReplaceAll(in[:n], "\n", ""))
			out += note("line break", word, strings.ReplaceAll(word, "\r", " "))
			in = in[n:]
		default:
			word, plain := "", ""
			for in != "" && (word == "" || !strings.ContainsRune(" \t\r\n([\"<>;:@,.", rune(in[0]))) {
				c := one()
				word += c
				if c == `\` {
					c = ""
					if in != "" {
						c = one()
						word += c
					}
				}
				plain += c
			}
			unfolded := note("unfolded", plain, strings.ReplaceAll(plain, "\n", ""))
			if unfolded == plain && !strings.ContainsAny(plain, " \t\r\n([\"<>;:@,.") && plain != "" {
				out += word
				break
			}
			met["escaped"] = true
			out += `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(note("line break", unfolded, withoutCR(unfolded))) + `"`
		}
	}
	return out
}

// enclosed is how long a comment, a quoted word or a literal is.
func enclosed(in string) int {
	end := map[byte]byte{'(': ')', '"': '"', '[': ']'}[in[0]]
	level := 1
	for i := 1; i < len(in); i++ {
		switch in[i] {
		case '\\':
			for i++; i < len(in) && in[i] == '\n'; i++ { // a line break is none
			}
		case end:
			if level--; level == 0 {
				return i + 1
			}
		case '(':
			if end == ')' {
				level++
			}
		}
	}
	return len(in)
}

// A record is a call and an answer to it. In a file it is a line for each of its parts, of
// quoted strings, and an empty line.
type record struct {
	call
	answer
}

func (r record) String() string { return r.call.String() + r.answer.String() }

func (c call) String() string {
	return fmt.Sprintf("args%s\nenv%s\ntext %q\n", quoted(c.Args), quoted(c.Env), c.Text)
}

func (a answer) String() string {
	return fmt.Sprintf("code %d\nprinted %q\nenvelope %q\nsaid %q\n", a.Code, a.Printed, a.Envelope, a.Said)
}

func quoted(list []string) (text string) {
	for _, s := range list {
		text += " " + strconv.Quote(s)
	}
	return text
}

// readRecords reads a file. Lines with a # are for people.
func readRecords(t *testing.T, file string) (records []record) {
	t.Helper()
	text, err := os.ReadFile(file)
	must(t, err)
	var r record
	for line := range strings.Lines(string(text)) {
		name, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		var list []string
		for rest != "" && rest[0] == '"' {
			prefix, err := strconv.QuotedPrefix(rest)
			must(t, err)
			value, err := strconv.Unquote(prefix)
			must(t, err)
			list = append(list, value)
			rest = strings.TrimPrefix(rest[len(prefix):], " ")
		}
		switch name {
		case "args":
			r.Args = list
		case "env":
			r.Env = list
		case "text":
			r.Text = list[0]
		case "code":
			r.Code, err = strconv.Atoi(rest)
			must(t, err)
		case "printed":
			r.Printed = list[0]
		case "envelope":
			r.Envelope = list[0]
		case "said":
			r.Said = list[0]
			records = append(records, r)
			r = record{}
		}
	}
	return records
}

// recorded is how many answers of C testdata/original has.
const recorded = 400

// writeRecords asks C, and ours where that is meant to answer otherwise.
func writeRecords(t *testing.T, s *site.Site) {
	var b strings.Builder
	b.WriteString("# Answers of the C qmail-inject of notqmail, commit a7012e4, to calls made at random.\n\n")
	for seed, n := uint64(1), 0; n < recorded; seed++ {
		c := randomCall(newDice(seed))
		if theirs := inject(s, original("qmail-inject"), c); len(c.Text) < 600 && theirs == inject(s, "qmail-inject", c) {
			fmt.Fprintln(&b, record{c, theirs})
			n++
		}
	}
	must(t, os.WriteFile("testdata/original", []byte(b.String()), 0o644))
	b.Reset()
	b.WriteString("# Differences between the C qmail-inject and ours that are meant to be: why, what C\n# answers to a call, and what ours does.\n\n")
	for _, d := range differences {
		fmt.Fprintf(&b, "# %s: %s\n%s# ours\n%s\n", d.name, d.why,
			record{d.example, inject(s, original("qmail-inject"), d.example)}, inject(s, "qmail-inject", d.example))
	}
	must(t, os.WriteFile("testdata/differences", []byte(b.String()), 0o644))
}
