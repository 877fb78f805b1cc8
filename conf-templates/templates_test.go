// Package templates has no code of its own; its tests hold the templates against the
// programs and against the tools that they are for, where those are installed.
package templates

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"goqmail/internal/accept/listen"
	"goqmail/internal/host/control"
)

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// files returns the files that fit a pattern, of which there must be some.
func files(t *testing.T, pattern string) []string {
	t.Helper()
	found, err := filepath.Glob(pattern)
	if err != nil || len(found) == 0 {
		t.Fatalf("no files %s: %v", pattern, err)
	}
	return found
}

// tool is a command that may be missing.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s is not installed", name)
	}
	return path
}

// filled copies templates to a directory, with a home in which every program exists, and
// returns their names there.
func filled(t *testing.T, patterns ...string) []string {
	t.Helper()
	dir := t.TempDir()
	home := filepath.Join(dir, "home")
	must(t, os.MkdirAll(home+"/bin", 0o755))
	for _, program := range files(t, "../cmd/*/main.go") {
		must(t, os.WriteFile(home+"/bin/"+filepath.Base(filepath.Dir(program)), []byte("#!/bin/sh\n"), 0o755))
	}
	var copies []string
	for _, pattern := range patterns {
		for _, file := range files(t, pattern) {
			name := filepath.Join(dir, filepath.Base(file))
			must(t, os.WriteFile(name, []byte(strings.ReplaceAll(read(t, file), "@QMAIL@", home)), 0o644))
			copies = append(copies, name)
		}
	}
	return copies
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// run runs a tool, which must succeed, and returns what it says.
func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Errorf("%s %q: %v\n%s", filepath.Base(name), args, err, out)
	}
	return string(out)
}

// TestControl: there is a template for each control file that qmail-control(5) has, it
// begins with its name, its kind and its default as they are there, and what is behind
// the comments is of that kind.
func TestControl(t *testing.T) {
	row := regexp.MustCompile(`(?m)^\.It Pa (\S+) Ta (line|number|list) Ta (\S+|\(none\)) Ta`)
	var known []string
	for _, m := range row.FindAllStringSubmatch(read(t, "../docs/man/qmail-control.5"), -1) {
		name, kind, def := m[1], m[2], m[3]
		known = append(known, name)
		text, err := os.ReadFile("control/" + name)
		if err != nil {
			t.Error(err)
			continue
		}
		if def == "(none)" {
			def = "none"
		}
		if !strings.HasPrefix(string(text), "# "+name+": a "+kind+". Default: "+def) {
			t.Errorf("%s begins with %.60q", name, text)
		}
		entries, err := control.ReadList(strings.NewReader(string(text)))
		if err != nil || len(entries) == 0 || kind != "list" && len(entries) != 1 {
			t.Errorf("%s: %q, %v", name, entries, err)
			continue
		}
		if _, isNumber := control.LeadingNumber(entries[0]); isNumber != (kind == "number") && kind != "list" {
			t.Errorf("%s: %q is no %s", name, entries[0], kind)
		}
	}
	if len(known) < 30 {
		t.Errorf("only %d control files: has the table changed its form?", len(known))
	}
	for _, file := range files(t, "control/*") {
		if !slices.Contains(known, filepath.Base(file)) {
			t.Errorf("%s is no control file", file)
		}
	}
}

// TestScripts: the shell can read every script, and none limits address space, which no
// Go program survives.
func TestScripts(t *testing.T) {
	limit := regexp.MustCompile(`softlimit.* -[ma]|ulimit.* -v|chpst.* -m|LimitAS=[0-9]`)
	for _, pattern := range []string{"accounts.sh", "boot/*", "run/*/*", "tcpserver/start"} {
		for _, file := range files(t, pattern) {
			run(t, "sh", "-n", file)
			if info, err := os.Stat(file); err != nil || info.Mode().Perm()&0o111 == 0 && !strings.HasPrefix(file, "boot/") {
				t.Errorf("%s cannot be executed", file)
			}
		}
	}
	for _, pattern := range []string{"boot/*", "run/*/*", "tcpserver/*", "inetd/*", "systemd/*"} {
		for _, file := range files(t, pattern) {
			for _, line := range strings.Split(read(t, file), "\n") {
				if !strings.HasPrefix(line, "#") && limit.MatchString(line) {
					t.Errorf("%s: %s", file, line)
				}
			}
		}
	}
}

// TestPrograms: every program of ours that a template names exists, and the servers
// understand their options.
func TestPrograms(t *testing.T) {
	program := regexp.MustCompile(`@QMAIL@/bin/([a-z0-9-]+)`)
	server := regexp.MustCompile(`@QMAIL@/bin/(qmail-(?:smtpd|qmtpd|qmqpd)) (-.*)`)
	servers := 0
	for _, pattern := range []string{"boot/*", "run/*/run", "tcpserver/*", "inetd/*", "systemd/*"} {
		for _, file := range files(t, pattern) {
			text := read(t, file)
			for _, m := range program.FindAllStringSubmatch(text, -1) {
				if _, err := os.Stat("../cmd/" + m[1]); err != nil {
					t.Errorf("%s: there is no program %s", file, m[1])
				}
			}
			for _, m := range server.FindAllStringSubmatch(text, -1) {
				servers++
				if _, err := listen.ParseOptions(m[1], strings.Fields(m[2])); err != nil {
					t.Errorf("%s: %v", file, err)
				}
			}
			if strings.Contains(text, "@QMAIL@/bin/qmail-popup") && !strings.Contains(text, "POP3CAPA=1") {
				t.Errorf("%s: POP3 clients may not ask for CAPA", file)
			}
		}
	}
	if servers < 4 {
		t.Errorf("only %d servers with options", servers)
	}
}

// impliesNNP are the options of systemd.exec(5) that, in a unit with User=, imply
// NoNewPrivileges=, below which qmail-queue cannot become qmailq.
var impliesNNP = regexp.MustCompile(`(?m)^(SystemCallFilter|SystemCallArchitectures|RestrictAddressFamilies|RestrictNamespaces|PrivateDevices|` +
	`ProtectKernelTunables|ProtectKernelModules|ProtectKernelLogs|ProtectClock|ProtectHostname|MemoryDenyWriteExecute|RestrictRealtime|` +
	`RestrictSUIDSGID|RestrictFileSystems|LockPersonality|DynamicUser)=`)

// TestSetuid: no unit below which mail is queued takes away that qmail-queue is set-uid.
func TestSetuid(t *testing.T) {
	for _, file := range files(t, "systemd/*.service") {
		if strings.Contains(file, "pop3d") {
			continue // nothing is queued there
		}
		text := "\n" + read(t, file)
		if strings.Contains(text, "\nNoNewPrivileges=") || strings.Contains(text, "\nDynamicUser=") {
			t.Errorf("%s: qmail-queue cannot become its user", file)
		}
		if option := impliesNNP.FindString(text); option != "" && strings.Contains(text, "\nUser=") {
			t.Errorf("%s: %s with User= implies NoNewPrivileges=", file, option)
		}
	}
}

// TestSystemd: systemd finds nothing wrong with the units, and they are as little exposed
// as they can be; of 10 points, fewer are better.
func TestSystemd(t *testing.T) {
	analyze := tool(t, "systemd-analyze")
	for _, unit := range filled(t, "systemd/*") {
		// Quiet means right; it exits 0 for unknown options too.
		if said := run(t, analyze, "verify", "--man=no", "--recursive-errors=no", unit); said != "" {
			t.Errorf("%s: %s", filepath.Base(unit), said)
		}
		most, hardened := map[string]string{
			"qmail-send.service":       "55", // users' programs run below it
			"qmail-smtpd.service":      "30",
			"qmail-submission.service": "30",
			"qmail-pop3d@.service":     "30",
		}[filepath.Base(unit)]
		if hardened {
			run(t, analyze, "security", "--offline=yes", "--threshold="+most, unit)
		}
	}
}

func TestSysusers(t *testing.T) {
	sysusers := tool(t, "systemd-sysusers")
	root := t.TempDir()
	must(t, os.Mkdir(root+"/etc", 0o755))
	said := run(t, sysusers, "--dry-run", "--root="+root, filled(t, "sysusers.d/*")[0])
	for _, account := range regexp.MustCompile(`(?m)^(?:group|user) (\w+)|for name in ([\w ]+);`).FindAllStringSubmatch(read(t, "accounts.sh"), -1) {
		for _, name := range strings.Fields(account[1] + account[2]) {
			if !strings.Contains(said, "'"+name+"'") {
				t.Errorf("%s is not created:\n%s", name, said)
			}
		}
	}
}

func TestTmpfiles(t *testing.T) {
	for _, line := range strings.Split(strings.TrimSpace(read(t, "tmpfiles.d/qmail.conf")), "\n") {
		if !strings.HasPrefix(line, "#") && !regexp.MustCompile(`^d /var/log/qmail 0750 qmaill adm -$`).MatchString(line) {
			t.Errorf("%q: nothing but the log directory is to be touched", line)
		}
	}
}

func TestLogrotate(t *testing.T) {
	logrotate := tool(t, "logrotate")
	if os.Getuid() != 0 {
		t.Skip("needs root: it looks at directories that are closed")
	}
	conf := filled(t, "logrotate.d/*")[0]
	if said := run(t, logrotate, "-d", "-s", t.TempDir()+"/state", conf); strings.Contains(said, "error") {
		t.Error(said)
	}
}

// logLines are lines as loggers write them, and the address that is to be banned for each.
var logLines = []struct{ line, ip string }{
	{`Nov 27 23:00:00 mail qmail-popup[123]: qmail-popup: client 192.0.2.1 user "joe": authorization failed: exit code 1`, "192.0.2.1"},
	{`2026-11-27T23:00:00.123456+00:00 mail qmail-smtpd[77]: qmail-smtpd: refused 4 mail.example.org:127.0.0.1:25 :192.0.2.2::36846: too many connections from your address (#4.7.0)`, "192.0.2.2"},
	{`Nov 27 23:00:00 mail smtpd[123]: 1795822593.123456 qmail-smtpd: refused 4 mail.example.org:127.0.0.1:25 relay.example:192.0.2.3:joe:36846: too many connections from your network (#4.7.0)`, "192.0.2.3"},
	{`@400000006a18a5c1075bcd15 qmail-smtpd: refused 4 mail.example.org:2001:db8::25:25 :2001:db8::4::36846: too many connections from your address (#4.7.0)`, "2001:db8::4"},
	{`@400000006a18a5c1075bcd15 qmail-popup: client 192.0.2.5 user "a\"b": authorization failed: exit code 1`, "192.0.2.5"},
	{`2026-11-27T23:00:00.12345 qmail-popup: client 2001:db8::6 user "": authorization failed: exit code 1`, "2001:db8::6"},
	// A name that forges the end of a line; a refusal that is nobody's fault; what is all right.
	{`Nov 27 23:00:00 mail qmail-popup[123]: qmail-popup: client 198.51.100.1 user "x\": authorization failed: exit code 1": authorization failed: exit code 111`, ""},
	{`Nov 27 23:00:00 mail qmail-popup[123]: qmail-popup: client 192.0.2.7 user "x\nqmail-popup: client 198.51.100.9 user \"y": authorization failed: exit code 1`, "192.0.2.7"},
	{`Nov 27 23:00:00 mail qmail-popup[123]: qmail-checkpassword: user "joe": account is locked or has no usable password: refused`, ""},
	{`Nov 27 23:00:00 mail qmail-smtpd[77]: qmail-smtpd: refused 4 mail.example.org:127.0.0.1:25 :198.51.100.2::36846: too many connections, try again later (#4.3.2)`, ""},
	{`Nov 27 23:00:00 mail qmail-smtpd[77]: qmail-smtpd: ok 1 mail.example.org:127.0.0.1:25 :198.51.100.3::49401`, ""},
	{`Nov 27 23:00:00 mail qmail[9]: 1795822593.1 delivery 1: failure: qmail-popup:_client_198.51.100.4_user_"x":_authorization_failed:_exit_code_1/`, ""},
}

// TestFilter reads the filter as fail2ban does, with the time stamps taken away.
func TestFilter(t *testing.T) {
	text := read(t, "fail2ban/filter.d/goqmail.conf")
	value := func(name string) string {
		m := regexp.MustCompile(`(?m)^` + name + ` = (.*(?:\n[ \t]+\S.*)*)`).FindStringSubmatch(text)
		if m == nil {
			t.Fatalf("no %s", name)
		}
		return m[1]
	}
	before := strings.ReplaceAll(value("_before"), "%(_daemon)s", value("_daemon"))
	var expressions []*regexp.Regexp
	for _, line := range strings.Split(value("failregex"), "\n") {
		line = strings.ReplaceAll(strings.TrimSpace(line), "%(_before)s", before)
		line = strings.ReplaceAll(line, "<HOST>", `([0-9.]+|[0-9a-f:]*:[0-9a-f:]*)`)
		expressions = append(expressions, regexp.MustCompile(line))
	}
	stamp := regexp.MustCompile(`^(?:@[0-9a-f]{24}|[A-Z][a-z]{2} [0-9]+ [0-9:]+|[0-9-]+T[0-9:.+]+)`)
	for _, l := range logLines {
		ip := ""
		for _, e := range expressions {
			if m := e.FindStringSubmatch(stamp.ReplaceAllString(l.line, "")); m != nil {
				ip = m[1]
			}
		}
		if ip != l.ip {
			t.Errorf("%s\nbans %q, want %q", l.line, ip, l.ip)
		}
	}
}

// TestFail2ban has fail2ban itself read the filter and the lines.
func TestFail2ban(t *testing.T) {
	fail2ban := tool(t, "fail2ban-regex")
	dir := t.TempDir()
	must(t, os.WriteFile(dir+"/goqmail.conf", []byte(read(t, "fail2ban/filter.d/goqmail.conf")), 0o644))
	common, err := os.ReadFile("/etc/fail2ban/filter.d/common.conf")
	if err != nil {
		t.Skip(err)
	}
	must(t, os.WriteFile(dir+"/common.conf", common, 0o644))
	var log, want strings.Builder
	for _, l := range logLines {
		log.WriteString(l.line + "\n")
		if l.ip != "" {
			want.WriteString(l.ip + "\n")
		}
	}
	must(t, os.WriteFile(dir+"/log", []byte(log.String()), 0o644))
	out, err := exec.Command(fail2ban, "-o", "ip", dir+"/log", dir+"/goqmail.conf").Output()
	if err != nil || string(out) != want.String() {
		t.Errorf("%v: bans\n%swant\n%s", err, out, &want)
	}
}
