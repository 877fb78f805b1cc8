package prefix

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"goqmail/internal/mail/outcome"
)

// delivery is the descriptors of a delivery, and what the program has printed.
func delivery(t *testing.T, message string) (files []*os.File, printed func() string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/message", []byte(message), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"message", "1", "2"} {
		f, err := os.OpenFile(dir+"/"+name, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		files = append(files, f)
	}
	return files, func() string {
		text, _ := os.ReadFile(dir + "/1")
		return string(text)
	}
}

// environment is that of a program, without the variables named.
func environment(without ...string) Environment {
	variables := map[string]string{
		"UFLINE": "From u\n", "RPLINE": "Return-Path: <r>\n", "DTLINE": "Delivered-To: d\n",
		"SENDER": "s@x", "HOST": "h", "LOCAL": "Joe-l",
	}
	for _, name := range without {
		delete(variables, name)
	}
	return func(name string) (string, bool) { v, set := variables[name]; return v, set }
}

// exitCode is that with which process.Exit would end.
func exitCode(err error) int {
	var status *outcome.Status
	if errors.As(err, &status) {
		return status.Code
	}
	return outcome.Of(err).ExitCode()
}

type run struct {
	args    string // by words, with _ for spaces
	code    int
	printed string
	err     string
}

func (r run) words() []string {
	words := strings.Fields(r.args)
	for i, w := range words {
		words[i] = strings.ReplaceAll(w, "_", " ")
	}
	return words
}

func TestPreline(t *testing.T) {
	const usage = "usage: preline cmd [ arg ... ]"
	for _, c := range []run{
		{"cat", 0, "From u\nReturn-Path: <r>\nDelivered-To: d\nmsg\n", "<nil>"},
		{"-f cat", 0, "Return-Path: <r>\nDelivered-To: d\nmsg\n", "<nil>"},
		{"-r cat", 0, "From u\nDelivered-To: d\nmsg\n", "<nil>"},
		{"-d cat", 0, "From u\nReturn-Path: <r>\nmsg\n", "<nil>"},
		{"-frd cat", 0, "msg\n", "<nil>"},
		{"-frd -FD cat", 0, "From u\nDelivered-To: d\nmsg\n", "<nil>"},
		{"-frd -R -- cat", 0, "Return-Path: <r>\nmsg\n", "<nil>"},
		{"sh -c exit_53", 53, "", ""},
		{"sh -c cat;exit_99", 99, "From u\nReturn-Path: <r>\nDelivered-To: d\nmsg\n", ""},
		{"sh -c kill_-9_$$", 111, "", "child crashed"},
		{"/nonexistent", 100, "", "unable to run /nonexistent: file does not exist"},
		{"no-such-program", 100, "", "unable to run no-such-program: file does not exist"},
		{"", 100, "", usage},
		{"-f", 100, "", usage},
		{"-x cat", 100, "", "preline: illegal option -- x\npreline: " + usage},
	} {
		files, printed := delivery(t, "msg\n")
		err := Preline(environment(), files, c.words())
		if exitCode(err) != c.code || printed() != c.printed || fmt.Sprint(err) != c.err {
			t.Errorf("%s: %d %q %v", c.args, exitCode(err), printed(), err)
		}
	}
	for _, name := range []string{"UFLINE", "RPLINE", "DTLINE"} {
		files, _ := delivery(t, "")
		if err := Preline(environment(name), files, []string{"cat"}); err == nil || err.Error() != usage {
			t.Errorf("without %s: %v", name, err)
		}
	}
}

func TestQsmhook(t *testing.T) {
	for _, c := range []run{
		{"cat", 0, "From u\nmsg\n", "<nil>"},
		{"-n cat", 0, "msg\n", "<nil>"},
		{"-nP cat", 0, "Return-Path: <r>\nmsg\n", "<nil>"},
		{"-lP cat", 0, "From u\nReturn-Path: <r>\nDelivered-To: d\nmsg\n", "<nil>"},
		{"-DFMms cat", 0, "From u\nmsg\n", "<nil>"},
		{"echo %g,%h,%u,%%,%z,%", 0, "s@x,h,Joe-l,%,,\n", "<nil>"},
		{"-x joe- echo %u", 0, "l\n", "<nil>"},
		{"-xother echo %u", 0, "Joe-l\n", "<nil>"},
		{"-xJoe- -xl echo (%u)", 0, "()\n", "<nil>"},
		{"sh -c exit_99", 99, "", ""},
		{"sh -c kill_-9_$$", 111, "", "temporary problem"},
		{"/nonexistent", 100, "", "command not found"},
		{"", 100, "", "incorrect usage"},
		{"-y cat", 100, "", "qsmhook: illegal option -- y"},
		{"-x", 100, "", "qsmhook: option requires an argument -- x"},
	} {
		files, printed := delivery(t, "msg\n")
		err := Qsmhook(environment(), files, c.words())
		if exitCode(err) != c.code || printed() != c.printed || fmt.Sprint(err) != c.err {
			t.Errorf("%s: %d %q %v", c.args, exitCode(err), printed(), err)
		}
	}
	for _, name := range []string{"UFLINE", "RPLINE", "DTLINE", "SENDER", "HOST", "LOCAL"} {
		files, _ := delivery(t, "")
		if err := Qsmhook(environment(name), files, []string{"cat"}); err == nil || err.Error() != "incorrect usage" {
			t.Errorf("without %s: %v", name, err)
		}
	}
}

// TestShell: how a command can end, and what it finds.
func TestShell(t *testing.T) {
	for _, c := range []struct {
		command  string
		prefixed bool
		code     int
		printed  string
		err      string
	}{
		{"cat", false, 0, "msg\n", "<nil>"},
		{"cat", true, 0, "From u\nReturn-Path: <r>\nDelivered-To: d\nmsg\n", "<nil>"},
		{"exit 0", false, 0, "", "<nil>"},
		{"exit 65", true, 100, "", ""},
		{"exit 100", false, 100, "", ""},
		{"exit 99", false, 111, "", ""},
		{"exit 1", true, 111, "", ""},
		{"no-such-command", false, 111, "", ""},
		{"kill -9 $$", false, 111, "", "child crashed in kill -9 $$"},
		{"kill -9 $$", true, 111, "", "child crashed in kill -9 $$"},
	} {
		files, printed := delivery(t, "msg\n")
		files[0].Seek(3, io.SeekStart)
		err := Shell(environment(), files, c.command, c.prefixed)
		if exitCode(err) != c.code || printed() != c.printed || fmt.Sprint(err) != c.err {
			t.Errorf("%s: %d %q %v", c.command, exitCode(err), printed(), err)
		}
	}
	files, printed := delivery(t, "msg\n")
	if err := Shell(environment("UFLINE", "DTLINE"), files, "cat", true); err != nil || printed() != "Return-Path: <r>\nmsg\n" {
		t.Errorf("%q %v", printed(), err)
	}
}

// TestWhole: a pipe is read from where it is, a file from its beginning.
func TestWhole(t *testing.T) {
	files, _ := delivery(t, "message")
	files[0].Seek(3, io.SeekStart)
	r := Whole(files[0])
	files[0].Seek(5, io.SeekStart)
	if text, err := io.ReadAll(r); string(text) != "message" || err != nil {
		t.Errorf("%q %v", text, err)
	}
	pr, pw, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer pr.Close()
	pw.WriteString("piped")
	pw.Close()
	if text, err := io.ReadAll(Whole(pr)); string(text) != "piped" || err != nil {
		t.Errorf("%q %v", text, err)
	}
	if err := Shell(environment(), []*os.File{pr, nil, nil}, "exit 0", false); err == nil || !strings.HasPrefix(err.Error(), "unable to rewind input: ") {
		t.Error(err)
	}
}

func FuzzExpand(f *testing.F) {
	f.Add("%g%%%", "a%u")
	f.Fuzz(func(t *testing.T, arg, sender string) {
		got := expand(arg, map[byte]string{'%': "%", 'g': sender})
		if !strings.Contains(arg, "%") && got != arg {
			t.Errorf("%q became %q", arg, got)
		}
		if len(got) > len(arg)*(len(sender)+1) {
			t.Errorf("%q became %d bytes", arg, len(got))
		}
	})
}
