package remote

import "goqmail/internal/host/confine"

// Files is what the process needs of the files of the machine: settings to read, and the
// table of hosts that do not answer. The message is open already; those of others in the
// queue are not for it.
func Files(home string) []confine.Rule {
	table := confine.Rule{Path: home + "/queue/lock/tcpto", Allow: confine.Update}
	return append(confine.Settings(home+"/control"), table)
}
