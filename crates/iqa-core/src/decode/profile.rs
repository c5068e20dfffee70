//! Embedded colour profiles.

use std::path::Path;
use std::sync::OnceLock;

use moxcms::{ColorProfile, DataColorSpace, Layout, TransformOptions};

/// The first file of this process whose colour profile was ignored.
static IGNORED: OnceLock<Box<Path>> = OnceLock::new();

/// The first file that this process decoded in spite of a colour profile that says that its colours are not those of
/// sRGB: all pixels are taken as sRGB. For a program to warn of.
pub fn ignored_profile() -> Option<&'static Path> {
    IGNORED.get().map(AsRef::as_ref)
}

/// Remembers the file if its profile is not that of sRGB; an empty profile is none.
pub(super) fn note_profile(profile: &[u8], name: &Path) {
    if !profile.is_empty() && IGNORED.get().is_none() && !is_srgb(profile) {
        // Another thread may have been first.
        let _ = IGNORED.set(name.into());
    }
}

/// Whether a profile leaves colours as they are, but for rounding. One that cannot be read counts as such: no program
/// could follow it.
fn is_srgb(profile: &[u8]) -> bool {
    /// Levels of 255 that a colour may move.
    const ROUNDING: u8 = 3;
    let Ok(profile) = ColorProfile::new_from_slice(profile) else { return true };
    let (layout, channels) = match profile.color_space {
        DataColorSpace::Rgb => (Layout::Rgb, 3),
        DataColorSpace::Gray => (Layout::Gray, 1),
        _ => return false,
    };
    let colours: [u8; 24] = [
        255, 0, 0, 0, 255, 0, 0, 0, 255, 64, 64, 64, 128, 128, 128, 192, 192, 192, 180, 90, 40, 60, 120, 200,
    ];
    let srgb = ColorProfile::new_srgb();
    let mut shown = vec![0; 3 * colours.len() / channels];
    let transform = profile.create_transform_8bit(layout, &srgb, Layout::Rgb, TransformOptions::default());
    if transform.and_then(|transform| transform.transform(&colours, &mut shown)).is_err() {
        return true;
    }
    let stored = colours.iter().flat_map(|&value| std::iter::repeat_n(value, 3 / channels));
    stored.zip(&shown).all(|(stored, &shown)| stored.abs_diff(shown) <= ROUNDING)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_of_other_colours_are_told_from_srgb() {
        let is = |profile: ColorProfile| is_srgb(&profile.encode().expect("encodes"));
        assert!(is(ColorProfile::new_srgb()));
        assert!(is(ColorProfile::new_gray_with_gamma(2.2)));
        assert!(!is(ColorProfile::new_display_p3()));
        assert!(!is(ColorProfile::new_adobe_rgb()));
        assert!(!is(ColorProfile::new_gray_with_gamma(1.0)));
        assert!(is_srgb(b"no profile"));
    }
}
