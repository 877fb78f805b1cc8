package qread

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"goqmail/queue/queuetest"
)

var came = time.Date(2021, 3, 4, 5, 6, 7, 0, time.UTC)

func TestList(t *testing.T) {
	const head = "4 Mar 2021 05:06:07 GMT  #457  5  <s@x> "
	for _, c := range []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"no recipients", nil, head + "\n"},
		{"recipients", map[string]string{"local/20/457": "Ta@l\x00Db@l\x00", "remote/20/457": "Dc@r\x00Td@r\x00"},
			head + "\n\tlocal\ta@l\n  done\tlocal\tb@l\n  done\tremote\tc@r\n\tremote\td@r\n"},
		{"bouncing", map[string]string{"bounce/457": ""}, head + " bouncing\n"},
		{"not printable", map[string]string{"info/20/457": "Fa\x1b\xff\n b\x00", "local/20/457": "T\t\x7f~\x00"},
			"4 Mar 2021 05:06:07 GMT  #457  5  <a___ b> \n\tlocal\t__~\n"},
		{"being written", map[string]string{"local/20/457": "Ta@l\x00Tb"}, head + "\n\tlocal\ta@l\n"},
		{"other records", map[string]string{"local/20/457": "Xa@l\x00Tb@l\x00"}, head + "\n\tlocal\tb@l\n"},
		{"not records", map[string]string{"local/20/457": "\x00Tb@l\x00"}, head + "\nwarning: trouble with #457: malformed record: empty\n"},
		{"no sender", map[string]string{"info/20/457": ""}, "warning: trouble with #457: EOF\n"},
		{"not preprocessed", map[string]string{"mess/1/1": "x", "todo/1": "Fs\x00"}, head + "\n"},
		{"no message", map[string]string{"info/1/1": "Fs\x00"}, "warning: trouble with #1: no such file or directory\n" + head + "\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := queuetest.New(t, 23)
			queuetest.Put(t, dir, "mess/20/457", "12345")
			queuetest.Put(t, dir, "info/20/457", "Fs@x\x00")
			for name, text := range c.files {
				queuetest.Put(t, dir, name, text)
			}
			os.Chtimes(filepath.Join(dir, "info/20/457"), came, came)
			var out bytes.Buffer
			if err := List(dir, &out); err != nil || out.String() != c.want {
				t.Errorf("%q, %v, want %q", out.String(), err, c.want)
			}
		})
	}
}

func TestTrouble(t *testing.T) {
	dir := queuetest.New(t, 23)
	os.RemoveAll(filepath.Join(dir, "info/7"))
	var out bytes.Buffer
	if err := List(dir, &out); err == nil || out.String() != "fatal: unable to opendir info/7: no such file or directory\n" {
		t.Errorf("%q, %v", out.String(), err)
	}
	out.Reset()
	if err := List(dir+"/nowhere", &out); err == nil || out.String() != "fatal: unable to chdir: no such file or directory\n" {
		t.Errorf("%q, %v", out.String(), err)
	}
	queuetest.Put(t, dir, "mess/1/1", "")
	queuetest.Put(t, dir, "info/1/1", "Fs\x00")
	if err := List(dir, writerFunc(func([]byte) (int, error) { return 0, os.ErrClosed })); !errors.Is(err, os.ErrClosed) {
		t.Errorf("a list that could not be written: %v", err)
	}
}

// TestManyRecipients: a long line is cut nowhere, and none is held after it is
// written.
func TestManyRecipients(t *testing.T) {
	dir := queuetest.New(t, 1)
	queuetest.Put(t, dir, "mess/0/1", "")
	queuetest.Put(t, dir, "info/0/1", "Fs\x00")
	address := strings.Repeat("r", 20_000)
	queuetest.Put(t, dir, "remote/0/1", strings.Repeat("T"+address+"\x00", 50))
	var out bytes.Buffer
	if err := List(dir, &out); err != nil || strings.Count(out.String(), "\tremote\t"+address+"\n") != 50 {
		t.Errorf("%d bytes, %v", out.Len(), err)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
