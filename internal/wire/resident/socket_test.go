package resident

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// TestTogether: records that wait while another is sent share packets, each with its
// own descriptors, and no packet is larger than it may be.
func TestTogether(t *testing.T) {
	for _, c := range []struct {
		name               string
		senders, files     int
		size               int // of a field in each record
		packets, perpacket int
	}{
		{"small ones", 20, 0, 10, 1, 20},
		{"with descriptors", 40, 2, 10, 3, maxPacketFiles / 2},
		{"large ones", 6, 0, MaxRecord / 2, 6, 1},
		{"the largest", 3, 0, MaxRecord - 100, 3, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			ours, theirs, err := pair()
			if err != nil {
				t.Fatal(err)
			}
			defer ours.close()
			fd, err := unix.Dup(int(theirs.Fd()))
			theirs.Close()
			if err != nil {
				t.Fatal(err)
			}
			unix.SetNonblock(fd, true)
			peer, err := newSocket(fd)
			if err != nil {
				t.Fatal(err)
			}
			defer peer.close()

			ours.sending = true // as if somebody were at it
			var senders sync.WaitGroup
			dir := t.TempDir()
			for i := range c.senders {
				senders.Go(func() {
					var files []*os.File
					for j := range c.files {
						f, err := os.Create(filepath.Join(dir, fmt.Sprintf("%d.%d", i, j)))
						if err != nil {
							t.Error(err)
							return
						}
						defer f.Close()
						files = append(files, f)
					}
					if err := ours.send(record{kind: request, number: uint64(i), fields: []string{strings.Repeat("x", c.size)}}, files); err != nil {
						t.Error(err)
					}
				})
			}
			first := min(c.senders, c.perpacket)
			for waiting := 0; waiting < first; { // no other can join them
				ours.mu.Lock()
				if ours.next != nil {
					waiting = strings.Count(string(ours.next.bytes), request)
				}
				ours.mu.Unlock()
			}
			ours.mu.Lock()
			ours.next.sender <- struct{}{}
			ours.mu.Unlock()

			seen, packets := map[uint64]bool{}, 0
			for len(seen) < c.senders && !t.Failed() {
				packets++
				err := peer.receive(maxPacketFiles, func(packet []byte, fds []int, lost bool) error {
					defer closeAll(fds)
					if lost {
						t.Error("descriptors are lost")
					}
					records := 0
					err := each(packet, func(r record) error {
						for j := range c.files {
							path, _ := os.Readlink(fmt.Sprint("/proc/self/fd/", fds[records*c.files+j]))
							if want := fmt.Sprintf("%d.%d", r.number, j); filepath.Base(path) != want {
								t.Errorf("%s instead of %s", path, want)
							}
						}
						records++
						if seen[r.number] {
							t.Errorf("record %d came twice", r.number)
						}
						seen[r.number] = true
						return nil
					})
					if packets == 1 && records != first || records > c.perpacket {
						t.Errorf("%d records in packet %d", records, packets)
					}
					return err
				})
				if err != nil {
					t.Error(err)
				}
			}
			senders.Wait()
			if packets < c.packets {
				t.Errorf("%d packets", packets)
			}
			if ours.sending || ours.next != nil {
				t.Error("somebody is still to send")
			}
		})
	}
}

// TestTogetherLost: where a packet cannot be sent, each of those whose records are
// in it is told, and the next one is sent by its own.
func TestTogetherLost(t *testing.T) {
	ours, theirs, err := pair()
	if err != nil {
		t.Fatal(err)
	}
	defer ours.close()
	theirs.Close()
	errs := make(chan error)
	for range 50 {
		go func() { errs <- ours.send(record{kind: request, number: 1}, nil) }()
	}
	for range 50 {
		if err := <-errs; err != unix.EPIPE && err != unix.ECONNRESET {
			t.Error(err)
		}
	}
}
