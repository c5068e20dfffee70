"""Layers, backbones and WaDIQaM in inference: name -> `(threads, engines) -> {engine: work}`. Names are those of `peer.rs`."""

import torch
import torch.nn.functional as F
import torchvision
from torch import nn

from engines import engines


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


def first_layers(model, count):
    """Those before the head of one of torchvision's models."""
    return fused(nn.Sequential(*list(model.children())[:count]).eval())


def network(make, *shape):
    def works(threads, chosen):
        x = torch.rand(shape)
        return {name: lambda run=run: run(x) for name, run in engines(make, (x,), threads, chosen).items()}

    return works


def layer(shape, out, kernel, stride):
    return network(lambda: nn.Conv2d(shape[1], out, kernel, stride, kernel // 2), *shape)


def pair(threads, chosen):
    """From two decoded 8-bit images of 512x384 to a score, in the 165 patches of pyiqa's grid."""
    images = [torch.randint(0, 256, (384, 512, 3), dtype=torch.uint8) for _ in range(2)]

    def patches(image):
        image = image.permute(2, 0, 1).float() / 255
        # pyiqa leaves out the last row and column of patches where the side is a multiple of 32.
        cut = image[:, :-32, :-32].unfold(1, 32, 32).unfold(2, 32, 32)
        return cut.permute(1, 2, 0, 3, 4).reshape(-1, 3, 32, 32)

    example = tuple(map(patches, images))
    works = engines(Wadiqam, example, threads, chosen)
    return {name: lambda run=run: pool(*run(*map(patches, images)), 1).item() for name, run in works.items()}


def inception():
    model = torchvision.models.inception_v3(init_weights=False, transform_input=False, aux_logits=False)
    return first_layers(model, -3)


WORK = {
    "conv3x3_64_128": layer((1, 64, 192, 192), 128, 3, 1),
    "conv1x1_256_64": layer((1, 256, 96, 128), 64, 1, 1),
    "conv3x3_stride2_128": layer((1, 128, 48, 64), 128, 3, 2),
    "conv7x7_stride2_3_64": layer((1, 3, 384, 512), 64, 7, 2),
    "conv5x5_64_96": layer((1, 64, 48, 64), 96, 5, 1),
    "conv3x3_3_64": layer((1, 3, 384, 512), 64, 3, 1),
    "vgg16_features": network(lambda: torchvision.models.vgg16().features, 1, 3, 384, 512),
    "resnet50_features": network(lambda: first_layers(torchvision.models.resnet50(), -2), 1, 3, 384, 512),
    "inception_v3_features": network(inception, 1, 3, 384, 512),
    "wadiqam_features": network(lambda: Wadiqam().features, 192, 3, 32, 32),
    "wadiqam_fr_pair": pair,
}
