#!/usr/bin/env bash
# Times the same workloads in elman, PyTorch, Keras on JAX, burn and candle, in turn, and writes benches/RESULTS.md. Installs
# the peers into a scratch folder (some gigabytes; burn builds for minutes). Wants Linux, cargo, python3, an idle machine.
#   scripts/bench_peers.sh [--scratch DIR] [--peers torch,torch_fused,torch_sparse,keras_jax,burn,candle]
#                          [--workloads reuters_mlp,imdb_full,...] [--rounds 5] [--threads 2] [--output FILE]
set -euo pipefail
cd "$(dirname "$0")/.."
scratch=${XDG_CACHE_HOME:-$HOME/.cache}/elman-peers
peers=torch,torch_fused,torch_sparse,keras_jax,burn,candle
rest=()
while [ $# -gt 0 ]; do
  case $1 in
    -h | --help) exec python3 scripts/bench_peers.py --help ;;
    --*=*) set -- "${1%%=*}" "${1#*=}" "${@:2}" ;;
    --scratch) scratch=${2:?--scratch wants a folder}; shift 2 ;;
    --peers) peers=${2:?--peers wants names}; shift 2 ;;
    *) rest+=("$1"); shift ;;
  esac
done
mkdir -p "$scratch"
scratch=$(cd "$scratch" && pwd)

# Installs into the environment for Python what is not there yet.
python_packages() {
  [ -x "$scratch/venv/bin/python" ] || python3 -m venv "$scratch/venv"
  local wanted=() package
  for package in "$@"; do
    "$scratch/venv/bin/python" -c "import importlib.metadata as m; m.version('$package')" 2>/dev/null || wanted+=("$package")
  done
  [ ${#wanted[@]} -eq 0 ] || "$scratch/venv/bin/python" -m pip install --quiet "${wanted[@]}"
}

case $peers in *torch*) python_packages numpy torch ;; esac
case $peers in *keras*) python_packages numpy keras jax ;; esac
for peer in burn candle; do
  case ,$peers, in *,$peer,*)
    cargo build --locked --release --manifest-path "benches/peers/$peer/Cargo.toml" --target-dir "$scratch/$peer" ;;
  esac
done

exec python3 scripts/bench_peers.py --scratch "$scratch" --peers "$peers" ${rest[@]+"${rest[@]}"}
