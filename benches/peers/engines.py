"""A PyTorch module on every engine of this Python: PyTorch itself in two orders of tensors, torch.compile, onnxruntime and
OpenVINO, the last two where they are installed; on as many threads, in single precision or, those that can, in bf16."""

import tempfile
import warnings
from pathlib import Path

import torch

try:
    import onnxruntime
except ImportError:
    onnxruntime = None
try:
    import openvino
except ImportError:
    openvino = None

TORCH = ("torch", "torch, channels last")
ALL = (*TORCH, "torch.compile", "onnxruntime", "OpenVINO")
BF16 = ("torch, bf16", "torch.compile, bf16", "OpenVINO, bf16")


def versions():
    """Of those that are here."""
    found = [f"PyTorch {torch.__version__}"]
    found += [f"onnxruntime {onnxruntime.__version__}"] if onnxruntime else []
    found += [f"OpenVINO {openvino.__version__.split('-')[0]}"] if openvino else []
    return ", ".join(found)


def channels_last(thing):
    return thing.to(memory_format=torch.channels_last)


def in_channels_last(module, compile=False):
    """With `compile` the first call compiles."""
    module = channels_last(module)
    if compile:
        torch._dynamo.reset()
        module = torch.compile(module)
    return lambda *inputs: module(*(channels_last(x) if x.dim() == 4 else x for x in inputs))


def in_bf16(module, compile=False):
    """Weights, images and features of that type, channels last."""
    run = in_channels_last(module.bfloat16(), compile)
    return lambda *inputs: run(*(x.bfloat16() for x in inputs))


def onnx_session(module, inputs, threads):
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = str(Path(folder) / "network.onnx")
        names = [f"input{index}" for index in range(len(inputs))]
        torch.onnx.export(module, inputs, path, input_names=names, opset_version=17, dynamo=False)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    def run(*inputs):
        outputs = session.run(None, {name: x.numpy() for name, x in zip(names, inputs)})
        return [torch.from_numpy(output) for output in outputs]

    return run


def openvino_request(module, inputs, threads, float="f32"):
    model = openvino.convert_model(module, example_input=inputs, input=[list(x.shape) for x in inputs])
    settings = {
        "INFERENCE_NUM_THREADS": threads,
        "INFERENCE_PRECISION_HINT": float,
        "PERFORMANCE_HINT": "LATENCY",
    }
    compiled = openvino.Core().compile_model(model, "CPU", settings)
    request = compiled.create_infer_request()

    def run(*inputs):
        found = request.infer([x.numpy() for x in inputs], share_inputs=True, share_outputs=True)
        return [torch.from_numpy(found[output]) for output in compiled.outputs]

    return run


def engines(make, inputs, threads, chosen=ALL):
    """Name -> a function that runs the module `make()` on tensors like `inputs`; an engine that is not here is left out."""
    torch.manual_seed(0)
    run = {}
    if "torch" in chosen:
        run["torch"] = make().eval()
    if "torch, channels last" in chosen:
        run["torch, channels last"] = in_channels_last(make().eval())
    if "torch.compile" in chosen:
        run["torch.compile"] = in_channels_last(make().eval(), compile=True)
    if "onnxruntime" in chosen and onnxruntime:
        run["onnxruntime"] = onnx_session(make().eval(), inputs, threads)
    if "OpenVINO" in chosen and openvino:
        run["OpenVINO"] = openvino_request(make().eval(), inputs, threads)
    if "torch, bf16" in chosen:
        run["torch, bf16"] = in_bf16(make().eval())
    if "torch.compile, bf16" in chosen:
        run["torch.compile, bf16"] = in_bf16(make().eval(), compile=True)
    if "OpenVINO, bf16" in chosen and openvino:
        run["OpenVINO, bf16"] = openvino_request(make().eval(), inputs, threads, "bf16")
    return run
