package clean

import "goqmail/internal/host/confine"

// Files is what the process needs of the files of the machine: to remove some from the
// queue.
func Files(queue string) []confine.Rule {
	rules := []confine.Rule{{Path: queue, Allow: confine.Read}}
	for _, dir := range []string{"pid", "mess", "intd", "todo"} { // each may be a link
		rules = append(rules, confine.Rule{Path: queue + "/" + dir, Allow: confine.Remove})
	}
	return rules
}
