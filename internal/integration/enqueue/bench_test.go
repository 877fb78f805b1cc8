package enqueue

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"goqmail/internal/admin/install"
	"goqmail/internal/integration/site"
	"goqmail/internal/wire/submit"

	"golang.org/x/sys/unix"
)

// BenchmarkQueue is how many messages a second qmail-queue accepts from some
// submitters that each wait for the verdict, and what CPU time that takes on both
// sides. The queue is on the filesystem of TMPDIR.
//
//	go test -bench Queue -benchtime 5000x ./internal/integration/enqueue
//
// BENCH_QUEUE names another qmail-queue for comparison; it must be made for the home
// BENCH_HOME, which the site then takes the place of.
func BenchmarkQueue(b *testing.B) {
	for _, size := range []int{1000, 100_000, 50_000_000} {
		for _, submitters := range []int{1, 10, 40} {
			for _, kind := range []string{"resident", "process", "other"} {
				b.Run(fmt.Sprintf("%d bytes/%d submitters/%s", size, submitters, kind), func(b *testing.B) {
					benchQueue(b, kind, submitters, strings.Repeat("0123456789abcde\n", size/16))
				})
			}
		}
	}
}

func benchQueue(b *testing.B, kind string, submitters int, text string) {
	site.New(b)
	disk := filepath.Join(b.TempDir(), "queue")
	if err := os.Mkdir(disk, 0o755); err != nil {
		b.Fatal(err)
	}
	dir := site.Home + "/queue"
	if err := unix.Mount(disk, dir, "", unix.MS_BIND, ""); err != nil {
		b.Fatal(err)
	}
	defer unix.Unmount(dir, unix.MNT_DETACH)
	plan := install.Plan{Home: site.Home, Accounts: install.NewSystemAccounts()}
	if err := plan.InstallDirectories(); err != nil {
		b.Fatal(err)
	}
	q := submit.Queue{Home: site.Home, Env: []string{}}
	switch kind {
	case "resident":
		q.Resident = submit.NewResident(site.Home)
	case "other":
		if q.Program = otherQueue(b); q.Program == "" {
			b.Skip("BENCH_QUEUE is not set")
		}
	}
	unix.Sync()
	b.ResetTimer()
	before := cpu()
	begun := time.Now()
	work := make(chan int)
	done := make(chan error, submitters)
	for range submitters {
		go func() {
			var failed error
			for n := range work {
				if err := send(q, n, text); err != nil {
					failed = err
				}
			}
			done <- failed
		}()
	}
	for n := range b.N {
		work <- n
	}
	close(work)
	for range submitters {
		if err := <-done; err != nil {
			b.Error(err)
		}
	}
	elapsed := time.Since(begun)
	if q.Resident != nil {
		q.Resident.Close()
	}
	b.ReportMetric(float64(b.N)/elapsed.Seconds(), "messages/s")
	b.ReportMetric((cpu()-before).Seconds()*1000/float64(b.N), "cpu-ms/message")
}

func send(q submit.Queue, n int, text string) error {
	m, err := q.Open()
	if err != nil {
		return err
	}
	m.WriteString(text)
	m.From(fmt.Sprintf("sender%d@example.org", n))
	m.To("recipient@example.org")
	return m.Close()
}

// otherQueue installs BENCH_QUEUE beside ours.
func otherQueue(b *testing.B) string {
	path := os.Getenv("BENCH_QUEUE")
	if path == "" {
		return ""
	}
	if rest, ok := strings.CutPrefix(path, site.Home+"/bin/"); ok {
		path = filepath.Join(site.Aside, rest)
	}
	program, err := os.ReadFile(path)
	if err != nil {
		b.Fatal(err)
	}
	other := site.Home + "/bin/other-queue"
	if err := os.WriteFile(other, program, 0o755); err != nil {
		b.Fatal(err)
	}
	if err := os.Chown(other, int(site.Account("qmailq").UID), int(site.Account("qmailq").GID)); err != nil {
		b.Fatal(err)
	}
	if err := os.Chmod(other, 0o4711|os.ModeSetuid); err != nil {
		b.Fatal(err)
	}
	return other
}

// cpu is the CPU time of this process and of its children that are gone.
func cpu() (sum time.Duration) {
	for _, who := range []int{unix.RUSAGE_SELF, unix.RUSAGE_CHILDREN} {
		var u unix.Rusage
		unix.Getrusage(who, &u)
		sum += time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	return sum
}
