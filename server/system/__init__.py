"""The operating system: cores, memory, threads, the scheduler."""
