package dns

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// A server answers questions by a script, over UDP and TCP at the same port.
type server struct {
	address netip.AddrPort
	script  func(query *dns.Msg, tcp bool) []*dns.Msg // the answers to send

	mu      sync.Mutex
	queries []string
	done    sync.WaitGroup
}

func serve(t testing.TB, script func(query *dns.Msg, tcp bool) []*dns.Msg) *server {
	t.Helper()
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{address: netip.MustParseAddrPort(udp.LocalAddr().String()), script: script}
	tcp, err := net.Listen("tcp", s.address.String())
	if err != nil {
		t.Fatal(err)
	}
	s.done.Go(func() {
		buffer := make([]byte, 4096)
		for {
			n, from, err := udp.ReadFrom(buffer)
			if err != nil {
				return
			}
			for _, packed := range s.answer(buffer[:n], false) {
				udp.WriteTo(packed, from)
			}
		}
	})
	s.done.Go(func() {
		for {
			conn, err := tcp.Accept()
			if err != nil {
				return
			}
			var size [2]byte
			io.ReadFull(conn, size[:])
			query := make([]byte, int(size[0])<<8+int(size[1]))
			io.ReadFull(conn, query)
			for _, packed := range s.answer(query, true) {
				conn.Write(append([]byte{byte(len(packed) >> 8), byte(len(packed))}, packed...))
			}
			conn.Close()
		}
	})
	t.Cleanup(func() { udp.Close(); tcp.Close(); s.done.Wait() })
	return s
}

func (s *server) answer(packed []byte, tcp bool) (answers [][]byte) {
	query := new(dns.Msg)
	if query.Unpack(packed) != nil {
		return nil
	}
	q := fmt.Sprint(strings.ToLower(query.Question[0].Name), dns.TypeToString[query.Question[0].Qtype])
	if query.IsEdns0() == nil {
		q += " plain"
	}
	if tcp {
		q += " tcp"
	}
	s.mu.Lock()
	s.queries = append(s.queries, q)
	s.mu.Unlock()
	for _, m := range s.script(query, tcp) {
		packed, err := m.Pack()
		if err != nil {
			panic(err)
		}
		answers = append(answers, packed)
	}
	return answers
}

func (s *server) asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.queries)
}

// zone answers from records in the text form; where a name has "REFUSED" or the
// like as a record, with that code; where it has "SILENT", not at all.
func zone(records ...string) func(query *dns.Msg, tcp bool) []*dns.Msg {
	return func(query *dns.Msg, tcp bool) []*dns.Msg {
		m := new(dns.Msg).SetReply(query)
		m.Rcode = dns.RcodeNameError
		owner := strings.ToLower(query.Question[0].Name)
		for range 20 {
			alias := ""
			for _, text := range records {
				name, rest, _ := strings.Cut(text, " ")
				if strings.ToLower(name) != owner {
					continue
				}
				m.Rcode = min(m.Rcode, dns.RcodeSuccess)
				if rest == "SILENT" {
					return nil
				}
				if code, ok := dns.StringToRcode[rest]; ok {
					m.Rcode = code
					return []*dns.Msg{m}
				}
				record, err := dns.NewRR(name + " 60 IN " + rest)
				if err != nil {
					panic(err)
				}
				if cname, ok := record.(*dns.CNAME); ok {
					alias = strings.ToLower(cname.Target)
					m.Answer = append(m.Answer, record)
				} else if record.Header().Rrtype == query.Question[0].Qtype {
					m.Answer = append(m.Answer, record)
				}
			}
			if alias == "" {
				break
			}
			owner = alias
		}
		if !tcp {
			size := 512
			if opt := query.IsEdns0(); opt != nil {
				size = int(opt.UDPSize())
			}
			if m.Len() > size {
				m.Answer, m.Truncated = nil, true
			}
		}
		return []*dns.Msg{m}
	}
}

func resolver(servers ...*server) *Resolver {
	r := &Resolver{Timeout: 100 * time.Millisecond, Attempts: 1}
	for _, s := range servers {
		r.Servers = append(r.Servers, s.address)
	}
	return r
}

func mustParse(t testing.TB, host string) Name {
	t.Helper()
	name, ok := ParseName(host)
	if !ok {
		t.Fatalf("%q is no name", host)
	}
	return name
}

// errOther stands for any error that is none of ours.
var errOther = errors.New("temporary")

func kind(err error) error {
	if err == nil || err == ErrNotFound || err == ErrNoMail {
		return err
	}
	return errOther
}

func TestExchangers(t *testing.T) {
	for _, c := range []struct {
		name string
		zone []string
		want string
		err  error
	}{
		{"order", []string{"y.test. MX 256 b.test.", "y.test. MX 65535 c.test.", "y.test. MX 255 a.test."}, "255 a.test. 256 b.test. 65535 c.test.", nil},
		{"upper case", []string{"Y.TEST. MX 10 MX.TEST."}, "10 MX.TEST.", nil},
		{"alias", []string{"y.test. CNAME z.test.", "z.test. CNAME x.test.", "x.test. MX 10 a.test."}, "10 a.test.", nil},
		{"alias of nothing", []string{"y.test. CNAME z.test."}, "", ErrNotFound},
		{"alias of a host without such records", []string{"y.test. CNAME z.test.", "z.test. A 192.0.2.1"}, "", ErrNotFound},
		{"alias of itself", []string{"y.test. CNAME y.test."}, "", errOther},
		{"no such name", nil, "", ErrNotFound},
		{"no such records", []string{"y.test. A 192.0.2.1"}, "", ErrNotFound},
		{"null MX", []string{"y.test. MX 0 ."}, "", ErrNoMail},
		{"null MX among others", []string{"y.test. MX 0 .", "y.test. MX 1 a.test."}, "1 a.test.", nil},
		{"failure", []string{"y.test. SERVFAIL"}, "", errOther},
		{"refusal", []string{"y.test. REFUSED"}, "", errOther},
		{"silence", []string{"y.test. SILENT"}, "", errOther},
		{"odd bytes", []string{`y.test. MX 1 a\ b\001\228\.c.test.`}, `1 a\ b\001\228\.c.test.`, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			list, err := resolver(serve(t, zone(c.zone...))).Exchangers(t.Context(), mustParse(t, "y.test"))
			var got []string
			for _, x := range list {
				got = append(got, fmt.Sprint(x.Preference, " ", x.Host))
			}
			if strings.Join(got, " ") != c.want || kind(err) != c.err {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}

func TestEqualPreferencesAreShuffled(t *testing.T) {
	r := resolver(serve(t, zone("y.test. MX 10 a.test.", "y.test. MX 10 b.test.", "y.test. MX 20 c.test.")))
	first := map[Name]bool{}
	for range 100 { // all the same: once in 2^99
		list, err := r.Exchangers(t.Context(), mustParse(t, "y.test"))
		if err != nil || len(list) != 3 || list[2].Host != "c.test." {
			t.Fatal(list, err)
		}
		first[list[0].Host] = true
	}
	if !first["a.test."] || !first["b.test."] {
		t.Error(first)
	}
}

func TestAddresses(t *testing.T) {
	long := func(n int, format string) (list []string) {
		for i := range n {
			list = append(list, fmt.Sprintf(format, i+1))
		}
		return list
	}
	for _, c := range []struct {
		name string
		zone []string
		want string
		err  error
	}{
		{"IPv4", []string{"y.test. A 192.0.2.2", "y.test. A 192.0.2.1"}, "192.0.2.2 192.0.2.1", nil},
		{"IPv6", []string{"y.test. AAAA 2001:db8::1"}, "2001:db8::1", nil},
		{"both", []string{"y.test. AAAA 2001:db8::1", "y.test. A 192.0.2.1"}, "192.0.2.1 2001:db8::1", nil},
		{"alias", []string{"y.test. CNAME z.test.", "z.test. A 192.0.2.1"}, "192.0.2.1", nil},
		{"IPv6 addresses that nobody can be at", []string{"y.test. AAAA ::1", "y.test. AAAA ::", "y.test. AAAA fe80::1", "y.test. AAAA ff02::1"}, "", ErrNotFound},
		{"no such name", nil, "", ErrNotFound},
		{"other records", []string{"y.test. MX 1 a.test."}, "", ErrNotFound},
		{"failure", []string{"y.test. SERVFAIL"}, "", errOther},
		{"too many", long(100, "y.test. A 192.0.2.%d"), strings.Join(long(maxAddresses, "192.0.2.%d"), " "), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			list, err := resolver(serve(t, zone(c.zone...))).Addresses(t.Context(), mustParse(t, "y.test"))
			if got := strings.Trim(fmt.Sprint(list), "[]"); got != c.want || kind(err) != c.err {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}

// silent keeps one type of question without an answer.
func silent(typ uint16, other func(*dns.Msg, bool) []*dns.Msg) func(*dns.Msg, bool) []*dns.Msg {
	return func(query *dns.Msg, tcp bool) []*dns.Msg {
		if query.Question[0].Qtype == typ {
			return nil
		}
		return other(query, tcp)
	}
}

func TestSilenceAboutIPv6(t *testing.T) {
	s := serve(t, silent(dns.TypeAAAA, zone("y.test. A 192.0.2.1", "x.test. MX 1 y.test.")))
	r := resolver(s)
	r.Attempts = 5
	if list, err := r.Addresses(t.Context(), "y.test."); len(list) != 1 || err != nil {
		t.Error(list, err)
	}
	if n := len(s.asked()); n != 2 {
		t.Errorf("asked %d times although there is an address", n)
	}
	r.Attempts = 1
	if list, err := r.Addresses(t.Context(), "x.test."); len(list) != 0 || kind(err) != errOther {
		t.Error(list, err)
	}
}

func TestLongAnswers(t *testing.T) {
	var records []string
	for i := range 60 {
		records = append(records, fmt.Sprintf("y.test. MX %d exchanger-number-%d.with.a.long.name.test.", 1000-i, i))
	}
	s := serve(t, zone(records...))
	list, err := resolver(s).Exchangers(t.Context(), "y.test.")
	if len(list) != 60 || list[0].Preference != 941 || err != nil {
		t.Errorf("%d, %v", len(list), err)
	}
	if got := s.asked(); !slices.Equal(got, []string{"y.test.MX", "y.test.MX tcp"}) {
		t.Errorf("%q", got)
	}
	for i := range 100 {
		records = append(records, fmt.Sprintf("y.test. MX %d a%d.test.", i, i))
	}
	list, err = resolver(serve(t, zone(records...))).Exchangers(t.Context(), "y.test.")
	if len(list) != maxExchangers || list[maxExchangers-1].Preference != maxExchangers-1 || err != nil {
		t.Errorf("%d, %v", len(list), err)
	}
}

func TestLongAnswerWithoutTCP(t *testing.T) {
	cut := func(query *dns.Msg, tcp bool) []*dns.Msg {
		if tcp {
			return nil
		}
		m := new(dns.Msg).SetReply(query)
		m.Truncated = true
		return []*dns.Msg{m}
	}
	if _, err := resolver(serve(t, cut)).Exchangers(t.Context(), "y.test."); kind(err) != errOther {
		t.Error(err)
	}
}

func TestServersWithoutEDNS(t *testing.T) {
	for _, code := range []int{dns.RcodeFormatError, dns.RcodeNotImplemented, dns.RcodeBadVers} {
		s := serve(t, func(query *dns.Msg, tcp bool) []*dns.Msg {
			if query.IsEdns0() == nil {
				return zone("y.test. MX 1 a.test.")(query, tcp)
			}
			m := new(dns.Msg).SetReply(query)
			m.SetEdns0(512, false)
			m.Rcode = code
			return []*dns.Msg{m}
		})
		if list, err := resolver(s).Exchangers(t.Context(), "y.test."); len(list) != 1 || err != nil {
			t.Error(code, list, err)
		}
	}
}

func TestAnswersToOtherQuestions(t *testing.T) {
	right := zone("y.test. MX 1 a.test.")
	change := func(query *dns.Msg, f func(m *dns.Msg)) *dns.Msg {
		m := right(query, false)[0].Copy()
		m.Answer[0].(*dns.MX).Mx = "evil.test."
		f(m)
		return m
	}
	s := serve(t, func(query *dns.Msg, tcp bool) []*dns.Msg {
		return []*dns.Msg{
			change(query, func(m *dns.Msg) { m.Id++ }),
			change(query, func(m *dns.Msg) { m.Response = false }),
			change(query, func(m *dns.Msg) { m.Opcode = dns.OpcodeNotify }),
			change(query, func(m *dns.Msg) { m.Question = nil }),
			change(query, func(m *dns.Msg) { m.Question = append(m.Question, m.Question[0]) }),
			change(query, func(m *dns.Msg) { m.Question[0].Name = "z.test." }),
			change(query, func(m *dns.Msg) { m.Question[0].Qtype = dns.TypeA }),
			change(query, func(m *dns.Msg) { m.Question[0].Qclass = dns.ClassCHAOS }),
			right(query, tcp)[0],
		}
	})
	if list, err := resolver(s).Exchangers(t.Context(), "y.test."); len(list) != 1 || list[0].Host != "a.test." || err != nil {
		t.Error(list, err)
	}
	owned := serve(t, func(query *dns.Msg, tcp bool) []*dns.Msg {
		return []*dns.Msg{change(query, func(m *dns.Msg) { m.Answer[0].Header().Name = "z.test." })}
	})
	if list, err := resolver(owned).Exchangers(t.Context(), "y.test."); err != ErrNotFound {
		t.Error(list, err)
	}
	flood := serve(t, func(query *dns.Msg, tcp bool) (list []*dns.Msg) {
		for range maxStray + 100 {
			list = append(list, change(query, func(m *dns.Msg) { m.Id++ }))
		}
		return list
	})
	if list, err := resolver(flood).Exchangers(t.Context(), "y.test."); kind(err) != errOther {
		t.Error(list, err)
	}
}

func TestSeveralServers(t *testing.T) {
	good := zone("y.test. MX 1 a.test.")
	for _, c := range []struct {
		name   string
		first  func(*dns.Msg, bool) []*dns.Msg
		second int // questions to the second server
		err    error
	}{
		{"the first answers", good, 0, nil},
		{"the first is silent", zone("y.test. SILENT"), 1, nil},
		{"the first fails", zone("y.test. SERVFAIL"), 1, nil},
		{"the first refuses", zone("y.test. REFUSED"), 1, nil},
		{"the first knows no such name", zone(), 0, ErrNotFound},
	} {
		first, second := serve(t, c.first), serve(t, good)
		r := resolver(first, second)
		list, err := r.Exchangers(t.Context(), "y.test.")
		if kind(err) != c.err || (err == nil) != (len(list) == 1) || len(second.asked()) != c.second {
			t.Errorf("%s: %v, %v, %q", c.name, list, err, second.asked())
		}
	}
	gone := netip.MustParseAddrPort("127.0.0.1:1")
	r := resolver(serve(t, good))
	r.Servers = append([]netip.AddrPort{gone}, r.Servers...)
	if list, err := r.Exchangers(t.Context(), "y.test."); len(list) != 1 || err != nil {
		t.Error("nobody listens at the first:", list, err)
	}
}

func TestAttempts(t *testing.T) {
	s := serve(t, zone("y.test. SILENT", "x.test. SERVFAIL"))
	r := resolver(s)
	r.Attempts = 3
	r.Exchangers(t.Context(), "y.test.")
	if n := len(s.asked()); n != 3 {
		t.Errorf("%d times", n)
	}
	r.Exchangers(t.Context(), "x.test.")
	if n := len(s.asked()); n != 4 {
		t.Errorf("%d times", n)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Exchangers(ctx, "y.test."); kind(err) != errOther || len(s.asked()) != 4 {
		t.Error(err, s.asked())
	}
}

func TestRotate(t *testing.T) {
	good := zone("y.test. MX 1 a.test.")
	first, second := serve(t, good), serve(t, good)
	r := resolver(first, second)
	r.Rotate = true
	for range 100 {
		r.Exchangers(t.Context(), "y.test.")
	}
	if len(first.asked()) == 0 || len(second.asked()) == 0 {
		t.Error("one has all the work")
	}
}

func TestPortsAndNumbersDiffer(t *testing.T) {
	var mu sync.Mutex
	ids := map[uint16]bool{}
	s := serve(t, func(query *dns.Msg, tcp bool) []*dns.Msg {
		mu.Lock()
		defer mu.Unlock()
		ids[query.Id] = true
		return zone("y.test. MX 1 a.test.")(query, tcp)
	})
	r := resolver(s)
	ports := map[string]bool{}
	r.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		if err == nil {
			ports[conn.LocalAddr().String()] = true
		}
		return conn, err
	}
	for range 20 {
		r.Exchangers(t.Context(), "y.test.")
	}
	mu.Lock()
	defer mu.Unlock()
	if len(ids) < 15 || len(ports) < 10 {
		t.Errorf("%d numbers, %d ports", len(ids), len(ports))
	}
}
