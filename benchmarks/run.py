#!/usr/bin/env python
"""Measures this project's speed beside the original's way of computing the same.

    python benchmarks/run.py [--only terms,cnn9] [--variants random,angle] [--repeats 5]
        [--python /path/to/another/python]
        [--original CHECKOUT --original_python /path/to/python3.6]
        [--torch /path/to/a/python/with/pytorch] [--json FILE] [--plot FILE.png]

Contenders, each in a process of its own (`worker.py`): `ours`; `reduced`, random
projection with --draw reduced; `plain`, the terms and the augmentation as the original
builds them (`plain.py`); `floor`, only the draws and the two matrix products that random
projection takes. --python adds the four under another interpreter, hence another
TensorFlow; --original a checkout of the authors' repository (`original.py`), of which a
copy is run; --torch the terms and the whole step of CNN-9 in PyTorch (`torch_step.py`),
with random projection and, `--variants none,random`, without any term. They are asked
in turn for one repetition at a time, so that drifts of the machine hit all alike, and only
one computes at any time. All read one set of 50,000 + 10,000 random images in CIFAR-100's
layout.

    graph      operations in CNN-9's training graph, time to build it
    start      from the command to the line iter_0, in a fresh process; peak memory
    terms      energy terms and gradients of CNN-9, after all steps of the projections
    augment    a batch of 128 images
    cnn9       a whole training step, batch 128
    resnet32   likewise

Before anything is timed the contenders must agree (`agreement.py`): the terms with slow
NumPy versions and with values recorded from the original, every first repetition with
that of the first contender, and PyTorch's first three steps with ours, from the same
variables, batches and draws (`steps.py`). If they do not, no timing is shown and the
status is 1.
A GPU is used where TensorFlow finds one (CUDA_VISIBLE_DEVICES=-1 hides it).
"""
import argparse
import collections
import contextlib
import datetime
import importlib
import os
import shutil
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
HERE = os.path.join(ROOT, 'benchmarks')
sys.path[:0] = [ROOT, os.path.join(ROOT, 'tests', 'helpers')]

import agreement
import jobs
import measured_process
import numpy as np
import report

from comhe_tf1.data import sample
from comhe_tf1.utils import arguments
from comhe_tf1.utils import terminal

WARM_UPS = 1   # and one more, of which the values are checked
TRAIN, TEST = 50000, 10000

# The floor computes no term, and the reduced draw another one of the same law: these are
# compared with their like.
APART = ('floor', 'reduced')


def write_data(folder):
  """Random images in CIFAR-100's layout."""
  rng = np.random.RandomState(0)
  for name, count in (('train', TRAIN), ('test', TEST)):
    with open(os.path.join(folder, name), 'wb') as file:
      file.write(sample.pickled({
          'data': rng.randint(0, 256, (count, 3072), np.uint8),
          'fine_labels': rng.randint(0, 100, count).tolist()}))


def check(contenders, chosen):
  """Compares what contenders of the chosen jobs compute, before any of these is timed.

  Raises:
    agreement.Disagreement: they differ.
  """
  for variant in collections.OrderedDict.fromkeys(job.variant for job in chosen):
    knowing = [contender for contender in contenders
               if jobs.knows(contender.kind, variant)]
    if variant != jobs.NONE:
      check_terms(knowing, variant)
    for contender in knowing:
      if contender.kind == 'torch':
        expected = contenders[0].first_steps(variant)
        agreement.compare('%s, %s, first steps' % (contender.label, variant),
                          contender.first_steps(variant), expected)


def check_terms(contenders, variant):
  """Compares a method's terms with known values.

  Raises:
    agreement.Disagreement: they differ.
  """
  truth, (_, recorded) = agreement.truth(variant), agreement.golden(variant)
  reference = None
  for contender in contenders:
    whose = '%s, %s' % (contender.label, variant)
    if contender.kind != 'original':
      expected = (agreement.floor_truth() if contender.kind == 'floor' else
                  agreement.truth(variant, reduced=True) if contender.kind == 'reduced'
                  else truth)
      agreement.compare(whose + ', small kernels beside NumPy',
                        contender.ask(do='check', variant=variant), expected)
    if contender.kind in ('ours', 'plain'):
      values = contender.ask(do='golden', variant=variant)
      agreement.compare(whose + ', step 0 beside the recorded one', values, recorded)
      reference = reference or values
      agreement.compare(whose + ', beside the first contender', values, reference)


def measure(contenders, job, repeats):
  """Measures a job for all contenders in turn; returns rows as `report` has them.

  Raises:
    agreement.Disagreement: a first repetition differs from the first contender's.
  """
  taking_part = [contender for contender in contenders
                 if jobs.takes_part(contender.kind, job)]
  references = {}
  samples = {contender.label: collections.OrderedDict() for contender in taking_part}
  for contender in taking_part:
    values, least = (
        (contender.train(job.variant)[0], agreement.FOUR_DECIMALS)
        if job.measure == 'start' else (contender.prepare(job), 0.))
    reference = references.setdefault(
        contender.kind if contender.kind in APART else None, values)
    agreement.compare('%s, %s' % (contender.label, jobs.title(job)), values,
                      reference, least)
  for repetition in range(WARM_UPS * (job.measure != 'start') + repeats):
    for contender in taking_part:
      found = (contender.train(job.variant)[1] if job.measure == 'start'
               else contender.ask(do='repeat'))
      # The original builds its graph once, which is no warm-up.
      once = contender.kind == 'original' and job.measure == 'graph'
      if job.measure == 'start' or once or repetition >= WARM_UPS:
        for quantity, value in found.items():
          samples[contender.label].setdefault(quantity, []).append(value)
  return [{'measure': jobs.title(job), 'quantity': quantity, 'contender': contender.label,
           'samples': values} for contender in taking_part
          for quantity, values in samples[contender.label].items()]


def names(known):
  """Type of a flag: some of the known names, in their order."""
  def parse(text):
    given = text.split(',')
    unknown = [name for name in given if name not in known]
    if unknown:
      raise argparse.ArgumentTypeError('expected some of %s, got %r'
                                       % (', '.join(known), unknown[0]))
    return [name for name in known if name in given]
  return parse


def executable(text):
  """Type of a flag: an interpreter."""
  if not shutil.which(text):
    raise argparse.ArgumentTypeError('cannot run %r' % text)
  return text


def checkout(text):
  """Type of --original."""
  if not os.path.isfile(os.path.join(text, 'random_projection', 'train.py')):
    raise argparse.ArgumentTypeError(
        'expected a checkout of the authors\' repository, but there is no '
        'random_projection/train.py in %r' % text)
  return text


def check_folder(parser, flag, path):
  """Before anything is measured: a file that is asked for can be in a folder there."""
  if path is not None and not os.path.isdir(os.path.dirname(path) or '.'):
    parser.error('%s: there is no folder %r' % (flag, os.path.dirname(path)))


def parse(argv):
  parser = arguments.Parser(
      prog='run.py',
      description='Measure speed beside the original\'s way of computing the same.')
  parser.add_argument(
      '--only', type=names(jobs.MEASURES), default=list(jobs.MEASURES), metavar='NAME,...',
      help='what to measure: some of %s (default: all)' % ', '.join(jobs.MEASURES))
  parser.add_argument(
      '--variants', type=names(jobs.METHODS), metavar='NAME,...',
      help='methods: some of %s (default: all but none for terms, otherwise random); '
           'none is measured in whole steps only' % ', '.join(jobs.METHODS))
  parser.add_argument(
      '--repeats', type=arguments.whole(1, 10 ** 6), default=5, metavar='N',
      help='timed repetitions of each (default: 5)')
  parser.add_argument(
      '--python', type=executable, action='append', default=[], metavar='PATH',
      help='also measure under this interpreter; may be repeated')
  parser.add_argument(
      '--original', type=checkout, metavar='FOLDER',
      help='also measure the authors\' repository, of which this is a checkout')
  parser.add_argument(
      '--original_python', type=executable, metavar='PATH',
      help='a Python 3.6 with TensorFlow 1.14, for --original')
  parser.add_argument(
      '--torch', type=executable, metavar='PATH',
      help='an interpreter with PyTorch, to be measured in terms and cnn9, with random '
           'and none, on the CPU')
  parser.add_argument(
      '--json', default=os.path.join(HERE, 'results.json'), metavar='FILE',
      help='where all samples and the environment go (default: '
           'benchmarks/results.json)')
  parser.add_argument('--plot', metavar='FILE', help='draw a figure, with matplotlib')
  args = parser.parse_args(argv)
  if (args.original is None) != (args.original_python is None):
    parser.error('--original and --original_python go together')
  chosen = jobs.of(args.only, args.variants)
  if not chosen:
    parser.error('--variants none is measured in %s only' % ', '.join(jobs.STEPS))
  if args.torch and not any(jobs.takes_part('torch', job) for job in chosen):
    parser.error('--torch is measured in terms and cnn9 only, with random and none')
  check_folder(parser, '--json', args.json)
  check_folder(parser, '--plot', args.plot)
  if args.plot is not None:
    try:
      importlib.import_module('matplotlib')
    except ImportError:
      parser.error('--plot needs matplotlib: pip install matplotlib')
  return args


def contenders_of(args, chosen, data):
  """All that have a part in the chosen jobs, `ours` under this interpreter first."""
  contenders = [measured_process.Contender(kind, python, data)
                for python in [sys.executable] + args.python
                for kind in ('ours', 'reduced', 'plain', 'floor')]
  if args.original:
    for variant in jobs.VARIANTS:
      name = '%s_projection' % variant
      shutil.copytree(os.path.join(args.original, name), os.path.join(data, name))
    contenders.append(measured_process.Contender('original', args.original_python, data))
  if args.torch:
    contenders.append(measured_process.Contender('torch', args.torch, data))
  return [contender for contender in contenders
          if any(jobs.takes_part(contender.kind, job) for job in chosen)]


def run(args, data):
  """Checks, measures and reports."""
  chosen = jobs.of(args.only, args.variants)
  contenders = contenders_of(args, chosen, data)
  with contextlib.ExitStack() as stack:
    for contender in contenders:
      stack.callback(contender.stop)
      contender.start(next(job.variant for job in chosen
                           if jobs.takes_part(contender.kind, job)))
    if len({contender.label for contender in contenders}) < len(contenders):
      raise measured_process.ContenderError(
          'two interpreters have the same Python and TensorFlow')
    if args.torch and any('GPU' in device for device in
                          contenders[0].environment['devices']):
      raise measured_process.ContenderError(
          '--torch computes on the CPU, and TensorFlow found a GPU: hide it with '
          'CUDA_VISIBLE_DEVICES=-1')
    terminal.note('run.py', 'checking that all compute the same')
    check(contenders, chosen)
    rows = []
    for job in chosen:
      terminal.note('run.py', 'measuring %s' % jobs.title(job))
      rows += measure(contenders, job, args.repeats)
  print('\n'.join(report.lines(rows)))
  result = {'date': datetime.datetime.now().isoformat(), 'arguments': vars(args),
            'environments': {contender.label: contender.environment
                             for contender in contenders}, 'rows': rows}
  report.keep(args.json, result)
  if args.plot:
    report.plot(rows, args.plot)


def finish(name, measure):
  """Calls what measures and shows; what went wrong is told in one line.

  Args:
    name: of the script.
    measure: function without arguments.

  Returns:
    Exit status.
  """
  try:
    measure()
    return 0
  except agreement.Disagreement as error:
    terminal.note(name, 'error: no timings, the contenders disagree: %s' % error)
  except (measured_process.ContenderError, OSError) as error:
    terminal.note(name, 'error: %s' % error)
  except KeyboardInterrupt:
    terminal.note(name, 'interrupted')
    return 130
  return 1


def main(argv=None):
  args = parse(argv)

  def measure():
    with tempfile.TemporaryDirectory() as data:
      write_data(data)
      run(args, data)

  return finish('run.py', measure)


if __name__ == '__main__':
  terminal.print_anything()
  sys.exit(main())
