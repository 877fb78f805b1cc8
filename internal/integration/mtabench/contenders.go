package main

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"
)

// Who gets mail in the root of a peer.
const (
	peerUser = "peer"
	peerUID  = 5555
)

// A peer is a mail system that is compared.
type peer struct {
	name      string
	packages  []string // Debian's
	root      string   // / for goqmail
	home      string   // of the user, from outside
	uid       int      // the user's
	user      string
	separator string // between a user and an extension
	sendmail  string // command; none has no such work
	relays    bool   // sends to other hosts through a relay
	combines  bool   // recipients of a message, whatever is configured
	slow      string // a work of which it does a tenth, as all of it would take minutes
	logs      []string

	configure func(*peer, setting) error
	daemon    []string // in the root
	queue     []string // directories whose files are messages that are not done
	debris    []string // more directories that are emptied before a start
	suite     *suite   // goqmail
	trees     []*tree
}

// A setting is what is different from work to work.
type setting struct {
	b        *bench
	combined bool // recipients of a message may share a transaction
}

//go:embed conf
var conf embed.FS

// template fills in a configuration.
func (p *peer) template(name string, s setting, more ...string) string {
	text, err := fs.ReadFile(conf, "conf/"+name)
	if err != nil {
		panic(err) // it is compiled in
	}
	port := s.b.port(popPort)
	more = append(more, "@DOMAIN@", domain, "@PORT@", fmt.Sprint(s.b.port(smtpPort)), "@SINK@", fmt.Sprint(s.b.port(sinkPort)),
		"@SPARE@", fmt.Sprint(port), "@SPARE2@", fmt.Sprint(port+1))
	return strings.NewReplacer(more...).Replace(string(text))
}

func (p *peer) write(name, text string) error {
	path := filepath.Join(p.root, name)
	return errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644))
}

// in runs a program in the root.
func (p *peer) in(program string, args ...string) error {
	return quietly("chroot", append([]string{p.root, program}, args...)...)
}

// packaged are the peers of Debian.
func packaged(root string) []*peer {
	list := []*peer{
		{
			name: "postfix", packages: []string{"postfix"}, sendmail: "/usr/sbin/sendmail", relays: true,
			logs:   []string{"var/spool/postfix/dev/log"},
			daemon: []string{"/usr/lib/postfix/sbin/master", "-d"},
			queue:  below("var/spool/postfix", "maildrop", "incoming", "active", "deferred"),
			debris: below("var/spool/postfix", "defer", "bounce", "trace", "hold", "corrupt"),
			configure: func(p *peer, s setting) error {
				master := filepath.Join(p.root, "etc/postfix/master.cf")
				original := master + ".original"
				text, err := os.ReadFile(original)
				if errors.Is(err, fs.ErrNotExist) {
					if text, err = os.ReadFile(master); err == nil {
						err = os.WriteFile(original, text, 0o644)
					}
				}
				if err != nil {
					return err
				}
				server := regexp.MustCompile(`(?m)^smtp +inet .*$`).ReplaceAll(text, fmt.Appendf(nil, "127.0.0.1:%d inet n - y - - smtpd", s.b.port(smtpPort)))
				return errors.Join(
					os.WriteFile(master, server, 0o644),
					p.write("etc/postfix/main.cf", p.template("postfix-main.cf", s, "@RECIPIENTS@", s.recipients("50"), "@LOCAL@", "20")),
					p.in("newaliases"),
					p.in("/usr/lib/postfix/configure-instance.sh", "-"),
					p.in("postfix", "check"),
				)
			},
		},
		{
			name: "exim", packages: []string{"exim4-daemon-light"}, sendmail: "/usr/sbin/sendmail", relays: true,
			daemon: []string{"/usr/sbin/exim4", "-bdf", "-q30m"},
			queue:  below("var/spool/exim4", "input"),
			debris: below("var/spool/exim4", "msglog", "db"),
			configure: func(p *peer, s setting) error {
				return p.write("etc/exim4/exim4.conf", p.template("exim4.conf", s, "@RECIPIENTS@", s.recipients("100")))
			},
		},
		{
			name: "opensmtpd", packages: []string{"opensmtpd"}, sendmail: "/usr/sbin/sendmail", relays: true, combines: true, slow: "relay",
			daemon: []string{"/usr/sbin/smtpd", "-F"},
			queue:  below("var/spool/smtpd", "queue", "incoming"),
			debris: append(below("var/spool/smtpd", "purge", "corrupt"), "run"),
			configure: func(p *peer, s setting) error {
				return errors.Join(p.write("etc/smtpd.conf", p.template("smtpd.conf", s)), os.MkdirAll(filepath.Join(p.root, "run"), 0o755))
			},
		},
		{
			name: "chasquid", packages: []string{"chasquid", "maildrop", "openssl"},
			// As root: Debian's maildrop is not setuid, and -d needs it.
			daemon: []string{"/usr/bin/chasquid"},
			queue:  below("var/lib/chasquid", "queue"),
			configure: func(p *peer, s setting) error {
				err := errors.Join(
					p.write("etc/chasquid/chasquid.conf", p.template("chasquid.conf", s)),
					p.write("etc/maildroprc", "DEFAULT=\"$HOME/Maildir\"\n"),
				)
				certs := "/etc/chasquid/certs/" + domain
				if _, missing := os.Stat(filepath.Join(p.root, certs, "privkey.pem")); missing == nil || err != nil {
					return err
				}
				return errors.Join(
					os.MkdirAll(filepath.Join(p.root, certs), 0o755),
					os.MkdirAll(filepath.Join(p.root, "etc/chasquid/domains", domain), 0o755),
					p.in("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "3650", "-subj", "/CN="+domain,
						"-addext", "subjectAltName=DNS:"+domain, "-keyout", certs+"/privkey.pem", "-out", certs+"/fullchain.pem"),
					p.in("chasquid-util", "user-add", peerUser+"@"+domain, "--password=x"),
				)
			},
		},
	}
	for _, p := range list {
		p.root = filepath.Join(root, p.name)
		p.home, p.user, p.uid, p.separator = filepath.Join(p.root, "home", peerUser), peerUser, peerUID, "+"
	}
	return list
}

func below(dir string, names ...string) (list []string) {
	for _, n := range names {
		list = append(list, filepath.Join(dir, n))
	}
	return list
}

// recipients is how many share a transaction at most.
func (s setting) recipients(def string) string {
	if s.combined {
		return def
	}
	return "1"
}

// goqmail makes a peer of an installed home.
func goqmail(s *suite) *peer {
	return &peer{
		name: "goqmail", root: "/", home: s.b.user.Home, uid: int(s.b.user.UID), user: s.b.user.Name, separator: "-",
		sendmail: s.bin("sendmail"), relays: true, suite: s,
		configure: func(p *peer, set setting) error {
			files := map[string]string{"rcpthosts": "", "concurrencylocal": "20", "remotebatch": "", "concurrencyhost": "", "spawnlimit": ""}
			if set.combined {
				files["remotebatch"], files["concurrencyhost"] = "100", "20"
				files["concurrencyremote"], files["spawnlimit"] = "2000", "2000"
			}
			return errors.Join(s.control(files), os.WriteFile(filepath.Join(p.home, ".qmail-default"), []byte("./Maildir/\n"), 0o644))
		},
	}
}

// start starts a peer anew, with an empty queue and an empty maildir.
func (p *peer) start(s setting) error {
	maildir := filepath.Join(p.home, "Maildir")
	if err := os.RemoveAll(maildir); err != nil {
		return err
	}
	for _, d := range []string{"", "tmp", "new", "cur"} {
		path := filepath.Join(maildir, d)
		if err := errors.Join(os.Mkdir(path, 0o700), os.Lchown(path, p.uid, p.uid)); err != nil {
			return err
		}
	}
	if err := errors.Join(p.configure(p, s), p.clean()); err != nil {
		return err
	}
	address := fmt.Sprint("127.0.0.1:", s.b.port(smtpPort))
	if p.suite != nil {
		for _, start := range []func() (*tree, error){p.suite.send, p.suite.smtpd} {
			t, err := start()
			if err != nil {
				return err
			}
			p.trees = append(p.trees, t)
		}
		return p.suite.running()
	}
	cmd := exec.Command(p.daemon[0], p.daemon[1:]...)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}
	cmd.Dir, cmd.SysProcAttr = "/", &syscall.SysProcAttr{Chroot: p.root, Setsid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	p.trees = append(p.trees, &tree{cmd})
	return await(address)
}

// clean empties the queue.
func (p *peer) clean() error {
	if p.suite != nil {
		return p.suite.purge()
	}
	for _, dir := range append(append([]string(nil), p.queue...), p.debris...) {
		err := filepath.WalkDir(filepath.Join(p.root, dir), func(path string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				err = os.Remove(path)
			}
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// done tells whether the queue is empty.
func (p *peer) done() bool {
	if p.suite != nil {
		return p.suite.count("todo/*", "mess/*/*") == 0
	}
	for _, dir := range p.queue {
		found := errors.New("a message")
		if filepath.WalkDir(filepath.Join(p.root, dir), func(_ string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				return found
			}
			return nil
		}) == found {
			return false
		}
	}
	return true
}

// stop ends all processes of the namespace but this one.
func (p *peer) stop() {
	if p.suite != nil {
		for _, t := range p.trees {
			t.stop()
		}
	}
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		for _, pid := range others() {
			syscall.Kill(pid, signal)
		}
		for range 50 {
			for {
				if pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); pid <= 0 || err != nil {
					break
				}
			}
			if len(others()) == 0 {
				break
			}
			time.Sleep(100 * time.Millisecond)
		}
	}
	p.trees = nil
}
