"""Reads damaged files, and says what a reader does not take well.

    python tests/fuzz/fuzz.py pickles --count 100000 --seed 3

Exit status: 1 if anything was found, whose inputs are kept in --keep.
"""
import argparse
import os
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(os.path.dirname(HERE))]

import engine
import readers


def main(argv=None):
  parser = argparse.ArgumentParser(prog='fuzz.py', description=__doc__.split('\n')[0])
  parser.add_argument('reader', choices=list(readers.READERS), help='which')
  parser.add_argument('--count', type=int, default=1000, help='inputs (default: 1000)')
  parser.add_argument('--seed', type=int, default=0, help='of the inputs (default: 0)')
  parser.add_argument('--first', type=int, default=0,
                      help='number of the first input (default: 0)')
  parser.add_argument('--keep', metavar='FOLDER', default='fuzz_findings',
                      help='where inputs that were found go (default: fuzz_findings)')
  args = parser.parse_args(argv)
  reader = readers.READERS[args.reader]()
  began, shown = time.monotonic(), [0.]
  reached = [0]

  def report(count):
    reached[0] = count
    seconds = time.monotonic() - began
    if seconds - shown[0] >= 10:
      shown[0] = seconds
      print('%d of %d in %.0f s' % (count, args.count, seconds), flush=True)

  findings = engine.campaign(reader, args.seed, args.count, args.first, report)
  for finding in findings:
    print('input %d %s: %s' % (finding.number, finding.what,
                               engine.keep(reader, finding, args.keep)))
  print('%s, seed %d: %d inputs in %.1f s, %d findings' % (
      args.reader, args.seed, reached[0], time.monotonic() - began, len(findings)))
  return 1 if findings else 0


if __name__ == '__main__':
  sys.exit(main())
