package listen

import (
	"net/netip"
	"strconv"
	"sync"
)

// The networks that connections are counted by: who has one address of such a
// network is likely to have them all.
const (
	network4 = 24
	network6 = 64
)

// What a client is told whose connection is one too many.
const (
	tooMany           = "too many connections, try again later (#4.3.2)"
	tooManyOfAddress  = "too many connections from your address (#4.7.0)"
	tooManyOfNetwork  = "too many connections from your network (#4.7.0)"
	variableOfAddress = "MAXCONNIP"
	variableOfNetwork = "MAXCONNC"
)

// Counts counts connections by address and by network.
type counts struct {
	mu       sync.Mutex
	of       map[netip.Addr]int
	networks map[netip.Prefix]int
}

func newCounts() *counts {
	return &counts{of: map[netip.Addr]int{}, networks: map[netip.Prefix]int{}}
}

// enter counts a connection, unless there are as many as may be; 0 means any
// number. It returns what the client is told then, and else "".
func (c *counts) enter(a netip.Addr, perAddress, perNetwork int) (refusal string) {
	network := networkOf(a)
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case perAddress > 0 && c.of[a] >= perAddress:
		return tooManyOfAddress
	case perNetwork > 0 && c.networks[network] >= perNetwork:
		return tooManyOfNetwork
	}
	c.of[a]++
	c.networks[network]++
	return ""
}

// leave is for a connection that was counted.
func (c *counts) leave(a netip.Addr) {
	network := networkOf(a)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.of[a]--; c.of[a] == 0 {
		delete(c.of, a)
	}
	if c.networks[network]--; c.networks[network] == 0 {
		delete(c.networks, network)
	}
}

func networkOf(a netip.Addr) netip.Prefix {
	bits := network6
	if a.Is4() {
		bits = network4
	}
	p, _ := a.WithZone("").Prefix(bits)
	return p
}

// limit is a limit that the rules for a client may set in a variable.
func limit(variables []string, name string, def int) int {
	for _, v := range variables {
		if len(v) > len(name) && v[:len(name)] == name && v[len(name)] == '=' {
			if n, err := strconv.ParseUint(v[len(name)+1:], 10, 31); err == nil {
				return int(n)
			}
		}
	}
	return def
}
