#!/usr/bin/env python
"""Measures this project's speed beside the original's way of computing the same.

    python benchmarks/run.py [--only terms cnn9] [--methods random angle] [--repeats 5]
        [--python PYTHON] [--original CHECKOUT PYTHON36] [--torch PYTHON] [--json FILE]

    start      from the command to the line iter_0, in a fresh process; peak memory
    terms      energy terms and gradients of CNN-9, after all steps of the projections
    cnn9       a whole training step; operations in the graph
    resnet32   likewise

Contenders, each in a process of its own: `ours`; `reduced`, random projection with
--draw reduced; `plain`, the terms as the original builds them (`plain.py`); `floor`, only
the draws and the two matrix products that random projection takes. --python adds the four
under another interpreter, hence another TensorFlow. --original adds the authors'
repository, of which a copy is run; it is given as a checkout and a Python 3.6 with
TensorFlow 1.14. --torch adds CNN-9's terms and step in PyTorch, for the methods random
and none. All read one set of 50,000 + 10,000 random images in CIFAR-100's layout. They
are asked in turn for one repetition at a time, so that drifts of the machine hit all
alike, and only one computes at any time.

Before anything is timed the contenders must agree with the first one: in the terms and
the gradients of all kernels; in the measures of three steps, the gradients of the first
and its batch; PyTorch from the same variables, batches and draws. The original has but
the measures of its first step, `start` those that are printed. If they do not agree, no
timing is shown and the status is 1. The terms of `reduced` and `floor` are compared with
their like under the other interpreter only: they are no numbers of the others.
A GPU is used where TensorFlow finds one (CUDA_VISIBLE_DEVICES=-1 hides it); PyTorch
computes on the CPU.
"""
import contextlib
import os
import re
import shutil
import sys
import tempfile
import time

import agreement
import measured_process
import report
import step_data

from comhe_tf1.networks import op_seeds
from comhe_tf1.regularizers import methods as all_methods
from comhe_tf1.utils import arguments
from comhe_tf1.utils import terminal

MEASURES = ['start', 'terms', 'cnn9', 'resnet32']
METHODS = ['none', 'random', 'angle', 'adversarial']
LINE = '====iter_0:'
# The floor computes no term, and the reduced draw another one of the same law.
APART = ('floor', 'reduced')


class Command:
  """A training up to the line of its first step, in a fresh process each time.

  Used as a `measured_process.Contender`; the first training gives the values.
  """
  environment = None

  def __init__(self, name, command, folder):
    self.name, self._command, self._folder = name, command, folder

  def __enter__(self):
    self.values, _ = self._train()
    return self

  def __exit__(self, *error):
    pass

  def repeat(self):
    """Samples of one more training."""
    return self._train()[1]

  def _train(self):
    with tempfile.TemporaryFile() as stderr:
      start = time.perf_counter()
      process = measured_process.spawn(self._command, self._folder, stderr)
      line = next((line for line in process.stdout if line.startswith(LINE)), None)
      seconds = time.perf_counter() - start
      try:
        if line is None:
          raise measured_process.failure(self.name, stderr)
        samples = {'time, s': seconds,
                   'peak memory, MB': measured_process.megabytes('VmHWM', process.pid)}
      finally:
        measured_process.end(process)
    values = dict(re.findall(r'(\w+)=(\S+?)(?:,|$)', line.strip()))
    return step_data.values_of(0, values), samples


def contenders_of(measure, method, args, folder):
  """All that take part in a measure of a method, `ours` under this interpreter first.

  Args:
    measure, method: names.
    args: of the command line.
    folder: of the images, and of what the contenders exchange.
  """
  kept = os.path.join(folder, f'{measure}_{method}.npz')
  common = {'method': method, 'settings': {}}
  if measure != 'terms':
    common.update(random_seed=all_methods.METHODS[method].random_seed, data=folder,
                  batch_size=args.batch_size)
  for python in [sys.executable] + args.python:
    def name(kind):
      return kind if python == sys.executable else f'{kind}, {python}'

    def tensorflow(kind, contender, **settings):
      return measured_process.Contender(name(kind), measured_process.script(
          python, 'tensorflow_contender.py', contender=contender,
          **dict(common, **settings)))

    keep = kept if python == sys.executable else None
    if measure == 'start':
      yield Command(name('ours'), [
          python, os.path.join(measured_process.ROOT, 'train.py'), '--regularizer', method,
          '--op_seeds', scheme_of(measure, method), '--data_dir', folder, '--log_dir',
          os.path.join(folder, 'log'), '--save_every', '0', '--batch_size',
          str(args.batch_size)] + gpu_flags(), folder)
    elif measure == 'terms':
      yield tensorflow('ours', 'ours', measure='terms', keep=keep)
      yield tensorflow('plain', 'plain', measure='terms')
      if method == 'random':
        yield tensorflow('reduced', 'ours', measure='terms', settings={'draw': 'reduced'})
        yield tensorflow('floor', 'floor', measure='terms')
    else:
      step = {'measure': 'step', 'network': measure,
              'scheme': scheme_of(measure, method)}
      yield tensorflow('ours', 'ours', keep=keep, **step)
      if method != 'none':
        yield tensorflow('plain', 'plain', **step)
  if args.original and measure in ('start', 'cnn9') and method != 'none':
    script = ['-u', 'train.py'] if measure == 'start' else [
        os.path.join(measured_process.HERE, 'original_contender.py')]
    checkout = os.path.join(folder, f'{method}_projection')
    contender = Command if measure == 'start' else measured_process.Contender
    yield contender('original', [args.original[1]] + script + gpu_flags(), checkout)
  if args.torch and measure in ('terms', 'cnn9') and method in ('none', 'random'):
    yield measured_process.Contender('torch', measured_process.script(
        args.torch, 'torch_contender.py', kept=kept,
        measure='terms' if measure == 'terms' else 'step', **common))


def scheme_of(measure, method):
  """Of the initial weights: the original's where it has the method and the network."""
  return ('tf1.14' if measure != 'resnet32' and op_seeds.has_original(method)
          else op_seeds.BY_NAME)


def gpu_flags():
  """For a training. Only where the caller chose: a GPU that is asked for must be there."""
  visible = os.environ.get('CUDA_VISIBLE_DEVICES')
  return [] if visible is None else ['--gpu_no', visible]


def measured(measure, method, args, folder):
  """Starts all contenders, compares them and times them in turn.

  Returns:
    Rows as `report` has them, and the environments by the contenders' names.

  Raises:
    agreement.Disagreement: contenders differ.
    measured_process.ContenderError: one has failed.
  """
  title = f'{measure} {method}'
  terminal.note('run.py', f'measuring {title}')
  with contextlib.ExitStack() as stack:
    contenders, references = [], {}
    for contender in contenders_of(measure, method, args, folder):
      stack.enter_context(contender)
      kind = contender.name.split(',')[0]
      agreement.compare(
          f'{contender.name}, {title}', contender.values,
          references.setdefault(kind if kind in APART else None, contender.values),
          least=agreement.FOUR_DECIMALS if measure == 'start' else 0.)
      contenders.append(contender)
    measured_process.in_turn(contenders, measure != 'start')   # warms up
    samples = measured_process.in_turn(contenders, args.repeats)
    rows = [{'measure': title, 'quantity': quantity, 'contender': contender.name,
             'samples': found[quantity]} for quantity in samples[0]
            for contender, found in zip(contenders, samples) if quantity in found]
    return rows, {contender.name: contender.environment for contender in contenders}


def parse(argv):
  parser = arguments.Parser(
      prog='run.py',
      description='Measure speed beside the original\'s way of computing the same.')
  parser.add_argument(
      '--only', choices=MEASURES, nargs='+', default=MEASURES, metavar='NAME',
      help=f'what to measure: some of {", ".join(MEASURES)} (default: all)')
  parser.add_argument(
      '--methods', choices=METHODS, nargs='+', metavar='NAME',
      help=f'some of {", ".join(METHODS)} (default: all but none for terms, otherwise '
           'random); the terms of none are not measured')
  parser.add_argument(
      '--repeats', type=arguments.whole(1, 10 ** 6), default=5, metavar='N',
      help='timed repetitions of each (default: 5)')
  parser.add_argument(
      '--batch_size', type=arguments.whole(1, step_data.TRAIN), default=128,
      metavar='IMAGES', help='of a step (default: 128, which the original has)')
  parser.add_argument(
      '--python', nargs='+', default=[], metavar='PATH',
      help='also measure under these interpreters')
  parser.add_argument(
      '--original', nargs=2, metavar=('FOLDER', 'PATH'),
      help='also measure the authors\' repository: a checkout of it, and a Python 3.6 '
           'with TensorFlow 1.14')
  parser.add_argument(
      '--torch', metavar='PATH',
      help='an interpreter with PyTorch, to be measured in terms and cnn9, with random '
           'and none, on the CPU')
  parser.add_argument('--json', metavar='FILE',
                      help='where all samples and the environments go')
  return parser.parse_args(argv)


def run(args):
  """Measures and reports."""
  rows, environments = [], {}
  with tempfile.TemporaryDirectory() as folder:
    step_data.write_images(folder)
    if args.original:
      for method in METHODS[1:]:
        name = f'{method}_projection'
        shutil.copytree(os.path.join(args.original[0], name), os.path.join(folder, name))
    for measure in args.only:
      for method in args.methods or METHODS[1:4 if measure == 'terms' else 2]:
        if (measure, method) != ('terms', 'none'):
          found, described = measured(measure, method, args, folder)
          rows += found
          environments.update(described)
  print('\n'.join(report.lines(rows)))
  report.keep(args.json, {
      'date': time.strftime('%Y-%m-%dT%H:%M:%S'), 'arguments': vars(args),
      'environments': environments, 'rows': rows})


def main(argv=None):
  args = parse(argv)
  return report.finish('run.py', lambda: run(args))


if __name__ == '__main__':
  sys.exit(main())
