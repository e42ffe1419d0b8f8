# Short names for what one does often; `just --list` shows them.

# A local cluster of three nodes.
dev *arguments:
    cargo run --release -- dev {{arguments}}

# All tests.
test:
    cargo test --workspace

# What must pass before a change is taken, without the slow half.
check:
    .ci/run fast

# All that CI runs.
ci:
    .ci/run

# The generated documents.
docs:
    cargo run -p nuthatch-proto --example commands-md > docs/COMMANDS.md
    NUTHATCH_UPDATE_DOCS=1 cargo test -p nuthatch-node options_md

# The benches of parser, store and routing.
bench *arguments:
    cargo bench -p nuthatch-benches --benches {{arguments}}

# Ours beside redis-server on this machine.
compare *arguments:
    cargo run -p nuthatch-benches --release --bin compare -- {{arguments}}

# The rules of the house alone.
tidy:
    cargo test -p nuthatch-cluster-tests --test tidy
