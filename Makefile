# make run    installs what is missing, builds and starts everything offline
# make test   installs what is missing and runs all tests
# make lint   checks the format
SHELL := /bin/bash
.DEFAULT_GOAL := help

APT_BUILD := libhiredis-dev libssl-dev
APT_RUN   := redis-server
APT_TEST  := $(APT_RUN) curl openssl caddy haproxy nginx-light python3 python3-venv
BREW      := hiredis openssl@3 redis caddy haproxy nginx python
DATA      ?= .tollgate/dev

.PHONY: help run build test lint deps test-deps

help:
	@sed -n 's/^# \(make .*\)/\1/p' Makefile

run: deps build
	@.build/release/tollgate dev --data $(DATA)

build: deps
	swift build -c release --product tollgate

# One test after the other: some say how long a caller may wait, which two cores full of other tests would falsify.
test: test-deps lint
	swift test --no-parallel

lint:
	swift format lint --strict --recursive Package.swift Sources Tests

deps:
	@deploy/install-packages $(APT_BUILD) $(APT_RUN) -- $(BREW)

test-deps:
	@deploy/install-packages $(APT_BUILD) $(APT_TEST) -- $(BREW)
	@Tests/Oracles/install
