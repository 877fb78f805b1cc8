package main

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"goqmail/internal/host/account"
)

// serveSMTP is the demo's own network side: for each connection to a port of
// 127.0.0.1 it starts qmail-smtpd as qmaild, the way tcpserver does, and on the
// address in control/smtproutes it plays another host. It prints the first
// address, and serves until it is killed.
func serveSMTP(home string) error {
	qmaild, err := account.LookupUser("qmaild")
	if err != nil {
		return err
	}
	route, err := os.ReadFile(filepath.Join(home, "control/smtproutes"))
	if err != nil {
		return err
	}
	_, sink, _ := strings.Cut(strings.TrimSpace(string(route)), ":")
	remote, err := net.Listen("tcp", sink)
	if err != nil {
		return err
	}
	local, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	go accept(remote, (&remoteHost{mail: filepath.Join(home, "remote-host/mail")}).serve)
	fmt.Println(local.Addr())
	os.Stdout.Close()
	return accept(local, func(conn *net.TCPConn) { runSmtpd(home, qmaild, conn) })
}

func accept(l net.Listener, serve func(*net.TCPConn)) error {
	for {
		conn, err := l.Accept()
		if err != nil {
			return err
		}
		go serve(conn.(*net.TCPConn))
	}
}

// runSmtpd gives a connection to qmail-smtpd as descriptors 0 and 1.
func runSmtpd(home string, qmaild account.User, conn *net.TCPConn) {
	defer conn.Close()
	f, err := conn.File()
	if err != nil {
		return
	}
	defer f.Close()
	local, remote := conn.LocalAddr().(*net.TCPAddr), conn.RemoteAddr().(*net.TCPAddr)
	cmd := exec.Command(filepath.Join(home, "bin/qmail-smtpd"))
	cmd.Dir = home
	cmd.Stdin, cmd.Stdout, cmd.Stderr = f, f, os.Stderr
	cmd.Env = []string{
		"PROTO=TCP", "TCPLOCALIP=" + local.IP.String(), fmt.Sprint("TCPLOCALPORT=", local.Port),
		"TCPREMOTEIP=" + remote.IP.String(), fmt.Sprint("TCPREMOTEPORT=", remote.Port),
		"TCPREMOTEHOST=client.example",
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: qmaild.UID, Gid: qmaild.GID}}
	cmd.Run()
}

// A remoteHost is too busy for the first message and takes every later one.
type remoteHost struct {
	mu   sync.Mutex
	busy int // messages put off
	mail string
}

func (h *remoteHost) serve(conn *net.TCPConn) {
	defer conn.Close()
	fmt.Fprint(conn, "220 remote.example\r\n")
	var message *bytes.Buffer
	for lines := bufio.NewScanner(conn); lines.Scan(); {
		line := lines.Text()
		switch {
		case message != nil && line == ".":
			h.keep(message)
			message = nil
			fmt.Fprint(conn, "250 taken\r\n")
		case message != nil:
			fmt.Fprintln(message, strings.TrimPrefix(line, "."))
		case strings.HasPrefix(line, "MAIL") && h.tooBusy():
			fmt.Fprint(conn, "451 too busy, try again later\r\n")
		case line == "DATA":
			message = &bytes.Buffer{}
			fmt.Fprint(conn, "354 go ahead\r\n")
		case line == "QUIT":
			fmt.Fprint(conn, "221 bye\r\n")
			return
		default:
			fmt.Fprint(conn, "250 ok\r\n")
		}
	}
}

func (h *remoteHost) tooBusy() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.busy++
	return h.busy == 1
}

// keep adds a message to the file that stands for the remote mailbox.
func (h *remoteHost) keep(message *bytes.Buffer) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f, err := os.OpenFile(h.mail, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		return
	}
	defer f.Close()
	f.Write(message.Bytes())
}
