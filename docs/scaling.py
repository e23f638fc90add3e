#!/usr/bin/env python
"""Measures what several devices take, and projects what they could gain.

    python docs/scaling.py [--repeats 8] [--before CHECKOUT]

keeps in scaling.json what `benchmarks/several_devices.py` measures on this machine's
CPUs; scaling.md is written from it and from the assumptions below, which `--render`
takes up without measuring.
"""
import collections
import sys
import textwrap

# First: it says where the others are.
import generated

# isort: split
import agreement
import measured_process
import numpy as np
import several_devices as several

from comhe_tf1.networks import architectures
from comhe_tf1.regularizers import kernels as roles
from comhe_tf1.regularizers import methods
from comhe_tf1.utils import terminal

NAME = 'scaling'
BATCH = 128
TOWERS = (1, 2, 4, 8)

# Assumptions of the projections; nothing of these was measured.
Link = collections.namedtuple('Link', 'name bandwidth latency')
LINKS = (Link('PCIe 3.0 x16, one machine', 12e9, 10e-6),   # bytes/s a direction, s
         Link('100 Gbit/s network', 12.5e9, 50e-6),
         Link('10 Gbit/s network', 1.25e9, 50e-6))
RATES = (5e12, 20e12)   # FLOP/s that a GPU reaches in CNN-9

Traffic = collections.namedtuple('Traffic', 'what down up')
Traffic.__doc__ = """Bytes of a step between the first device and one tower.

what: they are; down: to the tower; up: from it.
"""


def traffic(layers, batch, towers, own_statistics):
  """What a step sends to and from one tower that is not on the first device.

  Args:
    layers: list of `architectures.Layer`.
    batch: images of all towers.
    towers: number of them.
    own_statistics: as `towers.Towers`.

  Returns:
    List of `Traffic`.
  """
  kernels = 4 * sum(parameters(layer) for layer in layers)
  vectors = 4 * sum(2 * layer.c_out for layer in layers if layer.batch_norm)
  found = [Traffic('kernels, and their gradients', kernels, kernels)]
  if own_statistics:
    found.append(Traffic('scale and shift; their gradients, means and variances',
                         vectors, 2 * vectors))
  else:
    found.append(Traffic('batch norm of the whole batch: four messages of two vectors '
                         'a layer', 2 * vectors, 2 * vectors))
  return found + [Traffic('images (uint8) and labels (int64)',
                          batch // towers * (32 * 32 * 3 + 8), 0)]


def parameters(layer):
  """Number of a kernel's entries."""
  return layer.size ** 2 * layer.c_in * layer.c_out


def messages(layers, own_statistics):
  """Messages of a step that wait for one another: up and down, forward and backward.

  Every batch norm of the whole batch has four. Before the first layer and after the
  last gradient there is one more each; towers with statistics of their own have these
  two only.
  """
  return 2 + (0 if own_statistics else 4 * sum(layer.batch_norm for layer in layers))


def flops(layers, batch):
  """Floating-point operations of a step's convolutions, forward and backward.

  Two for every multiplication of a sum; a convolution takes as many for the gradient
  of its kernel, and again, but for the first layer, of its input. Batch norm, ReLU and
  pools are left out: they take bandwidth rather than operations. For plain networks.
  """
  total, side = 0, 32
  for layer in layers:
    side //= 2 if layer.pool == 'max' else 1
    out = side if layer.batch_norm else side - layer.size + 1
    products = 2 * batch * out ** 2 * parameters(layer)
    total += products * (2 if layer.role == roles.FIRST else 3)
    side = out
  return total


def regularizer_flops(layers, pd, pn):
  """The same of random projection: P W, P^T times its slopes, cosines and theirs.

  Products of the hidden layers alone; the draws are left out.
  """
  total = 0
  for layer in layers:
    if layer.role == roles.HIDDEN:
      rows, neurons = layer.size ** 2 * layer.c_in, layer.c_out
      total += pn * 2 * pd * neurons * (2 * rows + 3 * neurons)
  return total


def projected(layers, towers, link, rate):
  """Seconds of a training step with random projection; see the page."""
  method = methods.resolve('random', {})
  compute = flops(layers, BATCH) / towers / rate
  regularizer = regularizer_flops(layers, method['pd'], method['pn']) / rate
  if towers == 1:
    return compute + regularizer
  moved = traffic(layers, BATCH, towers, False)
  bytes_ = sum(each.down + each.up for each in moved)
  return (compute + regularizer + (towers - 1) * bytes_ / link.bandwidth
          + messages(layers, False) * link.latency)


INTRODUCTION = '''# Several devices: measured, and projected

What a step of `train.py --devices` takes and moves: CNN-9, batch 128, random projection
(pd 40, pn 20). Written by `docs/scaling.py` from `docs/scaling.json`; to measure anew,
five to ten minutes,

    python docs/scaling.py

The figures were taken beside a checkout from before there were towers, when all modules
lay in one folder. 439ebf9 is the last commit that can do this:

    git worktree add ../BEFORE 4645465
    git worktree add ../LAST 439ebf9
    cd ../LAST && python docs/scaling.py --before ../BEFORE

Not run on a GPU yet; its libraries are checked to load. What is said of GPUs here is
arithmetic on assumptions, which stand at the head of `docs/scaling.py` (`--render` writes
the page anew).
'''


def paragraph(text, *values):
  """A paragraph of the page, values put in and lines broken."""
  return textwrap.fill(' '.join((text % values if values else text).split()),
                       generated.WIDTH, break_on_hyphens=False) + '\n'


def median(measured, setup, regularizer='random'):
  """Seconds of a step."""
  return float(np.median(measured['times'][regularizer][setup.title]))


def moved(measured, setup):
  """Bytes of a step."""
  return float(np.median(measured['bytes'][setup.title]))


def times_section(measured):
  base = {name: median(measured, several.ONE, name) for name in several.METHODS}
  rows = []
  for setup in several.TIMED:
    if setup.title in measured['times']['random']:
      row = [setup.title]
      for name in several.METHODS:
        samples = measured['times'][name][setup.title]
        row += ['%.3f (%.3f - %.3f)' % (np.median(samples), min(samples), max(samples)),
                '%.2f' % (np.median(samples) / base[name])]
      rows.append(row)
  environment = measured['environment']
  return [
      '## Time of a step', '',
      paragraph(
          '''Seconds, median (least - most) of %d steps, all contenders in turn, one at a
          time; beside it the ratio to one device. %s, %s cores, of which others
          used up to %.0f %% as timing began, Python %s,
          TensorFlow %s. A process without a note of its cores has both; all run up to two
          operations at a time. The batch is given: neither reading nor augmentation is part of a step. The client of workers shares the
          first one\'s core. Before timing, the terms of the first step agreed.''',
          measured['repeats'], environment['cpu'], environment['cpu_count'],
          100. * measured['busy'], environment['python'], environment['tensorflow'])
  ] + generated.table(
      ['', 'random projection, s', 'ratio', '`--regularizer none`, s', 'ratio'],
      rows) + ['']


def conclusions(measured):
  one, two = median(measured, several.ONE), median(measured, several.TWO)
  core, workers = [median(measured, setup) for setup in (
      several.ONE_CORE, several.WORKERS_2)]
  lines = [paragraph(
      '''**Two towers on the two cores of one process take %.2f times as long as one
      device on the same two cores**: one device uses both already, so that towers of one
      process have nothing to gain here; the ratio is their overhead. **Two workers with a
      core each are %.2f times as fast as one device on one core** (of at most 2); a
      single worker takes %.2f times as long as that device. Without regulariser the two
      workers are %.2f times as fast, and with `--bn_stats tower` %.2f times. What keeps
      these from 2, the regulariser, which the first device computes alone, and the
      exchange, is split below.''',
      two / one, core / workers, median(measured, several.WORKER) / core,
      median(measured, several.ONE_CORE, 'none') / median(
          measured, several.WORKERS_2, 'none'),
      median(measured, several.ONE_CORE, 'none') / median(
          measured, several.OWN_2, 'none'))]
  if several.BEFORE.title in measured['times']['random']:
    operations = [measured['operations'][setup.title]['random']
                  for setup in (several.BEFORE, several.ONE)]
    ratios = [
        statistic(measured['times'][name][several.ONE.title])
        / statistic(measured['times'][name][several.BEFORE.title])
        for name in several.METHODS for statistic in (np.median, np.min)]
    lines.append(paragraph(
        '''The single device against the checkout before there were towers, which has %d
        operations in its graph to %d here: random projection, medians %.2f, least times
        %.2f; none, medians %.2f, least times %.2f.''', *(operations + ratios)))
  return lines


def bytes_section(measured, layers):
  lines = ['## Bytes of a step', '', paragraph(
      '''To and from each tower that is not on the first device, by count; a tower of 2,
      and of 4.''')]
  rows = []
  for own in (False, True):
    for each in zip(*[traffic(layers, BATCH, towers, own) for towers in (2, 4)]):
      rows.append(['tower' if own else 'batch', each[0].what] + [
          '%.3f' % (count / 1e6) for one in each for count in (one.down, one.up)])
  lines += generated.table(
      ['`--bn_stats`', 'what', 'of 2: MB to it', 'MB from it', 'of 4: MB to it',
       'MB from it'], rows) + ['']
  lines.append(paragraph(
      '''Measured is what goes over the loopback interface, packets' headers included,
      less the rate at rest; a single worker, to which only the client sends its batch, is
      taken off, which leaves the towers. What it has more than the count was not broken
      down: headers and acknowledgements of TCP, gRPC\'s framing, names of tensors.'''))
  rows = []
  base = moved(measured, several.WORKER)
  for setup in several.COUNTED:
    count = moved(measured, setup)
    row = [setup.title, '%.2f' % (count / 1e6)]
    if setup.towers > 1:
      predicted = total(traffic(layers, BATCH, setup.towers, setup.bn_stats == 'tower'))
      each = (count - base) / (setup.towers - 1)
      row += ['%.2f' % (each / 1e6), '%.2f' % (predicted / 1e6),
              '%+.1f %%' % (100. * (each / predicted - 1.))]
    else:
      row += ['-'] * 3
    rows.append(row)
  return lines + generated.table(
      ['', 'MB a step', 'MB for each further tower', 'by count', 'difference'],
      rows) + ['']


def total(found):
  """Bytes of a list of `Traffic`, both ways."""
  return sum(each.down + each.up for each in found)


def split_section(measured):
  """Where the time of a step with two workers goes, by differences."""
  seconds = {(setup, name): median(measured, setup, name) for setup in (
      several.ONE_CORE, several.WORKERS_2, several.OWN_2) for name in several.METHODS}
  compute = seconds[several.ONE_CORE, 'none']
  workers = seconds[several.WORKERS_2, 'none']
  own = seconds[several.OWN_2, 'none']
  rows = [
      ('forward and backward pass and update, one device on one core',
       'one device, one core, none', compute),
      ('of which each of two towers has a half', 'half of that', compute / 2),
      ('regulariser on one core', 'one device, one core: random less none',
       seconds[several.ONE_CORE, 'random'] - compute),
      ('regulariser with two workers', 'two workers: random less none',
       seconds[several.WORKERS_2, 'random'] - workers),
      ('exchange and all else with two workers', 'two workers, none, less the half',
       workers - compute / 2),
      ('of which batch norm over the whole batch', 'two workers, none: less that with '
       '--bn_stats tower', workers - own),
      ('and the rest: parameters, gradients, waiting, the update\'s second half',
       '--bn_stats tower, none, less the half', own - compute / 2)]
  return ['## Where a step of two workers goes', '', paragraph(
      '''By differences of the medians above, not observed by themselves; each has the
      scatter of both, and what overlaps shows as less. Batch norm over the whole batch
      is also computed by other operations than a tower\'s own, which the difference
      includes.''')] + generated.table(
          ['part', 'difference', 's'],
          [[what, how, '%.3f' % value] for what, how, value in rows]) + ['']


def projection_section(layers):
  method = methods.resolve('random', {})
  lines = ['## Projected for GPUs', '', paragraph(
      '''Assumed, not measured. A step\'s convolutions take %.0f GFLOP at batch 128 and the
      regulariser\'s products %.1f GFLOP, both counted from shapes. With N towers, F and R
      these counts, and r the assumed rate of a GPU,''',
      flops(layers, BATCH) / 1e9,
      regularizer_flops(layers, method['pd'], method['pn']) / 1e9),
           '    t(1) = F / r + R / r',
           '    t(N) = F / (N r) + R / r + (N - 1) b / w + m l', '',
           paragraph(
      '''b: bytes to and from a tower, %.1f MB of two; w: bytes a second of the first
      device\'s link in a direction, which carries the traffic of all towers, parameters
      first and gradients later; m = %d: messages that wait for one another, 4 for each of
      %d batch norms (forward up, down, backward up, down) and 2; l: seconds for each.
      Nothing overlaps, which makes it a pessimistic sum; that the rate falls with the
      batch of a tower, launches of kernels, what gRPC copies and the update are left out,
      which makes it an optimistic one.''',
      total(traffic(layers, BATCH, 2, False)) / 1e6, messages(layers, False),
      sum(layer.batch_norm for layer in layers))]
  rows = []
  for rate in RATES:
    for link in LINKS:
      one = projected(layers, 1, link, rate)
      rows.append(['%.0f' % (rate / 1e12), link.name, '%g' % (link.bandwidth / 1e9),
                   '%.0f' % (link.latency * 1e6)] + [
                       '%.1f (%.2f)' % (1e3 * seconds, one / seconds) for seconds in (
                           projected(layers, towers, link, rate) for towers in TOWERS)])
  return lines + generated.table(
      ['TFLOP/s of a GPU', 'link', 'GB/s', 'us a message'] + [
          '%d GPU%s: ms (speed-up)' % (towers, 's' if towers > 1 else '')
          for towers in TOWERS], rows) + ['']


def limits_section(layers):
  size = 4e-6 * sum(map(parameters, layers))
  return ['## What limits it', '', paragraph(
      '''The first device\'s link: all %.1f MB of kernels go out and all gradients come
      back for every tower, so that traffic grows with N while the work of a tower
      shrinks. A ring all-reduce with variables and update in every tower would move
      2 (N - 1) / N of the gradients over each link, whatever N is, and no kernels.''',
      size), paragraph(
      '''The regulariser and the update, which the first device computes for all while the
      others wait: with variables in every tower each could take some of the layers or
      projections.'''), paragraph(
      '''Latency of batch norm over the whole batch: its messages are small, and each
      waits for the one before. `--bn_stats tower` has none of them, and is another
      experiment. One all-reduce in place of up and down would halve them.'''), paragraph(
      '''gRPC, between machines: TensorFlow\'s servers copy every tensor into and out of
      messages on the CPU, from and to a GPU\'s memory besides. That its throughput is the
      network\'s is assumed above. Nothing here was measured over a network.''')]


def page(measured):
  """The text of scaling.md."""
  layers = architectures.cnn()
  return '\n'.join(
      [INTRODUCTION] + times_section(measured) + conclusions(measured)
      + bytes_section(measured, layers) + split_section(measured)
      + projection_section(layers) + limits_section(layers)).rstrip() + '\n'


def main(argv=None):
  parser = generated.parser(
      NAME, 'Measure what several devices take on this machine, and write '
      'docs/scaling.md.')
  several.add_flags(parser)
  args = parser.parse_args(argv)

  def update(record):
    record.clear()
    record.update(several.measure(args.repeats, args.before))
    # Of this machine's folders and the like nothing is kept.
    record['environment'] = {name: record['environment'][name] for name in (
        'python', 'tensorflow', 'numpy', 'cpu', 'cpu_count')}

  try:
    return generated.main(NAME, args, update, page)
  except (agreement.Disagreement, measured_process.ContenderError) as error:
    terminal.note('scaling.py', 'error: %s' % error)
    return 1


if __name__ == '__main__':
  terminal.print_anything()
  sys.exit(main())
