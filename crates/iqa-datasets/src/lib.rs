//! Image-quality data sets, reference-disjoint splits and synthetic distortions.
