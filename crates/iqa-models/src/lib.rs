//! Deep image-quality assessment on Burn: named models, bundled weights, one Scorer.
