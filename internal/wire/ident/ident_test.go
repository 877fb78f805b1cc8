package ident

import (
	"bufio"
	"context"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for line, want := range map[string]string{
		"4312, 25 : USERID : UNIX : joe\r\n":        "joe",
		"4312,25:USERID:UNIX:joe\n":                 "joe",
		"4312 , 25 : USERID : UNIX,UTF-8 : a:b c\n": "a:bc",
		"4312, 25 : ERROR : NO-USER\r\n":            "",
		"4312, 25 : ERROR : NO-USER : joe\r\n":      "",
		"4313, 26 : USERID : UNIX : joe\r\n":        "joe",
		"4312, 25 : USERID : UNIX :\r\n":            "",
		"4312, 25 : USERID : UNIX\r\n":              "",
		"4312, 25 : USERID : UNIX : jo\x00e\r\n":    "",
		"4312, 25 : USERID : UNIX : j\xf6rg\r\n":    "",
		"4312 25 : USERID : UNIX : jo \t e \r\n":    "joe",
		"":                                          "",
		"joe\n":                                     "",
	} {
		got, err := parse(line)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", line, got, err)
		}
	}
}

// TestAsk talks to a server of our own on the port of the protocol, where that may
// be had.
func TestAsk(t *testing.T) {
	l, err := net.Listen("tcp", "127.8.113.1:113")
	if err != nil {
		t.Skip("needs port 113: ", err)
	}
	defer l.Close()
	go func() {
		for _, reply := range []string{"4312, 25 : USERID : UNIX : joe\r\n", strings.Repeat("x", 10_000), ""} {
			c, err := l.Accept()
			if err != nil {
				return
			}
			query, _ := bufio.NewReader(c).ReadString('\n')
			if query == "4312 , 25\r\n" {
				c.Write([]byte(reply))
			}
			c.Close()
		}
	}()
	remote, local := netip.MustParseAddrPort("127.8.113.1:4312"), netip.MustParseAddrPort("127.8.113.2:25")
	if user, err := Ask(context.Background(), remote, local); user != "joe" || err != nil {
		t.Errorf("%q, %v", user, err)
	}
	for range 2 {
		if user, err := Ask(context.Background(), remote, local); err == nil {
			t.Errorf("%q", user)
		}
	}
	l.Close()
	if _, err := Ask(context.Background(), remote, local); err == nil {
		t.Error("nobody has answered")
	}
}

// TestSilence: the context ends it.
func TestSilence(t *testing.T) {
	l, err := net.Listen("tcp", "127.8.113.1:113")
	if err != nil {
		t.Skip("needs port 113: ", err)
	}
	defer l.Close()
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		c, err := l.Accept()
		if err == nil {
			defer c.Close()
			bufio.NewReader(c).ReadString('\n')
		}
		cancel()
		bufio.NewReader(c).ReadString('\n')
	}()
	remote, local := netip.MustParseAddrPort("127.8.113.1:4312"), netip.MustParseAddrPort("127.8.113.2:25")
	if _, err := Ask(ctx, remote, local); err == nil || !os.IsTimeout(err) {
		t.Error(err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("4312, 25 : USERID : UNIX : joe\r\n")
	f.Add("4312, 25 : ERROR : NO-USER\r\n")
	f.Fuzz(func(t *testing.T, line string) {
		user, err := parse(line)
		if (err == nil) == (user == "") || strings.ContainsAny(user, "\x00\r\n") {
			t.Errorf("%q, %v", user, err)
		}
	})
}
