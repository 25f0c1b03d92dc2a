# make run    installs what is missing, builds and starts everything offline
# make test   installs what is missing and runs all tests
# make test-valkey  runs the tests that have a Redis with a Valkey in its place
# make test-users   runs them as the ACL user of deploy/redis/users.acl that workers are
# make lint   checks the format
# make fuzz   feeds every reader of input with mutated ones, a minute each (FUZZ=--help says what else it takes)
# make soak   sends random and mutated requests at a worker (SOAK=--help says what else it takes)
# make sanitize  runs the unit tests under the thread sanitizer
# make docs   makes a website of the guides and references in .build/docs
# make bench  measures speed beside nginx+Lua, Traefik and others (on Linux; BENCH=--help says what else it takes)
# make profile  counts the instructions of an admitted request (on Linux; PROFILE=--help says what else it takes)
SHELL := /bin/bash
.DEFAULT_GOAL := help

APT_BUILD := libhiredis-dev libssl-dev
APT_RUN   := redis-server
APT_TEST  := $(APT_RUN) curl openssl caddy haproxy nginx-light chromium chromium-driver prometheus python3 python3-venv
APT_BENCH := $(APT_RUN) wrk openssl nginx-light libnginx-mod-http-lua lua-nginx-redis lua-resty-core \
             python3 python3-venv
APT_PROFILE := $(APT_RUN) valgrind binutils openssl nginx-light python3
APT_PEERS := varnish varnish-redis webdis
BREW      := hiredis openssl@3 redis caddy haproxy nginx prometheus python
DATA      ?= .tollgate/dev

.PHONY: help run build test test-valkey test-users lint fuzz soak sanitize docs bench profile deps test-deps

help:
	@sed -n 's/^# \(make .*\)/\1/p' Makefile

run: deps build
	@.build/release/tollgate dev --data $(DATA)

# Every test runs with the checks for exclusive access; on the path of each request they cost a fifth of our own work.
# Optimizing across modules gives as much again.
RELEASE := -c release --product tollgate -Xswiftc -enforce-exclusivity=unchecked -Xswiftc -cross-module-optimization

build: deps
	swift build $(RELEASE)

test: test-deps lint
	swift build --build-tests
	@Tests/run

# The suites that start a redis-server.
REDIS_TESTS := ^(RedisClientTests|TollgateStoreTests|TollgateDevTests|GatewayTests)\.

test-valkey: test-deps
	@Tests/Valkey/install
	TOLLGATE_REDIS_SERVER="$(CURDIR)/.build/valkey/bin/valkey-server" swift test --no-parallel --filter '$(REDIS_TESTS)'

test-users: test-deps
	TOLLGATE_TEST_REDIS_USERS="$(CURDIR)/deploy/redis/users.acl" swift test --no-parallel --filter '$(REDIS_TESTS)'

lint:
	swift format lint --strict --recursive Package.swift Sources Tests

fuzz: deps
	@Tests/Fuzz/run $(FUZZ)

soak: deps
	swift build --product tollgate
	@Tests/Soak/run $(SOAK)

# The suites that start no process of their own: a sanitized worker would be tested by nothing here.
UNIT_TESTS := TollgateCoreTests|HiredisTests|HTTPWireTests|RedisClientTests|TollgateStoreTests|ClerkAuthTests
UNIT_TESTS := $(UNIT_TESTS)|StripeBillingTests|ReverseProxyTests|TollgateConfigurationTests|PrometheusMetricsTests
UNIT_TESTS := $(UNIT_TESTS)|TollgateDataPlaneTests|TollgateServerTests

sanitize: deps
	swift build --build-tests --sanitize thread --scratch-path .build-tsan
	clang -shared -fPIC -O1 Tests/Sanitizer/mutex.c -o .build-tsan/mutex.so
	TSAN_OPTIONS="halt_on_error=0 exitcode=66 suppressions=$(CURDIR)/Tests/Sanitizer/suppressions.txt" \
	  LD_PRELOAD="$(CURDIR)/.build-tsan/mutex.so" \
	  swift test --skip-build --sanitize thread --scratch-path .build-tsan --no-parallel --filter '^($(UNIT_TESTS))\.'

# docc comes with the Swift toolchain.
docs:
	@deploy/build-docs .build/docs

# Without some of the peers it measures as well, and says so.
bench: build
	@deploy/install-packages $(APT_BENCH) -- $(BREW)
	-@deploy/install-packages $(APT_PEERS) -- $(BREW)
	-@Tests/Benchmark/install
	@Tests/Benchmark/run $(BENCH)

profile: build
	@deploy/install-packages $(APT_PROFILE) -- $(BREW)
	@Tests/Benchmark/profile $(PROFILE)

deps:
	@deploy/install-packages $(APT_BUILD) $(APT_RUN) -- $(BREW)

test-deps:
	@deploy/install-packages $(APT_BUILD) $(APT_TEST) -- $(BREW)
	@Tests/Oracles/install
	@Tests/Benchmark/install
	@Tests/Browser/install
