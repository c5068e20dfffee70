//! Seeds for the parts of a run, all from one.

/// Names of parts.
pub(crate) const PATCHES: u64 = 1;
pub(crate) const DROPOUT: u64 = 2;
pub(crate) const VALIDATION: u64 = 3;
pub(crate) const ORDER: u64 = 4;
pub(crate) const AUGMENT: u64 = 5;

/// A seed for the part of the run that `parts` name; any two differ (SplitMix64's finaliser, Steele et al. 2014).
pub(crate) fn derive(seed: u64, parts: &[u64]) -> u64 {
    parts.iter().fold(finalise(seed), |state, &part| finalise(state ^ finalise(part)))
}

fn finalise(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::derive;

    #[test]
    fn parts_and_their_order_matter() {
        let seeds = [derive(1, &[2, 3]), derive(1, &[3, 2]), derive(2, &[2, 3]), derive(1, &[2])];
        for (i, a) in seeds.iter().enumerate() {
            assert!(seeds[i + 1..].iter().all(|b| a != b));
        }
    }
}
