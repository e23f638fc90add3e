"""The figures that the authors published."""
