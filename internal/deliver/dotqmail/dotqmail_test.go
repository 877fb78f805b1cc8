package dotqmail

import (
	"slices"
	"strings"
	"testing"
)

func TestInstructions(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       []Instruction
	}{
		{"mbox", "./Mailbox\n", []Instruction{{Mbox, "./Mailbox"}}},
		{"absolute mbox", "/var/mail/joe\n", []Instruction{{Mbox, "/var/mail/joe"}}},
		{"hidden mbox", ".mail\n", []Instruction{{Mbox, ".mail"}}},
		{"a dot", ".\n", []Instruction{{Mbox, "."}}},
		{"maildir", "./Maildir/\n", []Instruction{{Maildir, "./Maildir/"}}},
		{"the root", "/\n", []Instruction{{Maildir, "/"}}},
		{"program", "|cat >/dev/null\n", []Instruction{{Program, "cat >/dev/null"}}},
		{"empty program", "|\n", []Instruction{{Program, ""}}},
		{"program behind spaces", "|  cat\n", []Instruction{{Program, "  cat"}}},
		{"forwards", "&a@b\nc@d\n e@f\n&&\n&\n", []Instruction{{Forward, "a@b"}, {Forward, "c@d"}, {Forward, " e@f"}, {Forward, "&"}, {Forward, ""}}},
		{"comments and blank lines", "# a\n\n  \t\n#\n./b\n", []Instruction{{Mbox, "./b"}}},
		{"comment only", "#", nil},
		{"trailing white space", "./a \t \n|b\t\n./c/ \n", []Instruction{{Mbox, "./a"}, {Program, "b"}, {Maildir, "./c/"}}},
		{"no newline", "./a", []Instruction{{Mbox, "./a"}}},
		{"empty", "", []Instruction{{Kind: BlankFirst}}},
		{"blank first line", "\n./a\n", []Instruction{{Kind: BlankFirst}, {Mbox, "./a"}}},
		{"white first line", " \t\n", []Instruction{{Kind: BlankFirst}}},
		{"NUL first line", "\x00./a\n", []Instruction{{Kind: BlankFirst}}},
		{"list", "./a\n+list\n&b\n+other\n+list x\n+LIST\n+list \n", []Instruction{{Mbox, "./a"}, {Kind: ForwardOnly}, {Forward, "b"}, {Kind: ForwardOnly}}},
		{"NUL ends a line", "./a\x00b/\n&c\x00\n#\n\x00x\n", []Instruction{{Mbox, "./a"}, {Forward, "c"}}},
		{"CRLF", "./a\r\n\r\n", []Instruction{{Mbox, "./a\r"}, {Forward, "\r"}}},
		{"8-bit", "&\xff@\xfe\n", []Instruction{{Forward, "\xff@\xfe"}}},
	} {
		if got := slices.Collect(Instructions([]byte(c.text))); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestInstructionsStop(t *testing.T) {
	for i := range Instructions([]byte("./a\n./b\n")) {
		if i.Text != "./a" {
			t.Fatal("went on")
		}
		break
	}
}

func FuzzInstructions(f *testing.F) {
	f.Add([]byte("# list\n+list\n&a@b\n./Maildir/ \n|cat\n\n/x\x00y\n"))
	f.Add([]byte("\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		lines := 0
		for i := range Instructions(text) {
			lines++
			if strings.ContainsAny(i.Text, "\n\x00") {
				t.Errorf("%v: more than a line", i)
			}
			switch i.Kind {
			case BlankFirst:
				if lines != 1 {
					t.Errorf("line %d is a blank first line", lines)
				}
			case Mbox:
				if i.Text[0] != '.' && i.Text[0] != '/' || strings.HasSuffix(i.Text, "/") {
					t.Errorf("%v is no mbox", i)
				}
			case Maildir:
				if i.Text[0] != '.' && i.Text[0] != '/' || !strings.HasSuffix(i.Text, "/") {
					t.Errorf("%v is no maildir", i)
				}
			}
		}
		if most := strings.Count(string(text), "\n") + 1; lines > most {
			t.Errorf("%d instructions in %d lines", lines, most)
		}
	})
}
