#!/usr/bin/env bash
# The models on a GPU: parity, speed beside PyTorch on the same device, what the host costs, training.
#
#   benches/gpu.sh build FOLDER [CARGO-ARGUMENTS]   builds what the rest needs into FOLDER; may be done on another machine
#   benches/gpu.sh run FOLDER RESULTS [DEVICE]      runs it, in some eight minutes on a GPU; writes RESULTS/gpu.json and RESULTS/gpu.md
#
# DEVICE is a device of `iqa score --device help`: libtorch-cuda by default; on libtorch (a CPU) everything is done at small sizes.
# To build: Rust, and libtorch as docs/BACKENDS.md has it. To run: this folder, Python with the PyTorch of the build and
# torchvision, libtorch's folder in LD_LIBRARY_PATH; no Rust. FLOATS="f32 bf16" chooses types,
# PARTS="parity speed host training" parts; SECONDS_IN_ALL=480 is when timings that are left are left out.
set -euo pipefail
here="$(cd "$(dirname "$0")/.." && pwd)"

build() {
    local folder="$1"
    shift
    mkdir -p "$folder"
    # One set of features, so that Burn is compiled once.
    local features="iqa-cli/tch,iqa-tests/tch,iqa-benches/tch${BACKENDS:+,iqa-cli/$BACKENDS,iqa-tests/$BACKENDS,iqa-benches/$BACKENDS}"
    local common=(--release --workspace --features "$features" --message-format=json-render-diagnostics "$@")
    (cd "$here" && cargo build "${common[@]}" --bin iqa --example peer && cargo test "${common[@]}" --no-run --test backends) \
        | python3 -c '
import json, shutil, sys
wanted = {("iqa", "bin"), ("peer", "example"), ("backends", "test")}
for line in sys.stdin:
    built = json.loads(line)
    target = built.get("target", {})
    # Another package has tests of that name.
    if built.get("executable") and (target["name"], target["kind"][0]) in wanted and "/crates/iqa-cli/tests/" not in target["src_path"]:
        print(shutil.copy2(built["executable"], sys.argv[1] + "/" + target["name"]))
' "$folder"
}

run() {
    local folder results device="${3:-libtorch-cuda}"
    folder="$(cd "$1" && pwd)"
    mkdir -p "$2"
    results="$(cd "$2" && pwd)"
    export IQA_WORKSPACE="$here"
    cd "$here"
    python3 -W ignore benches/peers/gpu.py "$folder" "$results" --device "$device" \
        --seconds "${SECONDS_IN_ALL:-480}" --floats ${FLOATS:-f32 tf32 f16 bf16} --parts ${PARTS:-parity speed host training}
}

case "${1:-}" in
    build) shift && build "$@" ;;
    run) shift && run "$@" ;;
    *) sed -n '2,/^set /s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac
