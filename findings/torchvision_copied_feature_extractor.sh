#!/usr/bin/env bash
# torchvision 0.24.0 (torch 2.9.0): `copy.deepcopy` of a feature extractor that is in evaluation mode is in training mode, and
# computes other features, without a word.
#
# `create_feature_extractor` returns a module with two graphs, of which `train()` and `eval()` choose one. A copy is in training
# mode with all that is in it, whatever the original was: its batch norms go by the batch, and their running statistics move with
# each use. `eval()` on the fresh copy mends it. A plain network keeps its mode when it is copied. Who compares a copy in double
# precision with its original sees two networks.
#
# Seen, ResNet-18 with random weights, features of layer4 for one image (`other`: farther apart than a tenth of their length):
#   extractor: evaluation / its copy: training other / the network's copy: evaluation same / its copy after eval(): same
#
# Needs Python 3 and the network for PyPI (some 3 GB, torch and what it brings). Exits 1 when the behaviour has changed.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-cache-dir torch==2.9.0 torchvision==0.24.0 numpy==2.3.4
cat > "$folder/copy_it.py" <<'PYTHON'
import copy
import warnings

import torch
from torchvision.models import resnet18
from torchvision.models.feature_extraction import create_feature_extractor

warnings.simplefilter("ignore")
torch.manual_seed(0)
network = resnet18(weights=None).eval()
extractor = create_feature_extractor(network, ["layer4"]).eval()
image = torch.rand(1, 3, 96, 96)


def apart(a, b):
    with torch.no_grad():
        a, b = a(image), b(image)
    a, b = (x["layer4"] if isinstance(x, dict) else x for x in (a, b))
    return "same" if torch.equal(a, b) else "other" if (a - b).norm() > 0.1 * a.norm() else "near"


copied = copy.deepcopy(extractor)
whole = copy.deepcopy(network)
print("extractor:", "training" if extractor.training else "evaluation")
print("its copy:", "training" if copied.training else "evaluation", apart(extractor, copied))
print("the network's copy:", "training" if whole.training else "evaluation", apart(network, whole))
print("its copy after eval():", apart(extractor, copy.deepcopy(extractor).eval()))
PYTHON
found="$("$folder/venv/bin/python" "$folder/copy_it.py")"
expected="extractor: evaluation
its copy: training other
the network's copy: evaluation same
its copy after eval(): same"
if [ "$found" = "$expected" ]; then
    echo "as described: $(echo "$found" | paste -sd/ | sed 's,/, / ,g')"
else
    printf 'changed; found:\n%s\n' "$found"
    exit 1
fi
