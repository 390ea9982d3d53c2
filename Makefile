# What a developer and CI run. `make check` and `make test` together are the whole of CI (see .ci/run).
CARGO ?= cargo

.PHONY: build check test bench demo clean

# The release binary stands at the app root: host.json and `func azure functionapp publish` expect it there.
build:
	$(CARGO) build --release --bin rtvoice
	install -m 0755 target/release/rtvoice rtvoice

check:
	$(CARGO) fmt --check
	$(CARGO) clippy --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --no-deps --document-private-items

# The contract suites run real Redis servers, and the dashboard is looked at with Chromium; everything else that tests need is in the tests.
test: redis-server chromium
	$(CARGO) test

# What needs the machine for itself: every alert under its real condition, and a healthy hour that fires none.
.PHONY: rehearse
rehearse: redis-server
	$(CARGO) test -- --ignored --test-threads=1 journeys::alerts journeys::healthy_hour

.PHONY: redis-server chromium
redis-server:
	@command -v redis-server >/dev/null 2>&1 || sh .ci/install redis-server

chromium:
	@command -v chromium >/dev/null 2>&1 || command -v chromium-browser >/dev/null 2>&1 || command -v google-chrome >/dev/null 2>&1 || \
		sh .ci/install chromium

# Needs the Redis of the settings (REDIS_HOST), best one of its own on a quiet machine.
bench:
	$(CARGO) run --release -- bench paths --save benches/results.json

demo:
	$(CARGO) run --release -- demo

clean:
	$(CARGO) clean
	rm -rf rtvoice .rtvoice
