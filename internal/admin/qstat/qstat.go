// Package qstat counts the messages in the queue (qmail-qstat(8)):
//
//	messages in queue: 32
//	messages in queue but not yet preprocessed: 2
//
// The first number is that of files in mess, the second that of files in todo.
package qstat

import (
	"fmt"
	"io"

	"goqmail/queue"
)

// Count writes the two lines about the queue in a directory, or none where it
// cannot be read.
func Count(dir string, w io.Writer) error {
	q, err := queue.Open(dir)
	if err != nil {
		return err
	}
	mess, err := count(q, queue.Mess)
	if err != nil {
		return err
	}
	todo, err := count(q, queue.Todo)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "messages in queue: %d\nmessages in queue but not yet preprocessed: %d\n", mess, todo)
	return err
}

func count(q *queue.Queue, k queue.Kind) (total int, err error) {
	for _, err := range q.Numbers(k) {
		if err != nil {
			return 0, err
		}
		total++
	}
	return total, nil
}
