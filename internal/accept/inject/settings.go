package inject

import (
	"errors"
	"io/fs"
	"os"

	"goqmail/internal/host/control"
	"goqmail/internal/mail/address"
	"goqmail/internal/mail/fold"
)

// An Environment looks up a variable, as os.LookupEnv does.
type Environment func(name string) (value string, set bool)

// first returns the first of some variables that is set.
func (env Environment) first(names ...string) *string {
	for _, name := range names {
		if value, set := env(name); set {
			return &value
		}
	}
	return nil
}

// Settings is what environment and control files say, for all messages of a process.
type Settings struct {
	Hosts  *address.Hosts
	IDHost string // the host in a Message-ID
	from   person // of the From field
	sender person // of the envelope

	ignored       map[string]bool // fields of the message that are dropped unread, in lower case
	nameInComment bool            // the style of the From field
	perMessage    bool            // the sender is different for each message,
	perRecipient  bool            // or each recipient

	lists fold.Set // mailing lists that ask for a Mail-Followup-To; nil for none
}

// A person is somebody with an address.
type person struct {
	user string
	host *string
	name *string
}

// ReadSettings reads the environment and the control files.
func ReadSettings(files control.Dir, env Environment) (*Settings, error) {
	s := &Settings{ignored: make(map[string]bool)}
	s.readPersons(env)
	s.readLetters(env)
	if err := s.readLists(env); err != nil {
		return nil, err
	}
	if err := s.readHosts(files, env); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *Settings) readPersons(env Environment) {
	s.from = person{
		user: "anonymous",
		host: env.first("QMAILHOST", "MAILHOST"),
		name: env.first("QMAILNAME", "MAILNAME", "NAME"),
	}
	if user := env.first("QMAILUSER", "MAILUSER", "USER", "LOGNAME"); user != nil {
		s.from.user = *user
	}
	s.sender = person{user: s.from.user, host: s.from.host}
	if user := env.first("QMAILSUSER"); user != nil {
		s.sender.user = *user
	}
	if host := env.first("QMAILSHOST"); host != nil {
		s.sender.host = host
	}
}

func (s *Settings) readLetters(env Environment) {
	letters, _ := env("QMAILINJECT")
	for _, letter := range []byte(letters) {
		switch letter {
		case 'c':
			s.nameInComment = true
		case 's':
			s.ignored["return-path"] = true
		case 'f':
			s.ignored["from"] = true
		case 'i':
			s.ignored["message-id"] = true
		case 'r':
			s.perRecipient = true
		case 'm':
			s.perMessage = true
		}
	}
}

// readLists reads the file that QMAILMFTFILE names, if there is one.
func (s *Settings) readLists(env Environment) error {
	name, set := env("QMAILMFTFILE")
	if !set {
		return nil
	}
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return errRead
	}
	defer f.Close()
	lists, err := control.ReadList(f)
	if err != nil {
		return errRead
	}
	s.lists = fold.NewSet(lists)
	return nil
}

// readHosts reads the control files, over which variables have precedence.
func (s *Settings) readHosts(files control.Dir, env Environment) error {
	var host, domain, plus string
	for _, c := range []struct {
		to             *string
		file, variable string
	}{
		{&domain, "defaultdomain", "QMAILDEFAULTDOMAIN"},
		{&host, "defaulthost", "QMAILDEFAULTHOST"},
		{&plus, "plusdomain", "QMAILPLUSDOMAIN"},
		{&s.IDHost, "idhost", "QMAILIDHOST"},
	} {
		var err error
		if *c.to, err = files.LineOrMe(c.file, c.file); err != nil {
			return errRead
		}
		if value, set := env(c.variable); set {
			*c.to = value
		}
	}
	hosts, err := address.NewHosts(host, domain, plus)
	var text *address.TextError
	if errors.As(err, &text) {
		return cannotParse(text.Text)
	}
	s.Hosts = hosts
	return nil
}
