# The front door. Every target installs what it needs first; `make help` lists them.

PRESETS := release asan-ubsan tsan
BIN := build/release/bin
CPP_FILES = $(wildcard $(shell git ls-files --cached --others --exclude-standard '*.cc' '*.h'))
FUZZ_SECONDS ?= 10
SEEDS ?= 50

.DEFAULT_GOAL := help
.PHONY: help deps deps-build deps-demo deps-test build run quick test check check-format check-tidy check-compilers check-docs bench mutate chaos fuzz fmt docs pictures clean

help: ## list the targets
	@sed -n -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' Makefile | expand -t 24

deps: ## install everything that is missing, from Debian and npm; every other target installs what it needs itself
	@tools/deps

deps-build:
	@tools/deps build

deps-demo:
	@tools/deps build demo

deps-test:
	@tools/deps build demo test

build: deps-build ## build the programs into build/release/bin/
	@tools/build --programs release tidemark tidemark-sandbox

run: deps-demo ## the demo: events over HTTP to the live page and SQLite, through faults, and an audit at the end
	@tools/build --programs release tidemark tidemark-sandbox
	@$(BIN)/tidemark demo $(DEMO_ARGS)

quick: deps-test ## the tests of what changed since main, and every unit test (build/dev; QUICK_ARGS=--list names them)
	@tools/quick $(QUICK_ARGS)

test: deps-test ## every test, what ASan+UBSan and TSan can find something in, and each fuzzer for a few seconds
	@tools/run-tests --build --fuzz-seconds $(FUZZ_SECONDS) $(PRESETS:%=build/%)

check: check-format check-tidy check-compilers check-docs ## format, house rules, both compilers without a warning, generated docs
	@echo "check: all green"

check-format: deps-test
	@clang-format-16 --dry-run -Werror $(CPP_FILES)
	@echo "check: format ok"

check-tidy: deps-test
	@tools/tidy
	@echo "check: tidy ok"

# g++ builds release; clang builds asan-ubsan with -Wthread-safety. Both with -Wall -Wextra -Werror, and `make test` uses both:
# CI leaves this target out.
check-compilers: deps-test
	@tools/build release
	@tools/build asan-ubsan

check-docs: build
	@$(BIN)/tidemark reference --out docs/reference --check
	@echo "check: docs/reference is up to date"

bench: deps ## the numbers, with peers in the same run (a table, and JSON in build/bench.json)
	@tools/build release
	@bench/run $(BENCH_ARGS)

mutate: deps-test ## twenty-eight deliberate bugs, one at a time: each must turn a test red (docs/testing.md)
	@tools/mutate $(MUTATE_ARGS)

chaos: deps-test ## relays under SEEDS seeds of faults, and both ends compared; CHAOS_ARGS=--stock beside the usual loops
	@tools/build release tidemark-chaos
	@$(BIN)/tidemark-chaos --seeds $(SEEDS) --jobs 4 $(CHAOS_ARGS)

fuzz: deps-test ## each fuzzer for FUZZ_SECONDS
	@tools/build asan-ubsan
	@tools/fuzz --seconds $(FUZZ_SECONDS)

fmt: deps-test ## format every C++ file
	@clang-format-16 -i $(CPP_FILES)

docs: build ## write docs/reference/ from the configuration specs
	@mkdir -p docs/reference
	@$(BIN)/tidemark reference --out docs/reference

pictures: build ## take docs/demo.svg and the page's pictures anew, of the demo itself
	@tools/record-demo
	@node test/page/pictures.mjs docs

clean: ## remove everything that was built
	@rm -rf build
