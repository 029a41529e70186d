#!/usr/bin/env bash
# Checks and times the programs that scripts/cuda.sh built, on a machine with a GPU; no Rust is needed. CUDA's libraries
# are those of python3's PyTorch, which is also what the benchmark compares with (PYTHON names another python3).
#   scripts/cuda_check.sh [--programs DIR | --archive FILE.tar.xz] [--libraries DIR] [--data DIR] [--out DIR]
#                         [--only contract,cuts,golden,devices,train,sanitizer,bench] [--points 512x80x32,...]
#                         [--ways steps,resident] [--help]
set -euo pipefail
cd "$(dirname "$0")/.."
# -B: no folder of compiled modules among the sources.
exec "${PYTHON:-python3}" -B scripts/cuda_check.py "$@"
