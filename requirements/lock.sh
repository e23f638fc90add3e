#!/usr/bin/env bash
# Writes the locks beside it, with uv (`make lock` installs it). What is locked stays
# unless it no longer fits; `make lock UPGRADE=--upgrade` takes the newest of everything.
set -euo pipefail
cd "$(dirname "$0")"

lock() {  # NAME INPUT FLAGS...
  uv pip compile "$2" --output-file "$1.txt" --generate-hashes --quiet \
    --custom-compile-command "make lock" ${UPGRADE:-} "${@:3}"
}

original=(--python-version 3.6 --python-platform x86_64-manylinux2014)
current=(--python-version 3.10 --universal)
lock tf1.14-pip tf1.14-pip.in "${original[@]}"
lock tf1.14-cpu ../requirements.txt "${original[@]}"
lock tf1.14-gpu tf1.14-gpu.in "${original[@]}"
lock tf2.21-cpu ../requirements.txt "${current[@]}"
lock tf2.21-gpu tf2.21-gpu.in "${current[@]}"
