//! Freed memory that stays with the program.
#![allow(unsafe_code)]

/// Has the C library keep what is freed for what is asked for next, and take no large piece of its own from the system:
/// glibc's `M_MMAP_MAX` of 0, `M_TRIM_THRESHOLD` of -1. Elsewhere nothing happens.
///
/// A training step frees and asks for the same large tensors again and again; each time the system would hand them out
/// page by page, filled with zeros. That was a third of the time of a step of a small `gsn`, and more of a measure such
/// as VSI on a picture of 3840x2160. The program then holds the largest amount it has ever needed until it ends: this is
/// for a program to say, once, before it works, and no library here says it.
pub fn keep_freed_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: parameters of the allocator may be set at any time; it takes its own lock.
    unsafe {
        libc::mallopt(libc::M_MMAP_MAX, 0);
        libc::mallopt(libc::M_TRIM_THRESHOLD, -1);
    }
}
