"""Reads damaged files, and says what a reader does not take well.

    python tests/fuzz/fuzz.py pickles --count 100000 --seed 3

Exit status: 1 if anything was found, whose inputs are kept in --findings.
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
  parser.add_argument('--findings', metavar='FOLDER', default='fuzz_findings',
                      help='where inputs that were found go (default: fuzz_findings)')
  args = parser.parse_args(argv)
  reader = readers.READERS[args.reader]()
  began, found = time.monotonic(), 0
  for finding in engine.campaign(reader, args.seed, args.count, args.first):
    found += 1
    os.makedirs(args.findings, exist_ok=True)
    path = os.path.join(args.findings, f'{args.reader}_{args.seed}_{finding.number}')
    with open(path, 'wb') as file:
      file.write(engine.damaged(reader, args.seed, finding.number))
    print(f'input {finding.number} {finding.what}: {path}', flush=True)
  print(f'{args.reader}, seed {args.seed}: {args.count} inputs in '
        f'{time.monotonic() - began:.1f} s, {found} findings')
  return 1 if found else 0


if __name__ == '__main__':
  sys.exit(main())
