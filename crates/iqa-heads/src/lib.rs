//! The published image-quality networks as Burn modules.
