// qmail-pw2u makes the text of users/assign of a password file (qmail-pw2u(8)).
package main

import (
	"os"

	"goqmail/internal/admin/pw2u"
	"goqmail/internal/host/getopt"
	"goqmail/internal/host/home"
	"goqmail/internal/host/process"
	"goqmail/internal/mail/outcome"
)

func main() {
	process.Start(0o077)
	process.Exit("qmail-pw2u", run())
}

func run() error {
	o := pw2u.Options{Separator: "-", Dash: "-"}
	options := getopt.New(os.Args[1:], "/ohHuUc:C")
	for options.Next() {
		switch options.Letter {
		case '/':
			o.Dash = "-/"
		case 'o':
			o.Homes = pw2u.HomeOrSkip
		case 'h':
			o.Homes = pw2u.HomeOrStop
		case 'H':
			o.Homes = pw2u.NoHome
		case 'u':
			o.UpperCase = true
		case 'U':
			o.UpperCase = false
		case 'c':
			o.Separator = options.Value[:min(len(options.Value), 1)]
		case 'C':
			o.Separator = ""
		default:
			return &outcome.Status{Code: 100, Text: "qmail-pw2u: " + options.Text}
		}
	}
	return pw2u.Print(home.Dir(), o, os.Stdin, os.Stdout)
}
