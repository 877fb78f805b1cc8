module goqmail

go 1.26.0

require (
	github.com/miekg/dns v1.1.73
	golang.org/x/sys v0.50.0
)

require golang.org/x/net v0.57.0 // indirect

// The runtime shall not read the cgroup's files when a program starts, nor keep
// them open: see docs/design/dependencies.md.
godebug (
	containermaxprocs=0
	updatemaxprocs=0
)
