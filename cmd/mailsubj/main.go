// mailsubj sends a message with a subject (mailsubj(1)).
package main

import (
	"os"
	"path/filepath"

	"goqmail/internal/accept/prepend"
	"goqmail/internal/host/home"
	"goqmail/internal/host/process"
)

func main() {
	process.Start(process.KeepUmask)
	files := process.Descriptors()
	inject := []string{filepath.Join(home.Dir(), "bin/qmail-inject")}
	process.Exit("mailsubj", prepend.Mailsubj(files, inject, os.Args[1:], files[0]))
}
