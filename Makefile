# The commands of this repository. `make up` is the one to start with.
SWIFT ?= swift
RELEASE = -c release --static-swift-stdlib
# What `make test` runs; a part alone is `make test PARTS=unit`.
PARTS ?= unit threads fuzz contract end-to-end

.PHONY: up build test bench fuzz compose-test dist format clean

up: build
	.build/release/utopia up

build:
	@Tests/setup build
	$(SWIFT) build $(RELEASE)

test:
	@Tests/setup test
	$(SWIFT) build $(RELEASE)
	@rm -rf .build/results
	@SWIFT="$(SWIFT)" Tests/run $(PARTS); code=$$?; Tests/tally .build/results && exit $$code

# Long: `make fuzz SECONDS=600`.
SECONDS ?= 300
fuzz:
	python3 Tests/Fuzz/fuzz.py $(SECONDS)

compose-test: build
	@Tests/setup compose
	@SWIFT="$(SWIFT)" Tests/run compose; code=$$?; Tests/tally .build/results && exit $$code

# The executables of this architecture and an image for `docker load`.
dist: build
	SWIFT="$(SWIFT)" Tests/dist

# Beside nginx, NSD, Knot, Unbound and Postfix from Debian; fills the README's table.
bench: build
	@Tests/setup bench
	python3 Tests/Bench/bench.py

format:
	$(SWIFT) format -i -p -r Package.swift Shared Services Tests

clean:
	rm -rf .build .venv dist
