#!/usr/bin/env bash
# All checks of the project, cheapest first; what CI runs. Installs the tools that it needs with cargo.
#   scripts/check.sh          everything
#   scripts/check.sh quick    formatting, spelling, lints, tests
set -euo pipefail
cd "$(dirname "$0")/.."
mode=${1:-all}
# Where cargo installs tools.
export PATH="$PATH:${CARGO_HOME:-$HOME/.cargo}/bin"

step() { printf '\n== %s\n' "$*"; }

# Runs a command of the README, having made sure that the README still tells it.
from_readme() {
  grep -qxF "$*" README.md || { echo "README.md does not tell the command: $*" >&2; exit 1; }
  "$@"
}

# A tool from crates.io, unless it is there; unoptimised, as it runs for a second and builds for minutes.
need() {
  command -v "$1" >/dev/null || cargo install --locked --debug --quiet "$2"
}

for component in rustfmt clippy; do
  cargo "${component/rustfmt/fmt}" --version >/dev/null 2>&1 || rustup component add "$component"
done

step formatting
cargo fmt --all --check
# Packages that are no part of the workspace.
for package in emulator fuzz; do
  cargo fmt --manifest-path "tests/$package/Cargo.toml" --check
done

step spelling
need typos typos-cli
typos

step no circle of imports between folders
python3 scripts/folders.py

step lints
cargo clippy --workspace --all-targets -- -D warnings
cargo clippy --locked --manifest-path tests/emulator/Cargo.toml --target-dir target/emulator --all-targets -- -D warnings

step tests and doctests
from_readme cargo test --workspace

step kernels without AVX-512 and without vectors
# The choice is held down for candle's kernels; the gemm crate chooses for itself.
for instructions in avx2 scalar; do
  ELMAN_INSTRUCTIONS=$instructions cargo test --quiet --test backends --test golden -- contract:: recurrent:: sequences::
  # With the core and its tests beside it, as cargo would build candle once more for this package alone, with fewer features.
  ELMAN_INSTRUCTIONS=$instructions cargo test --quiet --package elman --package elman-candle --lib --test kernels
done

[ "$mode" = quick ] && exit 0

step every order of the threads of the pool, and of broken ones
scripts/pool_model.sh
scripts/pool_model.sh broken

step the CUDA backend on a GPU in software
if [ "$(uname -sm)" = "Linux x86_64" ] && command -v gcc >/dev/null && python3 -m pip --version >/dev/null 2>&1; then
  scripts/cuda_emulated.sh
else
  echo "this wants Linux on x86-64 with gcc, python3 and pip: not checked"
fi

step readers against files made at random
scripts/fuzz.sh all --inputs 5_000

step documentation
RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --quiet
RUSTDOCFLAGS="-D warnings" cargo doc --locked --manifest-path tests/emulator/Cargo.toml --target-dir target/emulator --no-deps --quiet

step each feature alone
# The core by itself and with each of its features; those that forward to candle need a toolkit or another system.
cargo check --quiet --package elman --lib --no-default-features
for feature in progress gz csv tokenizers; do
  cargo check --quiet --package elman --lib --no-default-features --features "$feature"
done
cargo check --quiet --package elman-reference
cargo check --quiet --package elman-candle
if command -v nvcc >/dev/null; then
  for feature in cuda cudnn nccl; do
    cargo check --quiet --package elman-candle --features "$feature"
  done
else
  echo "no nvcc: features cuda, cudnn and nccl are not checked"
fi
echo "feature mkl fetches a library from outside crates.io: not checked"
if [ "$(uname)" = Darwin ]; then
  for feature in metal accelerate; do
    cargo check --quiet --package elman-candle --features "$feature"
  done
else
  echo "not macOS: features metal and accelerate are not checked"
fi

step dependencies
# The core and the reference backend must not pull candle in.
if cargo tree --quiet --package elman-reference --edges normal,build | grep -q candle; then
  echo "elman-reference depends on candle" >&2
  exit 1
fi
need cargo-deny cargo-deny
# Not `advisories`: their database comes from outside crates.io, and a new entry would fail a change that it has nothing
# to do with.
cargo deny --log-level error check bans licenses sources

step the main job
from_readme cargo run --release --example 03_reuters_mlp

printf '\nall checks passed\n'
