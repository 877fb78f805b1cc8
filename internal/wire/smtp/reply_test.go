package smtp

import (
	"bufio"
	"bytes"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func TestReadReply(t *testing.T) {
	rep := strings.Repeat
	for _, c := range []struct {
		in   string
		code int
		text string
		err  error
	}{
		{"250 ok\r\n", 250, "250 ok\n", nil},
		{"250 ok\n", 250, "250 ok\n", nil},
		{"250\r\n", 250, "250\n", nil},
		{"250\tok\r\n", 250, "250\tok\n", nil},
		{"250-a\r\n250-b\r\n250 c\r\n", 250, "250-a\n250-b\n250 c\n", nil},
		{"250-fine\r\n550 or not\r\n", 250, "250-fine\n550 or not\n", nil},
		{"250-a\r\nx\r\n", 250, "250-a\nx\n", nil},
		{"550 a\rb\r\r\n", 550, "550 ab\n", nil},
		{"550 a\x00b\xff\r\n", 550, "550 a\x00b\xff\n", nil},
		{"hello\r\n", NoCode, "hello\n", nil},
		{"25x-a\r\n250 b\r\n", NoCode, "25x-a\n250 b\n", nil},
		{"\r\n", NoCode, "\n", nil},
		{"25\r\n", NoCode, "25\n", nil},
		{"550 " + rep("x", 20000) + "\r\n", 550, "550 " + rep("x", MaxReplyText-4), nil},
		{rep("550-line\r\n", 1000) + "550 end\r\n", 550, rep("550-line\n", 1000)[:MaxReplyText], nil},
		{"", 0, "", io.ErrUnexpectedEOF},
		{"250 o", 0, "", io.ErrUnexpectedEOF},
		{"250-a\r\n", 0, "", io.ErrUnexpectedEOF},
		{rep("250-a\r\n", maxReply/7+1), 0, "", errReplyTooLong},
		{"250 " + rep("x", 2*maxReply), 0, "", errReplyTooLong},
	} {
		for _, r := range []io.Reader{strings.NewReader(c.in), iotest.HalfReader(strings.NewReader(c.in))} {
			got, err := readReply(bufio.NewReaderSize(r, replyBuffer))
			if got != (Reply{c.code, c.text}) || err != c.err {
				t.Errorf("%.30q: %d, %.30q (%d), %v", c.in, got.Code, got.Text, len(got.Text), err)
			}
		}
	}
}

func TestRepliesInOnePacket(t *testing.T) {
	r := bufio.NewReaderSize(strings.NewReader("220 a\r\n250-b\r\n250 c\r\n354 d\r\n"), replyBuffer)
	for _, want := range []int{220, 250, 354} {
		if got, err := readReply(r); got.Code != want || err != nil {
			t.Errorf("%v, %v", got, err)
		}
	}
}

func FuzzReply(f *testing.F) {
	for _, s := range []string{"250 ok\r\n", "250-a\r\n250 b\r\n", "\r\n", "25", "999\n", "250-\n250-\n\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		r := bufio.NewReaderSize(bytes.NewReader(in), 16)
		reply, err := readReply(r)
		if err != nil {
			return
		}
		rest, _ := io.ReadAll(r)
		read := in[:len(in)-len(rest)]
		if len(reply.Text) > MaxReplyText || strings.Contains(reply.Text, "\r") || reply.Code < 0 || reply.Code > 999 {
			t.Errorf("%+v", reply)
		}
		if want := bytes.ReplaceAll(read, []byte("\r"), nil); !bytes.HasPrefix(want, []byte(reply.Text)) {
			t.Errorf("%q of %q", reply.Text, read)
		}
		lines := bytes.SplitAfter(read, []byte("\n"))
		for i, line := range lines[:len(lines)-1] {
			last := i == len(lines)-2
			if goesOn := len(line) > 3 && line[3] == '-'; goesOn == last {
				t.Errorf("%q ends with line %d", read, i)
			}
		}
	})
}
