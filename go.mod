module goqmail

go 1.26.0

require (
	github.com/go-crypt/x v0.4.17
	github.com/miekg/dns v1.1.73
	golang.org/x/crypto v0.59.0
	golang.org/x/sys v0.50.0
)

require golang.org/x/net v0.62.0 // indirect

// The runtime shall not read the cgroup's files when a program starts, nor keep
// them open: see docs/design/dependencies.md.
godebug (
	containermaxprocs=0
	updatemaxprocs=0
)
