package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"time"
)

// patience is how long the demo waits for a line of the log.
const patience = 30 * time.Second

// explanations say what a line of qmail-log(5) means.
var explanations = []struct {
	line *regexp.Regexp
	text string
}{
	{regexp.MustCompile(`^running$`), "qmail-send has read the queue"},
	{regexp.MustCompile(`^status: exiting`), "the last delivery is done"},
	{regexp.MustCompile(`^status:`), "deliveries under way / allowed at once"},
	{regexp.MustCompile(`^new msg`), "it is in the queue; the number is that of its file"},
	{regexp.MustCompile(`^info msg.* from <>`), "a bounce: its envelope sender is empty"},
	{regexp.MustCompile(`^info msg`), "size, envelope sender, process and user that queued it"},
	{regexp.MustCompile(`^starting delivery.*local`), "qmail-lspawn becomes the user and starts qmail-local"},
	{regexp.MustCompile(`^starting delivery`), "qmail-rspawn starts qmail-remote"},
	{regexp.MustCompile(`success: did_0\+[1-9]`), "forwarded: a new message, number above"},
	{regexp.MustCompile(`success: did_`), "files + forwards + programs done"},
	{regexp.MustCompile(`success:`), "the other host has accepted it"},
	{regexp.MustCompile(`failure:`), "it will never work: this goes into a bounce"},
	{regexp.MustCompile(`deferral:`), "not now: it stays in the queue and is tried again"},
	{regexp.MustCompile(`^bounce msg`), "the bounce is queued, like any other message"},
	{regexp.MustCompile(`^end msg`), "nothing left to do: out of the queue"},
}

// A logFile is qmail-send's log as it grows.
type logFile struct {
	file *os.File
	r    *bufio.Reader
	rest string // a line that is not complete yet
}

func openLog(path string) (*logFile, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	return &logFile{file: f, r: bufio.NewReader(f)}, nil
}

// follow prints the log until each of the texts has stood in a line, in order.
func (d *demo) follow(texts ...string) error {
	for end := time.Now().Add(patience); len(texts) > 0; {
		line, err := d.log.r.ReadString('\n')
		d.log.rest += line
		switch {
		case err == io.EOF:
			if time.Now().After(end) || d.ctx.Err() != nil {
				return fmt.Errorf("no line with %q in the log", texts[0])
			}
			time.Sleep(10 * time.Millisecond)
			continue
		case err != nil:
			return err
		}
		line, d.log.rest = strings.TrimSuffix(d.log.rest, "\n"), ""
		fmt.Printf("   %-68s <- %s\n", line, explain(line))
		if strings.Contains(line, texts[0]) {
			texts = texts[1:]
		}
	}
	return nil
}

func explain(line string) string {
	for _, e := range explanations {
		if e.line.MatchString(line) {
			return e.text
		}
	}
	return "see qmail-log(5)"
}
