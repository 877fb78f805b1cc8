package queuectl

import (
	"fmt"
	"sort"
	"time"

	wire "goqmail/internal/wire/queuectl"
)

// The ages that messages are counted by are less than 5 minutes, 10, 20, 40 and so on,
// and more than the last.
const (
	firstAge = 5 * time.Minute
	ages     = 10
)

// A row counts the recipients of one domain that are not done, or the messages of one
// sender's domain, by age.
type row struct {
	domain string
	total  int
	byAge  [ages]int
}

func (r *row) add(age time.Duration) {
	i := 0
	for limit := firstAge; i < ages-1 && age >= limit; limit *= 2 {
		i++
	}
	r.total++
	r.byAge[i]++
}

// count prints how many there are of each domain.
func (c *call) count() error {
	q, err := c.openToRead()
	if err != nil {
		return err
	}
	defer q.close()
	total := &row{domain: "TOTAL"}
	rows := map[string]*row{}
	add := func(domain string, m wire.Message) {
		if rows[domain] == nil {
			rows[domain] = &row{domain: domain}
		}
		age := c.Now.Sub(m.Born)
		rows[domain].add(age)
		total.add(age)
	}
	missing, err := c.find(q, func(m wire.Message) error {
		if c.sender {
			add(domain(m.Sender), m)
			return nil
		}
		for _, r := range m.Recipients {
			if !r.Done && c.choice.fitsRecipient(r) {
				add(domain(r.Address), m)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	sorted := []*row{}
	for _, r := range rows {
		sorted = append(sorted, r)
	}
	sort.Slice(sorted, func(i, j int) bool {
		a, b := sorted[i], sorted[j]
		return a.total > b.total || a.total == b.total && a.domain < b.domain
	})
	if c.json {
		err = c.printCounts(append(sorted, total))
	} else {
		c.printTable(append([]*row{total}, sorted...))
	}
	if err != nil {
		return err
	}
	return notAll(missing)
}

// printTable prints the rows under the ages, in minutes.
func (c *call) printTable(rows []*row) {
	width := 0
	for _, r := range rows {
		width = max(width, len(name(r)))
	}
	fmt.Fprintf(c.out, "%*s %6s", width, "", "T")
	limit := firstAge
	for i := range ages {
		text := fmt.Sprint(int(limit / time.Minute))
		if i == ages-1 {
			text = fmt.Sprintf("%d+", int(limit/2/time.Minute))
		}
		fmt.Fprintf(c.out, " %5s", text)
		limit *= 2
	}
	c.out.WriteByte('\n')
	for _, r := range rows {
		fmt.Fprintf(c.out, "%*s %6d", width, name(r), r.total)
		for _, n := range r.byAge {
			fmt.Fprintf(c.out, " %5d", n)
		}
		c.out.WriteByte('\n')
	}
}

// name is the domain of a row, as it can be shown.
func name(r *row) string {
	if r.domain == "" {
		return "<>"
	}
	return printable(r.domain)
}

// printCounts prints a line of JSON for each row.
func (c *call) printCounts(rows []*row) error {
	for _, r := range rows {
		err := c.encode(struct {
			Domain string    `json:"domain"`
			Total  int       `json:"total"`
			ByAge  [ages]int `json:"by_age"`
		}{r.domain, r.total, r.byAge})
		if err != nil {
			return err
		}
	}
	return nil
}
