"""What a training shows of itself before its first step."""
from comhe_tf1.training import parameter_table
from comhe_tf1.utils import container
from comhe_tf1.utils import terminal
from comhe_tf1.utils import tf_setup


def device_line(tf, session, devices, gpu_no, warn):
  """A line on TensorFlow and its devices; warns where no GPU is to be had.

  Args:
    tf: the module.
    session: `tf.Session`.
    devices: list of the names of those that share the batch, or None.
    gpu_no: as --gpu_no.
    warn: called with a line.
  """
  if devices:
    where = ', '.join(devices)
  elif tf_setup.gpus(session):
    where = 'the GPU ' + gpu_no
  else:
    where = 'the CPU'
    if gpu_no not in ('', '-1'):
      where += ', for want of a GPU'
      warn('TensorFlow finds no GPU %s (%s); running on the CPU' % (
          gpu_no, tf_setup.why_no_gpu(tf, gpu_no)))
  return 'TensorFlow %s on %s; %d operations in the graph' % (
      tf.__version__, where, len(session.graph.get_operations()))


def show(graph, regularizer, settings, random_seed, scheme, data_line, device,
         record, warn):
  """Prints the network's table, the method, the data, the device and where logs go.

  Args:
    graph: `graph.TrainingGraph`.
    regularizer: `base.Regularizer`. settings: its settings, as the flags have them.
    random_seed, scheme: of the initial weights.
    data_line, device: lines.
    record: `run_record.RunRecord`.
    warn: called with a line where the logs will not last.
  """
  print(*parameter_table.lines(graph.network, regularizer, graph.energies), sep='\n')
  print('weight decay: all trained variables of the network')
  print('%s: %s; seed %d, op seeds %s' % (
      regularizer.name, ', '.join('%s %s' % item for item in settings.items())
      or 'no settings', random_seed, scheme))
  print(terminal.one_line(data_line))
  print(device)
  print(terminal.one_line('logs: %s, %s; run: %s' % (
      record.train_log, record.test_log, record.path)), flush=True)
  advice = container.advice(record.path, '/log')
  if advice:
    warn(f'the logs are inside this container and go with it; {advice}')
