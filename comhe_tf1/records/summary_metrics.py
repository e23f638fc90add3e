"""The final figures of a run: last, best and median test accuracy; no TensorFlow."""

EVALUATIONS = 20   # that the median is of


def compute(tests):
  """The figures of a finished run.

  Args:
    tests: list of pairs of step and test accuracy, in order, not empty.

  Returns:
    Dict with `last` (the result), `best` (chosen on the test set, so not a
    result) and `median_of_last_20` (of fewer, if there are fewer), each with what
    it is in words.
  """
  accuracies = [accuracy for _, accuracy in tests]
  best = max(accuracies)
  tail = sorted(accuracies[-EVALUATIONS:])
  middle = len(tail) // 2
  return {
      'last': {'test_acc': accuracies[-1], 'step': tests[-1][0],
               'label': 'after the last step; the result'},
      'best': {'test_acc': best, 'step': tests[accuracies.index(best)][0],
               'label': 'chosen on the test set, so no result'},
      'median_of_last_20': {
          'test_acc': (tail[middle] + tail[-middle - 1]) / 2.,
          'evaluations': len(tail),
          'label': 'of the last %d evaluation%s' % (
              len(tail), '' if len(tail) == 1 else 's')},
  }


def lines(final):
  """The final figures as lines for the terminal."""
  return ['last: test acc=%(test_acc).4f at step %(step)d (%(label)s)' % final['last'],
          'best: test acc=%(test_acc).4f at step %(step)d (%(label)s)' % final['best'],
          'median: test acc=%(test_acc).4f (%(label)s)' % final['median_of_last_20']]
