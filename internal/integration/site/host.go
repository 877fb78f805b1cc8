package site

import (
	"fmt"
	"math"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"

	"goqmail/internal/admin/install"

	"golang.org/x/sys/unix"
)

// A Network is an Ethernet of several hosts. The site itself is no part of it: it
// has the cables and the switch.
type Network struct {
	s     *Site
	hosts int
}

// A Host is another machine as far as mail can tell: it has a network, a host name,
// and a home and users' homes of its own. Programs are run there with Command.On.
type Host struct {
	Name    string // such as "queue1"
	Address string
	Dir     string // where the site sees its files: home is "qmail", users' homes are "home"
	s       *Site
	calls   chan func()
}

// NewNetwork makes a network for the hosts of one test. It skips the test where the
// machine cannot have one.
func (s *Site) NewNetwork() *Network {
	s.t.Helper()
	if _, err := exec.LookPath("ip"); err != nil {
		s.t.Skip("needs ip of the package iproute2, which is not installed")
	}
	if out, err := ip("link", "add", "switch", "type", "bridge"); err != nil {
		s.t.Skipf("needs a network bridge, which this kernel does not have: %s", out)
	}
	s.t.Cleanup(func() { ip("link", "del", "switch") })
	if out, err := ip("link", "set", "switch", "up"); err != nil {
		s.t.Fatal(out)
	}
	return &Network{s: s}
}

func ip(args ...string) (string, error) {
	out, err := exec.Command("ip", args...).CombinedOutput()
	return string(out), err
}

// Join makes the site itself a host of the network, and returns its address.
func (n *Network) Join() string {
	n.s.t.Helper()
	const address = "10.25.0.254"
	if out, err := ip("address", "add", address+"/24", "dev", "switch"); err != nil {
		n.s.t.Fatal(out)
	}
	return address
}

// Lose has the network lose packets between the host and the others, each with some
// probability, in both directions. With 0 it loses none.
func (n *Network) Lose(h *Host, probability float64) error {
	exec.Command("tc", "qdisc", "del", "dev", h.Name, "clsact").Run()
	if probability == 0 {
		return nil
	}
	if out, err := exec.Command("tc", "qdisc", "add", "dev", h.Name, "clsact").CombinedOutput(); err != nil {
		return fmt.Errorf("tc qdisc: %w: %s", err, out)
	}
	// Load a random number; above the limit the packet goes on (-1), else it is shot (2).
	dice := fmt.Sprintf("4,32 0 0 4294963256,37 0 1 %d,6 0 0 4294967295,6 0 0 2", uint32(probability*math.MaxUint32))
	for _, direction := range []string{"ingress", "egress"} {
		if out, err := exec.Command("tc", "filter", "add", "dev", h.Name, direction, "bpf", "da", "bytecode", dice).CombinedOutput(); err != nil {
			return fmt.Errorf("tc filter: %w: %s", err, out)
		}
	}
	return nil
}

// Host adds a host with an empty home to the network. It goes away when the test
// ends, and all that has been started there must have ended before: see Start.
func (n *Network) Host(name string) *Host {
	n.s.t.Helper()
	n.hosts++
	h := &Host{
		Name:    name,
		Address: fmt.Sprintf("10.25.0.%d", n.hosts),
		Dir:     filepath.Join("/mnt/hosts", name),
		s:       n.s,
		calls:   make(chan func()),
	}
	n.s.must(os.RemoveAll(h.Dir))
	for _, dir := range []string{"qmail", "home"} {
		n.s.must(os.MkdirAll(filepath.Join(h.Dir, dir), 0o755))
	}
	ready := make(chan error)
	go h.serve(ready)
	n.s.must(<-ready)
	n.s.t.Cleanup(func() { close(h.calls) })
	h.must(func() error { return unix.Sethostname([]byte(name)) })
	h.must(h.mount)
	h.must(loopbackUp)
	n.plug(h)
	return h
}

// serve is the thread that lives in the namespaces of the host. It ends with them,
// since nothing can undo its being there.
func (h *Host) serve(ready chan<- error) {
	runtime.LockOSThread()
	err := unix.Unshare(unix.CLONE_FS | unix.CLONE_NEWNS | unix.CLONE_NEWNET | unix.CLONE_NEWUTS)
	if err == nil {
		err = unix.Mount("none", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")
	}
	if ready <- err; err != nil {
		return
	}
	for f := range h.calls {
		f()
	}
}

// do does something on the host. It must not start goroutines, which would be
// somewhere else.
func (h *Host) do(f func() error) (err error) {
	done := make(chan struct{})
	h.calls <- func() { err = f(); close(done) }
	<-done
	return err
}

func (h *Host) must(f func() error) {
	h.s.t.Helper()
	if err := h.do(f); err != nil {
		h.s.t.Fatalf("host %s: %v", h.Name, err)
	}
}

func (h *Host) mount() error {
	for dir, target := range map[string]string{"qmail": Home, "home": "/mnt/home"} {
		if err := unix.Mount(filepath.Join(h.Dir, dir), target, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("%s: %w", target, err)
		}
	}
	return nil
}

// plug connects the host to the switch, by a cable whose end at the switch has the
// host's name.
func (n *Network) plug(h *Host) {
	n.s.t.Helper()
	for _, args := range [][]string{
		{"link", "add", h.Name, "type", "veth", "peer", "name", "eth0", "netns", fmt.Sprint(h.thread())},
		{"link", "set", h.Name, "master", "switch"},
		{"link", "set", h.Name, "up"},
	} {
		if out, err := ip(args...); err != nil {
			n.s.t.Fatalf("ip %v: %s", args, out)
		}
	}
	n.s.t.Cleanup(func() { ip("link", "del", h.Name) })
	h.IP("address", "add", h.Address+"/24", "dev", "eth0")
	h.IP("link", "set", "eth0", "up")
}

// thread is the number of the thread that the host's network belongs to.
func (h *Host) thread() (tid int) {
	h.do(func() error { tid = unix.Gettid(); return nil })
	return tid
}

// IP runs ip(8) on the host.
func (h *Host) IP(args ...string) {
	h.s.t.Helper()
	cmd := exec.Command("ip", args...)
	h.must(cmd.Start)
	if err := cmd.Wait(); err != nil {
		h.s.t.Fatalf("host %s: ip %v: %v", h.Name, args, err)
	}
}

// Listen listens on the host, at an address such as "10.25.0.1:25".
func (h *Host) Listen(address string) (l net.Listener, err error) {
	err = h.do(func() (err error) { l, err = net.Listen("tcp", address); return err })
	return l, err
}

// Dial connects from the host to an address, within some time.
func (h *Host) Dial(address string, within time.Duration) (net.Conn, error) {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return nil, err
	}
	var fd int
	err = h.do(func() (err error) {
		fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("socket: %w", err)
	}
	f := os.NewFile(uintptr(fd), address)
	defer f.Close()
	limit := unix.NsecToTimeval(within.Nanoseconds())
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &limit); err != nil {
		return nil, fmt.Errorf("setsockopt: %w", err)
	}
	if err := unix.Connect(fd, &unix.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()}); err != nil {
		return nil, fmt.Errorf("connect %s: %w", address, err)
	}
	return net.FileConn(f)
}

// Unplug takes the cable out of the switch.
func (h *Host) Unplug() { h.cable("down") }

// Plug puts it back.
func (h *Host) Plug() { h.cable("up") }

func (h *Host) cable(state string) {
	h.s.t.Helper()
	if out, err := ip("link", "set", h.Name, state); err != nil {
		h.s.t.Fatal(out)
	}
}

// Install installs all of our own programs in the home of the host, as make install
// would.
func (h *Host) Install() {
	h.s.t.Helper()
	source, err := Sources()
	h.s.must(err)
	h.must(install.Plan{Home: Home, Build: os.Getenv(buildVariable), Sources: source, Accounts: install.NewSystemAccounts()}.Install)
}

// Path is the site's name for a file below the home of the host.
func (h *Host) Path(name string) string { return filepath.Join(h.Dir, "qmail", name) }

// Control writes a control file of the host.
func (h *Host) Control(name, text string) {
	h.s.t.Helper()
	h.s.must(os.WriteFile(h.Path("control/"+name), []byte(text), 0o644))
}

// ReadFile reads a file as the host sees it.
func (h *Host) ReadFile(name string) (text []byte, err error) {
	err = h.do(func() (err error) { text, err = os.ReadFile(name); return err })
	return text, err
}

// UserHome makes a user's home on the host.
func (h *Host) UserHome(user string) string {
	h.s.t.Helper()
	a := Account(user)
	dir := filepath.Join(h.Dir, "home", user)
	h.s.must(os.Mkdir(dir, 0o755))
	h.s.must(os.Chown(dir, int(a.UID), int(a.GID)))
	return dir
}
