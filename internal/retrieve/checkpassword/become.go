package checkpassword

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"goqmail/internal/host/child"
	"goqmail/internal/host/privilege"
)

// Become makes this process the user, without supplementary groups, in the home
// directory, and then the program, which is looked up in PATH. USER, HOME and SHELL
// are set in its environment; the rest of that stays. It returns only with an error.
func (l Login) Become(program, environ []string) error {
	if err := privilege.Become(l.UID, l.GID); err != nil {
		return fmt.Errorf("unable to become the user: %w", err)
	}
	if err := os.Chdir(l.Home); err != nil {
		return fmt.Errorf("unable to go home: %w", err)
	}
	return child.Become(program, l.environment(environ))
}

// environment is environ with what belongs to the user.
func (l Login) environment(environ []string) []string {
	env := slices.Clone(environ)
	for _, v := range [][2]string{{"USER", l.Name}, {"HOME", l.Home}, {"SHELL", l.Shell}} {
		env = slices.DeleteFunc(env, func(e string) bool { return strings.HasPrefix(e, v[0]+"=") })
		env = append(env, v[0]+"="+v[1])
	}
	return env
}
