# Everything CI checks: format, lints, tests
check:
    .ci/run

# Install the test servers and run the suite
test *ARGS:
    tests/run {{ARGS}}

# The suite with every kill of the full count
test-kills:
    BINSYNC_TEST_KILLS=50 tests/run kills

# A capture under so many kills, cuts and broker restarts, on both kinds of queue of two RabbitMQs, one queue and four
crash STRIKES="1000":
    tests/install-servers --unstable-broker
    BINSYNC_TEST_CRASHES={{STRIKES}} tests/run --test main crash:: -- --nocapture

# Write the transcripts of what the program says anew, then look at what has changed
golden:
    BINSYNC_TEST_GOLDEN=write tests/run transcript
    git diff --stat tests/golden

# What a capture takes of memory, with a hundred messages of 20 MB
test-memory:
    BINSYNC_TEST_LARGE=100 tests/run capture::memory -- --nocapture

# The power lost at that many points of a capture of one queue, of several, a prune and an import
powerloss CUTS="2000":
    BINSYNC_TEST_CUTS={{CUTS}} tests/run powerloss

# Files and messages that somebody made up, for so many seconds, with a bound on memory
fuzz SECONDS="3600":
    cargo test --lib --no-run
    ulimit -v 6000000; BINSYNC_TEST_FUZZ={{SECONDS}} cargo test --lib fuzz -- --nocapture

# Random work on both kinds of source, applied and compared: that many seeds of each
seeds N *ARGS:
    BINSYNC_TEST_SEEDS={{N}} tests/run differential {{ARGS}}

# Random work on both kinds of source, so many of its moments as tables in a file, with and without --base
moments N *ARGS:
    BINSYNC_TEST_MOMENTS={{N}} tests/run random_times {{ARGS}}

# Wait so many times for a target under load, on both kinds of server, and look whether it was early
waits N="1000":
    BINSYNC_TEST_WAITS={{N}} tests/run waiting::what_was -- --nocapture

# Measure against the stock tools and replicas on this machine, JSON on stdout; --help lists the measures
bench *ARGS:
    tests/install-servers
    cargo bench --bench peers -- {{ARGS}}

# The program as servers get it: target/release/binsync
dist:
    cargo build --release

# Record, find and undo a real accident, without a server
demo:
    cargo run -- demo

# Hold the crates against advisories, licences and second versions (cargo install cargo-deny; asks for the advisories)
deny:
    cargo deny check

# Format the code
fmt:
    cargo fmt

# The API documentation
doc:
    cargo doc --no-deps --document-private-items
