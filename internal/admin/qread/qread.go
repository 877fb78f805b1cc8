// Package qread lists the messages in the queue with their recipients
// (qmail-qread(8)). Messages that are not preprocessed yet are not shown.
//
//	4 Mar 2021 05:06:07 GMT  #12345  77  <s@x.test>  bouncing
//		local	a@l.test
//	  done	remote	b@y.test
//
// A message has the date at which it came in, its number, its size in bytes, and
// its envelope sender; "bouncing" follows where recipients have failed. Each
// recipient is on a line of its own, local ones first. Bytes other than printable
// ASCII come out as an underscore, so that the list is safe to look at.
//
// Trouble is told in the list itself, as it always was:
//
//	warning: trouble with #12345: no such file or directory
//	fatal: unable to opendir info/0: permission denied
package qread

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"goqmail/queue"
)

// List writes the list of the queue in a directory. The error says that the list
// is not whole; the list tells why, unless it could not be written.
func List(dir string, w io.Writer) error {
	b := bufio.NewWriter(w)
	err := list(dir, b)
	return errors.Join(err, b.Flush())
}

func list(dir string, w *bufio.Writer) error {
	q, err := queue.Open(dir)
	if err != nil {
		fmt.Fprintf(w, "fatal: unable to chdir: %v\n", reason(err))
		return err
	}
	for n, err := range q.Numbers(queue.Info) {
		if err != nil {
			fmt.Fprintf(w, "fatal: unable to opendir %s: %v\n", below(dir, err), reason(err))
			return err
		}
		if err := show(w, q, n); err != nil {
			trouble(w, n, err)
		}
	}
	return nil
}

// show writes a message. The error says that the message is not to be shown.
func show(w *bufio.Writer, q *queue.Queue, n queue.Number) error {
	mess, err := os.Stat(q.Path(queue.Mess, n))
	if err != nil {
		return err
	}
	info, err := os.Open(q.Path(queue.Info, n))
	if err != nil {
		return err
	}
	defer info.Close()
	st, err := info.Stat()
	if err != nil {
		return err
	}
	sender, err := queue.NewRecordReader(info, 0).Next()
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "%s  #%d  %d  <%s> ", st.ModTime().UTC().Format("2 Jan 2006 15:04:05 GMT"), n, mess.Size(), printable(sender.Text))
	if _, err := os.Stat(q.Path(queue.Bounce, n)); err == nil {
		w.WriteString(" bouncing")
	}
	w.WriteByte('\n')
	for _, k := range []queue.Kind{queue.Local, queue.Remote} {
		if err := recipients(w, q, k, n); err != nil {
			trouble(w, n, err)
		}
	}
	return nil
}

// recipients writes those of one kind. A record that is not whole is one that
// qmail-send is writing.
func recipients(w *bufio.Writer, q *queue.Queue, k queue.Kind, n queue.Number) error {
	f, err := os.Open(q.Path(k, n))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	for records := queue.NewRecordReader(f, 0); ; {
		r, err := records.Next()
		switch {
		case err == io.EOF, errors.Is(err, io.ErrUnexpectedEOF):
			return nil
		case err != nil:
			return err
		case r.Kind == 'D':
			fmt.Fprintf(w, "  done\t%s\t%s\n", k, printable(r.Text))
		case r.Kind == 'T':
			fmt.Fprintf(w, "\t%s\t%s\n", k, printable(r.Text))
		}
	}
}

// trouble warns of a message that something is wrong with, or that went away
// just now.
func trouble(w *bufio.Writer, n queue.Number, err error) {
	fmt.Fprintf(w, "warning: trouble with #%d: %v\n", n, reason(err))
}

// printable makes every byte that is not printable ASCII an underscore, in place.
func printable(text []byte) []byte {
	for i, c := range text {
		if c < ' ' || c > '~' {
			text[i] = '_'
		}
	}
	return text
}

// reason is the system's part of an error, without operation and path.
func reason(err error) error {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno
	}
	return err
}

// below is the path in an error, from dir on.
func below(dir string, err error) string {
	var p *fs.PathError
	if !errors.As(err, &p) {
		return "info"
	}
	if rel, err := filepath.Rel(dir, p.Path); err == nil {
		return rel
	}
	return p.Path
}
