# The verbs people type. Each installs and builds what it needs first.
JOBS   ?= $(shell nproc)
PREFIX ?= /usr/local
DEMO   := runs/fashion_mnist
# WERROR=ON or OFF: whether warnings are errors; without it build/release keeps what it has, at first OFF.
CONFIGURE = cmake --preset release --log-level=WARNING $(if $(WERROR),-DDINO_WERROR=$(WERROR))
FORMATTED = $(shell git ls-files --cached --others --exclude-standard '*.h' '*.cpp')

help:  ## Show this list
	@sed -nE 's/^([a-z-]+):.*## /\1\t/p' Makefile | expand -t 12

setup:  ## Install the Debian packages and LibTorch
	@scripts/setup

build: setup  ## Build build/release/dino
	@$(CONFIGURE) && cmake --build --preset release -j$(JOBS) --target dino_cli

all: setup  ## Build it, the tests and the benchmark programs
	@$(CONFIGURE) && cmake --build --preset release -j$(JOBS)

demo: build  ## Pretrain DINO on Fashion-MNIST (about 10 minutes on 2 cores); continues an interrupted demo
	build/release/dino train $(if $(wildcard $(DEMO)/checkpoints/*),--resume $(DEMO),--recipe recipes/fashion_mnist.toml --out $(DEMO) --force)

test: all  ## Run the tests
	ctest --preset release -j$(JOBS)

test-all: all  ## Run the tests and the slow tests
	ctest --preset release-all -j$(JOBS)

bench:  ## Build and run the benchmark programs of bench/
	@scripts/setup libbenchmark-dev && $(MAKE) build && cmake --build --preset release --target bench

sanitize: setup  ## Run the tests of dino_core under AddressSanitizer, UBSan and ThreadSanitizer
	for preset in asan tsan; do cmake --preset $$preset && cmake --build --preset $$preset -j$(JOBS) && ctest --preset $$preset -j$(JOBS) || exit 1; done

fuzz:  ## Run each fuzz target of tests/fuzz for a minute
	@scripts/setup clang && cmake --preset fuzz && cmake --build --preset fuzz --target fuzz

format:  ## Lay out all C++ files
	@scripts/setup clang-format && clang-format -i $(FORMATTED)

lint:  ## Check layout, include directions and documents
	@scripts/setup clang-format python3 && clang-format --dry-run -Werror $(FORMATTED) && scripts/check_includes && scripts/check_docs

install: build  ## Install the library, its headers and the program under PREFIX
	cmake --install build/release --prefix $(PREFIX)

clean:  ## Remove what was built; keeps LibTorch and runs
	rm -rf build

.PHONY: help setup build all demo test test-all bench sanitize fuzz format lint install clean
