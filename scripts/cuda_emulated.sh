#!/usr/bin/env bash
# Runs programs with feature `cuda` on a GPU in software (tests/emulator), on a Linux machine (x86-64) that has neither a GPU nor
# CUDA: wants cargo, gcc and python3 with pip. NVRTC, which compiles the kernels, comes from PyPI (200 MB on the disk, fetched once).
#   scripts/cuda_emulated.sh                        builds and runs the backend's tests
#   scripts/cuda_emulated.sh PROGRAM [ARGUMENT ...]  runs a program that it has built: target/emulated/backends or golden.
#     (What scripts/cuda.sh builds wants NVIDIA's own libraries besides, whose names have versions.)
# Candle's own kernels are left out of what is built here, as elman's take their place. tests/emulator/README.md tells what the
# emulator checks, and which variables it reads.
set -euo pipefail
cd "$(dirname "$0")/.."
case ${1:-} in -h | --help) sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0"; exit ;; esac
target=$PWD/target/emulated
toolkit=$target/toolkit

step() { printf '\n== %s\n' "$*"; }

step the emulator
emulator=(--quiet --locked --manifest-path tests/emulator/Cargo.toml --target-dir "$target")
# It interprets all numbers of a warp at once: with all the vector instructions that there are.
RUSTFLAGS="-C target-cpu=native" cargo build "${emulator[@]}" --release

step NVRTC, and libraries to link with
nvrtc=nvidia-cuda-nvrtc==13.0.88
mkdir -p "$toolkit/bin" "$toolkit/lib"
if [ "$(cat "$toolkit/complete" 2>/dev/null)" != "$nvrtc" ]; then
  python3 -m pip install --quiet --no-deps --upgrade --target "$toolkit/packages" "$nvrtc"
  ln -sf "$toolkit"/packages/nvidia/cu13/lib/libnvrtc*.so.* "$toolkit/lib"
  rm -f "$toolkit"/lib/*.alt.so.*
  ln -sf libnvrtc.so.13 "$toolkit/lib/libnvrtc.so"
  echo "$nvrtc" >"$toolkit/complete"
fi
# The other libraries have all names that the crate for CUDA knows, and the emulator comes before them. What it has not is an error
# (CUDA_ERROR_NOT_SUPPORTED).
manifest=$(cargo metadata --locked --format-version 1 --features cuda |
  python3 -c 'import json, sys; print(next(p["manifest_path"] for p in json.load(sys.stdin)["packages"] if p["name"] == "cudarc"))')
stub() { # stub NAME VERSION PART
  grep -hoE '\bfn (cu|cublas|cublasLt|curand|cuda)[A-Z][A-Za-z0-9_]*' "${manifest%/*}/src/$3"/sys/*.rs | sort -u |
    sed 's/^fn \(.*\)/int \1(void) { return 801; }/' |
    gcc -x c -shared -fPIC -Wl,-soname,"lib$1.so.$2" -o "$toolkit/lib/lib$1.so.$2" -
  ln -sf "lib$1.so.$2" "$toolkit/lib/lib$1.so"
}
stub cuda 1 driver
stub cublas 13 cublas
stub cublasLt 13 cublaslt
stub curand 10 curand
stub cudart 13 runtime

export LD_LIBRARY_PATH=$toolkit/lib
run() { LD_PRELOAD=$target/release/libcuda_emulator.so "$@"; }
if [ $# -gt 0 ]; then
  run "$@"
  exit
fi

step lints
# Stands for the compiler of candle's kernels: empty texts and libraries.
cat >"$toolkit/bin/nvcc" <<'NVCC'
#!/usr/bin/env bash
source=${!#}
while [ $# -gt 0 ]; do
  case $1 in
    --version) printf '\n\n\nCuda compilation tools, release 13.0, V13.0.88\n'; exit ;;
    --ptx) kind=ptx ;;
    --lib) kind=library ;;
    -c) kind=object ;;
    -o) output=$2 ;;
    --output-directory) folder=$2 ;;
  esac
  shift
done
case ${kind:-} in
  ptx) source=${source##*/}; : >"$folder/${source%.cu}.ptx" ;;
  object) gcc -x c -c -o "$output" - </dev/null ;;
  library) rm -f "$output"; ar rc "$output" ;;
esac
NVCC
chmod +x "$toolkit/bin/nvcc"
export PATH=$toolkit/bin:$PATH CUDA_HOME=$toolkit CUDA_PATH=$toolkit CUDA_ROOT=$toolkit CUDA_TOOLKIT_ROOT_DIR=$toolkit
export LIBRARY_PATH=$toolkit/lib${LIBRARY_PATH:+:$LIBRARY_PATH} CUDA_COMPUTE_CAP=90
cargo clippy --quiet --locked --package elman-candle --features cuda --target-dir "$target" -- -D warnings

step "the emulator's own tests"
cargo test "${emulator[@]}"

step the tests
cargo test --locked --features cuda --target-dir "$target" --no-run --message-format=json-render-diagnostics \
  --test backends --test golden >"$target/built.json"
python3 - "$target" <<'PYTHON'
import json, pathlib, sys

target = pathlib.Path(sys.argv[1])
for message in map(json.loads, (target / "built.json").read_text().splitlines()):
    if program := message.get("executable"):
        link = target / message["target"]["name"]
        link.unlink(missing_ok=True)
        link.symlink_to(program)
PYTHON
run "$target/backends" candle_cuda
# Each way in which recurrent networks can be computed; resident ones are cut as on an H100, and into larger parts.
for way in steps beside resident; do
  echo "recurrent networks: $way"
  EMULATOR_PROCESSORS=132 ELMAN_RECURRENT=$way run "$target/backends" recurrent_cuts::on_cuda
done
EMULATOR_PROCESSORS=8 ELMAN_RECURRENT=resident run "$target/backends" recurrent_cuts::on_cuda
ELMAN_RECURRENT=resident run "$target/backends" candle_cuda::recurrent candle_cuda::projected
run "$target/backends" devices::on_cuda
for numbers in layers losses recurrent sequences tagging imports; do
  echo "golden numbers: $numbers"
  run "$target/golden" "$numbers::on_cuda"
done
