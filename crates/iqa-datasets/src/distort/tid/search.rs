//! Turning a distortion's strength until the PSNR is the one asked for.

use image::RgbImage;

use super::Tuned;
use crate::DatasetError;

/// The search stops this close to the target, in dB.
const CLOSE: f64 = 0.05;
/// How far from the target a result may be before something else is tried, in dB.
pub(super) const TOLERANCE: f64 = 0.5;
/// Images made in one search at most; bisection alone would need 15 to narrow four decades to [`NARROW`].
const ROUNDS: usize = 24;
/// Width of the bracket, in logarithms of the strength, at which the search gives up.
const NARROW: f64 = 3e-4;
/// Decibels for each unit of the strength's logarithm, as long as nothing better is known: the PSNR of an error
/// proportional to the strength.
const SLOPE: f64 = -20.0 / std::f64::consts::LN_10;
/// The rounds after which every other step is a bisection.
const PATIENCE: usize = 6;
/// Points of the scan for a PSNR that does not fall steadily, and its reach in logarithms of the strength.
const SCAN: usize = 40;
const SCAN_REACH: f64 = 0.5;

type Make<'a> = Box<dyn Fn(f64) -> Result<RgbImage, DatasetError> + 'a>;

/// A distortion of one image, to be turned by its strength; the stronger, the lower the PSNR.
pub(super) struct Dial<'a> {
    /// The weakest and the strongest setting, both positive.
    range: (f64, f64),
    /// Where the search starts.
    start: f64,
    /// The PSNR has teeth: where no crossing is close enough, look around it.
    jagged: bool,
    make: Make<'a>,
}

impl<'a> Dial<'a> {
    pub(super) fn new(range: (f64, f64), start: f64, make: impl Fn(f32) -> RgbImage + 'a) -> Self {
        Self::fallible(range, start, move |strength| Ok(make(strength)))
    }

    pub(super) fn fallible(
        range: (f64, f64),
        start: f64,
        make: impl Fn(f32) -> Result<RgbImage, DatasetError> + 'a,
    ) -> Self {
        Self { range, start, jagged: false, make: Box::new(move |strength| make(strength as f32)) }
    }

    pub(super) fn jagged(self) -> Self {
        Self { jagged: true, ..self }
    }

    /// What this strength makes.
    pub(super) fn set(&self, strength: f32) -> Result<RgbImage, DatasetError> {
        (self.make)(f64::from(strength))
    }

    /// The setting whose PSNR is closest to `target`.
    pub(super) fn turn(&self, reference: &RgbImage, target: f64) -> Result<Tuned, DatasetError> {
        let mut best = Best { target, found: None };
        let (mut low, mut high) = (self.range.0.ln(), self.range.1.ln());
        let ends = (low, high);
        let mut x = self.start.ln().clamp(low, high);
        let mut last: Option<(f64, f64)> = None;
        for round in 0..ROUNDS {
            let psnr = best.offer(self.at(x, reference)?);
            if (psnr - target).abs() < CLOSE {
                break;
            }
            if psnr > target {
                low = x;
            } else {
                high = x;
            }
            if high - low < NARROW {
                break;
            }
            let measured = last.map(|(x0, psnr0)| (psnr - psnr0) / (x - x0)).filter(|slope| *slope < -0.5);
            last = Some((x, psnr));
            let next = x - (psnr - target) / measured.unwrap_or(SLOPE);
            let middle = (low + high) / 2.0;
            x = if round > PATIENCE && round % 2 == 0 {
                middle
            } else if next >= high {
                // An end that was never tried may be the answer.
                if high == ends.1 { high } else { middle }
            } else if next <= low {
                if low == ends.0 { low } else { middle }
            } else {
                next
            };
        }
        let reached = low > ends.0 && high < ends.1;
        if self.jagged && reached && best.deviation() > TOLERANCE {
            let centre = (low + high) / 2.0;
            for step in 0..SCAN {
                let part = step as f64 / (SCAN - 1) as f64 * 2.0 - 1.0;
                best.offer(self.at((centre + part * SCAN_REACH).clamp(ends.0, ends.1), reference)?);
            }
        }
        Ok(best.found.unwrap_or_else(|| Tuned::new(reference.clone(), reference, 0.0)))
    }

    fn at(&self, x: f64, reference: &RgbImage) -> Result<Tuned, DatasetError> {
        Ok(Tuned::new((self.make)(x.exp())?, reference, x.exp()))
    }
}

/// The first dial that comes close enough to `target`, or else the closest.
pub(super) fn turn_first<'a>(
    dials: impl IntoIterator<Item = Dial<'a>>,
    reference: &RgbImage,
    target: f64,
) -> Result<Tuned, DatasetError> {
    let mut best = Best { target, found: None };
    for dial in dials {
        best.offer(dial.turn(reference, target)?);
        if best.deviation() <= TOLERANCE {
            break;
        }
    }
    Ok(best.found.unwrap_or_else(|| Tuned::new(reference.clone(), reference, 0.0)))
}

/// The closest result so far.
struct Best {
    target: f64,
    found: Option<Tuned>,
}

impl Best {
    /// Keeps the result if none was closer, and says its PSNR, that of an unchanged image as a large number.
    fn offer(&mut self, tuned: Tuned) -> f64 {
        let psnr = tuned.psnr.min(super::UNCHANGED_PSNR);
        if (psnr - self.target).abs() < self.deviation() {
            self.found = Some(tuned);
        }
        psnr
    }

    fn deviation(&self) -> f64 {
        self.found
            .as_ref()
            .map_or(f64::INFINITY, |found| (found.psnr.min(super::UNCHANGED_PSNR) - self.target).abs())
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use image::Rgb;

    use super::*;

    fn grey() -> RgbImage {
        RgbImage::from_pixel(64, 64, Rgb([128; 3]))
    }

    /// Every other row off by `shift` on average, in steps of one value on one pixel.
    fn shifted(shift: f64) -> RgbImage {
        let mut image = grey();
        for (index, value) in image.iter_mut().enumerate() {
            let whole = shift.floor();
            let more = (index * 7919 % 1009) as f64 / 1009.0 < shift - whole;
            *value = (128.0 - whole - if more { 1.0 } else { 0.0 }).max(0.0) as u8;
        }
        image
    }

    #[test]
    fn a_smooth_dial_is_turned_to_the_target_in_a_few_rounds() {
        for target in [33.0, 27.0, 21.0] {
            let rounds = Cell::new(0);
            let dial = Dial::new((0.1, 1000.0), 300.0, |shift| {
                rounds.set(rounds.get() + 1);
                shifted(f64::from(shift))
            });
            let found = dial.turn(&grey(), target).expect("turns");
            assert!((found.psnr - target).abs() < CLOSE, "{} for {target}", found.psnr);
            assert!(rounds.get() <= 8, "{} rounds", rounds.get());
            // An error of e everywhere: PSNR = 20 log10(255 / e).
            let expected = 255.0 / 10f64.powf(target / 20.0);
            assert!((found.strength / expected - 1.0).abs() < 0.02, "{} {expected}", found.strength);
        }
    }

    #[test]
    fn what_cannot_be_reached_ends_at_the_closest() {
        let dial = Dial::new((0.5, 4.0), 1.0, |shift| shifted(f64::from(shift)));
        let found = dial.turn(&grey(), 21.0).expect("turns");
        assert_eq!(found.strength, 4.0);
        let nothing = Dial::new((0.5, 4.0), 1.0, |_| grey());
        assert_eq!(nothing.turn(&grey(), 21.0).expect("turns").image, grey());
    }

    #[test]
    fn the_second_dial_stands_in_for_the_first() {
        let dials = [4.0, 200.0].map(|top| Dial::new((0.5, top), 1.0, |shift| shifted(f64::from(shift))));
        let found = turn_first(dials, &grey(), 21.0).expect("turns");
        assert!((found.psnr - 21.0).abs() < TOLERANCE);
    }
}
