from comhe_tf1.records import log_format


def test_lines():
  assert log_format.train_line(
      100, fit=9.06694, reg=1.20456, thom=5.1611, thomf=4.96466, acc=0.015625) == (
          '====iter_100: fit=9.0669, reg=1.2046, thom=5.1611, thomf=4.9647, acc=0.0156')
  assert log_format.test_line(74999, 0.7559) == '++++iter_74999: test acc=0.7559'


def test_free_numbers(tmp_path):
  for name in ('log_train_00.txt', 'log_test_00.txt', 'log_test_01.txt',
               'log_train_02.txt', 'log_train_04.txt'):
    (tmp_path / name).write_text('')
  assert log_format.free_numbers(str(tmp_path)) == [3] + list(range(5, 100))
  assert log_format.free_numbers(str(tmp_path / 'new')) == list(range(100))
