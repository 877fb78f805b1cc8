package qstat

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"goqmail/queue/queuetest"
)

func TestCount(t *testing.T) {
	dir := queuetest.New(t, 23)
	check := func(want string) {
		t.Helper()
		var out bytes.Buffer
		if err := Count(dir, &out); err != nil || out.String() != want {
			t.Errorf("%q, %v, want %q", out.String(), err, want)
		}
	}
	check("messages in queue: 0\nmessages in queue but not yet preprocessed: 0\n")
	for _, name := range []string{"mess/1/1", "mess/1/24", "mess/2/2", "todo/2", "intd/2", "intd/3", "info/1/1"} {
		queuetest.Put(t, dir, name, "")
	}
	check("messages in queue: 3\nmessages in queue but not yet preprocessed: 1\n")

	os.RemoveAll(filepath.Join(dir, "mess/22"))
	for _, name := range []string{"todo", "mess/3", ""} {
		os.RemoveAll(filepath.Join(dir, name))
		var out bytes.Buffer
		if err := Count(dir, &out); err == nil || out.Len() != 0 {
			t.Errorf("without %q: %q, %v", name, out.String(), err)
		}
	}
}
