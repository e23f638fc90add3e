"""A process that is measured, and answers requests: see `worker.py` for these."""
import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time

from comhe_tf1.utils import tf_setup

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
HERE = os.path.join(ROOT, 'benchmarks')

LINE = '====iter_0:'


class ContenderError(Exception):
  """A contender has failed; the message is for the user."""


class Process(object):
  """A process that describes its environment, then answers requests.

  Args:
    title: for messages.
    python: its interpreter.

  Attributes:
    environment: dict, known once it has been started.
  """

  def __init__(self, title, python):
    self._title, self._python = title, python
    self._process = self.environment = None
    self._stderr = tempfile.TemporaryFile()

  def ask(self, **request):
    """Sends a request; returns the reply, a dict."""
    try:
      self._process.stdin.write(json.dumps(request) + '\n')
      self._process.stdin.flush()
    except BrokenPipeError:
      pass   # reading will tell why
    return self._answer()

  def stop(self):
    """Ends the process, if there is one."""
    if self._process:
      _end(self._process)
      self._process = None

  def _start(self, command, folder=None):
    """Starts the process: the interpreter with these arguments."""
    self.stop()
    self._process = self._spawn(command, folder)
    self.environment = self._answer()

  def _spawn(self, command, folder):
    self._stderr.truncate(0)
    environment = dict(tf_setup.ENVIRONMENT, TF_CPP_MIN_LOG_LEVEL='3')
    environment.update(os.environ)
    return subprocess.Popen(
        [self._python] + command, cwd=folder, env=environment, bufsize=1,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._stderr,
        universal_newlines=True)

  def _answer(self):
    line = self._process.stdout.readline()
    if not line:
      self._fail()
    return json.loads(line)

  def _fail(self):
    self._stderr.seek(0)
    said = self._stderr.read().decode(errors='replace').strip()
    raise ContenderError('%s under %s failed: %s' % (self._title, self._python,
                                                     said.split('\n')[-1]))


class Contender(Process):
  """A process that measures, and the command that trains.

  Args:
    kind: as `jobs` knows it.
    python: its interpreter.
    data: folder of the data set, and of copies of the original.

  Attributes:
    kind: as given.
  """

  def __init__(self, kind, python, data):
    super(Contender, self).__init__(kind, python)
    self.kind, self._data, self._variant = kind, data, None

  @property
  def label(self):
    library = ('torch%s' if self.kind == 'torch' else 'tf%s') % self.environment[
        'torch' if self.kind == 'torch' else 'tensorflow']
    return '%s py%s %s' % (self.kind, self.environment['python'], library)

  def start(self, variant=None):
    """Starts the process; that of the original serves one variant."""
    self._variant = variant
    command, folder = [os.path.join(HERE, 'worker.py'), self.kind], None
    if self.kind == 'original':
      command, folder = [os.path.join(HERE, 'original.py')], self._folder(variant)
      command += self._gpu_flags()
    elif self.kind == 'torch':
      command = [os.path.join(HERE, 'torch_worker.py')]
    self._start(command, folder)

  def prepare(self, job):
    """Makes the first repetition of a job, not timed; returns its values."""
    if self.kind == 'original' and self._variant != job.variant:
      self.start(job.variant)
    return self.ask(do='prepare', data=self._data, **job._asdict())

  def first_steps(self, variant):
    """Values of CNN-9's first steps, which `ours` keeps and `torch` takes after it."""
    return self.ask(do='first_steps', variant=variant, data=self._data)

  def train(self, variant):
    """Trains in a fresh process up to the line of step 0.

    Returns:
      Its values, and samples by quantity.
    """
    folder, flags = self._data, [
        os.path.join(ROOT, 'train.py'), '--regularizer', variant, '--op_seeds',
        'tf1.14', '--data_dir', self._data, '--log_dir',
        os.path.join(self._data, 'log'), '--save_every', '0']
    if self.kind == 'original':
      folder, flags = self._folder(variant), ['-u', 'train.py']
    start = time.perf_counter()
    process = self._spawn(flags + self._gpu_flags(), folder)
    try:
      line = next((line for line in process.stdout if line.startswith(LINE)), None)
      seconds = time.perf_counter() - start
      if line is None:
        self._fail()
      samples = {'time, s': seconds}
      with contextlib.suppress(OSError):   # where there is no /proc
        with open('/proc/%d/status' % process.pid) as file:
          peak = re.search(r'VmHWM:\s*(\d+) kB', file.read())
        samples['peak memory, MB'] = int(peak.group(1)) / 1024.
    finally:
      _end(process)
    values = dict(re.findall(r'(\w+)=(\S+?)(?:,|$)', line.strip()))
    del values['acc']   # one image more or less would be no disagreement
    return {name: float(value) for name, value in values.items()}, samples

  def _folder(self, variant):
    return os.path.join(self._data, '%s_projection' % variant)

  def _gpu_flags(self):
    # Only where the caller chose: a GPU that is asked for must be there.
    visible = os.environ.get('CUDA_VISIBLE_DEVICES')
    return [] if visible is None else ['--gpu_no', visible]


class Stepper(Process):
  """A process that takes training steps when it is asked for `steps=N`.

  Args:
    title: for messages.
    checkout: folder of this project.
    settings: as `stepper.py` takes them.
  """

  def __init__(self, title, checkout, **settings):
    super(Stepper, self).__init__(title, sys.executable)
    self._command = [os.path.join(HERE, 'stepper.py'), checkout, json.dumps(settings)]

  def start(self):
    self._start(self._command, HERE)


def _end(process):
  process.kill()
  process.communicate()
