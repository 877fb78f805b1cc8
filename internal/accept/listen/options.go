package listen

import (
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"goqmail/internal/host/getopt"
	"goqmail/internal/mail/outcome"
)

// Options are those of the command line. Where tcpserver(1) has the same one, it
// has the same letter and meaning.
type Options struct {
	Addresses   []netip.AddrPort // -a: where to listen
	Most        int              // -c: connections at once
	PerAddress  int              // -i: of one address; 0 means any number
	PerNetwork  int              // -n: of one network; 0 means any number
	Rules       string           // -x: file made by tcprules(1); "" means none
	RulesOrNone bool             // -X: it need not exist
	Names       bool             // -h, -H: look up names of clients
	Paranoid    bool             // -p, -P: and their addresses
	Users       bool             // -r, -R: ask for users of clients
	UserTimeout time.Duration    // -t: wait that long for them
	LocalName   string           // -l: name of this host; "" means control/me
	Proxies     []netip.Prefix   // -y: networks whose connections begin with a PROXY header
	Grace       time.Duration    // -w: what transactions in progress have after TERM
	Confine     bool             // -C: give up all files but those that qmail-queue needs
	Quiet       bool             // -q, -Q
	Verbose     bool             // -v
}

// The defaults.
const (
	defaultMost       = 500
	defaultPerAddress = 50
	defaultPerNetwork = 100
	defaultGrace      = 60 * time.Second
	defaultUserWait   = 26 * time.Second
)

// synopsis is behind the name of the program.
const synopsis = " [ -a address:port ] [ -c most ] [ -i peraddress ] [ -n pernetwork ] [ -x cdb ] [ -XvqQhHpPrRC ]" +
	" [ -t seconds ] [ -l localname ] [ -y proxynetwork ] [ -w seconds ]"

// ParseOptions reads the options of a program. An error is an outcome.Usage.
func ParseOptions(program string, args []string) (Options, error) {
	o := Options{
		Most: defaultMost, PerAddress: defaultPerAddress, PerNetwork: defaultPerNetwork,
		Names: true, Paranoid: true, UserTimeout: defaultUserWait, Grace: defaultGrace,
	}
	r := getopt.New(args, "a:c:i:n:x:XhHpPrRCt:l:y:w:vqQ")
	for r.Next() {
		if problem := o.set(r); problem != "" {
			return o, outcome.Usage(program + synopsis + "\n" + program + ": " + problem)
		}
	}
	if rest := r.Rest(); len(rest) > 0 {
		return o, outcome.Usage(program + synopsis + "\n" + program + ": what is " + strconv.Quote(rest[0]) + "?")
	}
	return o, nil
}

// set obeys one option. It returns what is wrong with it.
func (o *Options) set(r *getopt.Reader) (problem string) {
	ok := true
	switch r.Letter {
	case 'a':
		a, err := parseAddress(r.Value)
		o.Addresses = append(o.Addresses, a)
		ok = err == nil
	case 'c':
		o.Most, ok = parseNumber(r.Value)
		ok = ok && o.Most > 0
	case 'i':
		o.PerAddress, ok = parseNumber(r.Value)
	case 'n':
		o.PerNetwork, ok = parseNumber(r.Value)
	case 'x':
		o.Rules = r.Value
	case 'X':
		o.RulesOrNone = true
	case 'h', 'H':
		o.Names = r.Letter == 'h'
	case 'p', 'P':
		o.Paranoid = r.Letter == 'p'
	case 'r', 'R':
		o.Users = r.Letter == 'r'
	case 'C':
		o.Confine = true
	case 't':
		o.UserTimeout, ok = parseSeconds(r.Value)
	case 'l':
		o.LocalName = r.Value
	case 'y':
		p, err := parseNetwork(r.Value)
		o.Proxies = append(o.Proxies, p)
		ok = err == nil
	case 'w':
		o.Grace, ok = parseSeconds(r.Value)
	case 'v':
		o.Verbose, o.Quiet = true, false
	case 'q', 'Q':
		o.Verbose, o.Quiet = false, r.Letter == 'q'
	default:
		return r.Text
	}
	if !ok {
		return "option -" + string(rune(r.Letter)) + " cannot be " + strconv.Quote(r.Value)
	}
	return ""
}

// parseAddress reads an address and a port: 192.0.2.1:25, [2001:db8::1]:25,
// [::]:25, or :25, which is the same.
func parseAddress(text string) (netip.AddrPort, error) {
	if strings.HasPrefix(text, ":") {
		text = "[::]" + text
	}
	a, err := netip.ParseAddrPort(text)
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()), err
}

// parseNetwork reads 192.0.2.0/24, 2001:db8::/32, or one address.
func parseNetwork(text string) (netip.Prefix, error) {
	if !strings.Contains(text, "/") {
		a, err := netip.ParseAddr(text)
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), err
	}
	p, err := netip.ParsePrefix(text)
	return p.Masked(), err
}

func parseNumber(text string) (int, bool) {
	n, err := strconv.ParseUint(text, 10, 31)
	return int(n), err == nil
}

func parseSeconds(text string) (time.Duration, bool) {
	n, err := strconv.ParseUint(text, 10, 63)
	return time.Duration(min(n, math.MaxInt64/uint64(time.Second))) * time.Second, err == nil
}
