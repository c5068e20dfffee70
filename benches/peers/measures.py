"""Image measures of a pair of 512x384 in memory: name -> `(threads, engines) -> {engine: work}`. Names are those of `peer.rs`.

piq takes floats in [0, 1], ours 8-bit pixels, each what it is given by its users' programs after decoding. piq has no VIF of
wavelets: there it is pyiqa's."""

import torch

try:
    import piq
except ImportError:
    piq = None
try:
    from pyiqa.archs.vif_arch import VIF
except ImportError:
    VIF = None


def of(package, measure):
    def works(threads, chosen):
        if measure is None:
            return {}
        distorted, reference = (torch.rand(1, 3, 384, 512) for _ in range(2))
        return {package: lambda: measure(distorted, reference)}

    return works


WORK = {"measure_vif": of("pyiqa", VIF and VIF().eval())}
if piq:
    of_piq = {
        "psnr": piq.psnr,
        "ssim": piq.ssim,
        "ms_ssim": piq.multi_scale_ssim,
        "gmsd": piq.gmsd,
        "fsim": lambda d, r: piq.fsim(d, r, chromatic=False),
        "fsimc": piq.fsim,
        "vsi": piq.vsi,
        "vifp": piq.vif_p,
    }
    WORK |= {f"measure_{name}": of("piq", measure) for name, measure in of_piq.items()}
