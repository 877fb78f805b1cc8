package dns

import (
	"fmt"

	"github.com/miekg/dns"
)

// pick takes what answers a question out of a message.
func pick(message *dns.Msg, name Name, typ uint16) answer {
	switch message.Rcode {
	case dns.RcodeSuccess:
	case dns.RcodeNameError:
		return answer{err: ErrNotFound}
	default:
		return answer{err: fmt.Errorf("a name server answers %s about %s", dns.RcodeToString[message.Rcode], name)}
	}
	owner := dns.CanonicalName(string(name))
	for range maxAliases {
		var records []dns.RR
		alias := ""
		for _, record := range message.Answer {
			header := record.Header()
			if header.Class != dns.ClassINET || !sameName(header.Name, owner) {
				continue
			}
			if header.Rrtype == typ {
				records = append(records, record)
			} else if cname, ok := record.(*dns.CNAME); ok {
				alias = dns.CanonicalName(cname.Target)
			}
		}
		switch {
		case len(records) > 0:
			return answer{records: records}
		case alias == "" && sameName(owner, string(name)):
			return answer{err: ErrNotFound}
		case alias == "":
			return answer{alias: Name(owner)}
		}
		owner = alias
	}
	return answer{err: fmt.Errorf("%s is an alias of too many", name)}
}

// sameName compares two absolute names. Case does not matter.
func sameName(a, b string) bool {
	return a == b || dns.CanonicalName(a) == dns.CanonicalName(b)
}
