package install

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// mine are accounts that all are who runs the test.
type mine struct{}

func (mine) UID(string) (uint32, error) { return uint32(os.Getuid()), nil }
func (mine) GID(string) (uint32, error) { return uint32(os.Getgid()), nil }

// TestApart: the subdirectories of a new queue lie apart, and those of a queue that
// was there are left where they are.
func TestApart(t *testing.T) {
	home := t.TempDir()
	var fs unix.Statfs_t
	if err := unix.Statfs(home, &fs); err != nil || fs.Type != unix.EXT4_SUPER_MAGIC {
		t.Skip("needs ext4")
	}
	if err := os.MkdirAll(filepath.Join(home, "queue/info"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := (Plan{Home: home, Accounts: mine{}}).InstallDirectories(); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]bool{"queue": false, "queue/info": false, "queue/mess": true, "queue/mess/1": false, "queue/todo": false} {
		f, err := os.Open(filepath.Join(home, path))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		flags, err := unix.IoctlGetUint32(int(f.Fd()), unix.FS_IOC_GETFLAGS)
		if got := flags&topDir != 0; err != nil || got != want {
			t.Errorf("%s: %v %v", path, got, err)
		}
	}
}
