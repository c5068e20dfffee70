"""GSN, a pair of 288x288 images by five crops: ours beside PyTorch, time and peak memory in one table.

    cargo build --release -p iqa-benches --example gsn
    python benches/peers/gsn.py target/release/examples/gsn [--threads 1 2] [--rounds 5]

Ours has each central difference and each batch norm folded into one convolution. PyTorch runs the network of
`tests/fixtures/generate/gsn.py`, the form of the public code: two convolutions a layer, batch norm after; and, for the
part of the gain that folding alone gives, the same with the kernels folded to one convolution and the batch norms left.
It runs in `inference_mode`, contiguous or channels-last, the faster counts. Each run is a process of its own; they take
turns; times are medians over all rounds but the first of each process. Memory is the most that the process held, and in
brackets without what it held before its first score. Needs a Python with torch 2.9.
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]


def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def torch_side(form, last, threads, rounds):
    sys.path.insert(0, str(REPOSITORY / "tests/fixtures/generate"))
    import torch
    from gsn import Cdc, Gsn, five_crops

    torch.set_num_threads(threads)
    model = Gsn().eval()
    if form == "folded":
        with torch.no_grad():
            for module in model.modules():
                if isinstance(module, Cdc):
                    module.weight[:, :, 1, 1] -= module.theta * module.weight.sum((2, 3))
                    module.theta = 0
    images = [torch.randint(0, 256, (3, 288, 288), dtype=torch.uint8) for _ in range(2)]
    if last:
        model = model.to(memory_format=torch.channels_last)

    def score():
        crops = [five_crops(image.float() / 255, 192) for image in images]
        if last:
            crops = [crop.contiguous(memory_format=torch.channels_last) for crop in crops]
        return model(*crops).mean().item()

    before = peak()
    with torch.inference_mode():
        for _ in range(rounds):
            start = time.perf_counter()
            score()
            print(time.perf_counter() - start, flush=True)
    print(peak(), peak() - before)


def run(command, threads):
    environment = {**os.environ, "RAYON_NUM_THREADS": str(threads), "OMP_NUM_THREADS": str(threads)}
    lines = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout.split("\n")
    lines = [line for line in lines if line]
    return [float(line.split()[0]) for line in lines[1:-1]], [float(value) for value in lines[-1].split()]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("peer")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, os.cpu_count()])
    parser.add_argument("--rounds", type=int, default=4, help="scores in each process")
    parser.add_argument("--turns", type=int, default=2, help="processes of each kind")
    parser.add_argument("--torch-side", nargs=2, metavar=("FORM", "ORDER"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.torch_side:
        form, order = options.torch_side
        torch_side(form, order == "last", options.threads[0], options.rounds)
        return
    print("| threads | network | seconds a pair | peak memory, MB | time / ours |")
    print("|---|---|---|---|---|")
    for threads in options.threads:
        python = lambda form, order: [
            *(sys.executable, __file__, options.peer, "--threads", str(threads)),
            *("--rounds", str(options.rounds), "--torch-side", form, order),
        ]
        kinds = {
            "ours, five crops at once": [options.peer, str(options.rounds)],
            "ours, crop by crop": [options.peer, str(options.rounds), "0"],
            "PyTorch, two convolutions": [python("two", order) for order in ("first", "last")],
            "PyTorch, folded by hand": [python("folded", order) for order in ("first", "last")],
        }
        found = {}
        for _ in range(options.turns):
            for kind, commands in kinds.items():
                commands = commands if isinstance(commands[0], list) else [commands]
                for index, command in enumerate(commands):
                    times, memory = run(command, threads)
                    entry = found.setdefault(kind, {}).setdefault(index, ([], []))
                    entry[0].extend(times)
                    entry[1].append(memory)
        ours = None
        for kind, orders in found.items():
            times, memory = min(orders.values(), key=lambda entry: statistics.median(entry[0]))
            seconds = statistics.median(times)
            ours = ours or seconds
            most = max(memory)
            text = f"{most[0]:.0f}" + (f" ({most[1]:.0f})" if len(most) > 1 else "")
            print(f"| {threads} | {kind} | {seconds:.2f} | {text} | {seconds / ours:.2f} |", flush=True)


if __name__ == "__main__":
    main()
