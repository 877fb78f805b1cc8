package main

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// A result is what one run of a workload took.
type result struct {
	n    int           // messages or deliveries
	wall time.Duration // all together
	cpu  time.Duration // of the mail system
	pss  int64         // bytes; 0 where it was not looked at
}

func (r result) rate() float64 { return float64(r.n) / r.wall.Seconds() }

// each is CPU per message, in milliseconds.
func (r result) each() float64 { return float64(r.cpu.Microseconds()) / 1000 / float64(r.n) }

func header(suites []*suite) {
	fmt.Printf("%-16s", "")
	for _, s := range suites {
		fmt.Printf(" | %-42s", s.label+" "+s.home)
	}
	fmt.Printf("\n%-16s", "workload")
	for range suites {
		fmt.Printf(" | %-20s %-10s %10s", "rate (min-max)/s", "cpu ms", "pss MB")
	}
	fmt.Println(" | rate, cpu against the first")
}

// report prints the line of a workload.
func report(name string, suites []*suite, results [][]result) {
	fmt.Printf("%-16s", name)
	var rates, cpus []float64
	for _, runs := range results {
		rate := sorted(runs, result.rate)
		cpu := sorted(runs, result.each)
		pss := sorted(runs, func(r result) float64 { return float64(r.pss) / (1 << 20) })
		rates, cpus = append(rates, median(rate)), append(cpus, median(cpu))
		fmt.Printf(" | %-20s %-10.3f %10.1f",
			fmt.Sprintf("%.0f (%.0f-%.0f)", median(rate), rate[0], rate[len(rate)-1]), median(cpu), median(pss))
	}
	fmt.Print(" |")
	for i := range suites[1:] {
		fmt.Printf(" %.2fx, %.3fx", rates[i+1]/rates[0], cpus[i+1]/cpus[0])
	}
	fmt.Println()
}

func sorted(runs []result, figure func(result) float64) []float64 {
	var list []float64
	for _, r := range runs {
		list = append(list, figure(r))
	}
	slices.SortFunc(list, cmp.Compare[float64])
	return list
}

func median(sorted []float64) float64 {
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}
