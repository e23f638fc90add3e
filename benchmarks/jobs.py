"""What is measured, with which methods, and which contender takes part in it."""
import collections

import agreement

NONE = 'none'
VARIANTS = tuple(agreement.SMALL)
METHODS = (NONE,) + VARIANTS
# Whole training steps, the only measures of a network without a term.
STEPS = ('cnn9', 'resnet32')
MEASURES = ('graph', 'start', 'terms', 'augment') + STEPS

_KNOWN = {   # measures and methods of each kind of contender
    'ours': (MEASURES, METHODS),
    'plain': (('graph', 'terms', 'augment') + STEPS, VARIANTS),
    'reduced': (('terms',), ('random',)),
    'floor': (('terms',), ('random',)),
    'original': (('graph', 'start', 'augment', 'cnn9'), VARIANTS),
    'torch': (('terms', 'cnn9'), (NONE, 'random'))}

Job = collections.namedtuple('Job', 'measure variant')


def of(only, variants):
  """All jobs, those of a variant together: the original's process serves one.

  Args:
    only: list of measures.
    variants: list of methods in the order of METHODS, or None: all but `none` for the
      terms, otherwise the first of them.
  """
  chosen = {measure: _variants_of(measure, variants) for measure in only}
  return [Job(measure, variant) for variant in METHODS for measure in only
          if variant in chosen[measure]]


def _variants_of(measure, variants):
  if not variants:
    return VARIANTS if measure == 'terms' else VARIANTS[:1]
  possible = [variant for variant in variants if variant != NONE or measure in STEPS]
  # Augmentation is the same for all variants.
  return possible[:1] if measure == 'augment' else possible


def takes_part(kind, job):
  """Whether a kind of contender knows a job's measure and its method."""
  measures, methods = _KNOWN[kind]
  return job.measure in measures and job.variant in methods


def knows(kind, variant):
  """Whether a kind of contender knows a method, in whatever measure."""
  return variant in _KNOWN[kind][1]


def title(job):
  """A job's name in tables."""
  return job.measure if job.measure == 'augment' else '%s %s' % job
