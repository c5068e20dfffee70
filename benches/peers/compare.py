"""Our CPU kernels beside those of PyTorch and of the engines made for inference, in one table.

    cargo build --release --workspace --example peer
    python benches/peers/compare.py target/release/examples/peer [--threads 1 2] [--rounds 9] [--only NAME ...] [--float bf16]

Needs a Python with torch 2.9 and torchvision; takes onnxruntime (with onnx), OpenVINO, piq and pyiqa where they are installed,
and leaves out what is not. Installs nothing. Works are layers, networks in inference, training steps, and image measures with
the pictures in memory; `--only measure` takes those whose names begin so. All sides take turns in one sitting, after two rounds
that do not count. In a turn what begins in the first tenth of a second does not count: threads wake, and it takes the system a
while to give each a core of its own. Of the runs after that (nine of a layer or a measure, one of the rest) the median counts. The
figures are medians over the rounds, in milliseconds.
"""

import argparse
import os
import statistics

import torch

import engines
import inference
import measures
import training
from timing import Peer, clock

WORK = {**inference.WORK, **training.WORK, **measures.WORK}


def compare(name, peer, threads, rounds, chosen, float):
    torch.set_num_threads(threads)
    ours = Peer(peer, {"RAYON_NUM_THREADS": str(threads), **({"IQA_FLOAT": float} if float else {})})
    repeats = 9 if name.startswith(("conv", "measure")) else 1

    works = WORK[name](threads, chosen)
    times = {"ours": [], **{engine: [] for engine in works}}
    with torch.inference_mode(name not in training.WORK):
        for turn in range(rounds + 2):
            figures = {"ours": ours.seconds(name, repeats), **{engine: clock(work, repeats) for engine, work in works.items()}}
            if turn >= 2:
                for engine, figure in figures.items():
                    times[engine].append(figure)
    ours.close()
    medians = {engine: 1000 * statistics.median(series) for engine, series in times.items()}
    ours = medians.pop("ours")
    each = ", ".join(f"{engine} {figure:.2f}" for engine, figure in medians.items())
    ratio = f"{min(medians.values()) / ours:.2f}" if medians else ""
    return f"| {name} | {threads} | {ours:.2f} | {ratio} | {each} |"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("peer")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, os.cpu_count()])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--only", nargs="+", default=[""], help="beginnings of names")
    parser.add_argument("--without", nargs="+", default=[], choices=[*engines.ALL, *engines.BF16])
    parser.add_argument("--float", choices=["bf16"], help="inference in bf16, on all sides")
    options = parser.parse_args()
    works = inference.WORK if options.float else WORK
    names = [name for name in works if name.startswith(tuple(options.only))]
    chosen = [engine for engine in (engines.BF16 if options.float else engines.ALL) if engine not in options.without]
    print(f"{engines.versions()}; median of {options.rounds} rounds; milliseconds\n")
    print("| work | threads | ours | the fastest of the others / ours | the others |")
    print("|---|---|---|---|---|")
    for name in names:
        for threads in options.threads:
            print(compare(name, options.peer, threads, options.rounds, chosen, options.float), flush=True)


if __name__ == "__main__":
    main()
