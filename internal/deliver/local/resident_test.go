package local

import (
	"os"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"goqmail/internal/wire/resident"

	"golang.org/x/sys/unix"
)

// TestAnswer: one of many deliveries is the same as one alone, and what one does
// leaves nothing for the next.
func TestAnswer(t *testing.T) {
	umask := unix.Umask(0o077)
	defer unix.Umask(umask)
	u := newUser(t)
	u.file(".qmail", "#\n", 0o600)
	u.file(".qmail-show", `|pwd; echo "$EXT $SENDER" >&2; cat; export SENDER=changed; cd /; umask 0`+"\n|echo $SENDER; umask\n", 0o600)
	u.file(".qmail-quiet", "|exit 100\n", 0o600)
	u.file(".qmail-long", "|while [ $((n += 1)) -lt 9999 ]; do echo line $n; done; exit 111\n", 0o600)
	u.file(".qmail-forward", "&a@b\n", 0o600)
	u.file(".qmail-background", "|(sleep 0.2; echo late) &\n", 0o600)
	request := func(ext string) []string {
		if ext == "" {
			return []string{"joe", u.home, "joe", "", "", "h.example", "s@x", "./Mailbox"}
		}
		return []string{"joe", u.home, "joe-" + ext, "-", ext, "h.example", "s@x", "./Mailbox"}
	}
	long := strings.Builder{}
	for n := 1; long.Len() < maxCollected; n++ {
		long.WriteString("line " + strconv.Itoa(n) + "\n")
	}
	c := u.config()
	for _, tt := range []struct {
		name   string
		fields []string
		files  int
		want   []string
	}{
		{"nothing to do", request(""), 1, []string{"0", "did 0+0+0\n"}},
		{"programs", request("show"), 1, []string{"0", u.home + "\nshow s@x\n" + message + "s@x\n0077\ndid 0+0+2\n"}},
		{"programs again", request("show"), 1, []string{"0", u.home + "\nshow s@x\n" + message + "s@x\n0077\ndid 0+0+2\n"}},
		{"failure without a word", request("quiet"), 1, []string{"100", ""}},
		{"no mailbox", request("none"), 1, []string{"100", "Sorry, no mailbox here by that name. (#5.1.1)\n"}},
		{"a long output", request("long"), 1, []string{"111", long.String()[:maxCollected]}},
		{"a program in the background", request("background"), 1, []string{"0", "did 0+0+1\nlate\n"}},
		{"no home", []string{"joe", "", "joe", "", "", "h", "s", "#"}, 1, []string{"100", "qmail-local: " + usage.Error() + "\n"}},
		{"an option", append([]string{"-n"}, request("")...), 1, []string{"100", "qmail-local: " + usage.Error() + "\n"}},
		{"no fields", nil, 1, []string{"100", "qmail-local: " + usage.Error() + "\n"}},
		{"no message", request(""), 0, []string{"100", "qmail-local: " + usage.Error() + "\n"}},
		{"two messages", request(""), 2, []string{"100", "qmail-local: " + usage.Error() + "\n"}},
	} {
		q := &resident.Request{Fields: tt.fields}
		for range tt.files {
			q.Files = append(q.Files, u.temp(message))
		}
		if got := c.Answer(q); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: %.200q, want %.200q", tt.name, got, tt.want)
		}
	}
	if reply := c.Answer(&resident.Request{Fields: request("forward"), Files: []*os.File{u.temp(message)}}); reply[0] != "0" || !strings.HasPrefix(reply[1], "complaint\ndid 0+1+0\nqp ") {
		t.Errorf("forward: %q", reply)
	}
}
