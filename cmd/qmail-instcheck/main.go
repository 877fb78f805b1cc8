// qmail-instcheck verifies owners, groups and modes of the installation.
package main

import (
	"fmt"
	"os"
	"strings"

	"goqmail/internal/admin/install"
	"goqmail/internal/host/home"
	"goqmail/internal/host/process"
	"goqmail/internal/mail/outcome"
)

func main() {
	process.Start(0o022)
	if len(os.Args) > 1 {
		process.Exit("qmail-instcheck", outcome.Usage("qmail-instcheck"))
	}
	plan := install.Plan{Home: home.Dir(), Accounts: install.NewSystemAccounts()}
	wrong, err := plan.Verify()
	if len(wrong) > 0 {
		fmt.Println(strings.Join(wrong, "\n"))
		if err == nil {
			err = outcome.Fail("%s: %d things are not as they should be", home.Dir(), len(wrong))
		}
	}
	process.Exit("qmail-instcheck", err)
}
