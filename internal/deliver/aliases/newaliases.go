package aliases

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strings"

	"goqmail/internal/deliver/looselist"
	"goqmail/internal/host/cdb"
	"goqmail/internal/host/errno"
	"goqmail/internal/mail/fold"
	"goqmail/internal/mail/outcome"
)

// ownerPrefix marks the alias that gets the bounces of another.
const ownerPrefix = "owner-"

// Newaliases makes the database path.cdb, by way of path.tmp, of a file of
// sendmail's aliases (newaliases(1)). A line that begins with a space or a tab goes on
// with the one before it; empty ones do not count, nor does one that begins with #
// with those that go on with it.
func Newaliases(path string, hosts looselist.Hosts) error {
	lines, err := readFile(path)
	if err != nil {
		return err
	}
	err = cdb.Replace(path+".cdb", path+".tmp", func(w *cdb.Writer) error {
		for i := 0; i < len(lines); {
			line := lines[i]
			for i++; i < len(lines) && (lines[i] == "" || lines[i][0] == ' ' || lines[i][0] == '\t'); i++ {
				line += "\n" + lines[i]
			}
			if strings.TrimSpace(line) == "" || line[0] == '#' {
				continue
			}
			if err := addAlias(w, line, hosts); err != nil {
				return err
			}
		}
		return nil
	})
	return replaceError(err, path+".cdb", path+".tmp")
}

// addAlias adds what a line says: its first address is the alias, whatever is
// between it and the others.
func addAlias(w *cdb.Writer, line string, hosts looselist.Hosts) error {
	entries, err := looselist.Entries(line)
	if err != nil {
		return cannotParse(line)
	}
	var commands []byte
	var target *looselist.Entry // the leftmost address so far
	for i, e := range entries {
		program := !e.Include && !e.HasAt && strings.HasPrefix(e.Text, string(Program))
		switch {
		case e.Include, program:
			command, err := otherCommand(e)
			if err != nil {
				return err
			}
			commands = append(commands, command...)
		default:
			if err := checkAddress(e); err != nil {
				return err
			}
			if target != nil {
				address, err := complete(*target, hosts)
				if err != nil {
					return err
				}
				commands = append(append(append(commands, Address), address...), 0)
			}
			target = &entries[i]
		}
	}
	switch {
	case target == nil && len(commands) == 0:
		return nil
	case target == nil || len(commands) == 0:
		return cannotParse(line)
	}
	full, err := complete(*target, hosts)
	if err != nil {
		return err
	}
	name := target.Text
	if !target.HasAt {
		name += "@"
	}
	if listed, owner := strings.CutPrefix(name, ownerPrefix); owner {
		if err := add(w, OwnerKey(fold.Lower(listed)), []byte(full)); err != nil {
			return err
		}
	}
	return add(w, TargetKey(fold.Lower(name)), commands)
}

// otherCommand is the command for an entry that is no address: a list or a program.
func otherCommand(e looselist.Entry) ([]byte, error) {
	what, command := "program names", string(PrefixedProgram)+strings.TrimPrefix(e.Text, string(Program))
	if e.Include {
		what, command = ":include: filenames", listName(e.Text)
		if e.Text == "" {
			return nil, errors.New("empty :include: filenames not permitted")
		}
	}
	if strings.Contains(command, "\x00") {
		return nil, fmt.Errorf("NUL not permitted in %s", what)
	}
	return append([]byte(command), 0), nil
}

// listName is the name of the list that is made of an :include: file.
func listName(file string) string {
	if file != "" && file[0] != Dot && file[0] != Slash {
		file = "./" + file
	}
	return file + ".bin"
}

// checkAddress refuses what is no address.
func checkAddress(e looselist.Entry) error {
	switch {
	case e.Text == "":
		return errors.New("empty recipient addresses not permitted")
	case !e.HasAt && e.Text[0] == Slash:
		return fmt.Errorf("file delivery %s not supported", e.Text)
	}
	return nil
}

// complete returns an address as it is stored.
func complete(e looselist.Entry, hosts looselist.Hosts) (string, error) {
	address := hosts.Complete(e)
	switch {
	case len(address) > MaxAddress:
		return "", errAddress
	case strings.Contains(address, "\x00"):
		return "", errors.New("NUL not permitted in recipient addresses")
	}
	return address, nil
}

// cannotParse shows the line, up to a length.
func cannotParse(line string) error {
	return fmt.Errorf("unable to parse this line: %s", line[:min(len(line), maxCommand)])
}

// readFile reads the lines of a file.
func readFile(path string) ([]string, error) {
	f, err := os.Open(path)
	var lines []string
	if err == nil {
		defer f.Close()
		lines, err = looselist.ReadLines(f)
	}
	if err != nil {
		return nil, fmt.Errorf("unable to read %s: %s", path, errno.Text(err))
	}
	return lines, nil
}

const usageNewinclude = outcome.Usage("newinclude list")

// Newinclude makes the list args[0].bin, by way of args[0].tmp, of an :include: file
// of sendmail's (newinclude(1)): lines of addresses and further :include: files.
func Newinclude(args []string, hosts looselist.Hosts) error {
	if len(args) != 1 {
		return usageNewinclude
	}
	lines, err := readFile(args[0])
	if err != nil {
		return err
	}
	path, temp := args[0]+".bin", args[0]+".tmp"
	return replaceList(path, temp, func(w *bufio.Writer) error {
		for _, line := range lines {
			if strings.HasPrefix(line, "#") {
				continue
			}
			if err := addIncluded(w, line, hosts); err != nil {
				return err
			}
		}
		return nil
	})
}

func addIncluded(w *bufio.Writer, line string, hosts looselist.Hosts) error {
	entries, err := looselist.Entries(line)
	if err != nil {
		return cannotParse(line)
	}
	for _, e := range entries {
		var command []byte
		if e.Include {
			command, err = otherCommand(e)
		} else {
			command, err = includedAddress(e, hosts)
		}
		if err != nil {
			return err
		}
		w.Write(command)
	}
	return nil
}

func includedAddress(e looselist.Entry, hosts looselist.Hosts) ([]byte, error) {
	if err := checkAddress(e); err != nil {
		return nil, err
	}
	if !e.HasAt && e.Text[0] == Program {
		return nil, fmt.Errorf("program delivery %s not supported", e.Text)
	}
	address, err := complete(e, hosts)
	return append(append([]byte{Address}, address...), 0), err
}
