// alltests runs "go test" over every package, prints its results, and in the
// end lists each test that was skipped with its reason, since a skip that nobody
// sees hides a failure (make test).
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// event is a line of "go test -json" (see go doc test2json).
type event struct {
	Action, Package, Test, Output string
	Elapsed                       float64
}

// results is what has been seen of a run.
type results struct {
	output                  map[string][]string // of tests under way, by package and test
	reasons                 []string
	passed, failed, skipped int
}

func main() {
	args := append([]string{"test", "-json", "-count=1"}, os.Args[1:]...)
	if len(os.Args) == 1 {
		args = append(args, "./...")
	}
	cmd := exec.Command("go", args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "alltests:", err)
		os.Exit(1)
	}
	r := results{output: map[string][]string{}}
	for lines := bufio.NewReader(out); ; {
		line, err := lines.ReadBytes('\n')
		var e event
		if json.Unmarshal(line, &e) == nil {
			r.add(e)
		} else {
			os.Stdout.Write(line) // what the compiler says
		}
		if err != nil {
			break
		}
	}
	failed := cmd.Wait() != nil
	if len(r.reasons) > 0 {
		fmt.Printf("\nskipped, and why:\n%s\n", strings.Join(r.reasons, "\n"))
	}
	fmt.Printf("\n%d passed, %d failed, %d skipped\n", r.passed, r.failed, r.skipped)
	if failed {
		os.Exit(1)
	}
}

func (r *results) add(e event) {
	key := e.Package + " " + e.Test
	switch e.Action {
	case "output":
		r.output[key] = append(r.output[key], e.Output)
		return
	case "build-output":
		fmt.Print(e.Output)
	case "pass", "fail", "skip":
		if e.Test == "" {
			r.packageEnd(e)
			break
		}
		r.testEnd(e, r.output[key])
	default:
		return
	}
	delete(r.output, key)
}

// packageEnd prints the line for a package, and its output if it failed.
func (r *results) packageEnd(e event) {
	switch e.Action {
	case "pass":
		fmt.Printf("ok  \t%s\t%.3fs\n", e.Package, e.Elapsed)
	case "fail":
		r.failed++
		fmt.Print(strings.Join(r.output[e.Package+" "], ""))
		fmt.Printf("FAIL\t%s\t%.3fs\n", e.Package, e.Elapsed)
	}
}

func (r *results) testEnd(e event, output []string) {
	switch e.Action {
	case "pass":
		r.passed++
	case "fail":
		r.failed++
		fmt.Print(strings.Join(output, ""))
	case "skip":
		r.skipped++
		r.reasons = append(r.reasons, fmt.Sprintf("%s %s: %s", e.Package, e.Test, reason(output)))
	}
}

// reason takes what t.Skip was told out of the output of a test: the lines that
// are not the test's own frame.
func reason(output []string) string {
	var words []string
	for _, line := range output {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "=== ") && !strings.HasPrefix(line, "--- ") {
			words = append(words, line)
		}
	}
	return strings.Join(words, " ")
}
