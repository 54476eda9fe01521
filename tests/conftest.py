"""What all tests share: properties are tried with the same examples each time, so that red stays red."""

from hypothesis import settings

settings.register_profile("house", max_examples=60, deadline=None, derandomize=True, database=None)
settings.load_profile("house")
