"""Our CPU kernels beside PyTorch's, in one table.

    cargo build --release -p iqa-benches --example peer
    python benches/peers/compare.py target/release/examples/peer [--threads 1 2] [--rounds 9] [--only NAME ...]

Needs a Python with torch 2.9 and torchvision; installs nothing. PyTorch runs in `inference_mode` (but for the training
step), with contiguous and with channels-last tensors; the faster counts. Both sides take turns in one sitting, after two
rounds that do not count. In a turn what begins in the first tenth of a second does not count: threads wake, and it takes the
system a while to give each a core of its own. Of the runs after that (nine of a single layer, one of a network) the median
counts. The figures are medians over the rounds, in milliseconds.
"""

import argparse
import os
import statistics
import subprocess
import time

import torch
import torch.nn.functional as F
import torchvision
from torch import nn


class Wadiqam(nn.Module):
    """WaDIQaM-FR as in the paper (and as in pyiqa, whose module it equals layer by layer)."""

    def __init__(self):
        super().__init__()
        layers, channels = [], 3
        for out in (32, 64, 128, 256, 512):
            layers += [nn.Conv2d(channels, out, 3, padding=1), nn.ReLU(), nn.Conv2d(out, out, 3, padding=1), nn.ReLU()]
            layers.append(nn.MaxPool2d(2))
            channels = out
        self.features = nn.Sequential(*layers)
        head = lambda: nn.Sequential(nn.Linear(1536, 512), nn.ReLU(), nn.Dropout(), nn.Linear(512, 1))
        self.quality, self.weight = head(), head()

    def forward(self, distorted, reference):
        d, r = self.features(distorted).flatten(1), self.features(reference).flatten(1)
        fused = torch.cat([r, d, d - r], 1)
        return self.quality(fused), F.relu(self.weight(fused)) + 1e-6


def pool(quality, weight, images):
    quality, weight = quality.view(images, -1), weight.view(images, -1)
    return (quality * weight).sum(1) / weight.sum(1)


def layer(shape, out, kernel, stride, last):
    conv = nn.Conv2d(shape[1], out, kernel, stride, kernel // 2)
    x = torch.rand(shape)
    if last:
        conv, x = conv.to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last)
    return lambda: conv(x)


def vgg16(last):
    model, x = torchvision.models.vgg16().features, torch.rand(1, 3, 384, 512)
    if last:
        model, x = model.to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last)
    return lambda: model(x)


def fused(module):
    """Batch norms folded into the convolutions before them, as on our side."""
    for child in module.children():
        fused(child)
    children = list(module.named_children())
    for (name, conv), (other, norm) in zip(children, children[1:]):
        if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
            setattr(module, name, torch.nn.utils.fusion.fuse_conv_bn_eval(conv, norm))
            setattr(module, other, nn.Identity())
    return module


def backbone(model, layers, last):
    """The layers before the head of one of torchvision's models."""
    model, x = fused(nn.Sequential(*list(model.children())[:layers]).eval()), torch.rand(1, 3, 384, 512)
    if last:
        model, x = model.to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last)
    return lambda: model(x)


def inception(last):
    model = torchvision.models.inception_v3(init_weights=False, transform_input=False, aux_logits=False)
    return backbone(model, -3, last)


def features(last):
    model, x = Wadiqam().features, torch.rand(192, 3, 32, 32)
    if last:
        model, x = model.to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last)
    return lambda: model(x)


def pair(last):
    """From two decoded 8-bit images of 512x384, in the 165 patches of pyiqa's grid; pyiqa's module where it is there."""
    images = [torch.randint(0, 256, (384, 512, 3), dtype=torch.uint8) for _ in range(2)]
    model = Wadiqam().eval()
    try:
        from pyiqa.archs.wadiqam_arch import WaDIQaM

        model = WaDIQaM(metric_type="FR", pretrained=False).eval()
        if last:
            model = model.to(memory_format=torch.channels_last)
        tensors = lambda: [image.permute(2, 0, 1)[None].float() / 255 for image in images]
        return lambda: model(*tensors())
    except ImportError:
        if last:
            model = model.to(memory_format=torch.channels_last)

    def patches(image):
        image = image.permute(2, 0, 1).float() / 255
        # pyiqa leaves out the last row and column of patches where the side is a multiple of 32.
        cut = image[:, :-32, :-32].unfold(1, 32, 32).unfold(2, 32, 32).permute(1, 2, 0, 3, 4).reshape(-1, 3, 32, 32)
        return cut.to(memory_format=torch.channels_last) if last else cut

    return lambda: pool(*model(*map(patches, images)), 1).item()


def training_step(last):
    model = Wadiqam().train()
    distorted, reference = torch.rand(128, 3, 32, 32), torch.rand(128, 3, 32, 32)
    if last:
        model = model.to(memory_format=torch.channels_last)
        distorted, reference = (x.to(memory_format=torch.channels_last) for x in (distorted, reference))
    optimiser = torch.optim.Adam(model.parameters(), 1e-4)
    targets = torch.tensor([0.1, 0.4, 0.6, 0.9])

    def step():
        with torch.inference_mode(False), torch.enable_grad():
            optimiser.zero_grad()
            F.l1_loss(pool(*model(distorted, reference), 4), targets).backward()
            optimiser.step()

    return step


WORK = {
    "conv3x3_64_128": lambda last: layer((1, 64, 192, 192), 128, 3, 1, last),
    "conv1x1_256_64": lambda last: layer((1, 256, 96, 128), 64, 1, 1, last),
    "conv3x3_stride2_128": lambda last: layer((1, 128, 48, 64), 128, 3, 2, last),
    "conv7x7_stride2_3_64": lambda last: layer((1, 3, 384, 512), 64, 7, 2, last),
    "conv5x5_64_96": lambda last: layer((1, 64, 48, 64), 96, 5, 1, last),
    "conv3x3_3_64": lambda last: layer((1, 3, 384, 512), 64, 3, 1, last),
    "vgg16_features": vgg16,
    "resnet50_features": lambda last: backbone(torchvision.models.resnet50(), -2, last),
    "inception_v3_features": inception,
    "wadiqam_features": features,
    "wadiqam_fr_pair": pair,
    "wadiqam_training_step": training_step,
}

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


def compare(name, peer, threads, rounds):
    torch.set_num_threads(threads)
    environment = {**os.environ, "RAYON_NUM_THREADS": str(threads)}
    ours = subprocess.Popen([peer], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)

    repeats = 9 if name.startswith("conv") else 1

    def our_turn():
        rest()
        ours.stdin.write(f"{name} {repeats}\n")
        ours.stdin.flush()
        return float(ours.stdout.readline())

    training = name == "wadiqam_training_step"
    works = [WORK[name](last) for last in (False, True)]
    times = [[], [], []]
    with torch.inference_mode(not training):
        for turn in range(rounds + 2):
            figures = [our_turn(), *(clock(work, repeats) for work in works)]
            if turn >= 2:
                for series, figure in zip(times, figures):
                    series.append(figure)
    ours.stdin.close()
    ours.wait()
    ours, contiguous, last = (1000 * statistics.median(series) for series in times)
    best, order = min((contiguous, "contiguous"), (last, "channels last"))
    return f"| {name} | {threads} | {ours:.2f} | {best:.2f} | {order} | {best / ours:.2f} |"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("peer")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, os.cpu_count()])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--only", nargs="+", choices=WORK, default=list(WORK))
    options = parser.parse_args()
    print(f"PyTorch {torch.__version__}, torchvision {torchvision.__version__}; median of {options.rounds} rounds\n")
    print("| work | threads | ours, ms | PyTorch, ms | PyTorch's order | PyTorch / ours |")
    print("|---|---|---|---|---|---|")
    for name in options.only:
        for threads in options.threads:
            print(compare(name, options.peer, threads, options.rounds), flush=True)


if __name__ == "__main__":
    main()
