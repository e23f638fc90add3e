"""Values of files and servers as words for a line."""

_LONGEST = 200   # characters


def short(value):
  """A value as text, which may be anything, and neither breaks nor fills a line."""
  text = str(value)
  text = text if text.isprintable() else repr(text)[1:-1]
  return text if len(text) <= _LONGEST else text[:_LONGEST] + '...'
