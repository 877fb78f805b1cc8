package listen

import (
	"strings"
	"testing"
)

// FuzzParseOptions: options that are taken make sense, and others are told with the synopsis.
func FuzzParseOptions(f *testing.F) {
	for _, args := range []string{"-a\x00127.0.0.1:25\x00-c\x0010", "-vXx/etc/tcp.smtp.cdb", "-a:25", "-y10.0.0.0/8", "-t99999999999999999999", "-c0", "x", "-a[::1%lo]:25"} {
		f.Add(args)
	}
	f.Fuzz(func(t *testing.T, args string) {
		o, err := ParseOptions("qmail-smtpd", strings.Split(args, "\x00"))
		switch {
		case err != nil && !strings.HasPrefix(err.Error(), "usage: qmail-smtpd [ -a"):
			t.Error(err)
		case err == nil && (o.Most <= 0 || o.PerAddress < 0 || o.PerNetwork < 0 || o.UserTimeout < 0 || o.Grace < 0):
			t.Errorf("%+v", o)
		}
		for _, a := range o.Addresses {
			if err == nil && !a.IsValid() {
				t.Errorf("%v", a)
			}
		}
	})
}
