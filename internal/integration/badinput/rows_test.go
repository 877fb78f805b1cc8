package badinput

// An envelope in joe's home, and a run of qmail-qmqpc with it.
const (
	envelope = `cd /mnt/home/joe; printf 'Fa@b\0Tc@d\0\0' >e; `
	qmqpc    = envelope + "echo hi | qmail-qmqpc 1<e"
	loopback = "echo 127.0.0.1 >control/qmqpservers; "
)

// A POP3 session of joe with a maildir of one message.
const maildir = "cd /mnt/home/joe; maildirmake x; echo hi >x/new/1; touch -d yesterday x/new/1; "

// A login for qmail-popup, a message by QMTP, one by QMQP.
const (
	login = `printf 'USER a\r\nPASS b\r\n' | `
	qmtp  = `printf '3:\nab,3:a@b,6:3:c@h,,' | `
	qmqp  = `printf '18:3:abc,3:a@b,3:c@d,,' | `
)

// A message in the queue, as far as qmail-qread looks.
const queued = `: >queue/mess/1/24; printf 'Fa@b\0' >queue/info/1/24; `

// Directories without room.
const (
	fullUsers   = "cp -a users away; mount -t tmpfs -o size=16k full users; cp away/* users; cat /dev/zero >users/x || :"
	fullControl = "cp -a control away; mount -t tmpfs -o size=16k full control; cp away/* control; cat /dev/zero >control/x || :"
)

var rows = []row{
	{"qmail-newu without assign", "rm users/assign", "", "qmail-newu", 111, `^qmail-newu: fatal: unable to open users/assign\n$`},
	{"qmail-newu with an empty assign", ": >users/assign", "", "qmail-newu", 111, `^qmail-newu: fatal: bad format in users/assign\n$`},
	{"qmail-newu without a dot at the end", "echo =joe:joe:1:1:/:::: >users/assign", "", "qmail-newu", 111, `bad format in users/assign\n$`},
	{"qmail-newu with too few fields", `printf '=joe:joe\n.\n' >users/assign`, "", "qmail-newu", 111, `bad format in users/assign\n$`},
	{"qmail-newu with a NUL", `printf '=j\0e:joe:1:1:/:::\n.\n' >users/assign`, "", "qmail-newu", 111, `bad format in users/assign\n$`},
	{"qmail-newu with a binary file", "head -c 100000 /bin/sh >users/assign", "", "qmail-newu", 111, `bad format in users/assign\n$`},
	{"qmail-newu with a huge line", `(head -c 70000 /dev/zero | tr '\0' x; echo; echo .) >users/assign`, "", "qmail-newu", 111, `bad format in users/assign\n$`},
	{"qmail-newu with a huge file", ": >users/assign; truncate -s 1T users/assign", "", "qmail-newu", 111, `bad format in users/assign\n$`},
	{"qmail-newu with a directory", "rm users/assign; mkdir users/assign", "", "qmail-newu", 111, `^qmail-newu: fatal: unable to read users/assign\n$`},
	{"qmail-newu by a user", "", "joe", "qmail-newu", 127, `qmail-newu: Permission denied\n$`},
	{"qmail-newu without users", "mv users away", "", "qmail-newu", 111, `^qmail-newu: fatal: unable to open users/assign\n$`},
	{"qmail-newu with files of no size", "", "", "ulimit -f 0; qmail-newu", 111, `^qmail-newu: fatal: unable to write users/cdb\.tmp\n$`},
	{"qmail-newu with a full disk", fullUsers, "", "qmail-newu", 111, `^qmail-newu: fatal: unable to write users/cdb\.tmp\n$`},
	{"qmail-newu with cdb.tmp in the way", "mkdir users/cdb.tmp", "", "qmail-newu", 111, `^qmail-newu: fatal: unable to open users/cdb\.tmp\n$`},
	{"qmail-newu with cdb in the way", "rm users/cdb; mkdir users/cdb", "", "qmail-newu", 111, `^qmail-newu: fatal: unable to move users/cdb\.tmp to users/cdb\n$`},

	{"qmail-newmrh without morercpthosts", "rm control/morercpthosts", "", "qmail-newmrh", 111, `^qmail-newmrh: fatal: unable to read control/morercpthosts: file does not exist\n$`},
	{"qmail-newmrh with a huge line", "head -c 70000 /dev/zero >control/morercpthosts", "", "qmail-newmrh", 111, `: a line of more than 65536 bytes\n$`},
	{"qmail-newmrh with a huge file", ": >control/morercpthosts; truncate -s 1T control/morercpthosts", "", "qmail-newmrh", 111, `: a line of more than 65536 bytes\n$`},
	{"qmail-newmrh with a directory", "rm control/morercpthosts; mkdir control/morercpthosts", "", "qmail-newmrh", 111, `: is a directory\n$`},
	{"qmail-newmrh by a user", "", "joe", "qmail-newmrh", 127, `qmail-newmrh: Permission denied\n$`},
	{"qmail-newmrh without control", "mv control away", "", "qmail-newmrh", 111, `: file does not exist\n$`},
	{"qmail-newmrh with files of no size", "", "", "ulimit -f 0; qmail-newmrh", 111, `^qmail-newmrh: fatal: unable to write to control/morercpthosts\.tmp: file too big\n$`},
	{"qmail-newmrh with a full disk", fullControl, "", "qmail-newmrh", 111, `^qmail-newmrh: fatal: unable to write to control/morercpthosts\.tmp: out of disk space\n$`},

	{"qmail-pw2u with an unknown option", "", "", "qmail-pw2u -x </etc/passwd", 100, `^qmail-pw2u: illegal option -- x\n$`},
	{"qmail-pw2u with half an option", "", "", "qmail-pw2u -c </etc/passwd", 100, `^qmail-pw2u: option requires an argument -- c\n$`},
	{"qmail-pw2u of nothing", "", "", "qmail-pw2u </dev/null", 111, `^qmail-pw2u: fatal: unable to find alias user\n$`},
	{"qmail-pw2u without input", "", "", "qmail-pw2u <&-", 111, `^qmail-pw2u: fatal: unable to `},
	{"qmail-pw2u of a directory", "", "", "qmail-pw2u <bin", 111, `^qmail-pw2u: fatal: unable to read input\n$`},
	{"qmail-pw2u of a binary file", "", "", "qmail-pw2u </bin/sh", 111, `qmail-pw2u: fatal: unable to find alias user\n$`},
	{"qmail-pw2u of a huge line", "", "", "qmail-pw2u </dev/zero", 111, `^qmail-pw2u: fatal: unable to read input\n$`},
	{"qmail-pw2u without alias", "", "", "grep joe /etc/passwd | qmail-pw2u", 111, `qmail-pw2u: fatal: unable to find alias user\n$`},
	{"qmail-pw2u to a full disk", "", "", "qmail-pw2u </etc/passwd >/dev/full", 111, `^qmail-pw2u: fatal: unable to write output\n$`},
	{"qmail-pw2u with a directory to include", "mkdir users/include", "", "qmail-pw2u </etc/passwd", 111, `^qmail-pw2u: fatal: unable to read controls\n$`},
	{"qmail-pw2u with a directory to append", "mkdir users/append", "", "qmail-pw2u </etc/passwd", 111, `\nqmail-pw2u: fatal: unable to read controls\n$`},
	{"qmail-pw2u with users whom it does not find", "echo a:nosuch:b: >users/subusers", "", "qmail-pw2u </etc/passwd", 111, `\nqmail-pw2u: fatal: `},

	{"qmail-qread by a user", "", "joe", "qmail-qread", 111, `^fatal: unable to chdir: permission denied\n$`},
	{"qmail-qread without a queue", "mv queue away", "", "qmail-qread", 111, `^fatal: unable to chdir: no such file or directory\n$`},
	{"qmail-qread of an empty record", queued + ": >queue/info/1/24", "", "qmail-qread", 0, `^warning: trouble with #24: EOF\n$`},
	{"qmail-qread of a huge record", queued + "truncate -s 1T queue/info/1/24", "", "qmail-qread", 0, `^(.* <a@b> \n)?(warning: trouble with #24: .*\n)?$`},
	{"qmail-qread of a binary record", queued + "cp /bin/sh queue/info/1/24", "", "qmail-qread", 0, `  #24  0  <ELF_*> \n$`},
	{"qmail-qread of binary recipients", queued + "cp /bin/sh queue/local/1/24", "", "qmail-qread", 0, ` <a@b> \nwarning: trouble with #24: malformed record`},
	{"qmail-qread of a directory", queued + "rm queue/info/1/24; mkdir queue/info/1/24", "", "qmail-qread", 0, `^warning: trouble with #24: is a directory\n$`},
	{"qmail-qread of a terminal's commands", queued + `printf 'Fa\033[2J\nb@b\0' >queue/info/1/24`, "", "qmail-qread", 0, ` <a_\[2J_b@b> \n$`},
	{"qmail-qread without a message", queued + "rm queue/mess/1/24", "", "qmail-qread", 0, `^warning: trouble with #24: no such file or directory\n$`},
	{"qmail-qread to a full disk", queued, "", "qmail-qread >/dev/full", 111, ``},
	{"qmail-qstat by a user", "", "joe", "qmail-qstat", 111, `^qmail-qstat: fatal: unable to open queue: .*: permission denied\n$`},
	{"qmail-qstat without a queue", "mv queue away", "", "qmail-qstat", 111, `^qmail-qstat: fatal: unable to open queue: .*: no such file or directory\n$`},
	{"qmail-qstat without messages' directory", "mv queue/mess away", "", "qmail-qstat", 111, `^qmail-qstat: fatal: .*: no such file or directory\n$`},
	{"qmail-qstat without todo", "mv queue/todo away", "", "qmail-qstat", 111, `^qmail-qstat: fatal: .*: no such file or directory\n$`},
	{"qmail-qstat to a full disk", "", "", "qmail-qstat >/dev/full", 111, `^qmail-qstat: fatal: .*: no space left on device\n$`},

	{"qmail-tcpto by a user", "", "joe", "qmail-tcpto", 111, `^qmail-tcpto: fatal: unable to read /mnt/qmail/queue/lock/tcpto: access denied\n$`},
	{"qmail-tcpto without a table", "rm queue/lock/tcpto", "", "qmail-tcpto", 111, `: file does not exist\n$`},
	{"qmail-tcpto with an empty table", ": >queue/lock/tcpto", "", "qmail-tcpto", 0, `^$`},
	{"qmail-tcpto with a cut table", "printf abc >queue/lock/tcpto", "", "qmail-tcpto", 0, `^$`},
	{"qmail-tcpto with a huge table", "truncate -s 1T queue/lock/tcpto", "", "qmail-tcpto", 0, `^$`},
	{"qmail-tcpto with a binary table", "cp /bin/sh queue/lock/tcpto", "", "qmail-tcpto", 0, `^127\.69\.76\.70 timed out [0-9]+ seconds ago; # recent timeouts: 2\n`},
	{"qmail-tcpto with a directory", "rm queue/lock/tcpto; mkdir queue/lock/tcpto", "", "qmail-tcpto", 111, `: not a regular file\n$`},
	{"qmail-tcpto with a fifo", "rm queue/lock/tcpto; mkfifo queue/lock/tcpto", "", "qmail-tcpto", 111, `: not a regular file\n$`},
	{"qmail-tcpto to a full disk", "cp /bin/sh queue/lock/tcpto", "", "qmail-tcpto >/dev/full", 111, `: no space left on device\n$`},
	{"qmail-tcpok by a user", "", "joe", "qmail-tcpok", 111, `^qmail-tcpok: fatal: unable to clear /mnt/qmail/queue/lock/tcpto: access denied\n$`},
	{"qmail-tcpok without a table", "rm queue/lock/tcpto", "", "qmail-tcpok", 111, `: file does not exist\n$`},
	{"qmail-tcpok with a directory", "rm queue/lock/tcpto; mkdir queue/lock/tcpto", "", "qmail-tcpok", 111, `: is a directory\n$`},
	{"qmail-tcpok with a fifo", "rm queue/lock/tcpto; mkfifo queue/lock/tcpto", "", "qmail-tcpok", 111, `: not a regular file\n$`},
	{"qmail-tcpok with files of no size", ": >queue/lock/tcpto", "", "ulimit -f 0; qmail-tcpok", 111, `: file too big\n$`},

	{"qmail-showctl without control", "mv control away", "", "qmail-showctl", 111, `\nOops! Unable to chdir to control\.\n`},
	{"qmail-showctl with a file for control", "mv control away; echo >control", "", "qmail-showctl", 111, `\nOops! Unable to `},
	{"qmail-showctl with a closed file", "echo x >control/locals; chmod 600 control/locals", "joe", "qmail-showctl", 0, `\nlocals: .*Oops!.*\n`},
	{"qmail-showctl with a directory", "mkdir control/locals", "", "qmail-showctl", 0, `\nlocals: .*Oops!.*\n`},
	{"qmail-showctl with a huge file", "truncate -s 1T control/locals", "", "qmail-showctl", 0, `\nlocals: .*Oops!.*\n`},
	{"qmail-showctl of a terminal's commands", `printf '\033[2J\n' >control/me`, "", "qmail-showctl", 0, `\nme: My name is \?\[2J\.\n`},
	{"qmail-showctl to a full disk", "", "", "qmail-showctl >/dev/full", 111, `^qmail-showctl: fatal: .*: no space left on device\n$`},

	{"qmail-upq by a user", "", "joe", "qmail-upq", 111, `: permission denied\n$`},
	{"qmail-upq with a split of nothing", "", "", "qmail-upq 0", 100, `^qmail-upq: usage: qmail-upq \[ split \]\n$`},
	{"qmail-upq with a split that is too large", "", "", "qmail-upq 99999999999", 100, `^qmail-upq: usage: `},
	{"qmail-upq with a word", "", "", "qmail-upq x", 100, `^qmail-upq: usage: `},
	{"qmail-upq without a queue", "mv queue away", "", "qmail-upq", 111, `: no such file or directory\n$`},
	{"qmail-upq without messages' directory", "mv queue/mess away", "", "qmail-upq", 111, `: no such file or directory\n$`},

	{"config with an argument", "", "", "config x", 100, `^config: usage: config\n$`},
	{"config without name servers", "", "", "config", 111, `\nYou will have to set up control/me yourself\.\nconfig: fatal: soft error: host: no name server answers\n$`},
	{"config-fast without a name", "", "", "config-fast", 100, `^config-fast: usage: config-fast your\.full\.host\.name\n$`},
	{"config-fast with two names", "", "", "config-fast a.example b.example", 100, `^config-fast: usage: `},
	{"config-fast with an empty name", "", "", "config-fast ''", 100, `^config-fast: fatal: "" is not the name of a host\n$`},
	{"config-fast with two lines", "", "", "config-fast 'a.example\nb'", 100, `is not the name of a host\n$`},
	{"config-fast with a long name", "", "", "config-fast $(head -c 300 /dev/zero | tr '\\0' a).example", 100, `is not the name of a host\n$`},
	{"config-fast by a user", "", "joe", "config-fast a.example", 111, `: permission denied\n$`},
	{"config-fast without control", "mv control away", "", "config-fast a.example", 111, `: no such file or directory\n$`},
	{"config-fast with files of no size", "", "", "ulimit -f 0; config-fast a.example; e=$?; ls -A control; cat control/me; exit $e", 111, `\nme\nmorercpthosts\nmorercpthosts\.cdb\nhost\.example\.org\nconfig-fast: fatal: .*: file too large\n$`},
	{"config-fast with a full disk", fullControl, "", "config-fast a.example; e=$?; cat control/me; exit $e", 111, `\nhost\.example\.org\nconfig-fast: fatal: .*: no space left on device\n$`},

	{"dnsip without a name", "", "", "dnsip", 100, `^dnsip: usage: dnsip host\n$`},
	{"dnsip with two", "", "", "dnsip a b", 100, `^dnsip: usage: `},
	{"dnsip with an empty name", "", "", "dnsip ''", 100, `^dnsip: fatal: hard error: : no such host\n$`},
	{"dnsip with a long name", "", "", "dnsip $(head -c 300 /dev/zero | tr '\\0' a)", 100, `^dnsip: fatal: hard error: a+: no such host\n$`},
	{"dnsip without name servers", "", "", "dnsip a.example", 111, `^dnsip: fatal: soft error: a\.example: no name server answers\n$`},
	{"dnsip of an address", "", "", "dnsip 192.0.2.1", 0, `^192\.0\.2\.1\n$`},
	{"dnsip to a full disk", "", "", "dnsip 192.0.2.1 >/dev/full", 111, `^dnsip: fatal: .*: no space left on device\n$`},
	{"dnsptr without an address", "", "", "dnsptr", 100, `^dnsptr: usage: dnsptr address\n$`},
	{"dnsptr of a name", "", "", "dnsptr a.example", 100, `^dnsptr: fatal: "a\.example" is not an IP address\n$`},
	{"dnsptr without name servers", "", "", "dnsptr 192.0.2.1", 111, `^dnsptr: fatal: soft error: 192\.0\.2\.1: no name server answers\n$`},
	{"dnsfq without a name", "", "", "dnsfq", 100, `^dnsfq: usage: dnsfq host\n$`},
	{"dnsfq without name servers", "", "", "dnsfq a", 111, `^dnsfq: fatal: soft error: a: no name server answers\n$`},
	{"dnsmxip without a name", "", "", "dnsmxip", 100, `^dnsmxip: usage: dnsmxip host\n$`},
	{"dnsmxip with an empty name", "", "", "dnsmxip ''", 100, `^dnsmxip: fatal: hard error: : no such host\n$`},
	{"dnsmxip without name servers", "", "", "dnsmxip a.example", 111, `^dnsmxip: fatal: soft error: a\.example: no name server answers\n$`},
	{"ipmeprint to a full disk", "", "", "ipmeprint >/dev/full", 111, `^ipmeprint: fatal: .*: no space left on device\n$`},

	{"qmail-instcheck with an argument", "", "", "qmail-instcheck x", 100, `^qmail-instcheck: usage: qmail-instcheck\n$`},
	{"qmail-instcheck by a user", "", "joe", "qmail-instcheck", 100, `^queue/pid: permission denied\n`},
	{"qmail-instcheck without a queue", "mv queue away", "", "qmail-instcheck", 100, `^queue: no such file or directory\n`},
	{"qmail-instcheck with wrong modes and owners", "chmod 777 queue/todo; chown joe control", "", "qmail-instcheck", 100, `^control: owner is number 47001, should be root\nqueue/todo: mode 0777, should be 0750\nqmail-instcheck: fatal: /mnt/qmail: 2 things are not as they should be\n$`},

	{"qmail-popup without arguments", "", "", "qmail-popup", 1, `^-ERR usage: popup hostname subprogram\r\n$`},
	{"qmail-popup without a program", "", "", "qmail-popup h", 1, `^-ERR usage: popup hostname subprogram\r\n$`},
	{"qmail-popup with a missing program", "", "", login + "qmail-popup h no-such-program", 1, `-ERR authorization failed\r\nqmail-popup: client unknown user "a": authorization failed: unable to run no-such-program: no such file or directory\n$`},
	{"qmail-popup with a program that crashes", "", "", login + "qmail-popup h sh -c 'kill -9 $$'", 1, `-ERR aack, child crashed\r\nqmail-popup: client unknown user "a": aack, child crashed\n$`},
	{"qmail-popup without input", "", "", "qmail-popup h true <&-", 1, `^\+OK <[0-9.]+@h>\r\n$`},
	{"qmail-popup without output", "", "", login + "qmail-popup h true >&-", 1, `^$`},
	{"qmail-popup to a full disk", "", "", login + "qmail-popup h true >/dev/full", 1, `^$`},
	{"qmail-popup with a line without end", "", "", "head -c 100000 /dev/zero | qmail-popup h true", 1, `^\+OK <[0-9.]+@h>\r\n(-ERR command line too long\r\n)?$`},
	{"qmail-popup with commands out of order", "", "", `printf 'PASS b\r\nUSER\r\nAPOP\r\nAPOP x\r\nSTAT\r\nQUIT\r\n' | qmail-popup h true`, 1, `>\r\n-ERR USER first\r\n-ERR syntax error\r\n-ERR syntax error\r\n-ERR syntax error\r\n-ERR authorization first\r\n\+OK \r\n$`},

	{"qmail-pop3d without a maildir", "", "joe", "qmail-pop3d", 0, `^-ERR this user has no \$HOME/Maildir\r\nqmail-pop3d: no maildir: `},
	{"qmail-pop3d with a maildir nowhere", "", "joe", "qmail-pop3d /nonexistent", 0, `^-ERR this user has no \$HOME/Maildir\r\nqmail-pop3d: no maildir: open /nonexistent: no such file or directory\n$`},
	{"qmail-pop3d with a file", "", "joe", "qmail-pop3d /etc/passwd", 0, `^-ERR this user has no \$HOME/Maildir\r\nqmail-pop3d: no maildir: .*: not a directory\n$`},
	{"qmail-pop3d with what is no maildir", "", "joe", "qmail-pop3d /mnt/home/joe", 0, `^-ERR unable to scan \$HOME/Maildir\r\nqmail-pop3d: unable to scan the maildir: `},
	{"qmail-pop3d with a closed maildir", "", "joe", maildir + "chmod 0 x/new; qmail-pop3d x", 0, `^-ERR unable to scan \$HOME/Maildir\r\nqmail-pop3d: .*: permission denied\n$`},
	{"qmail-pop3d without input", "", "joe", maildir + "qmail-pop3d x <&-", 0, `^\+OK \r\n$`},
	{"qmail-pop3d without output", "", "joe", maildir + `printf 'DELE 1\r\n' | qmail-pop3d x >&-; cat x/new/1`, 0, `^hi\n$`},
	{"qmail-pop3d to a full disk", "", "joe", maildir + `printf 'DELE 1\r\nQUIT\r\n' | qmail-pop3d x >/dev/full; cat x/new/1`, 0, `^hi\n$`},
	{"qmail-pop3d with a line without end", "", "joe", maildir + "head -c 100000 /dev/zero | qmail-pop3d x; cat x/new/1", 0, `^\+OK \r\n(-ERR command line too long\r\n)?hi\n$`},
	{"qmail-pop3d with wrong numbers", "", "joe", maildir + `printf 'RETR\r\nRETR 0\r\nRETR 2\r\nRETR -1\r\nRETR 99999999999999999999\r\nDELE x\r\nFOO\r\n\r\nQUIT\r\n' | qmail-pop3d x`, 0,
		`^\+OK \r\n-ERR syntax error\r\n-ERR messages are counted from 1\r\n-ERR not that many messages\r\n-ERR syntax error\r\n-ERR not that many messages\r\n-ERR syntax error\r\n-ERR unimplemented\r\n-ERR unimplemented\r\n\+OK \r\n$`},
	{"qmail-pop3d with a message that is gone", "", "joe", maildir + `(sleep 1; rm x/new/1; printf 'RETR 1\r\nTOP 1 0\r\nDELE 1\r\nQUIT\r\n') | qmail-pop3d x`, 0,
		`^\+OK \r\n-ERR unable to open that message\r\n-ERR unable to open that message\r\n\+OK \r\n-ERR unable to unlink all deleted messages\r\n\+OK \r\n$`},
	{"qmail-pop3d with a closed message", "", "joe", maildir + `chmod 0 x/new/1; printf 'RETR 1\r\nQUIT\r\n' | qmail-pop3d x`, 0, `^\+OK \r\n-ERR unable to open that message\r\n\+OK \r\n$`},

	{"qmail-qmtpd with an unknown option", "", "qmaild", "qmail-qmtpd -z", 100, `qmail-qmtpd: usage: .*\nqmail-qmtpd: illegal option -- z\n|illegal option -- z\n`},
	{"qmail-qmtpd with garbage", "", "qmaild", "echo garbage | qmail-qmtpd", 100, `^$`},
	{"qmail-qmtpd with a huge length", "", "qmaild", "echo 99999999999999999999: | qmail-qmtpd", 111, `^qmail-qmtpd: fatal: netstring too long\n$`},
	{"qmail-qmtpd with zeros", "", "qmaild", "qmail-qmtpd </dev/zero", 100, `^$`},
	{"qmail-qmtpd with half a message", "", "qmaild", `printf '10:\nab' | qmail-qmtpd`, 0, `^$`},
	{"qmail-qmtpd with a message of no known form", "echo h >control/rcpthosts", "qmaild", `printf '3:xab,3:a@b,6:3:c@h,,' | qmail-qmtpd`, 100, `^$`},
	{"qmail-qmtpd with a directory for rcpthosts", "mkdir control/rcpthosts", "qmaild", qmtp + "qmail-qmtpd", 111, `^qmail-qmtpd: fatal: .*control/rcpthosts: is a directory\n$`},
	{"qmail-qmtpd with closed rcpthosts", "echo h >control/rcpthosts; chmod 0 control/rcpthosts", "qmaild", qmtp + "qmail-qmtpd", 111, `^qmail-qmtpd: fatal: .*control/rcpthosts: permission denied\n$`},
	{"qmail-qmtpd with an empty morercpthosts.cdb", "echo x >control/rcpthosts; : >control/morercpthosts.cdb", "qmaild", qmtp + "qmail-qmtpd", 111, `^qmail-qmtpd: fatal: unable to read control/morercpthosts\.cdb: malformed cdb: it ends too early\n$`},
	{"qmail-qmtpd with a directory for databytes", "mkdir control/databytes", "qmaild", qmtp + "qmail-qmtpd", 111, `^qmail-qmtpd: fatal: .*control/databytes: is a directory\n$`},
	{"qmail-qmtpd without qmail-queue", "echo h >control/rcpthosts", "qmaild", qmtp + "QMAILQUEUE=/nonexistent qmail-qmtpd", 0, `^27:Zunable to exec qq \(#4\.3\.0\),$`},
	{"qmail-qmtpd with a qmail-queue that crashes", `echo h >control/rcpthosts; printf '#!/bin/sh\nkill -9 $$\n' >/mnt/crash; chmod 755 /mnt/crash`, "qmaild", qmtp + "QMAILQUEUE=/mnt/crash qmail-qmtpd", 0, `^20:Zqq crashed \(#4\.3\.0\),$`},

	{"qmail-qmqpd with an unknown option", "", "qmaild", "qmail-qmqpd -z", 100, `illegal option -- z\n`},
	{"qmail-qmqpd with garbage", "", "qmaild", "echo garbage | qmail-qmqpd", 100, `^$`},
	{"qmail-qmqpd with a huge length", "", "qmaild", "echo 99999999999999999999: | qmail-qmqpd", 111, `^qmail-qmqpd: fatal: netstring too long\n$`},
	{"qmail-qmqpd with nothing", "", "qmaild", "qmail-qmqpd </dev/null", 0, `^$`},
	{"qmail-qmqpd with a message that is longer than all", "", "qmaild", "printf '5:9:abc,' | qmail-qmqpd", 100, `^$`},
	{"qmail-qmqpd without qmail-queue", "", "qmaild", qmqp + "QMAILQUEUE=/nonexistent qmail-qmqpd", 0, `^27:Zunable to exec qq \(#4\.3\.0\),$`},

	{"qmail-qmqpc without servers", "", "joe", qmqpc, 55, `^$`},
	{"qmail-qmqpc with an empty list", ": >control/qmqpservers", "joe", qmqpc, 55, `^$`},
	{"qmail-qmqpc with a directory", "mkdir control/qmqpservers", "joe", qmqpc, 55, `^$`},
	{"qmail-qmqpc with a closed list", loopback + "chmod 0 control/qmqpservers", "joe", qmqpc, 55, `^$`},
	{"qmail-qmqpc with a closed control", loopback + "chmod 0 control", "joe", qmqpc, 55, `^$`},
	{"qmail-qmqpc with names", "echo localhost >control/qmqpservers", "joe", qmqpc, 55, `^$`},
	{"qmail-qmqpc with a binary list", "cp /bin/sh control/qmqpservers", "joe", qmqpc, 55, `^$`},
	{"qmail-qmqpc with a huge list", "truncate -s 1T control/qmqpservers", "joe", qmqpc, 55, `^$`},
	{"qmail-qmqpc without anybody who listens", loopback, "joe", qmqpc, 73, `^$`},
	{"qmail-qmqpc without an envelope", loopback, "joe", "echo hi | qmail-qmqpc 1</dev/null", 91, `^$`},
	{"qmail-qmqpc with half an envelope", loopback, "joe", `printf 'Fa@b\0Tc@d' >/mnt/home/joe/e; echo hi | qmail-qmqpc 1</mnt/home/joe/e`, 91, `^$`},
	{"qmail-qmqpc with descriptor 0 closed", loopback, "joe", envelope + "qmail-qmqpc <&- 1<e", 54, `^$`},
	{"qmail-qmqpc with descriptor 1 closed", loopback, "joe", "echo hi | qmail-qmqpc >&-", 54, `^$`},
	{"qmail-qmqpc with a directory for a message", loopback, "joe", envelope + "qmail-qmqpc <. 1<e", 54, `^$`},
	{"qmail-qmqpc with a long message and no place for it", loopback, "joe", envelope + "head -c 2000000 /dev/zero | TMPDIR=/nonexistent qmail-qmqpc 1<e", 53, `^$`},
	{"qmail-qmqpc with a long message and a full disk", loopback + "mkdir away; mount -t tmpfs -o size=512k,mode=1777 full away", "joe", envelope + "head -c 2000000 /dev/zero | TMPDIR=/mnt/qmail/away qmail-qmqpc 1<e", 53, `^$`},

	{"qmail-checkpassword with an empty file", ": >users/passwd; chmod 600 users/passwd", "", record + "qmail-checkpassword true 3</mnt/r", 1, `^$`},
	{"qmail-checkpassword with a binary file", "cp /bin/sh users/passwd; chmod 600 users/passwd", "", record + "qmail-checkpassword true 3</mnt/r", 1, `^$`},
	{"qmail-checkpassword with a line of 50 MB", "truncate -s 50M users/passwd; chmod 600 users/passwd", "", record + "qmail-checkpassword true 3</mnt/r", 1, `^$`},
	{"qmail-checkpassword with a directory", "mkdir users/passwd", "", record + "qmail-checkpassword true 3</mnt/r", 111, `: must be a file of root that `},
	{"qmail-checkpassword with a fifo", "mkfifo users/passwd; chmod 600 users/passwd", "", record + "qmail-checkpassword true 3</mnt/r", 111, `: must be a file of root that `},
	{"qmail-checkpassword with a malformed entry", "echo 'joe@x:{PLAIN}y:x:y::/' >users/passwd; chmod 600 users/passwd", "", record + "qmail-checkpassword true 3</mnt/r", 1, `malformed entry`},
}

// record is what qmail-popup tells qmail-checkpassword.
const record = `printf 'joe@x\0y\0z\0' >/mnt/r; `
