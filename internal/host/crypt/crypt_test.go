package crypt

import (
	"errors"
	"strings"
	"testing"
)

// hashes were made by crypt(3) of libxcrypt 4.4.
var hashes = []struct{ hash, password string }{
	{`$y$j9T$F5Jx5fExrKuPp53xLKQ..1$GmcwIgvdUC9qLWcKCi6gklUa1dM3ziD43YxYNURLKy0`, "secret"},
	{`$y$j9T$F5Jx5fExrKuPp53xLKQ..1$5P1uc1zvKhieqEtKttbwCQrTPXpY1cK9wEnTDKAqLD8`, ""},
	{`$y$j9T$F5Jx5fExrKuPp53xLKQ..1$p8UCMfBCKooCwTrRDE9XzfeiVy31eMtH7Usw5T4JDPD`, strings.Repeat("x", 100)},
	{`$y$j9T$F5Jx5fExrKuPp53xLKQ..1$VwB7HW7YOahoxya7wkpHfpECfiWoZMeBPlxwmec8wI0`, "p\xc3\xa4ss w\xf6rd"},
	{`$6$saltstring$AIsRs/Ee56G/tC8MEHhvReZTfx8u3rXXMl6eYrjCG9ibix19DxoMBLogdTET5Ukw9Sf7eZTITsuk0Ry5qulYz.`, "secret"},
	{`$6$saltstring$kyGrqt6gmjAdtFLPrflEFifSYLCWWq1pyx95SvqinLDy2UHmj0sTF0MSLMwxPFZc3tu5kQckI8fks0zOPda3n1`, ""},
	{`$6$saltstring$MTEOJx1zhJ5109YzqYzCaFk55JWZM1QJeKTBu63saMo0UwwWLpCB56lyhLVgvClgMHXn3tBaHXoSTCac4QqUv0`, strings.Repeat("x", 100)},
	{`$6$rounds=1400$anotherlongsalts$mtjHbQhJ..M0yj6SAvr9.wgrrM/fCJ5iY/sFN/.pcm8WCW.56KTM8h7C89V4ZSnGlRyXrCIPpbGrveKp0Wr1d1`, "p\xc3\xa4ss w\xf6rd"},
	{`$6$s$0ONk7Cb6vQHj.WRVKbGZ0Y86yhuLam11L92a6wziCUwhPAmO1YdgYIoxpvS.wNpwTsZveSEo7dJ07No6GUEhX0`, "secret"},
	{`$6$$2M9DchxW4txWyTYoZrH9D3VvAAQxBpEezYsLY6Cao.jwzEXpyL9xwip9hiUZX7GqTqe/E/z6iKvZqXUuqniQH.`, "secret"},
	{`$5$saltstring$C3o4O1TC6aRHF4FI.QSZMXtHbaj2gSXr4sUc/3NcUi.`, "secret"},
	{`$5$rounds=77777$short$yrXDZ9ORvXY.8YCDprrQYpRPxk3U.zbdaJxdU17yN20`, strings.Repeat("x", 100)},
	{`$2b$05$CCCCCCCCCCCCCCCCCCCCC.pIKrLVkBX9/OvQMSygY1pWEVn72t6na`, "secret"},
	{`$2b$05$CCCCCCCCCCCCCCCCCCCCC.7uG0VCzI2bS7j6ymqJi9CdcdxiRTWNy`, ""},
	{`$2b$05$CCCCCCCCCCCCCCCCCCCCC.D7RDOYXakZhsFmh/LdqQNx0kQ424AFS`, strings.Repeat("x", 100)},
	{`$2y$04$abcdefghijklmnopqrstuuIGq4uUdeu92bjoUv6J48O.1qSJfLoDq`, "p\xc3\xa4ss w\xf6rd"},
	{`$2a$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW`, "secret"},
	{`$1$saltsalt$9xy1btjgzLYfb7hivXtC//`, "secret"},
	{`$1$saltsalt$AomvFEJYtItwDZI8JetzY0`, strings.Repeat("x", 100)},
	{`$1$$qRPK7m23GJusamGpoGLby/`, ""},
}

func TestVerify(t *testing.T) {
	for _, c := range hashes {
		if !Known(c.hash) {
			t.Errorf("%s: not known", c.hash)
		}
		for password, want := range map[string]bool{c.password: true, "Secret": false, c.password + "y": len(c.password) == 100 && c.hash[1] == '2'} {
			if got, err := Verify(c.hash, password); got != want || err != nil {
				t.Errorf("%s, %q: %v, %v", c.hash, password, got, err)
			}
		}
		// A hash that is cut off or wrong somewhere is for no password.
		if got, _ := Verify(c.hash[:len(c.hash)-1], c.password); got {
			t.Errorf("%s: right without its last letter", c.hash)
		}
		wrong := []byte(c.hash)
		wrong[len(wrong)-5] ^= 3
		if got, _ := Verify(string(wrong), c.password); got {
			t.Errorf("%s: right", wrong)
		}
	}
}

func TestUnusable(t *testing.T) {
	for _, hash := range []string{
		"", "x", "*", "!", "!!", "!$6$s$x", "ab01FAX.bQRSU", "$", "$6", "$7$C6..../....", "$gy$j9T$s$h", "secret",
		"$6$", "$6$salt", "$6$salt$", "$6$salt$short", "$6$rounds=x$s$" + strings.Repeat("a", 86), "$6$rounds=999$s$" + strings.Repeat("a", 86),
		"$6$rounds=1000000000$s$" + strings.Repeat("a", 86), "$6$rounds=5000$" + strings.Repeat("a", 86), "$6$rounds=-5000$s$" + strings.Repeat("a", 86),
		"$6$longer-than-sixteen$" + strings.Repeat("a", 86), "$6$a$b$" + strings.Repeat("a", 86),
		"$5$salt$" + strings.Repeat("a", 86), "$1$", "$1$salt$", "$1$longersalt$9xy1btjgzLYfb7hivXtC//",
		"$y$", "$y$j9T", "$y$j9T$", "$y$j9T$salt", "$y$j9T$*$GmcwIgvdUC9qLWcKCi6gklUa1dM3ziD43YxYNURLKy0", "$y$jzz$F5Jx5fExrKuPp53xLKQ..1$GmcwIgvdUC9qLWcKCi6gklUa1dM3ziD43YxYNURLKy0",
		"$2b$", "$2b$05$short", "$2b$99$CCCCCCCCCCCCCCCCCCCCC.pIKrLVkBX9/OvQMSygY1pWEVn72t6na", "$2x$05$CCCCCCCCCCCCCCCCCCCCC.pIKrLVkBX9/OvQMSygY1pWEVn72t6na",
	} {
		if got, err := Verify(hash, "secret"); got || !errors.Is(err, ErrUnusable) {
			t.Errorf("%q: %v, %v", hash, got, err)
		}
	}
}

// FuzzVerify: no hash makes it crash, and none is right for two passwords.
func FuzzVerify(f *testing.F) {
	for _, c := range hashes {
		f.Add(c.hash, c.password)
	}
	f.Fuzz(func(t *testing.T, hash, password string) {
		// Others may cost any amount of time or memory, as their owner wants them.
		cheap := strings.HasPrefix(hash, "$1$") || strings.HasPrefix(hash, "$2b$04") || strings.HasPrefix(hash, "$y$j7") ||
			strings.HasPrefix(hash, "$6$") && !strings.Contains(hash, "rounds")
		if !cheap && Known(hash) {
			t.Skip("a hash that is dear on purpose")
		}
		one, _ := Verify(hash, password)
		two, _ := Verify(hash, password[:min(len(password), 71)]+"!")
		if one && two && password != password[:min(len(password), 71)]+"!" {
			t.Errorf("%q", hash)
		}
	})
}
