# wxshop. `make run` needs Go and nothing else.

TAGS     := nomsgpack
FUZZTIME ?= 30s
# The whole suite; a test that hangs shows where.
TIMEOUT  ?= 15m

.PHONY: run build test deps bench fuzz screenshots generate generated format vet lint race program databases on-postgres on-mysql histories simulate soak mutants strangers

# Shop, simulated WeChat and sample goods; prints where everything is.
run: build
	@exec bin/wxshop serve

build:
	@mkdir -p bin
	CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -tags $(TAGS) -o bin/wxshop .

# Everything that decides whether a commit is good, the tests last.
test: deps generated format vet lint race program histories databases simulate strangers

# What the tests need beside Go.
deps:
	@.ci/deps

# After a change of a .templ file.
generate:
	@.ci/generate

generated:
	@.ci/generate --check

format:
	@files=$$(gofmt -l . | grep -v '_templ\.go$$'); [ -z "$$files" ] || { echo "not formatted, run gofmt -w:" $$files; exit 1; }

vet:
	go vet -tags $(TAGS) ./...

lint:
	@.ci/lint $(TAGS)

# What starts the real program, or plays whole histories, runs without the race
# detector: the one would not be in it, the others take it minutes.
PROGRAM := ^(TestWalk.*|TestOutsideProgram.*|TestKill|TestSoak.*|TestBackupDrill|TestSickDatabase|TestSimulationRepeats|TestBadDays)$$
HISTORIES := ^(TestMoneyIsConserved|TestLostUntilTheLastRetry|TestUnknownIsNeverFailed|TestRefundAnswersLost|TestReconcilePlanted|TestNotificationsDoubledAndLate|TestClockJumps|TestMoveInTheMiddle)$$

race:
	@if command -v gcc >/dev/null; then CGO_ENABLED=1 go test -race -timeout $(TIMEOUT) -tags $(TAGS) -skip '$(PROGRAM)|$(HISTORIES)' ./...; \
	elif [ "$$CI" = true ]; then echo "no C compiler for -race"; exit 1; \
	else echo "SKIP -race: no C compiler"; go test -timeout $(TIMEOUT) -tags $(TAGS) -skip '$(PROGRAM)|$(HISTORIES)' ./...; fi

program:
	go test -count=1 -timeout $(TIMEOUT) -tags $(TAGS) -run '$(PROGRAM)' . ./handlers

# Whole days and random histories with money in them, for which the race
# detector has no time.
histories:
	go test -count=1 -tags $(TAGS) -run '$(HISTORIES)' ./checkout

# The store and the workflows once more on PostgreSQL and on MariaDB, which are
# started for this and stopped again. Of the workflows, those in which money
# could go wrong between two transactions; WORKFLOWS=. runs all of them.
WORKFLOWS ?= ^(TestPaidOnce|TestPaidTwice|TestSecondTransaction|TestSettleCompares|TestLatePayment|TestCancel|TestForged|TestCrashAtEachCommit|TestRefundPartAndRest|TestReconcileAgrees)$$
databases:
	@.ci/databases $(MAKE) --no-print-directory -j2 -O on-postgres on-mysql

on-postgres on-mysql:
	WXSHOP_TEST_DRIVER=$(@:on-%=%) go test -count=1 -timeout $(TIMEOUT) -tags $(TAGS) ./models
	WXSHOP_TEST_DRIVER=$(@:on-%=%) go test -count=1 -timeout $(TIMEOUT) -tags $(TAGS) -run '$(WORKFLOWS)' ./checkout

# Whole worlds of one number each, in which everything fails: SEEDS of them
# from START on. A failure names its seed; SEEDS=1 plays it again, byte for byte.
SEEDS ?= 1000
START ?= 1
ACTS  ?= 40
# sqlite, postgres or mysql; the servers are started for it.
DRIVER ?= sqlite
simulate:
	@mkdir -p bin
	@CGO_ENABLED=0 go test -c -tags $(TAGS) -o bin/wxshop.simulate .
	@START=$(START) SEEDS=$(SEEDS) ACTS=$(ACTS) WXSHOP_TEST_DRIVER=$(DRIVER) $(if $(filter-out sqlite,$(DRIVER)),.ci/databases) bin/wxshop.simulate -test.run '^TestSimulate$$' -test.v -test.timeout 0

# The real binary under load with its WeChat at its rudest, killed every few
# seconds; afterwards the books are compared with WeChat's ledger. Then three
# shops behind a proxy, on PostgreSQL and on MariaDB.
SOAK ?= 10m
soak:
	CGO_ENABLED=0 SOAK=$(SOAK) .ci/databases go test -count=1 -timeout 0 -tags $(TAGS) -run '^TestSoak' -v .

# Shops that are broken on purpose, one guard each: the tests must notice.
mutants:
	MUTANTS=1 go test -count=1 -timeout 60m -tags $(TAGS) -run '^TestMutants$$' -v .

# A library of somebody else against the simulator, from a module of its own.
strangers:
	@cd wxpay/interop && go vet ./... && \
	if command -v gcc >/dev/null; then CGO_ENABLED=1 go test -race ./...; else go test ./...; fi

# The figures of this machine, each beside the floor that it is compared with
# (Linux; some fifteen minutes on a quiet machine). PostgreSQL and MariaDB take
# part where they are installed, and wait for the disk.
bench:
	@mkdir -p bin
	@CGO_ENABLED=0 go test -c -tags "$(TAGS) bench" -o bin/wxshop.bench .
	@CI= WXSHOP_TEST_DURABLE=1 .ci/databases bin/wxshop.bench -test.run '^TestBench$$' -test.timeout 60m

# Every parser of what comes from outside.
fuzz:
	@.ci/fuzz $(TAGS) $(FUZZTIME)

# The pictures of the README, made by a real browser.
screenshots:
	go test -tags $(TAGS) -count=1 -run TestScreenshots . -args -screenshots
