package soak

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// The picture: three charts above each other, and the troubles as bars below.
const (
	left, width  = 70, 900 // of the charts
	height, away = 180, 50 // of each, and between two
	barHeight    = 14
)

// colours of the programs, and of the troubles.
var colours = []string{"#1b6ca8", "#c0392b", "#27885a", "#8e44ad", "#b9770e", "#5d6d7e", "#117a8b", "#a04070", "#4a5a00"}

// draw writes the samples as a picture, soak.svg.
func draw(t *testing.T, dir string, begun time.Time, duration time.Duration, s *samples, e *events) {
	must(t, os.MkdirAll(dir, 0o755))
	programs := slices.Concat(daemons, children)
	var b strings.Builder
	x := func(at time.Time) float64 { return left + width*at.Sub(begun).Seconds()/duration.Seconds() }
	charts := []measure{pss, descriptorsOpen, threads}
	bars := []string{}
	for _, one := range e.list {
		if !slices.Contains(bars, one.what) {
			bars = append(bars, one.what)
		}
	}
	slices.Sort(bars)
	total := len(charts)*(height+away) + len(bars)*(barHeight+4) + 60
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="11">`+"\n", left+width+160, total)
	fmt.Fprintf(&b, `<rect width="100%%" height="100%%" fill="white"/>`+"\n")
	for i, m := range charts {
		top := float64(30 + i*(height+away))
		high := int64(1)
		for _, p := range programs {
			high = max(high, most(s.of[p], m))
		}
		fmt.Fprintf(&b, `<text x="%d" y="%.0f" font-weight="bold">%s</text>`+"\n", left, top-8, m)
		for q := range 5 {
			y := top + height - height*float64(q)/4
			fmt.Fprintf(&b, `<path d="M%d %.1fH%d" stroke="#ddd"/><text x="%d" y="%.1f" text-anchor="end">%d</text>`+"\n", left, y, left+width, left-6, y+4, high*int64(q)/4)
		}
		for c, p := range programs {
			var points strings.Builder
			for _, one := range s.of[p] {
				fmt.Fprintf(&points, "%.1f,%.1f ", x(one.at), top+height-height*float64(one.values[m])/float64(high))
			}
			fmt.Fprintf(&b, `<polyline fill="none" stroke="%s" points="%s"/>`+"\n", colours[c], points.String())
			if i == 0 {
				fmt.Fprintf(&b, `<text x="%d" y="%.0f" fill="%s">%s</text>`+"\n", left+width+10, top+12+float64(14*c), colours[c], p)
			}
		}
	}
	for i, what := range bars {
		y := 30 + len(charts)*(height+away) + i*(barHeight+4)
		fmt.Fprintf(&b, `<text x="%d" y="%d">%s</text>`+"\n", left+width+10, y+11, what)
		for _, one := range e.list {
			if one.what == what {
				fmt.Fprintf(&b, `<rect x="%.1f" y="%d" width="%.1f" height="%d" fill="%s"/>`+"\n", x(one.begin), y, max(1, x(one.end)-x(one.begin)), barHeight, colours[i%len(colours)])
			}
		}
	}
	fmt.Fprintf(&b, `<text x="%d" y="%d">0</text><text x="%d" y="%d" text-anchor="end">%s; daemons are killed in the first half only</text>`+"\n</svg>\n", left, total-8, left+width, total-8, duration)
	file := filepath.Join(dir, "soak.svg")
	must(t, os.WriteFile(file, []byte(b.String()), 0o644))
	t.Logf("the picture is in %s", file)
}
