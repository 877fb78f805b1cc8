package submit

import (
	"io"
	"os"
	"strconv"
	"strings"
	"testing"

	"goqmail/internal/mail/outcome"
	"goqmail/internal/wire/resident"
)

func TestReadReply(t *testing.T) {
	for _, c := range []struct {
		reply []string
		qp    int
		text  string // of the rejection
		want  outcome.Outcome
	}{
		{Reply(0, 47110001, ""), 47110001, "", outcome.Success},
		{Reply(53, 47110002, ""), 47110002, "qq write error or disk full (#4.3.0)", outcome.Deferral},
		{Reply(31, 1, ""), 1, "mail server permanently rejected message (#5.3.0)", outcome.Failure},
		{Reply(82, 1, "Dno such luck (#5.7.1)"), 1, "no such luck (#5.7.1)", outcome.Failure},
		{Reply(82, 1, "Zlater"), 1, "later", outcome.Deferral},
		{Reply(0, -1, ""), 0, "qq internal bug (#4.3.0)", outcome.Deferral},
		{Reply(-1, 1, ""), 0, "qq internal bug (#4.3.0)", outcome.Deferral},
		{Reply(256, 1, ""), 0, "qq internal bug (#4.3.0)", outcome.Deferral},
		{Reply(82, 1, strings.Repeat("D", maxText+1)), 0, "qq internal bug (#4.3.0)", outcome.Deferral},
		{nil, 0, "qq internal bug (#4.3.0)", outcome.Deferral},
		{[]string{"0", "1"}, 0, "qq internal bug (#4.3.0)", outcome.Deferral},
		{[]string{"", "", ""}, 0, "qq internal bug (#4.3.0)", outcome.Deferral},
	} {
		v := readReply(c.reply)
		text := ""
		if v.err != nil {
			text = v.err.Error()
		}
		if v.qp != c.qp || text != c.text || outcome.Of(v.err) != c.want {
			t.Errorf("%q: qp %d, %q, %v", c.reply, v.qp, text, outcome.Of(v.err))
		}
	}
}

func TestReadRequest(t *testing.T) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	files := []*os.File{null, null}
	for _, c := range []struct {
		request resident.Request
		ok      bool
	}{
		{resident.Request{Fields: []string{inMessage, "text", "envelope"}}, true},
		{resident.Request{Fields: []string{inMessage, "", ""}}, true},
		{resident.Request{Fields: []string{inPipes}, Files: files}, true},
		{resident.Request{}, false},
		{resident.Request{Fields: []string{inMessage, "text"}}, false},
		{resident.Request{Fields: []string{inMessage, "text", "envelope"}, Files: files}, false},
		{resident.Request{Fields: []string{inPipes}}, false},
		{resident.Request{Fields: []string{inPipes}, Files: files[:1]}, false},
		{resident.Request{Fields: []string{"other", "text", "envelope"}}, false},
	} {
		message, envelope, err := ReadRequest(&c.request)
		if (err == nil) != c.ok {
			t.Errorf("%q: %v", c.request.Fields, err)
		}
		if err == nil && len(c.request.Files) == 0 {
			m, _ := io.ReadAll(message)
			e, _ := io.ReadAll(envelope)
			if string(m) != c.request.Fields[1] || string(e) != c.request.Fields[2] {
				t.Errorf("%q: %q, %q", c.request.Fields, m, e)
			}
		}
	}
}

// FuzzReadReply: whatever qmail-queue answers, a message is in the queue only where the code
// is 0, and the client is told something otherwise.
func FuzzReadReply(f *testing.F) {
	f.Add("0", "47110001", "")
	f.Add("82", "1", "Dno such luck (#5.7.1)")
	f.Add("-1", "+1", "\x00")
	f.Add("256", "99999999999999999999", "D\x00x")
	f.Fuzz(func(t *testing.T, code, qp, text string) {
		v := readReply([]string{code, qp, text})
		n, err := strconv.Atoi(code)
		if v.err == nil && (err != nil || n != 0 || v.qp < 0) || v.err != nil && v.err.Error() == "" && text[1] != 0 {
			t.Errorf("%+v", v)
		}
	})
}
