package soak

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A sample is what the processes of one name had at a time: one process for a daemon, all
// of them for what is kept open.
type sample struct {
	at     time.Time
	values [measures]int64
}

// A measure is something that must not grow.
type measure int

const (
	descriptorsOpen measure = iota
	threads
	rss // KiB
	pss // KiB; of memory that several share, its part
	measures
)

func (m measure) String() string {
	return [...]string{"descriptors", "threads", "RSS, KiB", "PSS, KiB"}[m]
}

// slack is how much may come on top of half as much again until it counts as growth.
var slack = [measures]int64{20, 10, 16 << 10, 16 << 10}

type samples struct{ of map[string][]sample }

func newSamples() *samples { return &samples{map[string][]sample{}} }

func (s *samples) take(stop <-chan struct{}, every time.Duration) {
	for rest(stop, every) {
		now := time.Now()
		for program, pids := range processes() {
			if !slices.Contains(daemons, program) && !slices.Contains(children, program) {
				continue
			}
			sum := sample{at: now}
			for _, pid := range pids {
				for m, v := range measured(pid) {
					sum.values[m] += v
				}
			}
			s.of[program] = append(s.of[program], sum)
		}
	}
}

// measured looks at a process.
func measured(pid int) (v [measures]int64) {
	dir := fmt.Sprint("/proc/", pid)
	files, _ := os.ReadDir(dir + "/fd")
	v[descriptorsOpen] = int64(len(files))
	v[threads] = field(dir+"/status", "Threads:")
	v[rss] = field(dir+"/status", "VmRSS:")
	v[pss] = field(dir+"/smaps_rollup", "Pss:")
	return v
}

// field is a number in a file of proc(5).
func field(file, name string) int64 {
	text, _ := os.ReadFile(file)
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == name {
			n, _ := strconv.ParseInt(f[1], 10, 64)
			return n
		}
	}
	return 0
}

// median is that of a measure.
func median(list []sample, m measure) int64 {
	var v []int64
	for _, s := range list {
		v = append(v, s.values[m])
	}
	slices.Sort(v)
	return v[len(v)/2]
}

// most is the largest.
func most(list []sample, m measure) (v int64) {
	for _, s := range list {
		v = max(v, s.values[m])
	}
	return v
}

// flat wants the daemons not to have grown: what they had in the middle of the last
// quarter of the time is not more than half as much again as in the third, and some slack.
// Since half they have not been killed.
func (s *samples) flat(t *testing.T, half time.Time) {
	t.Helper()
	t.Logf("%-14s %-12s %8s %8s %8s", "", "", "3rd", "4th", "most")
	for _, program := range slices.Concat(daemons, children) {
		all := s.of[program]
		late := slices.DeleteFunc(slices.Clone(all), func(s sample) bool { return s.at.Before(half) })
		if len(late) < 4 {
			t.Logf("%d samples of %s", len(late), program)
			continue
		}
		third, fourth := late[:len(late)/2], late[len(late)/2:]
		for m := range measures {
			before, after := median(third, m), median(fourth, m)
			t.Logf("%-14s %-12s %8d %8d %8d", program, m, before, after, most(all, m))
			if slices.Contains(daemons, program) && after > before*3/2+slack[m] {
				t.Errorf("%s of %s grew from %d to %d", m, program, before, after)
			}
		}
	}
}
