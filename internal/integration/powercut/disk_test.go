package powercut

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"goqmail/internal/integration/site"
)

// TestMain also lets the test binary stand in for a parent of a resident qmail-queue
// and for the spawners.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "submit" {
		submitThree(os.Args[2])
	}
	if len(os.Args) == 3 && os.Args[1] == "dispatch" {
		dispatch(os.Args[2])
	}
	site.Main(m)
}

// newDisk mounts a disk at a directory of a fresh site.
func newDisk(t *testing.T, kind Kind, dir string) (*site.Site, *Disk) {
	t.Helper()
	s := site.New(t)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return s, NewDisk(t, kind, dir)
}

// TestCut: the tool does what the sweeps rely on. What is synced survives, and
// what is not is lost.
func TestCut(t *testing.T) {
	for _, kind := range []Kind{Ext4, XFS} {
		t.Run(string(kind), func(t *testing.T) { testCut(t, kind) })
	}
}

func testCut(t *testing.T, kind Kind) {
	_, disk := newDisk(t, kind, "/mnt/disk")
	file := func(name string) string { return filepath.Join("/mnt/disk", name) }
	for _, mode := range []Mode{LoseAll, KeepJournal} {
		if out, err := exec.Command("sh", "-c", "echo x >/mnt/disk/synced && sync /mnt/disk/synced /mnt/disk && echo x >/mnt/disk/unsynced").CombinedOutput(); err != nil {
			t.Fatalf("%v %s", err, out)
		}
		disk.Cut(mode)
		if err := os.WriteFile(file("late"), nil, 0o644); err == nil {
			t.Errorf("%v: a file was created without power", mode)
		}
		disk.Restart()
		if text, err := os.ReadFile(file("synced")); string(text) != "x\n" {
			t.Errorf("%v: synced file: %q, %v", mode, text, err)
		}
		if text, err := os.ReadFile(file("unsynced")); len(text) != 0 || mode == LoseAll && err == nil {
			t.Errorf("%v: file that was not synced: %q, %v", mode, text, err)
		}
	}
}

// TestSweep: a program that syncs nothing is found out, at every moment of its
// life a check is made, and it is stopped there.
func TestSweep(t *testing.T) {
	_, disk := newDisk(t, Ext4, "/mnt/disk")
	start := func() Command {
		os.Remove("/mnt/disk/a")
		exec.Command("sync", "/mnt/disk").Run()
		return Command{Path: "/bin/sh", Args: []string{"sh", "-c", "echo x >/mnt/disk/a"}}
	}
	var lost, checks int
	moments := disk.Sweep(LoseAll, start, func(accepted bool) {
		checks++
		if _, err := os.Stat("/mnt/disk/a"); accepted && err != nil {
			lost++
		}
	})
	if moments != checks || moments < 4 || lost != 2 { // at and after exit
		t.Errorf("%d moments, %d checks, %d losses", moments, checks, lost)
	}
}
