package clean

import (
	"bytes"
	"io"
	"sync"
	"testing"
	"time"

	"goqmail/queue"
	"goqmail/queue/queuetest"
)

// TestClientWithServer: both sides together, many callers at once.
func TestClientWithServer(t *testing.T) {
	dir := queuetest.New(t, 2)
	const messages = 200
	for n := queue.Number(1); n <= messages; n++ {
		queuetest.Put(t, dir, "todo/"+n.String(), "")
		queuetest.Put(t, dir, "intd/"+n.String(), "")
	}
	fromClient, requests := io.Pipe()
	answers, toClient := io.Pipe()
	served := make(chan error, 1)
	go func() { served <- Serve(dir, fromClient, toClient, time.Now) }()
	c := NewClient(requests, answers, func() {})
	var callers sync.WaitGroup
	for n := queue.Number(1); n <= messages; n += 4 {
		callers.Go(func() {
			if got := c.Ask(Todo, n, n+1, n+2, n+3); string(got) != "++++" {
				t.Errorf("message %d and the next three: %q", n, got)
			}
		})
	}
	callers.Wait()
	if left := queuetest.Files(t, dir); len(left) != 0 {
		t.Errorf("left %v", left)
	}
	requests.Close()
	if err := <-served; err != nil {
		t.Error(err)
	}
}

// TestClientAnswers: answers go to whom they belong, and what is no answer is none.
func TestClientAnswers(t *testing.T) {
	for _, c := range []struct {
		name    string
		answers string
		want    string // to foop/1 foop/2, then todo/3
		lost    int    // how often the loss was told
	}{
		{"all done", "+++", "+++", 0},
		{"each its own", "+!x", "+!x", 0},
		{"what is no answer is passed on", "?+\x00", "?+x", 0},
		{"it dies before the second", "+", "+\x00\x00", 1},
		{"it dies at once", "", "\x00\x00\x00", 1},
		{"more answers than requests", "++++", "+++", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			answers, toClient := io.Pipe()
			told := make(chan struct{}, 3)
			lost := 0
			requests := make(requestsSeen, 10)
			client := NewClient(requests, answers, func() { lost++; told <- struct{}{} })
			first, second := make(chan []byte, 1), make(chan []byte, 1)
			go func() { first <- client.Ask(Foop, 1, 2) }()
			if got := <-requests; got != "foop/1\x00foop/2\x00" {
				t.Errorf("requests %q", got)
			}
			go func() { second <- client.Ask(Todo, 3) }()
			if got := <-requests; got != "todo/3\x00" {
				t.Errorf("requests %q", got)
			}
			toClient.Write([]byte(c.answers))
			if c.lost > 0 {
				toClient.Close()
				<-told
			}
			if got := append(<-first, <-second...); !bytes.Equal(got, []byte(c.want)) {
				t.Errorf("answers %q, want %q", got, c.want)
			}
			if c.lost > 0 {
				if got := client.Ask(Foop, 4); got[0] != Lost {
					t.Errorf("answered %q by nobody", got)
				}
			}
			if lost != c.lost {
				t.Errorf("the loss was told %d times, want %d", lost, c.lost)
			}
		})
	}
}

// TestClientCannotWrite: a pipe that breaks while asking is the same loss.
func TestClientCannotWrite(t *testing.T) {
	answers, _ := io.Pipe()
	lost := 0
	broken := writerFunc(func([]byte) (int, error) { return 0, io.ErrClosedPipe })
	client := NewClient(broken, answers, func() { lost++ })
	for range 2 {
		if got := client.Ask(Todo, 1, 2); string(got) != "\x00\x00" {
			t.Errorf("answers %q", got)
		}
	}
	if got := client.Ask(Todo); len(got) != 0 || lost != 1 {
		t.Errorf("no requests answered %q; the loss was told %d times", got, lost)
	}
}

// requestsSeen gets each write as a string.
type requestsSeen chan string

func (c requestsSeen) Write(p []byte) (int, error) {
	c <- string(p)
	return len(p), nil
}
