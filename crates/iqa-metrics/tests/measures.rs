//! Image measures against their definitions in NumPy, against Python packages (both from
//! `tests/fixtures/generate/measures.py`), and against their own laws.

use std::collections::BTreeSet;

use image::{Rgb, RgbImage};
use iqa_metrics::MetricsError;
use iqa_metrics::image::{Measure, PSNR_CAP, Plane};
use iqa_metrics::ndarray::{Array3, s};
use iqa_testkit::generated::{self, distorted, grain, waves};
use iqa_testkit::{fixture_path, workspace_path};
use serde_json::Value;

/// Two ways to sum in double precision.
const DEFINITION: f64 = 1e-12;
/// VSI's prior for warm colours turns a rounding error at the least warm pixel into ten thousand of them.
const SALIENCY: f64 = 1e-6;
/// Packages work in single precision here and there, and pyiqa weighs luma otherwise.
const PACKAGE: f64 = 1e-4;

fn fixture() -> Value {
    let path = fixture_path("measures/measures.json");
    serde_json::from_str(&std::fs::read_to_string(path).expect("a fixture")).expect("JSON")
}

fn sample(name: &str) -> RgbImage {
    image::open(workspace_path("examples/images").join(name)).expect("a sample picture").into_rgb8()
}

/// The pair `(distorted, reference)` of a fixture's case.
fn pair(name: &str) -> (RgbImage, RgbImage) {
    let flowers = || sample("flowers.png");
    let crop = |image: RgbImage| image::imageops::crop_imm(&image, 24, 11, 301, 199).to_image();
    match name {
        "flowers_blur" => (sample("flowers_blur.png"), flowers()),
        "flowers_local" => (sample("flowers_local.png"), flowers()),
        "flowers_odd" => (crop(sample("flowers_blur.png")), crop(flowers())),
        _ => generated::pair(name),
    }
}

fn scored(key: &str, distorted: &RgbImage, reference: &RgbImage) -> f64 {
    let measure = Measure::from_name(key).unwrap_or_else(|| panic!("no measure {key}"));
    measure.score(distorted, reference).unwrap_or_else(|error| panic!("{key}: {error}"))
}

/// Whether a package does something else than the authors' program for images of this size; `docs/MEASURES.md` says
/// what.
fn departs(package: &str, key: &str, (width, height): (u32, u32)) -> bool {
    let divides = |by: u32| width.is_multiple_of(by) && height.is_multiple_of(by);
    let shrunk_by_more_than_two = f64::from(width.min(height)) / 256.0 >= 2.5;
    match key {
        "ssim" => shrunk_by_more_than_two,
        "ms_ssim" => !divides(16),
        "gmsd" | "vif" => package == "pyiqa" && !divides(2),
        "fsim" | "fsimc" => shrunk_by_more_than_two || width * height < 100,
        "vsi" => true,
        _ => false,
    }
}

/// Prints, with `--nocapture`, the differences that `docs/MEASURES.md` sums up.
#[test]
fn measures_agree_with_their_definitions_and_with_packages() {
    let mut seen = BTreeSet::new();
    for (name, case) in fixture()["cases"].as_object().expect("cases") {
        let (distorted, reference) = pair(name);
        for (image, sum) in [&distorted, &reference].into_iter().zip(case["sums"].as_array().expect("sums")) {
            let found: u64 = image.as_raw().iter().map(|&value| u64::from(value)).sum();
            assert_eq!(Some(found), sum.as_u64(), "{name}: another image than the generator's");
        }
        for (key, expected) in case["definition"].as_object().expect("values") {
            seen.insert(key.clone());
            let found = scored(key, &distorted, &reference);
            let apart = |expected: &Value| Some((found - expected.as_f64()?).abs());
            let error = apart(expected).expect("a number");
            eprintln!("{key:14} {name:20} {:12} {error:.1e}", "definition");
            let tolerance = if key == "vsi" { SALIENCY } else { DEFINITION };
            assert!(error <= tolerance, "{name} {key}: {found} against {expected}, {error:.1e} apart");
            for package in ["piq", "scikit-image", "pyiqa"] {
                let Some(error) = apart(&case[package][key]) else { continue };
                let departs = departs(package, key, reference.dimensions());
                eprintln!(
                    "{key:14} {name:20} {package:12} {error:.1e}{}",
                    if departs { " departs" } else { "" }
                );
                assert!(departs || error <= PACKAGE, "{name} {key}: {error:.1e} from {package}");
            }
        }
    }
    for measure in Measure::ALL {
        assert!(seen.contains(measure.name()), "{measure} has no oracle");
    }
}

/// Best for the image itself, the same each time, worse with more noise.
#[test]
fn the_reference_itself_scores_best_and_noise_makes_it_worse() {
    let reference = waves(200, 180, 11);
    let noisy = |strength: i64| {
        RgbImage::from_fn(200, 180, |x, y| {
            Rgb([0usize, 1, 2].map(|c| {
                let noise = (grain(x, y, 5 + c as u32) - 128) * strength / 128;
                (i64::from(reference.get_pixel(x, y)[c]) + noise).clamp(0, 255) as u8
            }))
        })
    };
    let versions = [0, 8, 24, 60, 120].map(noisy);
    for measure in Measure::ALL {
        let scores: Vec<f64> =
            versions.iter().map(|image| measure.score(image, &reference).expect("scores")).collect();
        let sign = if measure.higher_is_better() { 1.0 } else { -1.0 };
        assert!(scores.windows(2).all(|pair| sign * pair[0] > sign * pair[1]), "{measure}: {scores:?}");
        let (low, high) = measure.range();
        let best = if measure.higher_is_better() { high } else { low };
        assert!((scores[0] - best).abs() < 1e-9, "{measure}: {} for the reference itself", scores[0]);
        assert!(scores.iter().all(|score| (low..=high + 1e-9).contains(score)), "{measure}: {scores:?}");
        assert_eq!(measure.score(&versions[2], &reference).expect("scores"), scores[2], "{measure}");
    }
}

/// All but the two information measures treat both images alike.
#[test]
fn measures_are_symmetric_where_they_claim_to_be() {
    let reference = waves(200, 180, 12);
    let other = distorted(&reference, "blocks");
    for measure in Measure::ALL {
        let there = measure.score(&other, &reference).expect("scores");
        let back = measure.score(&reference, &other).expect("scores");
        let same = (there - back).abs() < 1e-12;
        assert_eq!(same, !matches!(measure, Measure::Vif | Measure::Vifp), "{measure}: {there} and {back}");
    }
}

#[test]
fn images_without_content_have_finite_scores() {
    let side = 180;
    let flat = |value| RgbImage::from_pixel(side, side, Rgb([value; 3]));
    let busy = waves(side, side, 13);
    for measure in Measure::ALL {
        let best = if measure.higher_is_better() { measure.range().1 } else { measure.range().0 };
        for value in [0, 131, 255] {
            let itself = measure.score(&flat(value), &flat(value)).expect("scores");
            assert!((itself - best).abs() < 1e-9, "{measure}: {itself} for {value} against itself");
            let pairs =
                [(flat(value), flat(value ^ 1)), (flat(value), busy.clone()), (busy.clone(), flat(value))];
            for (distorted, reference) in pairs {
                let score = measure.score(&distorted, &reference).expect("scores");
                assert!(score.is_finite(), "{measure}: {score} for {value}");
            }
        }
    }
}

#[test]
fn each_measure_takes_its_smallest_image_and_refuses_a_smaller_one() {
    for measure in Measure::ALL {
        let least = measure.minimum_side();
        let wide = waves(least + 2, least, 14);
        let score = measure.score(&distorted(&wide, "noise"), &wide).expect("scores");
        assert!(score.is_finite(), "{measure}");
        if least == 1 {
            continue;
        }
        let small = waves(least + 2, least - 1, 14);
        let error = measure.score(&small, &small).expect_err("too small");
        let size = (least + 2, least - 1);
        assert_eq!(error, MetricsError::TooSmall { measure: measure.name(), size, minimum: least });
        assert!(error.to_string().contains(measure.name()), "{error}");
    }
}

#[test]
fn sizes_must_agree_and_both_are_named() {
    let (a, b) = (waves(200, 190, 1), waves(190, 200, 1));
    for measure in Measure::ALL {
        let error = measure.score(&a, &b).expect_err("another size");
        assert_eq!(error, MetricsError::SizeMismatch { distorted: (200, 190), reference: (190, 200) });
        assert!(error.to_string().contains("200x190") && error.to_string().contains("190x200"), "{error}");
    }
}

#[test]
fn names_are_unique_and_lead_back() {
    for measure in Measure::ALL {
        assert_eq!(Measure::from_name(measure.name()), Some(measure));
        assert_eq!(measure.to_string(), measure.name());
    }
    assert_eq!(Measure::from_name("PSNR"), None);
    assert_eq!(Measure::Psnr.range().1, PSNR_CAP);
}

/// A picture as `(height, width, channel)`.
fn array(image: &RgbImage) -> Array3<u8> {
    let shape = (image.height() as usize, image.width() as usize, 3);
    Array3::from_shape_vec(shape, image.as_raw().clone()).expect("three values a pixel")
}

/// Whole arrays, arrays with the channel first in memory, and parts of larger ones that run backwards.
#[test]
fn arrays_score_as_pictures_do_bit_for_bit() {
    let reference = waves(211, 181, 15);
    let distorted = distorted(&reference, "noise");
    let arrays = [&distorted, &reference].map(array);
    let planar = arrays.each_ref().map(|array| {
        array.view().permuted_axes([2, 0, 1]).as_standard_layout().into_owned().permuted_axes([1, 2, 0])
    });
    let part = arrays.each_ref().map(|array| {
        let mut larger = Array3::from_elem((190, 220, 4), 9);
        larger.slice_mut(s![5..186, 3..214;-1, ..3]).assign(array);
        larger
    });
    for measure in Measure::ALL {
        let expected = measure.score(&distorted, &reference).expect("scores").to_bits();
        let [d, r] = arrays.each_ref().map(|array| array.view());
        assert_eq!(measure.score_array(d, r).expect("scores").to_bits(), expected, "{measure}");
        let [d, r] = planar.each_ref().map(|array| array.view());
        assert!(!d.is_standard_layout());
        assert_eq!(measure.score_array(d, r).expect("scores").to_bits(), expected, "{measure}");
        let [d, r] = part.each_ref().map(|array| array.slice(s![5..186, 3..214;-1, ..3]));
        assert_eq!(measure.score_array(d, r).expect("scores").to_bits(), expected, "{measure}");
    }
    let luma = Plane::luma(&reference);
    assert_eq!(Plane::luma_array(arrays[1].view()).expect("a plane"), luma);
    assert_eq!(Plane::try_from(luma.array()).expect("a plane"), luma);
    let turned = Plane::try_from(luma.array().reversed_axes()).expect("a plane");
    assert_eq!(turned.array(), luma.array().t());
}

#[test]
fn arrays_of_other_shapes_are_refused() {
    let (rgb, rgba) = (Array3::zeros((200, 190, 3)), Array3::zeros((200, 190, 4)));
    for measure in Measure::ALL {
        for (distorted, reference) in [(&rgba, &rgb), (&rgb, &rgba), (&rgba, &rgba)] {
            let error = measure.score_array(distorted.view(), reference.view()).expect_err("four channels");
            assert_eq!(error, MetricsError::Channels { found: 4 });
        }
        let turned = Array3::zeros((190, 200, 3));
        let error = measure.score_array(rgb.view(), turned.view()).expect_err("another size");
        assert_eq!(error, MetricsError::SizeMismatch { distorted: (190, 200), reference: (200, 190) });
        let empty = Array3::zeros((0, 0, 3));
        let error = measure.score_array(empty.view(), empty.view()).expect_err("no pixel");
        assert!(matches!(error, MetricsError::TooSmall { size: (0, 0), .. }), "{error}");
    }
    assert_eq!(Plane::luma_array(rgba.view()), Err(MetricsError::Channels { found: 4 }));
    assert!(matches!(
        Plane::luma_array(Array3::zeros((0, 5, 3)).view()),
        Err(MetricsError::PlaneSize { width: 5, height: 0, values: 0 })
    ));
}
