"""A training step of each family: name -> `(threads, engines) -> {engine: work}`. Names are those of `peer.rs`.

Forward, backward and Adam at full width; of HIQA a joint step of its small preset, all of Algorithm 1 once. The networks of GSN
and HIQA are those of `tests/fixtures/generate`."""

import sys
from pathlib import Path

import torch
import torch.nn.functional as F
import torchvision
from torch import nn
from torchvision.models.feature_extraction import create_feature_extractor

from engines import TORCH, channels_last
from inference import Wadiqam, pool

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests/fixtures/generate"))
import gsn
import hiqa
from multi_branch import TAPS



def adam(module, loss):
    """A step that lowers `loss()`."""
    optimiser = torch.optim.Adam(module.parameters(), 1e-4)

    def step():
        with torch.inference_mode(False), torch.enable_grad():
            optimiser.zero_grad()
            loss().backward()
            optimiser.step()

    return step


def orders(make):
    """`make(order)`, where `order` brings modules and tensors into an order of the channels."""
    def works(threads, chosen):
        same = lambda thing: thing
        return {name: make(order) for name, order in zip(TORCH, (same, channels_last)) if name in chosen}

    return works


def wadiqam(order):
    model = order(Wadiqam().train())
    distorted, reference = (order(torch.rand(128, 3, 32, 32)) for _ in range(2))
    return adam(model, lambda: pool(*model(distorted, reference), 4).mean())


class MultiBranch(nn.Module):
    """The two branches that learn, and the perceptron; features of the frozen branch are given."""

    def __init__(self, name):
        super().__init__()
        self.taps = TAPS[name]
        options = {"init_weights": False} if name == "inception_v3" else {}
        make = lambda: getattr(torchvision.models, name)(weights=None, **options)
        self.frnp, self.nr = (create_feature_extractor(make(), return_nodes=self.taps) for _ in range(2))
        with torch.no_grad():
            self.features = sum(tap.shape[1] for tap in self.nr(torch.zeros(2, 3, 128, 128)).values())
        widths = [3 * self.features, 128, 32, 1]
        layers = [layer for a, b in zip(widths, widths[1:]) for layer in (nn.Linear(a, b), nn.ReLU())]
        self.mlp = nn.Sequential(*layers[:-1])

    def forward(self, distorted, reference, frozen):
        n = len(distorted)
        both, alone = self.frnp(torch.cat([distorted, reference])), self.nr(distorted)
        parts = [frozen]
        parts += [(both[tap][:n] - both[tap][n:]).abs().mean((2, 3)) for tap in self.taps]
        parts += [alone[tap].mean((2, 3)) for tap in self.taps]
        return self.mlp(torch.cat(parts, 1)).squeeze(1)


def multi_branch(name):
    def make(order):
        model = order(MultiBranch(name).train())
        distorted, reference = (order(torch.rand(4, 3, 128, 128)) for _ in range(2))
        frozen = torch.rand(4, model.features)
        return adam(model, lambda: model(distorted, reference, frozen).mean())

    return make


def gsn_step(order):
    model = order(gsn.Gsn().train())
    distorted, reference = (order(torch.rand(2, 3, 192, 192)) for _ in range(2))
    return adam(model, lambda: model(distorted, reference).mean())


def hiqa_step(order):
    """Algorithm 1 once, as `--preset fast` merges its steps: the generator's image is added to the distorted one."""
    width, patch, images = 8, 64, 16
    nets = hiqa.networks(width, patch, 512)
    generator, discriminator, regressor, baseline = (
        order(nets[name].train()) for name in ("generator", "discriminator", "regressor", "baseline")
    )
    baseline.eval().requires_grad_(False)
    distorted, reference = (order(torch.rand(images, 3, patch, patch) * 2 - 1) for _ in range(2))
    targets = torch.full((images,), 0.5)
    optimisers = [torch.optim.Adam(net.parameters(), 1e-4) for net in (generator, discriminator, regressor)]
    entropy = F.binary_cross_entropy_with_logits

    def descend(optimiser, loss):
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

    def step():
        with torch.inference_mode(False), torch.enable_grad():
            image, bottleneck = generator(distorted)
            image = image + distorted
            fake = image.detach()
            score, _ = regressor(distorted, (distorted - fake).abs(), bottleneck.detach())
            accepted = ((score - targets).abs() < 0.1).float().detach()
            real, hallucinated = discriminator(reference), discriminator(fake)
            descend(optimisers[1], entropy(real, torch.ones_like(real)) + entropy(hallucinated, accepted))
            descend(optimisers[2], ((score - targets) ** 2).mean())
            discriminator.requires_grad_(False)
            found, wanted = (baseline(x)[1][-1] for x in (image, reference))
            logits = discriminator(image)
            loss = ((image - reference) ** 2).mean() + ((found - wanted) ** 2).mean()
            descend(optimisers[0], loss + entropy(logits, torch.ones_like(logits)))
            discriminator.requires_grad_(True)

    return step


WORK = {
    "wadiqam_training_step": orders(wadiqam),
    "multibranch_vgg16_training_step": orders(multi_branch("vgg16")),
    "multibranch_resnet50_training_step": orders(multi_branch("resnet50")),
    "multibranch_inception_v3_training_step": orders(multi_branch("inception_v3")),
    "gsn_training_step": orders(gsn_step),
    "hiqa_training_step": orders(hiqa_step),
}
