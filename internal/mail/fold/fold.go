// Package fold compares names the way mail does: without regard to the case of
// the ASCII letters, and to that of no other byte. Hosts in control files,
// names in users/assign and header field names are all matched so.
package fold

// Lower returns s with the letters A to Z in lower case.
func Lower(s string) string {
	for i := 0; i < len(s); i++ {
		if isUpper(s[i]) {
			b := []byte(s)
			for ; i < len(b); i++ {
				if isUpper(b[i]) {
					b[i] += 'a' - 'A'
				}
			}
			return string(b)
		}
	}
	return s
}

// Equal tells whether two names are the same.
func Equal(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := 0; i < len(a); i++ {
		if lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

// HasPrefix tells whether s begins with a prefix.
func HasPrefix(s, prefix string) bool {
	return len(s) >= len(prefix) && Equal(s[:len(prefix)], prefix)
}

// A Set is a set of names, such as control/locals.
type Set map[string]struct{}

// NewSet makes a set of the entries of a control file.
func NewSet(entries []string) Set {
	s := make(Set, len(entries))
	for _, e := range entries {
		s[Lower(e)] = struct{}{}
	}
	return s
}

// Has tells whether a name is in the set.
func (s Set) Has(name string) bool {
	_, ok := s[Lower(name)]
	return ok
}

// A Map maps names to texts, such as control/virtualdomains does.
type Map map[string]string

// NewMap makes a map of entries of the form name:text. Entries without a colon
// are passed over; of several entries for one name the last counts.
func NewMap(entries []string) Map {
	m := make(Map, len(entries))
	for _, e := range entries {
		for i := 0; i < len(e); i++ {
			if e[i] == ':' {
				m[Lower(e[:i])] = e[i+1:]
				break
			}
		}
	}
	return m
}

// Get returns the text for a name.
func (m Map) Get(name string) (string, bool) {
	text, ok := m[Lower(name)]
	return text, ok
}

func isUpper(c byte) bool { return c >= 'A' && c <= 'Z' }

func lower(c byte) byte {
	if isUpper(c) {
		return c + 'a' - 'A'
	}
	return c
}
