#!/usr/bin/env python
"""Runs what docs/findings.md shows of the original, and writes that page.

    git clone https://github.com/rmlin/CoMHE
    git clone https://github.com/wy1iu/MHE
    python docs/findings.py --original CoMHE --mhe MHE --data_dir cifar-100-python \
      --tf18 PYTHON --tf112 PYTHON --tf114 PYTHON

with three interpreters of Python 3.6 that have TensorFlow 1.8, 1.12 and 1.14;
findings.json keeps the lines that are shown.
"""
import collections
import os
import re
import subprocess
import sys
import tempfile
import textwrap

# First: it says where the others are.
import generated

# isort: split

from comhe_tf1.utils import arguments
from comhe_tf1.utils import terminal

NAME = 'findings'
INTERPRETERS = ('tf18', 'tf112', 'tf114')
FOLDERS = ('original', 'mhe', 'data_dir')

WATCH = 'docs/watch_original.py $ORIGINAL '
TINY = ' --pd 2 --pn 1 --idle'   # the smallest graph, of which nothing is computed
# At a rate at which training begins at once.
TRAINING = (' --data_dir $DATA_DIR --steps 301 --batch_size 32 --base_lr 0.01 --pd 40 '
            '--pn 1')
OURS = ('$PYTHON train.py --gpu_no -1 --dataset sample --batch_size 32 --base_lr 0.001 '
        '--log_dir $LOGS --max_steps ')
# Test errors of every log below the present folder.
LOWEST = (
    'for run in $(find . -name log_test_00.txt | sort); do '
    "grep -o 'test acc=[0-9.]*' $run | cut -d = -f 2 | awk -v run=$run "
    "'$1 > best {best = $1} END {printf \"%s: of %d test errors the lowest is %.2f, the "
    "last %.2f\\n\", run, NR, 100 - 100 * best, 100 - 100 * $1}'; done")
# By name; in bash, in this project's folder.
COMMANDS = collections.OrderedDict([
    ('published', 'cd $ORIGINAL && head -n 1 */log/*/log_train_00.txt'),
    ('random 1.12 1234', '$TF112 ' + WATCH + 'random --steps 1 --random_seed 1234'),
    ('random 1.12', '$TF112 ' + WATCH + 'random --steps 1'),
    ('random 1.8 1234', '$TF18 ' + WATCH + 'random --steps 1 --random_seed 1234'),
    ('random 1.14 1234', '$TF114 ' + WATCH + 'random --steps 1 --random_seed 1234'),
    ('angle 1.12', '$TF112 ' + WATCH + 'angle --steps 1'),
    ('adversarial 1.12', '$TF112 ' + WATCH + 'adversarial --steps 1'),
    ('random', '$TF114 ' + WATCH + 'random --steps 3'),
    ('angle', '$TF114 ' + WATCH + 'angle --steps 1'),
    ('adversarial', '$TF114 ' + WATCH + 'adversarial --steps 1'),
    ('angle pn 7', '$TF114 ' + WATCH + 'angle --steps 1 --pn 7'),
    ('adversarial pn 7', '$TF114 ' + WATCH + 'adversarial --steps 1 --pn 7'),
    ('pnd', '$TF114 ' + WATCH + 'random --steps 1 --pnd 16'),
    ('idle', '$TF114 ' + WATCH + 'random --batch_size 1' + TINY),
    ('batch 64', '$TF114 ' + WATCH + 'random --steps 1000 --batch_size 64' + TINY),
    ('batch 256', '$TF114 ' + WATCH + 'random --steps 400 --batch_size 256' + TINY),
    ('early', 'cd $ORIGINAL/random_projection/log/pd40_pn20 && cat log_train_00.txt '
              'log_test_00.txt | grep -E '
              '"iter_(100|500|1000|1100|1500|2000|2500|3000):"'),
    ('sample', OURS + '151 --log_every 150 && $PYTHON train.py --gpu_no -1 '
               '--dataset sample --recalibrate_bn '
               '--eval_only $LOGS/sample/random_projection/pd40_pn20/run_00'),
    ('ours', OURS + '1 --save_every 0'),
    ('two threads', '$TF114 ' + WATCH + 'random' + TRAINING),
    ('one thread', 'taskset -c 1 $TF114 ' + WATCH + 'random' + TRAINING),
    ('mhe errors', 'cd $MHE/log && ' + LOWEST),
    ('errors', 'cd $ORIGINAL && ' + LOWEST),
    ('first batches', '$PYTHON train.py --first_line --gpu_no -1 --data_dir $DATA_DIR'),
    ('cpu', 'grep -m 1 "model name" /proc/cpuinfo && nproc'),
])

Finding = collections.namedtuple('Finding', 'title text shown')
Finding.__doc__ = """title, text: of the page. shown: pairs of a command's name and
the patterns of the lines of its output that bear the finding out; each must match."""


# The terms of iter_0 that do not depend on the data.
RANDOM = 'iter_0: .*reg=1.1871, thom=5.1348, thomf=5.0269'
ANGLE = 'iter_0: .*reg=1.1856, thom=5.1797, thomf=5.0191'
ADVERSARIAL = 'iter_0: .*reg=1.1885, thom=5.1808, thomf=5.0229'
DRAWS = [' draws 20 matrices ']
SEEDS = ['op seeds of the initial values']
START = ['operations in the graph', ' s from the start']

INTRODUCTION = """# What was learned of the original

Found out by running the authors' code (github.com/rmlin/CoMHE), unmodified, on a CPU,
and by reading their logs (there and in github.com/wy1iu/MHE): each finding with the
commands that show it and the lines of their output that do.
Written by `docs/findings.py` from `docs/findings.json`; to run everything again, about
twenty minutes,

    git clone https://github.com/rmlin/CoMHE
    git clone https://github.com/wy1iu/MHE
    python docs/findings.py --original CoMHE --mhe MHE --data_dir cifar-100-python \\
      --tf18 PATH --tf112 PATH --tf114 PATH

with the folder of the official CIFAR-100 and three interpreters of Python 3.6: one with
this project's requirements, which bring TensorFlow 1.14.0, and two with

    pip install tensorflow==1.8.0 "numpy<1.17" "protobuf<3.20"
    pip install tensorflow==1.12.0 "numpy<1.17" "protobuf<3.20"

It stops where an output does not bear a finding out. Below, `$ORIGINAL` and `$MHE` are
the checkouts, `$DATA_DIR` is the folder of CIFAR-100, `$TF18`, `$TF112` and `$TF114` are
the interpreters, `$PYTHON` is a current one with this project's requirements, `$LOGS` an
empty folder. `docs/watch_original.py` gives the script random images unless it has
`--data_dir`, so that `fit` and `acc` are not the published ones; lines with `watch:` are
what it sees from outside.
"""

FINDINGS = (
    Finding(
        'The published log of random projection has the seed 1234',
        """The script's default is 345. The first line's `reg`, `thom` and `thomf`,
        which do not depend on the data, are the published ones with `--random_seed
        1234`, and others with the default.""",
        [('published', ['^==> random', RANDOM]), ('random 1.12 1234', [RANDOM]),
         ('random 1.12', ['iter_0: .*reg=1.1866, thom=5.1363, thomf=5.0194'])]),
    Finding(
        'The published logs were made under an older TensorFlow than the README names',
        """It names 1.14.0. The script seeds the graph, but not the initial values,
        which TensorFlow then seeds by the number of operations so far; of the same code
        1.14 makes fewer than 1.8 and 1.12. Under these two the original gives the
        published figures, under 1.14 others, also with the default seed. The other two
        logs have the default seeds of their scripts. (`--op_seeds` of `train.py` knows
        both numberings.)""",
        [('random 1.8 1234', SEEDS + [RANDOM]), ('random 1.12 1234', SEEDS + [RANDOM]),
         ('random 1.14 1234',
          SEEDS + ['iter_0: .*reg=1.1878, thom=5.1346, thomf=5.0145']),
         ('random', ['iter_0: .*reg=1.1858, thom=5.1367, thomf=5.0235']),
         ('angle 1.12', [ANGLE]), ('adversarial 1.12', [ADVERSARIAL]),
         ('published', ['^==> a', ANGLE, ADVERSARIAL])]),
    Finding(
        'Layers share their random projections',
        """The op seed of a layer's i-th matrix, counted from 0, is its number of input
        channels plus i. Layers of equal input channels and kernel size draw the same
        matrices: of 180 there are 80 different ones. Those of fc6, of another shape,
        begin with the numbers of conv3_1's.""",
        [('random', DRAWS)]),
    Finding(
        '`--pnd` crashes',
        """It makes the number of projections a quotient, under Python 3 a float, which
        `range` does not take.""",
        [('pnd', ["failed after 0 .*TypeError: 'float' object"])]),
    Finding(
        '`--pn` does nothing in the angle-preserving and adversarial scripts',
        """It names the log folder. Every layer has one projection, whatever is asked
        for: first line and graph do not change.""",
        [(name, ['operations in the graph', 'iter_0', 'log folder'])
         for name in ('angle', 'angle pn 7', 'adversarial', 'adversarial pn 7')]),
    Finding(
        'Moving averages of batch norm start at zero, and nothing corrects for it',
        """With a decay of 0.999 and a constant variance the moving one is 1 - 0.999^n
        of it after n steps, a tenth after 105 and 95 % after 3,000; the mean likewise.
        Testing uses them: at step 2,500 of the published run a third of the training
        batch is right, and 4 % of the test set. (Test accuracies of exactly 0.0100,
        until step 1,000, are of the next finding: training is no better there.) That
        weights are better than such tests shows in a short run on this project's
        synthetic sample: with statistics of the training images in place of the moving
        averages the same weights are right nearly always.""",
        [('random', ['moving variance']),
         ('early', ['iter_%s:' % step for step in (1500, 2000, 2500, 3000)]),
         ('sample', ['^====iter_150', r'\+\+\+\+iter_150: test acc'])]),
    Finding(
        'For a thousand steps only weight decay trains',
        """At the rate of 0.1 the outputs saturate within the first hundred steps: `fit`
        goes up to 9.2103 = -ln 1e-4, what an image costs whose class has a softmax of
        0, and there the loss has no slope. From step 500 to 1,000 `reg` falls to 0.4879
        / 0.8061 = 0.605 of itself, as momentum SGD does by weight decay alone (0.6051).
        By step 1,100 `fit` has fallen, and training begins.""",
        [('early', ['====iter_%s:' % step for step in (100, 500, 1000, 1100)]
          + [r'\+\+\+\+iter_%s: test acc=0.0100' % step for step in (500, 1000)])]),
    Finding(
        'An epoch is 390 batches, whatever the batch size',
        """The images are shuffled every 390 steps. With batches of 64 an epoch takes
        half of the images. With 256 there are not enough for the 196th batch, and the
        script ends. Here an epoch has images // batch size batches, which is 390 at
        128. (`--idle` computes nothing: calls are answered with zeros.)""",
        [('idle', ['before step (0|390|780)$']), ('batch 64', ['shuffled before step']),
         ('batch 256', ['shuffled', 'failed after 195 .*cannot reshape'])]),
    Finding(
        'A test follows the update of its step, and the last one is labelled 74999',
        """The line `++++iter_500` is of the network after 501 updates. The 75,000 steps
        are labelled 0 to 74,999, and the last test 74,999. The rate drops before the
        steps 30,000, 50,000 and 65,000.""",
        [('idle', ['with rate', 'after (501|1001|74501|75000) training steps$',
                   r'^\+\+\+\+iter_(500|1000|74500|74999):'])]),
    Finding(
        'The first lines come out whole with the official data',
        """With the first batches of the official CIFAR-100 `fit` and `acc` of the three
        published first lines are computed here to the last digit as well: seeds, order of
        the images, crops, mirroring, network and terms are those of the published
        runs.""",
        [('first batches', [' (fit|acc) .* match$', '^15 of 15'])]),
    Finding(
        'The original parts from itself',
        """Our log of random projection agrees with the published one line by line through
        step 900; then the one leaves the plateau of finding 7 within the hundred steps
        before step 1,000, the other within the hundred after (docs/comparing.md). The
        original does not repeat itself better, as soon as the loss has a slope: with two
        threads and with one, all else equal, it starts from one line, and a hundred steps
        later is elsewhere, for sums are taken in another order. (At a rate of 0.01, where
        training begins at once. On the plateau at 0.1 weight decay alone trains, and
        leaving it takes the original a thousand steps of the whole batch, half an hour
        for each run.)""",
        [(name, ['^====iter_[0-9]']) for name in ('two threads', 'one thread')]),
    Finding(
        'The cells of the MHE paper\'s table 1 are lowest test errors',
        """Eight of its twelve cells of CIFAR-100 (the authors' slides, `MHE_slides.pdf`, page
        7, github.com/rmlin/rmlin.github.io) are, to the last digit, the lowest of the 85
        test errors of one released log: half-space MHE of powers 0, 1, a0, a1 and a2
        (26.18, 26.30, 26.47, 26.52, 26.03) and MHE of powers 1, 2 and a1 (27.09, 27.15,
        27.31). The lowest errors of mhe_0 and half_mhe_2 are cells of its tables 2 and 3
        (26.75, 25.96). So a cell is to be compared with 100 - 100 * best of a run, which
        is chosen on the test set.""",
        [('mhe errors', ['half_mhe_0/.* lowest is 26.18', 'half_mhe_1/.* lowest is 26.30',
                         'half_mhe_a0/.* lowest is 26.47', 'half_mhe_a1/.* lowest is 26.52',
                         'half_mhe_a2/.* lowest is 26.03', '/mhe_1/.* lowest is 27.09',
                         '/mhe_2/.* lowest is 27.15', '/mhe_a1/.* lowest is 27.31',
                         '/mhe_0/.* lowest is 26.75', 'half_mhe_2/.* lowest is 25.96'])]),
    Finding(
        'The released baseline log does not reach the table\'s baseline',
        """The tables say 28.13 without a regulariser. The lowest test error of the
        released log is 1.84 points above.""",
        [('mhe errors', ['baseline/.* lowest is 29.97, the last 30.26'])]),
    Finding(
        'The released log of the angle-preserving projection is not the table\'s run',
        """The CoMHE paper's table of depths (`CoMHE_slides.pdf`, page 4, there) says 24.33
        for it, and 24.39 for random projection. The lowest test error of the released log
        is 0.42 points above the one, the last 0.54. Of random projection the last is 0.02
        above the other, the lowest 0.11 below.""",
        [('errors', ['angle.* lowest is 24.75, the last 24.87',
                     'random.* lowest is 24.28, the last 24.41'])]),
    Finding(
        'The graph is large',
        """Random projection builds a small graph per projection and layer. The same
        step takes this project fewer operations. docs/speed.md has the times from
        the command to the first line, measured side by side.""",
        [(name, START) for name in ('random', 'angle', 'adversarial')]
        + [('ours', ['operations in the graph']), ('cpu', ['model name', r'^\d+$'])]),
)


class NotBorneOut(ValueError):
  """A command does not show what a finding says; the message is for the user."""


def shown_of(name, lines, patterns):
  """The lines of a command's output that match any of the patterns.

  Raises:
    NotBorneOut: a pattern matches none.
  """
  for pattern in patterns:
    if not any(re.search(pattern, line) for line in lines):
      raise NotBorneOut('of %r no line matches %r' % (COMMANDS[name], pattern))
  return [line for line in lines
          if any(re.search(pattern, line) for pattern in patterns)]


def patterns_of(name):
  """All patterns of lines that some finding shows of a command."""
  return [pattern for finding in FINDINGS for shown, patterns in finding.shown
          if shown == name for pattern in patterns]


def page(record):
  """The text of findings.md."""
  lines = [INTRODUCTION]
  for number, finding in enumerate(FINDINGS, 1):
    lines += ['## %d. %s' % (number, finding.title), '', textwrap.fill(
        ' '.join(finding.text.split()), generated.WIDTH, break_on_hyphens=False), '']
    for name, patterns in finding.shown:
      lines += ['```', '$ ' + COMMANDS[name]]
      for line in shown_of(name, record[name], patterns):
        lines += textwrap.wrap(line, generated.WIDTH, subsequent_indent='    ')
      lines += ['```', '']
  return '\n'.join(lines)


def run_command(command, variables):
  """Lines that a command prints; standard error goes where ours does."""
  with tempfile.TemporaryDirectory() as logs:
    process = subprocess.Popen(
        ['bash', '-c', command], cwd=generated.ROOT, stdout=subprocess.PIPE,
        env=dict(os.environ, LOGS=logs, TF_CPP_MIN_LOG_LEVEL='3', **variables))
    output, _ = process.communicate()
  return [line.rstrip() for line in output.decode().splitlines()]


def parse(argv):
  parser = generated.parser(
      NAME, 'Run what docs/findings.md shows of the original, and write that page.')
  parser.add_argument('--original', type=generated.checkout, metavar='FOLDER',
                      help='checkout of the authors\' repository')
  parser.add_argument('--mhe', type=arguments.path, metavar='FOLDER',
                      help='checkout of the MHE authors\' repository')
  parser.add_argument('--data_dir', type=arguments.path, metavar='FOLDER',
                      help='the official CIFAR-100\'s pickles')
  for name in INTERPRETERS:
    parser.add_argument(
        '--' + name, type=generated.executable, metavar='PATH',
        help='Python 3.6 with TensorFlow %s' % name.replace('tf1', '1.'))
  parser.add_argument('--only', type=generated.names(COMMANDS), metavar='NAME,...',
                      default=list(COMMANDS), help='commands to be run: some of %s '
                      '(default: all)' % ', '.join(COMMANDS))
  args = parser.parse_args(argv)
  missing = [name for name in FOLDERS + INTERPRETERS if not getattr(args, name)]
  if missing and not args.render:
    parser.error('--%s is needed to run anything; --render does without' % missing[0])
  return args


def main(argv=None):
  args = parse(argv)

  def update(record):
    variables = {name.upper(): os.path.abspath(getattr(args, name))
                 for name in FOLDERS + INTERPRETERS}
    variables['PYTHON'] = sys.executable
    for name in args.only:
      terminal.note('findings.py', COMMANDS[name])
      record[name] = shown_of(name, run_command(COMMANDS[name], variables),
                              patterns_of(name))

  return generated.main(NAME, args, update, page)


if __name__ == '__main__':
  terminal.print_anything()
  sys.exit(main())
