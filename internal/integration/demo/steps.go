package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// steps is what the demo shows, in order.
var steps = []struct {
	title string
	run   func(*demo) error
}{
	{"A message comes in by SMTP, and goes into joe's Maildir", func(d *demo) error {
		return d.send("sue@remote.example", "joe@demo.example", "250 ok ", "end msg")
	}},
	{"joe runs sendmail; ~joe/.qmail-list forwards joe-list to three people", func(d *demo) error {
		fmt.Print("   ~joe/.qmail-list:\n" + indent(listFile))
		return d.sendmail("joe-list@demo.example", "end msg", "end msg")
	}},
	{"Somebody on the network tries to relay: refused, since control/rcpthosts has demo.example only", func(d *demo) error {
		return d.send("sue@remote.example", "kim@elsewhere.example", "553 ")
	}},
	{"A message to nobody: it bounces back to joe", func(d *demo) error {
		return d.send("joe@demo.example", "nobody@demo.example", "250 ok ", "end msg", "end msg")
	}},
	{"A message to another host, which is too busy at first", func(d *demo) error {
		if err := d.sendmail("kim@remote.example", "deferral"); err != nil {
			return err
		}
		fmt.Println("   $ kill -ALRM qmail-send      # try everything that waits, now")
		if err := syscall.Kill(d.qmailSend, syscall.SIGALRM); err != nil {
			return err
		}
		return d.follow("end msg")
	}},
}

const listFile = "&ann@demo.example\n&bob@demo.example\n&eve@demo.example\n"

// send speaks SMTP with qmail-smtpd. The answer to what decides, RCPT or the
// end of the message, must begin with reply. It then follows the log until each
// of the lines has been seen.
func (d *demo) send(from, to, reply string, lines ...string) error {
	conn, err := net.Dial("tcp", d.smtpd)
	if err != nil {
		return err
	}
	defer conn.Close()
	r := bufio.NewReader(conn)
	last := ""
	say := func(text string) error {
		if text != "" {
			fmt.Print(indent("C: " + strings.TrimSuffix(strings.ReplaceAll(text, "\n", "\nC: "), "C: ")))
			if _, err := conn.Write([]byte(strings.ReplaceAll(text, "\n", "\r\n"))); err != nil {
				return err
			}
		}
		line, err := r.ReadString('\n')
		last = strings.TrimSuffix(line, "\r\n")
		fmt.Print(indent("S: " + last + "\n"))
		return err
	}
	message := "From: " + from + "\nTo: " + to + "\nSubject: by SMTP\n\nHello!\n.\n"
	for _, text := range []string{"", "HELO client.example\n", "MAIL FROM:<" + from + ">\n", "RCPT TO:<" + to + ">\n", "DATA\n", message} {
		if err := say(text); err != nil {
			return err
		}
		if last[0] == '5' {
			break
		}
	}
	if !strings.HasPrefix(last, reply) {
		return fmt.Errorf("the reply was %q instead of %q", last, reply)
	}
	if err := say("QUIT\n"); err != nil {
		return err
	}
	return d.follow(lines...)
}

// sendmail runs the sendmail command as joe.
func (d *demo) sendmail(to string, lines ...string) error {
	fmt.Printf("   joe$ echo ... | sendmail %s\n", to)
	cmd := exec.Command(filepath.Join(d.home, "bin/sendmail"), to)
	cmd.Env = []string{"USER=joe", "PATH=" + os.Getenv("PATH")}
	cmd.Stdin = strings.NewReader("To: " + to + "\nSubject: by sendmail\n\nHello!\n")
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: people, Gid: people}}
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("sendmail: %w", err)
	}
	return d.follow(lines...)
}

// showMail lists every message that was delivered.
func (d *demo) showMail() error {
	files, err := filepath.Glob(filepath.Join(d.home, "people/*/Maildir/new/*"))
	if err != nil {
		return err
	}
	files = append(files, filepath.Join(d.home, "remote-host/mail"))
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			return err
		}
		fmt.Printf("%s\n%s", strings.TrimPrefix(f, d.home+"/"), indent(string(text)))
	}
	return nil
}

func indent(text string) string {
	return "   " + strings.ReplaceAll(strings.TrimSuffix(text, "\n"), "\n", "\n   ") + "\n"
}
