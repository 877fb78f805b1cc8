package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// A result is what one run of a workload took.
type result struct {
	n    int           // messages or deliveries; 0 where nothing was measured
	wall time.Duration // all together
	cpu  time.Duration // of the mail system
	pss  int64         // bytes; 0 where it was not looked at
}

func (r result) rate() float64 { return float64(r.n) / r.wall.Seconds() }

// each is CPU per message, in milliseconds.
func (r result) each() float64 { return float64(r.cpu.Microseconds()) / 1000 / float64(r.n) }

// header begins the table, which is in Markdown. A cell has the median rate, in
// parentheses the lowest and the highest, the median of CPU in milliseconds for each, and
// where it was looked at the median of memory.
func header(suites []*suite) {
	fmt.Print("| workload |")
	for _, s := range suites {
		fmt.Printf(" %s (%s) |", s.label, s.home)
	}
	fmt.Print(" rate, cpu against the first |\n|---|", strings.Repeat("---|", len(suites)+1), "\n")
}

// report prints the row of a workload.
func report(name string, suites []*suite, results [][]result) {
	fmt.Printf("| %s |", name)
	var rates, cpus []float64
	for _, runs := range results {
		rate, cpu := cell(runs)
		rates, cpus = append(rates, rate), append(cpus, cpu)
		if pss := median(sorted(runs, func(r result) float64 { return float64(r.pss) / (1 << 20) })); pss > 0 {
			fmt.Printf(", %.1f MB", pss)
		}
		fmt.Print(" |")
	}
	for i := range suites[1:] {
		fmt.Printf(" %.2fx, %.3fx", rates[i+1]/rates[0], cpus[i+1]/cpus[0])
	}
	fmt.Println(" |")
}

// cell prints what all runs have in common, and returns the medians.
func cell(runs []result) (rate, cpu float64) {
	rates := sorted(runs, result.rate)
	rate, cpu = median(rates), median(sorted(runs, result.each))
	fmt.Printf(" %.0f (%.0f–%.0f), %.3f", rate, rates[0], rates[len(rates)-1], cpu)
	return rate, cpu
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
