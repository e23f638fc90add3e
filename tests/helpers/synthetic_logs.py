"""Logs and run folders, as the authors' programs and this project leave them."""
import json
import os

from comhe_tf1.data import datasets
from comhe_tf1.records import log_format
from comhe_tf1.regularizers import methods

DROPS = {75000: [30000, 50000, 65000], 42500: [20000, 30000, 37500]}


def accuracy(step, steps=75000, last=0.75):
  """An invented curve: a line to 0.4, then up at the rate drops to `last`."""
  if step >= steps - 10000:
    return round(last + (0.0004 if step % 1000 else -0.0004) * (step < steps - 1), 4)
  return round(0.01 + 0.39 * step / steps, 4)


def write_log(folder, number=0, steps=75000, last=0.75, first=(6.3, 1.2, 5.1, 5.0, 0.01),
              until=None, planted=()):
  """The two files of a run of the CoMHE authors; `planted`: step -> test accuracy."""
  os.makedirs(str(folder), exist_ok=True)
  until = steps if until is None else until
  planted = dict(planted)
  train, test = log_format.paths(str(folder), number)
  with open(train, 'w') as file:
    for step in range(0, until, 100):
      values = first if step == 0 else (9.2 * 0.9999 ** step + 0.1, 0.5, 5.12, 4.95, 0.5)
      file.write(log_format.train_line(step, *values) + '\n')
  evaluated = list(range(500, until, 500)) + ([steps - 1] if until == steps else [])
  with open(test, 'w') as file:
    for step in evaluated:
      file.write(log_format.test_line(
          step, planted.get(step, accuracy(step, steps, last))) + '\n')


def write_mhe_log(folder, last=0.70, terms=True):
  """The same of the MHE authors: from step 100, with another field, terms or none."""
  os.makedirs(str(folder))
  train, test = log_format.paths(str(folder), 0)
  with open(train, 'w') as file:
    for step in range(100, 42500, 100):
      file.write('====iter_%d: fit=0.4000, reg=0.5000, %sacc=0.9000\n' % (
          step, 'thom=5.0200, thomf=4.9500, ' if terms else ''))
  with open(test, 'w') as file:
    for step in range(500, 42500, 500):
      file.write('++++iter_%d: test acc=%.4f\n' % (step, accuracy(step, 42500, last)))
    file.write(f'++++iter_42499: test acc={last:.4f} imclass acc=0.0880\n')


def flags(regularizer='random', **changed):
  """Flags as args.json has them, those of a published run unless changed."""
  known = dict(
      regularizer=regularizer, dataset='cifar100', data_dir='cifar-100-python',
      model='cnn9', width=1., depth=9, batch_size=128, base_lr=0.1, bn_decay=0.999,
      bn_stats='batch', max_steps=75000, random_seed=1234, op_seeds='tf1.12',
      data_md5=datasets.DATASETS['cifar100'].digest, log_dir='log', gpu_no='0',
      groups=None, xla=False, tf32=False, deterministic=False,
      log_every=100, eval_every=500, energy_every=0)
  known.update(methods.resolve(regularizer, {}))
  known.update(changed)
  known.setdefault('lr_drops', DROPS.get(known['max_steps'], DROPS[75000]))
  return known


def write_run(folder, number=0, args=None, finished=True, layers=('conv1_0', 'score'),
              command=('train.py', '--random_seed', '1234'), **log):
  """A run of this project: log files and run_NN; returns the path of the latter."""
  args = args or flags()
  write_log(folder, number, steps=args['max_steps'], **log)
  run = os.path.join(str(folder), 'run_%02d' % number)
  os.makedirs(run)
  for name, content in (('args', args), ('env', [{
      'python': '3.11.7', 'tensorflow': '2.21.0', 'from_step': 0, 'gpus': [],
      'command': list(command)}])):
    with open(os.path.join(run, name + '.json'), 'w') as file:
      json.dump(content, file)
  with open(os.path.join(run, 'metrics.jsonl'), 'w') as file:
    for step in range(0, 500, 100):
      energies = {layer: 0.5 + i * 0.01 - step * 1e-6 for i, layer in enumerate(layers)}
      file.write(json.dumps({'kind': 'train', 'step': step, 'wall_time': 0.9 * step,
                             'energies': energies}) + '\n')
      file.write(json.dumps({
          'kind': 'energies', 'step': step, 'power': '2', 'full_energies': energies,
          'half_energies': energies}) + '\n')
  if finished:
    with open(os.path.join(run, 'final.json'), 'w') as file:
      file.write('{}')
  return run
