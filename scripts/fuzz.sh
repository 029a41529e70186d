#!/usr/bin/env bash
# Every reader against files made at random (tests/fuzz/README.md).
#   scripts/fuzz.sh TARGET|all [--inputs N | --seconds S | --minutes M] [--seed S]    20,000 inputs unless told
#   scripts/fuzz.sh TARGET FILE...           what a target says of files, such as those in target/fuzz/found
#   scripts/fuzz.sh --guided TARGET ...      inputs that reach new code are kept and changed further; builds anew
#   scripts/fuzz.sh --guided TARGET ... --keep    and the smallest of them go to tests/fuzz/corpus
set -euo pipefail
cd "$(dirname "$0")/.."
target_dir=target/fuzz
build=(cargo build --quiet --release --manifest-path tests/fuzz/Cargo.toml --locked)
program=$target_dir/release/elman-fuzz
if [ "${1:-}" = --guided ]; then
  shift
  # LLVM's counters in all code but that of build scripts and macros, which a named target sets apart.
  host=$(rustc -vV | sed -n 's/^host: //p')
  export RUSTFLAGS="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=3 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters"
  target_dir=target/fuzz-guided
  build+=(--target "$host")
  program=$target_dir/$host/release/elman-fuzz
fi
"${build[@]}" --target-dir "$target_dir"
exec "$program" "$@"
