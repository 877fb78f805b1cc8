package control

import (
	"os"
	"testing"
)

func TestWrite(t *testing.T) {
	d := Dir{t.TempDir()}
	for _, lines := range [][]string{{"one"}, {"one", "two"}, {}} {
		if err := d.Write("f", lines...); err != nil {
			t.Fatal(err)
		}
		var want string
		for _, l := range lines {
			want += l + "\n"
		}
		text, err := os.ReadFile(d.Path("f"))
		info, _ := os.Stat(d.Path("f"))
		if string(text) != want || err != nil || info.Mode() != 0o644 {
			t.Errorf("%q, %v, %v", text, info.Mode(), err)
		}
	}
	if left, _ := os.ReadDir(d.path); len(left) != 1 {
		t.Errorf("%v", left)
	}
	if err := os.Mkdir(d.Path("directory"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := d.Write("directory", "x"); err == nil {
		t.Error("wrote over a directory")
	}
	if left, _ := os.ReadDir(d.path); len(left) != 2 {
		t.Errorf("%v", left)
	}
	if err := (Dir{"/nonexistent"}).Write("f"); err == nil {
		t.Error("wrote into nothing")
	}
}
