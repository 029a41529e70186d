#!/usr/bin/env bash
# Builds examples, tests and benches with feature `cuda`, on a Linux machine (x86-64) that has neither a GPU nor CUDA: wants
# cargo, gcc and python3. NVIDIA's toolkit comes from PyPI (1.2 GB on the disk, fetched once). The programs run where there is a
# driver for CUDA 13 (580 or newer) and its libraries, without Rust.
#   scripts/cuda.sh [--toolkit DIR] [--capability 90] [--output DIR]
# `--capability` is that of the GPU that kernels are compiled for (`nvidia-smi --query-gpu=compute_cap --format=csv`), without
# the point. All programs are copied to DIR (target/cuda/programs), without symbols, and packed into DIR.tar.xz beside it, for
# scripts/cuda_check.sh on a machine with a GPU.
set -euo pipefail
cd "$(dirname "$0")/.."
toolkit=${XDG_CACHE_HOME:-$HOME/.cache}/elman-cuda
output=target/cuda/programs
capability=90
while [ $# -gt 0 ]; do
  case $1 in
    -h | --help) sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0"; exit ;;
    --*=*) set -- "${1%%=*}" "${1#*=}" "${@:2}" ;;
    --toolkit) toolkit=${2:?--toolkit wants a folder}; shift 2 ;;
    --capability) capability=${2:?--capability wants a number such as 90}; shift 2 ;;
    --output) output=${2:?--output wants a folder}; shift 2 ;;
    *) echo "unknown: $1; --help tells what there is" >&2; exit 2 ;;
  esac
done
case $capability in '' | *[!0-9]*) echo "--capability wants a number such as 90, not $capability" >&2; exit 2 ;; esac

step() { printf '\n== %s\n' "$*"; }

step the toolkit
packages=(nvidia-cuda-nvcc==13.0.88 nvidia-nvvm==13.0.88 nvidia-cuda-crt==13.0.88 nvidia-cuda-cccl==13.0.85
  nvidia-cuda-runtime==13.0.96 nvidia-cuda-nvrtc==13.0.88 nvidia-cublas==13.1.0.3 nvidia-curand==10.4.0.35)
mkdir -p "$toolkit"
toolkit=$(cd "$toolkit" && pwd)
cuda=$toolkit/packages/nvidia/cu13
if [ "$(cat "$toolkit/complete" 2>/dev/null)" != "${packages[*]}" ]; then
  rm -f "$toolkit/complete"
  [ -x "$toolkit/venv/bin/python" ] || python3 -m venv "$toolkit/venv"
  "$toolkit/venv/bin/python" -m pip install --quiet --no-deps --upgrade --target "$toolkit/packages" "${packages[@]}"
  # The wheels have the libraries under their versions alone, and builds look for lib64 too.
  for library in "$cuda"/lib/lib*.so.*; do
    ln -sf "$(basename "$library")" "${library%%.so.*}.so"
  done
  ln -sfn lib "$cuda/lib64"
  echo "${packages[*]}" >"$toolkit/complete"
fi
echo "$cuda"

step a driver to link with
# libcuda comes with a driver. The linker wants no more than the names that the crate for CUDA knows.
manifest=$(cargo metadata --locked --format-version 1 --features cuda |
  python3 -c 'import json, sys; print(next(p["manifest_path"] for p in json.load(sys.stdin)["packages"] if p["name"] == "cudarc"))')
mkdir -p "$cuda/lib/stubs"
grep -hoE '\bfn cu[A-Z][A-Za-z0-9_]*' "${manifest%/*}"/src/driver/sys/*.rs | sort -u |
  sed 's/^fn \(.*\)/void \1(void) {}/' >"$toolkit/libcuda.c"
gcc -shared -fPIC -Wl,-soname,libcuda.so.1 -o "$cuda/lib/stubs/libcuda.so" "$toolkit/libcuda.c"
echo "$(wc -l <"$toolkit/libcuda.c") functions"

step the programs
export CUDA_HOME=$cuda CUDA_PATH=$cuda CUDA_ROOT=$cuda CUDA_TOOLKIT_ROOT_DIR=$cuda
export PATH=$cuda/bin:$PATH LIBRARY_PATH=$cuda/lib:$cuda/lib/stubs${LIBRARY_PATH:+:$LIBRARY_PATH} CUDA_COMPUTE_CAP=$capability
build() { cargo "$@" --release --locked --features cuda --target-dir target/cuda --message-format=json-render-diagnostics; }
mkdir -p target/cuda "$output"
build build --examples --benches >target/cuda/built.json
build test --no-run --tests >>target/cuda/built.json
commit=$(git describe --always --dirty --abbrev=10 2>/dev/null || echo "no repository")
echo "$commit, $(date --utc +%FT%H:%MZ)" >"$output/built-from.txt"
python3 - target/cuda/built.json "$output" <<'PYTHON'
import json, lzma, pathlib, subprocess, sys, tarfile

messages, output = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
programs = [pathlib.Path("built-from.txt")]
for message in map(json.loads, messages.read_text().splitlines()):
    if program := message.get("executable"):
        kind, name = message["target"]["kind"][0], message["target"]["name"]
        path = pathlib.Path({"example": "examples", "bench": "benches"}.get(kind, "tests")) / name
        (output / path).parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["strip", "-o", output / path, program], check=True)
        programs.append(path)
        print(f"{(output / path).stat().st_size / 1e6:6.1f} MB  {output / path}")

# Most of a program is in the others too: a dictionary of 256 MiB, which holds the last few, makes all as small as two. Packing
# wants 1.7 GB of memory, unpacking that dictionary.
archive = output.with_name(output.name + ".tar.xz")
filters = [{"id": lzma.FILTER_LZMA2, "preset": 1, "dict_size": 256 << 20}]
with lzma.open(archive, "wb", filters=filters) as packed, tarfile.open(fileobj=packed, mode="w") as file:
    for path in sorted(set(programs)):
        file.add(output / path, path)
print(f"{archive.stat().st_size / 1e6:6.1f} MB  {archive}")
PYTHON
