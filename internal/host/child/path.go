package child

import (
	"errors"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// defaultPath is what the C library takes where PATH is not set.
const defaultPath = "/bin:/usr/bin"

// shell runs a program that the kernel does not know how to run: a script
// without a #! line.
const shell = "/bin/sh"

// Find looks a program up the way users expect, which is that of execvp(3): a
// name with a slash in it is a path; any other is looked for in the directories
// of PATH, an empty one of which is the working directory. It is for tools that
// users run with their own rights and never for one that has others.
func Find(name string) (string, error) {
	if strings.Contains(name, "/") {
		return name, nil
	}
	path, set := os.LookupEnv("PATH")
	if !set {
		path = defaultPath
	}
	err := unix.ENOENT
	if name == "" {
		return "", err
	}
	for _, dir := range strings.Split(path, ":") {
		file := name
		if dir != "" {
			file = dir + "/" + name
		}
		switch executable(file) {
		case nil:
			return file, nil
		case unix.EACCES:
			err = unix.EACCES
		}
	}
	return "", err
}

// executable tells whether a file is a program that this process may run.
func executable(file string) error {
	var st unix.Stat_t
	if err := unix.Stat(file, &st); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return unix.EACCES
	}
	return unix.Faccessat(unix.AT_FDCWD, file, unix.X_OK, unix.AT_EACCESS)
}

// StartFound is Start for a program that is looked up by Find: Path is its name.
func StartFound(c Command) (*Process, error) {
	path, err := Find(c.Path)
	if err != nil {
		return nil, runError(c.Path, err)
	}
	c.Path = path
	p, err := Start(c)
	if errors.Is(err, unix.ENOEXEC) {
		c.Path, c.Args = script(c.Path, c.Args)
		p, err = Start(c)
	}
	return p, err
}

// Become makes this process the program with the arguments, which is looked up by
// Find. It returns only where that is impossible.
func Become(args, env []string) error {
	path, err := Find(args[0])
	if err != nil {
		return runError(args[0], err)
	}
	err = unix.Exec(path, args, env)
	if err == unix.ENOEXEC {
		path, args = script(path, args)
		err = unix.Exec(path, args, env)
	}
	return runError(path, err)
}

// script returns what runs a file of shell commands.
func script(path string, args []string) (string, []string) {
	return shell, append([]string{shell, path}, args[1:]...)
}

// Missing tells whether an error of StartFound says that there is no such program,
// or none that could be run. With any other error, trying again may help.
func Missing(err error) bool {
	for _, permanent := range []unix.Errno{
		unix.ENOENT, unix.ENOTDIR, unix.EACCES, unix.EPERM, unix.ENOEXEC, unix.EISDIR,
		unix.ELOOP, unix.ENAMETOOLONG, unix.E2BIG, unix.EINVAL, unix.ELIBBAD,
	} {
		if errors.Is(err, permanent) {
			return true
		}
	}
	return false
}
