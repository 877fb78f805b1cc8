package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// "mtabench peers" measures the servers that people use instead of qmail beside
// goqmail (make bench-peers, as root):
//
//	mtabench peers -user bench -runs 5 /var/qmail
//
// They are Debian's packages of Postfix, Exim, OpenSMTPD and chasquid. Each is unpacked
// once into a root directory of its own, below -root, and nowhere else. Everything runs
// in namespaces of its own: no process, mount or port of it is seen from outside, or
// outlives the run; what is measured is every process in there but this one.
//
// The table is in Markdown. A cell has the median of messages (or recipients) per
// second, in parentheses the lowest and the highest, and the median of CPU in
// milliseconds for each; for memory, megabytes of proportional set size.
func peers(args []string) error {
	o := options{port: 12100}
	f := flag.NewFlagSet("mtabench peers", flag.ExitOnError)
	only := f.String("w", "", "works, separated by commas; a name stands for all that begin with it")
	without := f.String("without", "", "peers to leave out, separated by commas")
	root := f.String("root", "/opt/mtabench", "where the peers are, or will be unpacked")
	f.StringVar(&o.user, "user", "bench", "an account whose home is used up")
	f.IntVar(&o.runs, "runs", 5, "how often each work is done by each")
	f.Float64Var(&o.scale, "scale", 1, "multiplies the sizes of the works")
	f.Usage = func() {
		fmt.Fprintln(os.Stderr, "usage: mtabench peers [flags] [goqmail's home]")
		f.PrintDefaults()
	}
	f.Parse(args)
	var contenders []*peer
	for _, p := range packaged(*root) {
		if !slices.Contains(strings.Split(*without, ","), p.name) {
			contenders = append(contenders, p)
		}
	}
	if os.Getenv(insideVariable) == "" {
		for _, p := range contenders {
			if err := p.unpack(*root); err != nil {
				return fmt.Errorf("%s: %w", p.name, err)
			}
		}
		return inside()
	}
	if err := enter(contenders); err != nil {
		return err
	}
	b, err := newBench(o)
	if err != nil {
		return err
	}
	defer b.close()
	for _, home := range f.Args() {
		s, err := openSuite(b, home)
		if err != nil {
			return err
		}
		defer s.restore()
		contenders = slices.Insert(contenders, 0, goqmail(s))
	}
	return b.compare(contenders, *only)
}

// insideVariable tells the process inside its control group.
const insideVariable = "MTABENCH_INSIDE"

// inside runs this program again as the first process of new namespaces and in a control
// group. That is what counts the time of processes for which nobody waits.
func inside() error {
	top, err := controlGroups()
	if err != nil {
		return err
	}
	group, err := os.MkdirTemp(top, "mtabench")
	if err != nil {
		return err
	}
	defer func() { // which may take a moment: the last of its processes have just ended
		for range 500 {
			if os.Remove(group) == nil {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
	}()
	dir, err := os.Open(group)
	if err != nil {
		return err
	}
	defer dir.Close()
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), insideVariable+"="+group)
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWNET | syscall.CLONE_NEWUTS | syscall.CLONE_NEWIPC,
		Pdeathsig:  syscall.SIGKILL,

		UseCgroupFD: true,
		CgroupFD:    int(dir.Fd()),
	}
	// It has to put things back, and must not lose its parent before.
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, unix.SIGINT, unix.SIGTERM)
	defer signal.Stop(signals)
	if err := cmd.Start(); err != nil {
		return err
	}
	go func() {
		for s := range signals {
			cmd.Process.Signal(s)
		}
	}()
	return cmd.Wait()
}

// controlGroups is where they are, those of version 2.
func controlGroups() (string, error) {
	mounts, err := os.ReadFile("/proc/self/mounts")
	for line := range strings.Lines(string(mounts)) {
		if f := strings.Fields(line); len(f) > 2 && f[2] == "cgroup2" {
			return f[1], nil
		}
	}
	return "", errors.Join(errors.New("no cgroup2 is mounted"), err)
}

// enter sets the namespaces up.
func enter(peers []*peer) error {
	if os.Getpid() != 1 {
		return errors.New("not the first process of a namespace")
	}
	if err := errors.Join(
		unix.Mount("none", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""),
		unix.Mount("proc", "/proc", "proc", 0, ""),
		unix.Sethostname([]byte(domain)),
		exec.Command("ip", "link", "set", "lo", "up").Run(),
	); err != nil {
		return err
	}
	for _, p := range peers {
		if err := p.mount(); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	return nil
}

// mount gives a root /proc, /dev and somebody who takes what is logged.
func (p *peer) mount() error {
	dev := filepath.Join(p.root, "dev")
	if err := errors.Join(
		unix.Mount("proc", filepath.Join(p.root, "proc"), "proc", 0, ""),
		unix.Mount("dev", dev, "tmpfs", 0, "mode=0755"),
		os.Symlink("/proc/self/fd", filepath.Join(dev, "fd")),
		os.Mkdir(filepath.Join(dev, "shm"), 0o1777),
	); err != nil {
		return err
	}
	for name, minor := range map[string]uint32{"null": 3, "zero": 5, "full": 7, "random": 8, "urandom": 9} {
		path := filepath.Join(dev, name)
		if err := errors.Join(unix.Mknod(path, unix.S_IFCHR|0o666, int(unix.Mkdev(1, minor))), os.Chmod(path, 0o666)); err != nil {
			return err
		}
	}
	for _, place := range append([]string{"dev/log"}, p.logs...) {
		path := filepath.Join(p.root, place)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		os.Remove(path)
		l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
		if err != nil {
			return err
		}
		if err := errors.Join(l.SetReadBuffer(1<<20), os.Chmod(path, 0o666)); err != nil {
			return err
		}
		go func() {
			for line := make([]byte, 8<<10); ; {
				if _, err := l.Read(line); err != nil {
					return
				}
			}
		}()
	}
	return nil
}

// unpack installs a peer's packages into its root, unless it is there.
func (p *peer) unpack(root string) error {
	done := filepath.Join(p.root, "unpacked")
	if _, err := os.Stat(done); err == nil {
		return nil
	}
	fmt.Fprintln(os.Stderr, "unpacking", p.name)
	base := filepath.Join(root, "base")
	if _, err := os.Stat(filepath.Join(base, "usr/bin/apt-get")); err != nil {
		if err := errors.Join(os.MkdirAll(root, 0o755), quietly("debootstrap", "--variant=minbase", release, base, mirror)); err != nil {
			return err
		}
	}
	if err := errors.Join(os.RemoveAll(p.root), quietly("cp", "-a", base, p.root)); err != nil {
		return err
	}
	resolver, err := os.ReadFile("/etc/resolv.conf")
	if err != nil {
		return err
	}
	if err := p.write("etc/resolv.conf", string(resolver)); err != nil {
		return err
	}
	// Packages shall not start what they bring.
	if err := errors.Join(p.write("usr/sbin/policy-rc.d", "#!/bin/sh\nexit 101\n"), os.Chmod(filepath.Join(p.root, "usr/sbin/policy-rc.d"), 0o755)); err != nil {
		return err
	}
	if err := quietly("chroot", p.root, "apt-get", "update"); err != nil {
		return err
	}
	install := append([]string{p.root, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "-y", "--no-install-recommends"}, p.packages...)
	return errors.Join(
		quietly("chroot", install...),
		quietly("chroot", p.root, "useradd", "-m", "-u", fmt.Sprint(peerUID), "-s", "/bin/sh", peerUser),
		p.write("etc/resolv.conf", "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n"),
		p.write("etc/hosts", "127.0.0.1 localhost "+domain+"\n"),
		p.write("etc/mailname", domain+"\n"),
		p.write("unpacked", ""),
	)
}

const (
	release = "bookworm"
	mirror  = "http://deb.debian.org/debian"
)

// quietly runs a program, and shows what it says only if it fails.
func quietly(program string, args ...string) error {
	cmd := exec.Command(program, args...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%v: %w\n%s", cmd.Args, err, out[max(0, len(out)-2000):])
	}
	return nil
}

// others lists the processes of this namespace but this one, which is its first.
func others() (pids []int) {
	if os.Getpid() != 1 {
		return nil
	}
	names, _ := filepath.Glob("/proc/[0-9]*")
	for _, name := range names {
		var pid int
		if fmt.Sscanf(filepath.Base(name), "%d", &pid); pid > 1 {
			pids = append(pids, pid)
		}
	}
	return pids
}

// compare does each work with each peer in turn, and prints the table.
func (b *bench) compare(peers []*peer, only string) error {
	fmt.Print("| work |")
	for _, p := range peers {
		fmt.Printf(" %s |", p.name)
	}
	fmt.Print(" ", peers[0].name, " / the best other |\n|---|", strings.Repeat("---|", len(peers)+1), "\n")
	for _, w := range works {
		if !selected(w.name, only) {
			continue
		}
		results, err := alternate(b.runs, peers, func(p *peer) (r result, err error) {
			if !p.can(w) {
				return result{}, nil
			}
			if r, err = b.measure(p, w); err != nil {
				err = fmt.Errorf("%s, %s: %w", w.name, p.name, err)
			}
			return r, err
		})
		if err != nil {
			return err
		}
		row(w, results)
	}
	return nil
}

// row prints a row of the table.
func row(w work, results [][]result) {
	fmt.Printf("| %s |", w.about)
	var medians []float64
	for _, runs := range results {
		if len(runs) == 0 {
			fmt.Print(" - |")
			continue
		}
		if w.memory {
			pss := sorted(runs, func(r result) float64 { return float64(r.pss) / (1 << 20) })
			medians = append(medians, 1/median(pss))
			fmt.Printf(" %.1f (%.1f–%.1f) MB |", median(pss), pss[0], pss[len(pss)-1])
			continue
		}
		rate, _ := cell(runs)
		medians = append(medians, rate)
		fmt.Print(" |")
	}
	if len(results[0]) > 0 && len(medians) > 1 {
		fmt.Printf(" %.2f |", medians[0]/slices.MaxFunc(medians[1:], cmp.Compare[float64]))
	}
	fmt.Println()
}
