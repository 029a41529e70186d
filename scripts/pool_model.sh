#!/usr/bin/env bash
# Tries every order in which the threads of the CPU backend's pool can meet (tests/pool_model, by loom): seconds, after a build of one.
#   scripts/pool_model.sh          the pool as it is
#   scripts/pool_model.sh broken   the pool with a wake-up, a wait or an order missing: each must be found
set -euo pipefail
cd "$(dirname "$0")/.."
export RUSTFLAGS="--cfg loom" CARGO_TARGET_DIR=$PWD/target/pool_model
pool=backends/candle/src/cpu/pool.rs
model() { cargo test --quiet --manifest-path "${1:-tests/pool_model}/Cargo.toml" --lib "${@:2}"; }

if [ "${1:-}" != broken ]; then
  model tests/pool_model
  exit
fi
# A copy, so that an interrupted run leaves nothing behind.
copy=target/pool_model/broken
mkdir -p "$copy/tests" "$copy/$(dirname $pool)"
cp -r tests/pool_model "$copy/tests"
broken() { # broken WHAT FROM TO: the first line that has FROM has TO in its place
  python3 - "$pool" "$copy/$pool" "$2" "$3" <<'PYTHON'
import sys
source, target, old, new = sys.argv[1:]
text = open(source).read()
assert old in text, f"the pool no longer has: {old}"
open(target, "w").write(text.replace(old, new, 1))
PYTHON
  if model "$copy/tests/pool_model" >"$copy/log" 2>&1; then
    echo "not found: $1" >&2
    exit 1
  fi
  grep -q "test result: FAILED\|panicked" "$copy/log" || { cat "$copy/log" >&2; exit 1; }
  echo "found: $1"
}
broken "the last part does not wake the caller" "self.finished.notify_all();" ""
broken "it does so without the lock" "drop(lock(&self.sleep));
                self.finished" "self.finished"
broken "the caller does not wait" "shared.wait();" ""
broken "a part is finished without an order" "self.unfinished.fetch_sub(1, SeqCst)" "self.unfinished.fetch_sub(1, std::sync::atomic::Ordering::Relaxed)"
broken "the end wakes nobody" "self.shared.wake.notify_all();" ""
