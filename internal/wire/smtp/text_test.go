package smtp

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// readText reads a text and what follows it.
func readText(r io.Reader, size int) (message, rest string, hops int, err error) {
	b := bufio.NewReaderSize(r, size)
	t := NewText(b)
	var m strings.Builder
	for {
		piece, err := t.Next()
		m.Write(piece)
		if err == io.EOF {
			after, _ := io.ReadAll(b)
			return m.String(), string(after), t.Hops(), nil
		}
		if err != nil {
			return m.String(), "", t.Hops(), err
		}
	}
}

func TestText(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"", ""},
		{"\r\n", "\n"},
		{"a\r\n", "a\n"},
		{"..\r\n", ".\n"},
		{"...\r\n", "..\n"},
		{".x\r\n", "x\n"},
		{"..x\r\n", ".x\n"},
		{"a.b.\r\n", "a.b.\n"},
		{"a\rb\r\n", "a\rb\n"},
		{"\ra\r\n", "\ra\n"},
		{"\r\r\n", "\r\n"},
		{"a\r\r\r\nb\r\n", "a\r\r\nb\n"},
		{"a\r.\r\nb\r\n", "a\r.\nb\n"},
		{".\rx\r\n", ".\rx\n"},
		{".\r\r\n", ".\r\n"},
		{".\r\r\r\n", ".\r\r\n"},
		{".\r.\r\n", ".\r.\n"},
		{"a\x00\r\n\x00.\r\n.\x00\r\n", "a\x00\n\x00.\n\x00\n"},
	} {
		const next = "QUIT\r\n"
		got, rest, _, err := readText(strings.NewReader(c.in+".\r\n"+next), 16)
		if got != c.want || rest != next || err != nil {
			t.Errorf("%q: %q, rest %q, %v, want %q", c.in, got, rest, err, c.want)
		}
	}
}

// What another server could take for the end of the text is none here.
func TestNoOtherEnd(t *testing.T) {
	for _, almost := range []string{
		"\n.\n", "\n.\r\n", "\r\n.\n", "\r\n.", "\r\n.\r", "\r.\r", "\r.\r\n", "\r.\n",
		"\r\n\x00.\r\n", "\r\n.\x00\r\n", "\r\n.\r\x00\n", "\r\x00\n.\r\n", "\r\n.\r\r\n", "\r\n..\r\n",
		"\r\n. \r\n", "\r\n .\r\n", "\r\n.\t\r\n",
	} {
		_, _, _, err := readText(strings.NewReader("a"+almost), 16)
		if err != io.ErrUnexpectedEOF && err != ErrBareLF {
			t.Errorf("%q: %v", almost, err)
		}
	}
	for _, almost := range []string{"", "\r\n", ".", ".\r"} {
		if _, _, _, err := readText(strings.NewReader(almost), 16); err != io.ErrUnexpectedEOF {
			t.Errorf("%q: %v", almost, err)
		}
	}
	broken := errors.New("broken")
	if _, _, _, err := readText(iotest.ErrReader(broken), 16); err != broken {
		t.Error(err)
	}
}

func TestBareLF(t *testing.T) {
	for _, in := range []string{"\n", "a\n", "a\nb\r\n", "a\r\n\nb", ".\n", ".x\n", "..\n", "a\r\r\n\n", ".\rx\n"} {
		if _, _, _, err := readText(strings.NewReader(in), 16); err != ErrBareLF {
			t.Errorf("%q: %v", in, err)
		}
	}
}

func TestLongLineTakesNoMemory(t *testing.T) {
	line := io.LimitReader(zeros{}, 100<<20)
	text := NewText(bufio.NewReaderSize(io.MultiReader(line, strings.NewReader("\r\n.\r\n")), 32<<10))
	size := 0
	for {
		piece, err := text.Next()
		size += len(piece)
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if size != 100<<20+1 || cap(text.out) > 64<<10 || cap(text.hops.start) > 16 {
		t.Errorf("%d bytes, buffers of %d and %d", size, cap(text.out), cap(text.hops.start))
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func TestHops(t *testing.T) {
	rep := strings.Repeat
	for _, c := range []struct {
		in   string
		want int
	}{
		{"", 0},
		{rep("Received: x\r\n", 99), 99},
		{rep("RECEIVED: x\r\n", 3) + rep("delivered-to: x\r\n", 4), 7},
		{"Received\r\nReceived-SPF: x\r\nreceive: x\r\nDelivere: x\r\nX-Received: x\r\n", 2},
		{"Received: x\r\n\r\nReceived: x\r\n", 1},
		{"\r\nReceived: x\r\n", 0},
		{"a\r\n Received: x\r\n", 0},
		{".Received: x\r\n", 0},
		{"\rReceived: x\r\n\r\rReceived: x\r\nReceived: x\r\n", 1},
	} {
		for _, size := range []int{16, 17, 4096} {
			if _, _, got, err := readText(strings.NewReader(c.in+".\r\n"), size); got != c.want || err != nil {
				t.Errorf("%.40q: %d hops, %v, want %d", c.in, got, err, c.want)
			}
		}
	}
}

// model is what the table of Text says, in another way: a text ends at the first
// CR LF . CR LF, has no LF without CR, and each of its lines loses one dot unless
// the dot is followed by CR.
func model(in []byte) (message []byte, rest []byte, err error) {
	whole := append([]byte("\r\n"), in...)
	end := bytes.Index(whole, []byte("\r\n.\r\n"))
	if end >= 0 {
		rest = whole[end+5:]
		whole = whole[:end+2]
	}
	for i, c := range whole {
		if c == '\n' && (i == 0 || whole[i-1] != '\r') {
			return nil, nil, ErrBareLF
		}
	}
	if end < 0 {
		return nil, nil, io.ErrUnexpectedEOF
	}
	for _, line := range bytes.SplitAfter(whole[2:], []byte("\r\n")) {
		if len(line) > 1 && line[0] == '.' && line[1] != '\r' {
			line = line[1:]
		}
		message = append(message, bytes.Replace(line, []byte("\r\n"), []byte("\n"), 1)...)
	}
	return message, rest, nil
}

func FuzzText(f *testing.F) {
	for _, s := range []string{".\r\n", "a\r\n.\r\nQUIT\r\n", "..a\r\n.\rx\r\n.\r\n", "a\n.\r\n", "\r\r\n.\r\r\n.\r\n", "Received: x\r\n.\r", ".\r\n.\r\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		want, wantRest, wantErr := model(in)
		for _, r := range []io.Reader{bytes.NewReader(in), iotest.OneByteReader(bytes.NewReader(in)), iotest.HalfReader(bytes.NewReader(in))} {
			got, rest, _, err := readText(r, 16)
			if err != wantErr || err == nil && (got != string(want) || rest != string(wantRest)) {
				t.Fatalf("%q: %q, rest %q, %v, want %q, %q, %v", in, got, rest, err, want, wantRest, wantErr)
			}
		}
	})
}

func BenchmarkText(b *testing.B) {
	in := []byte("Subject: x\r\n\r\n" + strings.Repeat(strings.Repeat("x", 76)+"\r\n", 10000) + ".\r\n")
	b.SetBytes(int64(len(in)))
	for b.Loop() {
		r := bufio.NewReaderSize(bytes.NewReader(in), 32<<10)
		t := NewText(r)
		for {
			if _, err := t.Next(); err != nil {
				break
			}
		}
	}
}
