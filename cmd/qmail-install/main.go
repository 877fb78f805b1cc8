// qmail-install lays out the home directory: make install runs it.
package main

import (
	"flag"

	"goqmail/internal/admin/install"
	"goqmail/internal/host/home"
	"goqmail/internal/host/process"
	"goqmail/internal/mail/outcome"
)

func main() {
	process.Start(0o022)
	plan := install.Plan{Home: home.Dir(), Accounts: install.NewSystemAccounts()}
	flag.StringVar(&plan.DestDir, "destdir", "", "directory that the home is put below")
	flag.StringVar(&plan.Build, "build", "build/bin", "directory with the built programs")
	flag.StringVar(&plan.Sources, "sources", ".", "directory with docs and conf-templates")
	flag.Parse()
	if flag.NArg() > 0 {
		process.Exit("qmail-install", outcome.Usage("qmail-install [-destdir dir] [-build dir] [-sources dir]"))
	}
	process.Exit("qmail-install", plan.Install())
}
