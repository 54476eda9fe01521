"""What is true: values in, values out. Standard library only, no clock, no environment, no I/O."""
