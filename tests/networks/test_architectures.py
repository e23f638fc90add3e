import pytest

import comhe_tf1
from comhe_tf1.networks import architectures
from comhe_tf1.regularizers import methods


def test_plan_of_cnn9():
  plan = comhe_tf1.cnn()
  assert [layer.name for layer in plan] == [
      'conv1_0', 'conv1_1', 'conv1_2', 'conv2_0', 'conv2_1', 'conv2_2',
      'conv3_0', 'conv3_1', 'conv3_2', 'fc6', 'score']
  assert [layer[1:4] for layer in plan] == [
      (3, 3, 64), (3, 64, 64), (3, 64, 64), (3, 64, 128), (3, 128, 128),
      (3, 128, 128), (3, 128, 256), (3, 256, 256), (3, 256, 256), (4, 256, 256),
      (1, 256, 100)]
  assert [layer.role for layer in plan] == (
      [comhe_tf1.FIRST] + 9 * [comhe_tf1.HIDDEN] + [comhe_tf1.OUTPUT])
  assert [layer.name for layer in plan if layer.pool == 'max'] == [
      'conv2_0', 'conv3_0', 'fc6']
  assert {layer.stride for layer in plan} == {1}
  assert all(layer.source is layer.addend is None for layer in plan)


@pytest.mark.parametrize('depth, convolutions', [(6, 6), (9, 9), (15, 15)])
def test_depth_counts_convolutions(depth, convolutions):
  plan = comhe_tf1.cnn(depth=depth)
  assert len(plan) == convolutions + 2
  assert [layer.name for layer in plan[-2:]] == ['fc6', 'score']
  assert [layer.name for layer in plan if layer.pool == 'max'] == [
      'conv2_0', 'conv3_0', 'fc6']
  stages = [[layer for layer in plan if layer.name.startswith('conv%d' % stage)]
            for stage in (1, 2, 3)]
  assert {len(stage) for stage in stages} == {convolutions // 3}


def connected(plan):
  """Checks that every layer reads as many channels as its source writes."""
  channels, previous = {}, None
  for layer in plan:
    source = layer.source or previous
    assert layer.c_in == (channels[source] if source else 3), layer
    if layer.addend:
      assert channels[layer.addend] == layer.c_out
    channels[layer.name], previous = layer.c_out, layer.name


@pytest.mark.parametrize('width', [0.125, 0.25, 1, 1.5, 4])
@pytest.mark.parametrize('make', [
    comhe_tf1.resnet32] + [lambda classes, width, depth=depth: comhe_tf1.cnn(
        classes, width, depth) for depth in architectures.DEPTHS])
def test_plans_are_connected_and_widened(make, width):
  plan = make(10, width)
  connected(plan)
  assert len({layer.name for layer in plan}) == len(plan)
  fc6 = [layer.c_out for layer in plan if layer.name == 'fc6']
  assert fc6 == ([256] if make is not comhe_tf1.resnet32 else [])
  assert {layer.c_out for layer in plan[:-1] if layer.name != 'fc6'} == {
      64 * width, 128 * width, 256 * width}
  assert all(type(layer.c_out) is int for layer in plan)
  assert plan[-1].c_out == 10


def test_plan_of_resnet32():
  plan = comhe_tf1.resnet32()
  shortcuts = [layer for layer in plan if layer.size == 1 and layer.role ==
               comhe_tf1.HIDDEN]
  assert [layer.name for layer in shortcuts] == ['block2_0_shortcut', 'block3_0_shortcut']
  assert len(plan) - len(shortcuts) == 32
  assert [layer.name for layer in plan if layer.stride == 2] == [
      'block2_0_0', 'block2_0_shortcut', 'block3_0_0', 'block3_0_shortcut']
  assert [layer.role for layer in plan] == (
      [comhe_tf1.FIRST] + 32 * [comhe_tf1.HIDDEN] + [comhe_tf1.OUTPUT])
  # Every second convolution adds what entered its block, by the shortcut if there is.
  ends = [layer for layer in plan if layer.addend]
  assert len(ends) == 15 and {layer.name[-2:] for layer in ends} == {'_1'}
  entrances = ['stem'] + [layer.name for layer in ends]
  assert [layer.addend for layer in ends] == [
      'block%d_0_shortcut' % stage if stage > 1 and i == 0 else entrances[
          5 * (stage - 1) + i] for stage in (1, 2, 3) for i in range(5)]
  assert [layer.name for layer in plan if not layer.relu] == [
      'block2_0_shortcut', 'block3_0_shortcut', 'score']
  assert plan[-1].pool == 'mean' and not plan[-1].batch_norm


def parameters(plan):
  return sum(layer.size ** 2 * layer.c_in * layer.c_out
             + (2 * layer.c_out if layer.batch_norm else 0) for layer in plan)


@pytest.mark.parametrize('classes', [10, 100])
def test_number_of_parameters_of_resnet32(classes):
  kernels = (27 * 64 + 10 * 9 * 64 ** 2
             + 9 * 64 * 128 + 64 * 128 + 9 * 9 * 128 ** 2
             + 9 * 128 * 256 + 128 * 256 + 9 * 9 * 256 ** 2 + 256 * classes)
  scales_and_shifts = 2 * (11 * 64 + 11 * 128 + 11 * 256)
  assert kernels == {100: 7441088, 10: 7418048}[classes]
  assert parameters(comhe_tf1.resnet32(classes)) == kernels + scales_and_shifts


@pytest.mark.parametrize('make', [comhe_tf1.cnn, comhe_tf1.resnet32])
@pytest.mark.parametrize('width', [0.3, 1. / 128., 0.01])
def test_widths_without_whole_filters(make, width):
  with pytest.raises(methods.SettingError, match='width must give every stage a whole '
                     'number of filters, of 64, 128, 256 times it; got %s' % width):
    make(width=width)


@pytest.mark.parametrize('settings, expected', [
    (('cnn9', 1., 9), ''), (('cnn9', 0.25, 9), 'cnn9_width0.25'),
    (('cnn9', 1., 15), 'cnn15'), (('cnn9', 2., 6), 'cnn6_width2'),
    (('resnet32', 1., None), 'resnet32'), (('resnet32', 4., None), 'resnet32_width4')])
def test_labels(settings, expected):
  assert architectures.label(*settings) == expected
