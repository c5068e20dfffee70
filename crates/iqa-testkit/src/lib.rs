//! Fixtures, tolerance tiers and generated images for the tests of this workspace.
