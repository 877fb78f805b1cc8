package showctl

// A kind says how a control file is read; see package control.
type kind int

const (
	word   kind = iota // a line
	name               // a line; me is the default
	number             // a number
	list               // entries, each with a line of its own
)

// A setting is a control file. Its value is printed between two texts.
type setting struct {
	file   string
	kind   kind
	def    string // for a name: where me is missing, too; for a list: what its absence means
	before string
	after  string
}

// beforeRcpthosts and afterRcpthosts are the control files of the suite, in
// alphabetical order but for one. What is between them is told by rcpthosts.
var beforeRcpthosts = []setting{
	{"badmailfrom", list, "Any MAIL FROM is allowed.", "", " not accepted in MAIL FROM."},
	{"bouncefrom", word, "MAILER-DAEMON", "Bounce user name is ", "."},
	{"bouncehost", name, "bouncehost", "Bounce host name is ", "."},
	{"concurrencyhost", number, "0", "Remote concurrency per host is ", "."},
	{"concurrencylocal", number, "10", "Local concurrency is ", "."},
	{"concurrencyremote", number, "20", "Remote concurrency is ", "."},
	{"databytes", number, "0", "SMTP DATA limit is ", " bytes."},
	{"defaultdomain", name, "defaultdomain", "Default domain name is ", "."},
	{"defaulthost", name, "defaulthost", "Default host name is ", "."},
	{"doublebouncehost", name, "doublebouncehost", "2B recipient host: ", "."},
	{"doublebounceto", word, "postmaster", "2B recipient user: ", "."},
	{"envnoathost", name, "envnoathost", "Presumed domain name is ", "."},
	{"helohost", name, "helohost", "SMTP client HELO host name is ", "."},
	{"idhost", name, "idhost", "Message-ID host name is ", "."},
	{"localiphost", name, "localiphost", "Local IP address becomes ", "."},
	{"locals", list, "Messages for me are delivered locally.", "Messages for ", " are delivered locally."},
	{"maxrcpt", number, "0", "SMTP RCPT limit is ", " recipients."},
	{"me", word, "undefined! Uh-oh", "My name is ", "."},
	{"percenthack", list, "The percent hack is not allowed.", "The percent hack is allowed for user%host@", "."},
	{"plusdomain", name, "plusdomain", "Plus domain name is ", "."},
	{"qmqpservers", list, "No QMQP servers.", "QMQP server: ", "."},
	{"queuelifetime", number, "604800", "Message lifetime in the queue is ", " seconds."},
}

var afterRcpthosts = []setting{
	{"smtpgreeting", name, "smtpgreeting", "SMTP greeting: 220 ", "."},
	{"smtproutes", list, "No artificial SMTP routes.", "SMTP route: ", ""},
	{"timeoutconnect", number, "60", "SMTP client connection timeout is ", " seconds."},
	{"timeoutremote", number, "1200", "SMTP client data timeout is ", " seconds."},
	{"timeoutsmtpd", number, "1200", "SMTP server data timeout is ", " seconds."},
	{"virtualdomains", list, "No virtual domains.", "Virtual domain: ", ""},
}

var (
	rcpthosts = setting{"rcpthosts", list, "SMTP clients may send messages to any recipient.", "SMTP clients may send messages to recipients at ", "."}

	morercpthosts           = setting{"morercpthosts", list, "No effect.", "SMTP clients may send messages to recipients at ", "."}
	irrelevantMorercpthosts = setting{"morercpthosts", list, "No rcpthosts; morercpthosts is irrelevant.", "No rcpthosts; doesn't matter that morercpthosts has ", "."}
)

const morercpthostsCDB = "morercpthosts.cdb"

// own are the control files that only goqmail has. What is set there is told behind
// what other programs know; those that are missing are not mentioned.
var own = []setting{
	{"concurrencyhost", number, "", "Connections to one host: at most ", "."},
	{"remotebatch", number, "", "Remote recipients of a message are put together, up to ", "."},
	{"residence", number, "", "Programs are kept open for further messages unless this is 0: ", "."},
	{"spawnlimit", number, "", "A spawner runs at most ", " deliveries at once."},
}

// known tells whether a program of the suite reads a file.
func known(file string) bool {
	if file == rcpthosts.file || file == morercpthosts.file || file == morercpthostsCDB {
		return true
	}
	for _, settings := range [][]setting{beforeRcpthosts, afterRcpthosts, own} {
		for _, s := range settings {
			if s.file == file {
				return true
			}
		}
	}
	return false
}
