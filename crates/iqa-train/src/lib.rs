//! Training recipes of the papers: losses, schedules, checkpoints with exact resume, learning curves.
