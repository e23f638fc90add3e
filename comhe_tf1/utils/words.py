"""Values of files and servers as words for a line."""


def short(value, longest=200):
  """A value as text, which may be anything, and neither breaks nor fills a line."""
  text = str(value)
  text = text if text.isprintable() else repr(text)[1:-1]
  return text if len(text) <= longest else text[:longest] + '...'
