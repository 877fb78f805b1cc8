// mtabench measures installed mail systems side by side (make bench-mta, as
// root): goqmail, and any other home with the layout of qmail.
//
//	mtabench -user bench -runs 5 c=/var/cqmail go=/var/qmail
//
// Every workload is run on each home in turn, and the order changes from run to
// run, so that a slow moment of the machine hits all of them. What is printed are
// medians, and the ratio of each home's to the first one's.
//
//	rate  messages (or deliveries) per second of wall clock, from the first
//	      injection, or the start of qmail-send, until all is done
//	cpu   milliseconds of user and system time for each, of all processes of the
//	      mail system; clients and sinks, which run in this process, do not count
//	pss   proportional set size of all processes at its highest, sampled
//
// Every run checks that its work was done. The homes must be stopped and their
// queues empty. Control files are replaced for a run and put back; the test user
// loses what is in his home, so he should be nobody's. Nothing but loopback is
// used.
//
// Rates on a disk follow its syncs, and ext4 creates files more slowly for a
// while after many were removed: compare within a run, and look at cpu first.
package main

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

type options struct {
	user  string
	runs  int
	scale float64
	port  int
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == "peers" {
		if err := peers(os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, "mtabench:", err)
			os.Exit(1)
		}
		return
	}
	var o options
	only := flag.String("w", "", "workloads, separated by commas; a name stands for all that begin with it")
	flag.StringVar(&o.user, "user", "bench", "an account whose home is used up")
	flag.IntVar(&o.runs, "runs", 5, "how often each workload is run on each home")
	flag.Float64Var(&o.scale, "scale", 1, "multiplies the sizes of the workloads")
	flag.IntVar(&o.port, "port", 2526, "first of the ports on loopback")
	list := flag.Bool("list", false, "list the workloads")
	flag.Usage = func() {
		fmt.Fprintln(os.Stderr, "usage: mtabench [flags] [LABEL=]HOME ...")
		flag.PrintDefaults()
	}
	flag.Parse()
	if *list {
		for _, w := range workloads {
			fmt.Printf("%-16s %s\n", w.name, w.about)
		}
		return
	}
	if err := run(o, *only, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "mtabench:", err)
		os.Exit(1)
	}
}

func run(o options, only string, homes []string) (err error) {
	if len(homes) == 0 {
		return fmt.Errorf("no home given")
	}
	// Daemons whose parent has gone become our children, so that their time counts.
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return err
	}
	b, err := newBench(o)
	if err != nil {
		return err
	}
	defer b.close()
	var suites []*suite
	for _, h := range homes {
		s, err := openSuite(b, h)
		if err != nil {
			return err
		}
		defer s.restore()
		suites = append(suites, s)
	}
	header(suites)
	for _, w := range workloads {
		if !selected(w.name, only) {
			continue
		}
		results, err := alternate(o.runs, suites, func(s *suite) (r result, err error) {
			if r, err = w.run(b, s); err != nil {
				err = fmt.Errorf("%s, %s: %w", w.name, s.label, err)
			}
			return r, err
		})
		if err != nil {
			return err
		}
		report(w.name, suites, results)
		for _, s := range suites {
			if err := s.purge(); err != nil {
				return err
			}
		}
	}
	return nil
}

// alternate has all contenders do something in turn, so many times, each time beginning
// with another one.
func alternate[C any](runs int, contenders []C, do func(C) (result, error)) ([][]result, error) {
	results := make([][]result, len(contenders))
	for turn := range runs {
		for i := range contenders {
			i = (i + turn) % len(contenders)
			r, err := do(contenders[i])
			if err != nil {
				return nil, err
			}
			if r.n > 0 {
				results[i] = append(results[i], r)
			}
		}
	}
	return results, nil
}

func selected(name, only string) bool {
	return only == "" || slices.ContainsFunc(strings.Split(only, ","), func(o string) bool { return strings.HasPrefix(name, o) })
}
