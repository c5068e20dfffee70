"""The models on one device: differences, speed beside PyTorch's own modules there, what the host costs, and a training run.

Called by `benches/gpu.sh run`, which says how. Results are written after each part: what was measured stays if the time ends.
Both sides start from decoded 8-bit pictures in memory and end with scores in memory, in single precision (`f32`: without TF32 on
both sides), `tf32`, `f16` or `bf16`. PyTorch's side is the eager module of the same network, with batch norms of their own;
all of a batch goes through at once on both sides. Turns alternate; the figures are medians of three (on a CPU one turn of small pictures).
"""

import argparse
import json
import os
import platform
import re
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from timing import Peer, clock

TOP = Path(__file__).resolve().parents[2]
# The networks of GSN and HIQA are those of the fixtures.
sys.path.insert(0, str(TOP / "tests/fixtures/generate"))
DTYPES = {"f32": torch.float32, "tf32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16}
# How our side is told: libtorch has TF32 on in convolutions by itself, and off in matrix products.
FLOATS = {
    "f32": {"NVIDIA_TF32_OVERRIDE": "0"},
    "tf32": {"TORCH_ALLOW_TF32_CUBLAS_OVERRIDE": "1"},
    "f16": {"IQA_FLOAT": "f16"},
    "bf16": {"IQA_FLOAT": "bf16"},
}
MODELS = ["wadiqam_fr", "wadiqam_nr", "multibranch_vgg16", "multibranch_resnet50", "multibranch_inception_v3", "gsn", "hiqa"]
# Pixels of all distorted pictures of a batch: more is left out, as it may not fit into the memory of a device.
MOST_PIXELS = {"cuda": 1 << 26, "cpu": 1 << 20}


class PatchNetwork(nn.Module):
    """A bundled WaDIQaM network, from its file."""

    def __init__(self, path):
        super().__init__()
        with open(path, "rb") as file:
            header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
            data = bytearray(file.read())
        self.config = json.loads(header.pop("__metadata__")["wadiqam_config"])
        for name, entry in header.items():
            start, end = entry["data_offsets"]
            halves = torch.frombuffer(data[start:end], dtype={"F16": torch.float16, "F32": torch.float32}[entry["dtype"]])
            value = halves.clone().reshape(entry["shape"]).to(torch.get_default_device()).to(torch.get_default_dtype())
            self.register_buffer(name.replace(".", "_"), value)

    def features(self, x):
        x = x * self.config["input_scale"] + self.config["input_offset"]
        index = 0
        for block in self.config["blocks"]:
            for _ in block:
                index += 1
                x = F.relu(F.conv2d(x, getattr(self, f"conv{index}_weight"), getattr(self, f"conv{index}_bias"), padding=1))
            x = F.max_pool2d(x, 2)
        return x.flatten(1)

    def head(self, x, suffix):
        layer = lambda x, name: F.linear(x, getattr(self, f"{name}{suffix}_weight"), getattr(self, f"{name}{suffix}_bias"))
        return layer(F.relu(layer(x, "fc1")), "fc2").flatten()

    def forward(self, distorted, reference):
        """Each scale of the picture counts as much: a patch of a coarser one stands for more pixels."""
        n = len(distorted)
        images = distorted if reference is None else torch.cat([distorted, reference])
        patches, shares = [], []
        for scale in range(self.config["scales"]):
            x = F.avg_pool2d(images, 2**scale) if scale else images
            cut = x.unfold(2, 32, 32).unfold(3, 32, 32).permute(0, 2, 3, 1, 4, 5).flatten(1, 2)
            patches.append(cut)
            shares.append(torch.full((cut.shape[1],), 4.0**scale))
        patches, shares = torch.cat(patches, 1), torch.cat(shares)
        features = self.features(patches.flatten(0, 1))
        if reference is not None:
            half = len(features) // 2
            features = features[:half] - features[half:]
        quality = self.head(features, "").view(n, -1)
        weight = (F.relu(self.head(features, "_a")) + self.config["weight_epsilon"]).view(n, -1) * shares
        return (quality * weight).sum(1) / weight.sum(1)


def multi_branch(name):
    """All three branches, from pictures; the one of `training.py` is given the features of the frozen branch."""
    import training

    class Whole(training.MultiBranch):
        def __init__(self):
            super().__init__(name)
            self.frp = training.MultiBranch(name).frnp

        def forward(self, distorted, reference):
            taps, n = self.frp(torch.cat([distorted, reference])), len(distorted)
            frozen = torch.cat([(taps[tap][:n] - taps[tap][n:]).abs().mean((2, 3)) for tap in self.taps], 1)
            return super().forward(distorted, reference, frozen)

    return Whole()


def gsn():
    import gsn

    class Crops(gsn.Gsn):
        def forward(self, distorted, reference):
            crops = lambda images: torch.cat([gsn.five_crops(image, 192) for image in images])
            return super().forward(crops(distorted), crops(reference)).view(len(distorted), 5).mean(1)

    return Crops()


def hiqa():
    import hiqa

    class Overlapped(nn.Module):
        def __init__(self):
            super().__init__()
            nets = hiqa.networks(64, 256)
            self.generator, self.regressor = nets["generator"], nets["regressor"]

        def forward(self, distorted, _):
            along = lambda side: [min(step * 128, side - 256) for step in range(-(-(side - 256) // 128) + 1)]
            places = [(y, x) for y in along(distorted.shape[2]) for x in along(distorted.shape[3])]
            patches = torch.stack([distorted[:, :, y : y + 256, x : x + 256] for y, x in places], 1).flatten(0, 1) * 2 - 1
            image, bottleneck = self.generator(patches)
            score, _ = self.regressor(patches, (patches - image).abs(), bottleneck)
            return score.view(len(distorted), -1).mean(1)

    return Overlapped()


def module(model):
    if model.startswith("wadiqam"):
        return PatchNetwork(TOP / f"crates/iqa-heads/weights/{model}.safetensors")
    made = {"gsn": gsn, "hiqa": hiqa}.get(model)
    return (made() if made else multi_branch(model.removeprefix("multibranch_"))).eval()


def reference_needed(model):
    return model not in ("wadiqam_nr", "hiqa")


def to_device(pictures):
    dtype, device = torch.get_default_dtype(), torch.get_default_device()
    return pictures.to(device, non_blocking=True).permute(0, 3, 1, 2).to(dtype) / 255


def pair(run, model, size, batch):
    width, height = size
    draw = lambda: torch.randint(0, 256, (batch, height, width, 3), dtype=torch.uint8, device="cpu")
    distorted, reference = draw(), draw() if reference_needed(model) else None
    return lambda: run(to_device(distorted), None if reference is None else to_device(reference)).cpu()


class Ours(Peer):
    """Our programs of the bundle on one device in one type."""

    def __init__(self, folder, device, precision):
        super().__init__(f"{folder}/peer", {"IQA_DEVICE": device, "IQA_DEVICES": device, **FLOATS[precision]})
        self.folder = folder

    def seconds(self, name, repeats):
        """None where the work cannot be done."""
        try:
            return super().seconds(name, repeats)
        except (ValueError, BrokenPipeError):
            return None

    def start(self, program, *arguments):
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen([f"{self.folder}/{program}", *arguments], text=True, env=self.environment, **pipes)

    def run(self, program, *arguments):
        return subprocess.run([f"{self.folder}/{program}", *arguments], text=True, capture_output=True, env=self.environment)


class Bench:
    def __init__(self, options):
        self.options, self.start = options, time.monotonic()
        self.kind = "cuda" if "cuda" in options.device else "cpu"
        self.results = {"device": options.device, "machine": self.machine(), "parity": [], "speed": [], "steps": [], "host": []}

    def machine(self):
        name = torch.cuda.get_device_name() if self.kind == "cuda" else platform.processor() or platform.machine()
        return {"name": name, "cores": os.cpu_count(), "torch": torch.__version__, "cuda": torch.version.cuda}

    def left(self, share=1.0):
        return self.options.seconds * share - (time.monotonic() - self.start)

    def say(self, text):
        print(f"[{time.monotonic() - self.start:5.0f} s] {text}", flush=True)

    def save(self):
        folder = Path(self.options.results)
        (folder / "gpu.json").write_text(json.dumps(self.results, indent=1) + "\n")
        (folder / "gpu.md").write_text(tables(self.results))

    def sync(self):
        if self.kind == "cuda":
            torch.cuda.synchronize()

    def clock(self, work, repeats):
        """As PyTorch's side is timed everywhere, until the device has done its work."""
        return clock(lambda: (work(), self.sync()), repeats)

    def set_precision(self, precision):
        torch.set_default_device(self.kind)
        torch.set_default_dtype(DTYPES[precision])
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = precision == "tf32"

    def peak(self):
        """Operations a second of a large matrix product; of a small one where a CPU has no instructions for the type and takes minutes."""
        for n in (8192,) if self.kind == "cuda" else (256, 2048):
            a, b = torch.rand(n, n), torch.rand(n, n)
            found = 2 * n**3 / self.clock(lambda: a @ b, 5)
            if found < 1e10:
                break
        return found

    def bandwidth(self):
        """Bytes a second, read and written, of a copy."""
        x = torch.zeros(1 << (30 if self.kind == "cuda" else 26), dtype=torch.uint8)
        y = torch.empty_like(x)
        return 2 * x.numel() / self.clock(lambda: y.copy_(x), 5)

    def compare(self, ours, name, theirs):
        """Medians of three turns of each; None where a side cannot do it."""
        found, (turns, repeats) = ([], []), (4, 3) if self.kind == "cuda" else (2, 1)
        for turn in range(turns):
            one = ours.seconds(name, repeats)
            try:
                other = self.clock(theirs, repeats) if theirs else None
            except (RuntimeError, NotImplementedError) as error:
                self.say(f"{name}: PyTorch: {str(error).splitlines()[0][:100]}")
                theirs = other = None
            # The first does not count.
            if turn:
                for series, figure in zip(found, (one, other)):
                    series.append(figure)
            if one is None and other is None:
                break
        return [statistics.median(series) if series and None not in series else None for series in found]

    def parity(self, precision):
        ours = Ours(self.options.folder, self.options.device, precision)
        done = ours.run("backends", "--nocapture")
        rows = [[cell.strip() for cell in line.strip()[1:-1].split("|")] for line in done.stderr.splitlines() if line.startswith("|")]
        self.results["parity"].append({"precision": precision, "passed": done.returncode == 0, "rows": rows[2:]})
        if done.returncode:
            self.say(f"parity {precision}: {done.stdout[-500:]}{done.stderr[-1500:]}")
        # The bundled networks in PyTorch, with their weights, on the same pictures.
        from torchvision.io import read_image

        self.set_precision(precision)
        images = TOP / "examples/images"
        read = lambda name: to_device(read_image(str(images / name), mode="RGB").permute(1, 2, 0)[None])
        for model in ("wadiqam_fr", "wadiqam_nr"):
            full = reference_needed(model)
            options = ["--reference", str(images / "flowers.png")] if full else []
            half = ["--float", precision] if precision in ("f16", "bf16") else []
            done = ours.run(
                "iqa", "score", "--model", model, "--device", self.options.device, "--format", "json", *half, *options, str(images / "flowers_blur.png")
            )
            found = re.search(r'"score": ?(-?[0-9.e-]+)', done.stdout)
            with torch.inference_mode():
                run = module(model)
                expected = run(read("flowers_blur.png"), read("flowers.png") if full else None).item()
            difference = abs(float(found.group(1)) - expected) if found else None
            if found is None:
                self.say(f"{model} {precision}: {done.stderr[-300:]}")
            self.results["parity"][-1].setdefault("pytorch", {})[model] = difference
        self.say(f"parity, {precision}: {'as asked' if self.results['parity'][-1]['passed'] else 'NOT as asked'}")

    def works(self):
        """What matters most first: the time may not be enough for all."""
        small, large, largest = (512, 384), (1920, 1080), (3840, 2160)
        if self.kind == "cpu":
            # The smallest that all models take.
            yield from ((model, (256, 256), batch) for batch in (1, 2) for model in MODELS)
            return
        yield from ((model, small, 1) for model in MODELS)
        yield from ((model, small, 8) for model in MODELS)
        for model in ("wadiqam_fr", "wadiqam_nr"):
            yield from ((model, large, batch) for batch in (1, 8))
            yield from ((model, small, batch) for batch in (32, 128))
            yield from ((model, largest, batch) for batch in (1, 8))
        yield from ((model, small, batch) for model in MODELS[2:] for batch in (32, 128))
        yield from ((model, size, 1) for size in (large, largest) for model in MODELS[2:])
        yield from ((model, large, batch) for model in MODELS for batch in (32, 128))

    def speed(self, precision, until):
        self.set_precision(precision)
        ours = Ours(self.options.folder, self.options.device, precision)
        peak, bandwidth = self.peak(), self.bandwidth()
        self.results["machine"].setdefault("peak", {})[precision] = peak
        self.results["machine"]["bandwidth"] = bandwidth
        left_out, modules = [], {}
        for model, size, batch in self.works():
            name = f"pair_{model}_{size[0]}x{size[1]}_{batch}"
            if size[0] * size[1] * batch > MOST_PIXELS[self.kind] or self.left(until) < 0:
                left_out.append(name)
                continue
            try:
                # One at a time: of the larger ones several do not fit into a small card.
                if model not in modules:
                    modules = {model: module(model)}
                with torch.inference_mode():
                    theirs = pair(modules[model], model, size, batch)
                    with FlopCounterMode(display=False) as counter:
                        theirs()
                operations = counter.get_total_flops()
            except (ImportError, RuntimeError) as error:
                self.say(f"{name}: PyTorch: {str(error).splitlines()[0][:100]}")
                theirs = operations = None
            with torch.inference_mode():
                one, other = self.compare(ours, name, theirs)
            row = {"precision": precision, "model": model, "size": size, "batch": batch, "ours": one, "pytorch": other, "flop": operations}
            self.results["speed"].append(row)
            self.say(f"{precision} {name}: ours {milliseconds(one)}, PyTorch {milliseconds(other)}")
        ours.close()
        self.results.setdefault("left_out", {})[precision] = left_out

    def steps(self, precision):
        try:
            import training
        except ImportError as error:
            return self.say(f"training steps: {error}")
        self.set_precision(precision)
        ours = Ours(self.options.folder, self.options.device, precision)
        for name, make in training.WORK.items():
            try:
                theirs = make(os.cpu_count(), ["torch, channels last", "torch"])
            except RuntimeError as error:
                self.say(f"{name}: PyTorch: {str(error).splitlines()[0][:100]}")
                theirs = {}
            best = min((self.clock(work, 2), order) for order, work in theirs.items())[1] if theirs else None
            one, other = self.compare(ours, name, theirs.get(best))
            self.results["steps"].append({"precision": precision, "name": name, "ours": one, "pytorch": other})
            self.say(f"{precision} {name}: ours {milliseconds(one)}, PyTorch {milliseconds(other)}")
        ours.close()

    def host(self):
        """Pairs of PNG files: with the network, without one, and the network alone."""
        ours = Ours(self.options.folder, self.options.device, "f32")
        sizes = [(1920, 1080)] if self.kind == "cuda" else [(512, 384)]
        for width, height in sizes:
            count = 100 if self.kind == "cuda" else 20
            whole, empty = (ours.seconds(f"stream_{model}_{width}x{height}_{count}", 1) for model in ("wadiqam_fr", "none"))
            network = ours.seconds(f"pair_wadiqam_fr_{width}x{height}_1", 9)
            row = {"size": [width, height], "pairs": count, "whole": whole / count, "without": empty / count, "network": network}
            self.results["host"].append(row)
            self.say(f"host, {width}x{height}, a pair: {row}")
        ours.close()

    def training(self):
        """A run on the device that is killed, and goes on on the CPU from what it has left."""
        from torchvision.io import read_image, write_png

        ours = Ours(self.options.folder, self.options.device, "f32")
        with tempfile.TemporaryDirectory() as folder:
            photographs = Path(self.options.photographs or f"{folder}/photographs")
            if not self.options.photographs:
                photographs.mkdir()
                for path in (TOP / "examples/images").glob("*.png"):
                    large = F.interpolate(read_image(str(path))[None].float().cpu(), size=(448, 672), mode="bilinear")
                    write_png(large[0].round().to(torch.uint8), str(photographs / path.name))
            names = sorted(path.stem for path in photographs.iterdir())
            common = ["train", "--photographs", str(photographs), "--output", f"{folder}/run", "--recipe", "wadiqam"]
            common += ["--preset", "fast", "--seed", "1", "--validation", names[0], "--test", names[1], "--steps", "20", "--images", "4"]
            log, found = Path(folder, "run/log.csv"), []
            for device, to_its_end in ((self.options.device, False), ("flex", True)):
                begin = time.monotonic()
                process = ours.start("iqa", *common, "--epochs", str(self.options.epochs + 1), "--device", device)
                # Stopped on the device before its last epoch.
                while process.poll() is None and (to_its_end or epochs_in(log) < self.options.epochs):
                    time.sleep(0.05)
                process.kill()
                said = process.communicate()[1]
                passed = process.returncode == (0 if to_its_end else -signal.SIGKILL)
                run = {"device": device, "seconds": time.monotonic() - begin, "passed": passed, "log": log.read_text().splitlines()}
                found.append(run | ({} if passed else {"said": said[-600:]}))
            self.results["training"] = found
            self.say(f"training: {found}")


def epochs_in(log):
    return len(log.read_text().splitlines()) - 1 if log.exists() else 0


def milliseconds(seconds):
    return "-" if seconds is None else f"{1000 * seconds:.2f} ms"


def tables(results):
    machine = results["machine"]
    lines = [f"{results['device']}: {machine['name']}, {machine['cores']} cores, PyTorch {machine['torch']}, CUDA {machine['cuda']}", ""]
    for parity in results["parity"]:
        lines += [f"Parity, {parity['precision']}, {'as asked' if parity['passed'] else 'NOT as asked'}; the bundled networks and PyTorch's modules with their weights: "
                  + ", ".join(f"{model} {'-' if d is None else format(d, '.1e')}" for model, d in parity["pytorch"].items()), ""]
        lines += ["| model | device | score, part of its range | features | gradient | weights' step |", "|---|---|---|---|---|---|"]
        lines += ["| " + " | ".join(row) + " |" for row in parity["rows"]] + [""]
    if results["speed"]:
        peaks = ", ".join(f"{precision} {peak / 1e9:,.3g} GFLOP/s" for precision, peak in machine["peak"].items())
        lines += [f"Peaks, of matrix products: {peaks}; copies {machine['bandwidth'] / 1e9:,.0f} GB/s", ""]
        lines += ["| type | model | size | batch | ours, images a second | PyTorch's | ours / PyTorch's | GFLOP each | of the peak |", "|---|---|---|---|---|---|---|---|---|"]
        for row in results["speed"]:
            rate = lambda seconds: "-" if not seconds else f"{row['batch'] / seconds:,.1f}"
            ratio = f"{row['pytorch'] / row['ours']:.2f}" if row["ours"] and row["pytorch"] else "-"
            each = row["flop"] / row["batch"] if row["flop"] else None
            share = f"{row['flop'] / row['ours'] / machine['peak'][row['precision']]:.2f}" if each and row["ours"] else "-"
            size = "x".join(map(str, row["size"]))
            each = f"{each / 1e9:.2f}" if each else "-"
            lines.append(f"| {row['precision']} | {row['model']} | {size} | {row['batch']} | {rate(row['ours'])} | {rate(row['pytorch'])} | {ratio} | {each} | {share} |")
        lines.append("")
    if results["steps"]:
        lines += ["| type | a training step | ours, ms | PyTorch, ms | PyTorch / ours |", "|---|---|---|---|---|"]
        for row in results["steps"]:
            ms = lambda seconds: "-" if seconds is None else f"{1000 * seconds:.1f}"
            ratio = f"{row['pytorch'] / row['ours']:.2f}" if row["ours"] and row["pytorch"] else "-"
            lines.append(f"| {row['precision']} | {row['name'].removesuffix('_training_step')} | {ms(row['ours'])} | {ms(row['pytorch'])} | {ratio} |")
        lines.append("")
    if results["host"]:
        lines += ["| PNG pairs to scores | a pair, ms | without a network | the network alone | held back by |", "|---|---|---|---|---|"]
        for row in results["host"]:
            held = row["whole"] / max(row["network"], row["without"]) - 1
            size = "x".join(map(str, row["size"]))
            lines.append(f"| {row['pairs']} pairs of {size} | {1000 * row['whole']:.2f} | {1000 * row['without']:.2f} | {1000 * row['network']:.2f} | {100 * held:.0f} % |")
        lines.append("")
    if "training" in results:
        for run in results["training"]:
            said = "as asked" if run["passed"] else "FAILED"
            lines += [f"Training on {run['device']}: {len(run['log']) - 1} epochs after {run['seconds']:.0f} s, {said}"]
        lines.append("")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", help="of the programs")
    parser.add_argument("results", help="a folder")
    parser.add_argument("--device", default="libtorch-cuda")
    parser.add_argument("--floats", nargs="+", default=list(FLOATS), choices=list(FLOATS))
    parser.add_argument("--parts", nargs="+", default=["parity", "speed", "host", "training"])
    parser.add_argument("--photographs", help="a folder to train on; the sample picture by default")
    parser.add_argument("--epochs", type=int, default=2, help="of 20 steps, on the device, where the run is stopped; the last is on the CPU")
    parser.add_argument("--seconds", type=float, default=480, help="when works are left out")
    options = parser.parse_args()
    bench = Bench(options)
    bench.say(f"{bench.results['machine']}")
    floats = [precision for precision in options.floats if precision != "tf32" or bench.kind == "cuda"]

    def part(name, work, *arguments):
        if name in options.parts:
            work(*arguments)
            bench.save()

    # What must be known comes first; the rest of the time is for speed, most of it for single precision.
    for precision in floats:
        part("parity", bench.parity, precision)
    part("host", bench.host)
    part("training", bench.training)
    spent = 1 - bench.left() / options.seconds
    for index, precision in enumerate(floats):
        part("speed", bench.speed, precision, spent + (1 - spent) * (index + 1) / (len(floats) + 1))
    part("speed", bench.steps, "f32")


if __name__ == "__main__":
    main()
