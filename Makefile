# goqmail. "make help" lists what there is to make.

QMAIL   = /var/qmail
# What holds without control/residence: with 0 each message gets its own processes.
RESIDENCE = 1
DESTDIR =
BUILD   = build/bin
GO      = go
C       = /var/cqmail
VERSION = 0.4
OUT     = build
# Of the files in archives: that of the last commit, or that of the README in an archive.
export SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null || stat -c %Y README.md)
PACK    = $(GO) run -trimpath ./internal/admin/pack -home $(QMAIL) -build $(BUILD) -out $(OUT) -version $(VERSION) \
	-arch $(or $(ARCH),$(shell $(GO) env GOARCH)) $(PACKFLAGS)

# Static, without paths or times of the machine in it: two builds are the same
# to the byte.
export CGO_ENABLED = 0
LDFLAGS  = -s -w -buildid= -X goqmail/internal/host/home.compiled=$(QMAIL) \
	-X goqmail/internal/wire/resident.compiled=$(RESIDENCE)
BUILDCMD = $(GO) build -trimpath -buildvcs=false -ldflags '$(LDFLAGS)'

.PHONY: all
all: ## build every program into build/bin
	@mkdir -p $(BUILD)
	$(BUILDCMD) -o $(BUILD)/ ./cmd/...

.PHONY: install
install: all ## lay out the home QMAIL=/var/qmail (below DESTDIR), keeping control files and queue
	$(BUILD)/qmail-install -build $(BUILD) -destdir '$(DESTDIR)'

.PHONY: setup
setup: all ## make a mail server of this machine (root); SETUP=-dry-run shows how, SETUP=-undo takes it back; see qmail-setup(8)
	$(BUILD)/qmail-setup -sources '$(CURDIR)' $(SETUP)

.PHONY: users
users: ## create the seven accounts and two groups where they are absent
	conf-templates/accounts.sh $(QMAIL)

.PHONY: deb
deb: all ## build/goqmail_VERSION_ARCH.deb, a package for Debian 12; needs no root
	$(PACK) deb

.PHONY: tarball
tarball: all ## build/goqmail-VERSION-linux-ARCH.tar.xz: unpack it where there is no Go and run build/bin/qmail-setup
	$(PACK) tarball

.PHONY: instcheck
instcheck: all ## verify owners and modes of the installation
	$(BUILD)/qmail-instcheck

.PHONY: demo
demo: ## show the mail system at work in a home of its own (root; KEEP=1 leaves it running)
	$(GO) run -trimpath ./internal/integration/demo $(if $(KEEP),-keep)

.PHONY: test
test: ## unit tests; as root also the process tests; tells what was skipped and why
	$(GO) run -trimpath ./internal/integration/alltests

.PHONY: race
race: ## unit tests under the race detector (needs cgo)
	CGO_ENABLED=1 $(GO) test -race -short $$($(GO) list ./... | grep -v /internal/integration/)

.PHONY: integration
integration: ## process tests only (root)
	$(GO) test -count=1 ./internal/integration/...

.PHONY: conformance
conformance: ## the conformance suite in ../shared against a fresh private installation in QMAIL (root; PKG="send smtpd", RESIDENCE=0)
	QMAIL=$(QMAIL) RESIDENCE=$(RESIDENCE) internal/integration/conformance.sh $(PKG)

.PHONY: privileges
privileges: ## hostile users, parents, clients and mail against a whole installation, the long form (root)
	GOQMAIL_PRIVILEGES=long $(GO) test -count=1 -timeout 30m -v ./internal/integration/privileges

.PHONY: crash
crash: ## cut the power of a disk at every durable system call of each way of mail; nothing may be lost (root)
	GOQMAIL_CRASH=long $(GO) test -count=1 -timeout 120m -v ./internal/integration/powercut

.PHONY: mutants
mutants: ## take each sync out of the programs in turn; a power cut must show (root)
	GOQMAIL_MUTANTS=all $(GO) test -count=1 -timeout 120m -v -run TestMutants ./internal/integration/powercut

.PHONY: replay
replay: ## look at REPLAY=4000 states after a power cut of a disk with ext4, xfs and btrfs each; nothing may be lost (root)
	GOQMAIL_REPLAY=$(or $(REPLAY),4000) $(GO) test -count=1 -timeout 3h -v ./internal/integration/replay

.PHONY: kills
kills: ## kill processes at random under load for KILLS=10m; nothing may be lost (root)
	GOQMAIL_KILLS=$(or $(KILLS),10m) $(GO) test -count=1 -timeout 0 -v -run Kills ./internal/integration/soak

.PHONY: soak
soak: ## mixed load with kills, full disks, lost packets and restarts for SOAK=1h; a picture in build/soak (root)
	GOQMAIL_SOAK=$(or $(SOAK),1h) GOQMAIL_REPORT=$(CURDIR)/build/soak $(GO) test -count=1 -timeout 0 -v -run Soak ./internal/integration/soak

.PHONY: model
model: ## hold qmail-smtpd and qmail-inject against models, and the programs of the C qmail in C=HOME, each test for MODEL=1m (root)
	GOQMAIL_MODEL=$(or $(MODEL),1m) GOQMAIL_C_HOME=$(if $(wildcard $(C)/bin/qmail-inject),$(C)) $(GO) test -count=1 -timeout 600m -v ./internal/integration/model

.PHONY: faults
faults: ## at FAULTS=20 system calls of each program, of those that can, each error in turn, and a kill; nothing may be lost (root)
	GOQMAIL_FAULTS=$(or $(FAULTS),20) $(GO) test -count=1 -timeout 6h -v ./internal/integration/faults

.PHONY: memory
memory: ## messages, replies, answers and queues far larger than memory, and too little memory for OOM=5m (root; 6 GB)
	GOQMAIL_MEMORY=long $(GO) test -count=1 -timeout 0 -v ./internal/integration/memory
	GOQMAIL_OOM=$(or $(OOM),5m) $(GO) test -count=1 -timeout 0 -v -run OutOfMemory ./internal/integration/soak

.PHONY: takeover
takeover: ## packages, set-up and the take-over guides on roots of Debian, made by debootstrap or found in ROOTS=DIR (root)
	internal/integration/takeover/roots.sh '$(ROOTS)' $(GO) test -count=1 -v ./internal/integration/takeover

.PHONY: swap
swap: ## put each program in the place of its namesake in the C qmail in C=HOME, and the other way round (root)
	GOQMAIL_C_HOME=$(C) $(GO) test -count=1 -v ./internal/integration/swap

.PHONY: fuzz
fuzz: ## run every fuzz target for FUZZTIME=10s, or EXECS=10000000 times (PKG="./internal/mail/..." for some)
	internal/integration/fuzz.sh $(if $(EXECS),$(EXECS)x,$(or $(FUZZTIME),10s)) $(PKG)

.PHONY: cover
cover: ## coverage of unit tests and of the real processes of the process tests (root)
	internal/integration/cover.sh

.PHONY: lint
lint: ## gofmt, vet, staticcheck, govulncheck, mandoc
	.ci/lint

.PHONY: bench
bench: ## Go benchmarks of the inner loops
	$(GO) test -run '^$$' -bench . -benchmem ./...

.PHONY: bench-mta
bench-mta: ## measure HOMES="c=/var/cqmail go=/var/qmail" side by side (root; an account that is nobody's: BENCHUSER=bench)
	$(GO) run -trimpath ./internal/integration/mtabench -user $(or $(BENCHUSER),bench) $(BENCHFLAGS) $(HOMES)

.PHONY: bench-peers
bench-peers: ## measure goqmail in QMAIL=/var/qmail beside Postfix, Exim, OpenSMTPD and chasquid (root; BENCHUSER, BENCHFLAGS as above; unpacks packages below /opt/mtabench)
	$(GO) run -trimpath ./internal/integration/mtabench peers -user $(or $(BENCHUSER),bench) $(BENCHFLAGS) $(QMAIL)

.PHONY: man
man: ## check the man pages and format them as text into build/man
	@mkdir -p build/man
	mandoc -Tlint -Wwarning docs/man/*.[1-8]
	for page in docs/man/*.[1-8]; do mandoc -Tutf8 $$page > build/man/$${page##*/}.txt || exit 1; done

.PHONY: clean
clean: ## remove what was built
	rm -rf build

.PHONY: help
help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1	\2/p' Makefile | expand -t 14
