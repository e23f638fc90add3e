"""Requests to a process that measures, and its answers: a JSON object a line each.

Requests come on standard input and a reply goes to standard output for each:

    {"do": "prepare", "measure": M, "variant": V, "data": FOLDER}
                                        values of one repetition, not timed
    {"do": "repeat"}                    samples of one repetition, in seconds
    {"do": "check", ...} and others     values, see `worker` and `agreement`
"""
import json
import os
import sys


def start():
  """Sends whatever else this process prints to standard error.

  Returns:
    Function that answers with a dict.
  """
  replies = os.fdopen(os.dup(1), 'w', 1)
  os.dup2(2, 1)

  def reply(values):
    replies.write(json.dumps(values, default=float) + '\n')

  return reply


def serve(reply, measures, others):
  """Answers requests until there are no more.

  Args:
    reply: as `start` returns it.
    measures: dict from the name of a measure to its generator, a function of `variant`
      and `data`: of the first repetition it gives the values, of every further one the
      samples, by quantity.
    others: dict from what else can be asked for to a function of the request's other
      entries, which returns values.
  """
  repetitions = None
  for line in sys.stdin:
    request = json.loads(line)
    do = request.pop('do')
    if do == 'prepare':
      repetitions = measures[request.pop('measure')](**request)
    reply(next(repetitions) if do in ('prepare', 'repeat') else others[do](**request))
