"""The clock of PyTorch's side, and our side of it: `peer.rs`, which has the same."""

import os
import statistics
import subprocess
import time

# As in `peer.rs`.
WARM_UP = 0.1


def rest():
    """Lets the threads of the side whose turn is over fall asleep: OpenMP's spin for a while."""
    time.sleep(0.05)


def clock(work, repeats):
    """The median of some runs in a row, after `WARM_UP` seconds of them."""
    rest()
    start = time.perf_counter()
    while time.perf_counter() - start < WARM_UP:
        work()
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


class Peer:
    """The program, with some variables of its environment; started when it is first asked, and again after work it cannot do."""

    def __init__(self, program, variables):
        self.program, self.environment, self.process = program, {**os.environ, **variables}, None

    def seconds(self, name, repeats):
        """The median of a work's runs, as `clock` takes it."""
        rest()
        if self.process is None:
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
            self.process = subprocess.Popen([self.program], text=True, env=self.environment, **pipes)
        try:
            self.process.stdin.write(f"{name} {repeats}\n")
            self.process.stdin.flush()
            return float(self.process.stdout.readline())
        except (ValueError, BrokenPipeError):
            self.close()
            raise

    def close(self):
        if self.process:
            self.process.kill()
            self.process.wait()
        self.process = None
