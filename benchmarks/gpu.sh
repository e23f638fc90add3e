#!/usr/bin/env bash
# What to ask of the first GPU, of the generations Turing to Hopper: whether the first lines
# match, how long a step takes with and without the term, and whether the log agrees with
# the published one. Needs make, an NVIDIA driver, network and 8 GB; logs go to build/gpu.
#   benchmarks/gpu.sh [LOGS]       LOGS: the authors' log of random projection, to be compared
set -euo pipefail
cd "$(dirname "$0")/.."
make .venv-gpu/lock
python=.venv-gpu/bin/python
nvidia-smi --query-gpu=name,compute_cap,driver_version --format=csv
if [ -z "${COMHE_DATA_DIR:-}" ] && ! [ -d cifar-100-python ]; then
  "$python" cifar_input.py --download
fi
"$python" train.py --check_first_line --gpu_no 0
rm -rf build/gpu
for regularizer in random none; do
  "$python" train.py --regularizer "$regularizer" --random_seed 1234 --gpu_no 0 \
    --max_steps 201 --log_every 50 --log_dir build/gpu
done
# Not of the first hundred, which choose algorithms.
"$python" - <<'END'
import glob, json
for path in sorted(glob.glob('build/gpu/**/metrics.jsonl', recursive=True)):
  with open(path) as file:
    times = {line['step']: line['wall_time'] for line in map(json.loads, file)
             if line['kind'] == 'train'}
  print('%s: %.4f s a step' % (path, (times[200] - times[100]) / 100))
END
"$python" compare.py build/gpu/random_projection/* ${1:+--against "$1"}
