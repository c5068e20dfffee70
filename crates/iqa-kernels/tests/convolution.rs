//! Every algorithm against the definition of a convolution, in f64.
#![allow(missing_docs, reason = "a test")]

use half::bf16;
use iqa_kernels::cpu::{self, Algorithm, Buffer, Finish, Geometry, PackedWeights, Size, Unit, Window};
use proptest::prelude::*;

/// Values in `[-0.5, 0.5)` by a linear congruential generator.
fn values(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(2_862_933_555_777_941_757).wrapping_add(3_037_000_493);
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1_u64 << 24) as f32 - 0.5
    };
    (0..count).map(|_| next()).collect()
}

#[derive(Debug, Clone)]
struct Case {
    input: Size,
    out: usize,
    geometry: Geometry,
    seed: u64,
    /// Whether all values are of bf16.
    bf16: bool,
}

impl Case {
    fn values(&self, count: usize, seed: u64) -> Vec<f32> {
        let mut values = values(count, seed);
        if self.bf16 {
            values.iter_mut().for_each(|value| *value = bf16::from_f32(*value).to_f32());
        }
        values
    }

    fn x(&self) -> Vec<f32> {
        self.values(self.input.values(), self.seed)
    }

    fn shape(&self) -> [usize; 4] {
        [self.out, self.input.channels, self.geometry.kernel[0], self.geometry.kernel[1]]
    }

    fn weights(&self) -> Vec<f32> {
        self.values(self.shape().iter().product(), self.seed + 1)
    }

    fn bias(&self) -> Vec<f32> {
        values(self.out, self.seed + 2)
    }

    fn output(&self) -> Size {
        let [height, width] = self.geometry.output(self.input.height, self.input.width);
        Size { height, width, channels: self.out, ..self.input }
    }

    fn run(&self, algorithm: Option<Algorithm>, finish: Finish<'_>) -> (Buffer, Size) {
        let packed = PackedWeights::new(self.shape());
        let (weights, bias) = (self.weights(), self.bias());
        let weights = packed.with(&weights);
        match algorithm {
            None => cpu::convolve(&self.x(), self.input, &weights, &bias, &self.geometry, finish),
            Some(algorithm) => {
                cpu::convolve_by(algorithm, &self.x(), self.input, &weights, &bias, &self.geometry, finish)
            }
        }
    }

    /// Calls `visit(output index, input index, weight index)` for every product of the convolution.
    fn products(&self, mut visit: impl FnMut(usize, usize, usize)) {
        let (input, output, geometry) = (self.input, self.output(), self.geometry);
        for image in 0..output.images {
            for y in 0..output.height {
                for x in 0..output.width {
                    for a in 0..geometry.kernel[0] {
                        for b in 0..geometry.kernel[1] {
                            let from_y = y * geometry.stride[0] + a * geometry.dilation[0];
                            let from_x = x * geometry.stride[1] + b * geometry.dilation[1];
                            let (Some(from_y), Some(from_x)) = (
                                from_y.checked_sub(geometry.vertical[0]).filter(|y| *y < input.height),
                                from_x.checked_sub(geometry.horizontal[0]).filter(|x| *x < input.width),
                            ) else {
                                continue;
                            };
                            let to = ((image * output.height + y) * output.width + x) * output.channels;
                            let from =
                                ((image * input.height + from_y) * input.width + from_x) * input.channels;
                            for o in 0..output.channels {
                                for i in 0..input.channels {
                                    let weight = ((o * input.channels + i) * geometry.kernel[0] + a)
                                        * geometry.kernel[1]
                                        + b;
                                    visit(to + o, from + i, weight);
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    /// Norm of all terms of the sums.
    fn terms(&self) -> f64 {
        let (x, weights) = (self.x(), self.weights());
        let mut squares = 0.0;
        self.products(|_, from, weight| squares += (f64::from(x[from]) * f64::from(weights[weight])).powi(2));
        squares.sqrt()
    }

    fn expected(&self) -> Vec<f64> {
        let (x, weights, bias) = (self.x(), self.weights(), self.bias());
        let mut sums: Vec<f64> =
            (0..self.output().values()).map(|index| f64::from(bias[index % self.out])).collect();
        self.products(|to, from, weight| sums[to] += f64::from(x[from]) * f64::from(weights[weight]));
        sums
    }
}

/// Norm of the difference over the norm of what is expected.
fn relative_error(found: &[f32], expected: &[f64]) -> f64 {
    error_over(found, expected, 0.0)
}

/// The same over `least` if that is larger: where terms cancel, their rounding remains.
fn error_over(found: &[f32], expected: &[f64], least: f64) -> f64 {
    assert_eq!(found.len(), expected.len());
    let squares =
        |values: &mut dyn Iterator<Item = f64>| values.map(|value| value * value).sum::<f64>().sqrt();
    let difference = squares(&mut found.iter().zip(expected).map(|(a, b)| f64::from(*a) - b));
    let norm = squares(&mut expected.iter().copied()).max(least);
    if norm == 0.0 { difference } else { difference / norm }
}

/// As measured over many cases: sums in f32 of up to 4608 products, and F(4x4) with its larger constants.
const DIRECT: f64 = 1e-6;
const WINOGRAD: f64 = 3e-6;

fn square(kernel: usize, stride: usize, padding: usize) -> Geometry {
    Geometry {
        kernel: [kernel; 2],
        stride: [stride; 2],
        dilation: [1; 2],
        vertical: [padding; 2],
        horizontal: [padding; 2],
    }
}

fn size(images: usize, height: usize, width: usize, channels: usize) -> Size {
    Size { images, height, width, channels }
}

/// A ReLU and a 2x2 maximum after `values`.
fn finished(values: &[f64], output: Size) -> Vec<f64> {
    let at = |image: usize, y: usize, x: usize, channel: usize| {
        values[((image * output.height + y) * output.width + x) * output.channels + channel].max(0.0)
    };
    let mut result = Vec::new();
    for image in 0..output.images {
        for y in 0..output.height / 2 {
            for x in 0..output.width / 2 {
                for channel in 0..output.channels {
                    let top = at(image, 2 * y, 2 * x, channel).max(at(image, 2 * y, 2 * x + 1, channel));
                    let bottom =
                        at(image, 2 * y + 1, 2 * x, channel).max(at(image, 2 * y + 1, 2 * x + 1, channel));
                    result.push(top.max(bottom));
                }
            }
        }
    }
    result
}

#[test]
fn layers_of_the_networks_agree_with_the_definition() {
    let cases = [
        (size(2, 32, 32, 3), 32, square(3, 1, 1)),
        (size(2, 16, 16, 32), 64, square(3, 1, 1)),
        (size(3, 2, 2, 512), 512, square(3, 1, 1)),
        (size(1, 12, 20, 512), 128, square(3, 1, 1)),
        (size(1, 23, 31, 64), 40, square(3, 2, 1)),
        (size(1, 40, 52, 3), 64, square(7, 2, 3)),
        (size(1, 17, 19, 48), 64, square(5, 1, 2)),
        (size(1, 24, 24, 256), 64, square(1, 1, 0)),
        (size(1, 17, 17, 64), 96, Geometry { kernel: [1, 7], horizontal: [3, 3], ..square(1, 1, 0) }),
        (size(1, 17, 17, 64), 96, Geometry { kernel: [7, 1], vertical: [3, 3], ..square(1, 1, 0) }),
        (size(1, 14, 15, 24), 24, Geometry { dilation: [2, 2], ..square(3, 1, 2) }),
    ];
    for (seed, (input, out, geometry)) in (0..).zip(cases) {
        let case = Case { input, out, geometry, seed, bf16: false };
        let (found, size) = case.run(None, Finish::default());
        assert_eq!(size, case.output());
        let error = relative_error(&found, &case.expected());
        let algorithm = Algorithm::choose(&geometry, input, out);
        let allowed = if algorithm == Algorithm::Direct { DIRECT } else { WINOGRAD };
        assert!(error <= allowed, "{case:?} by {algorithm:?}: {error:.1e}");
    }
}

/// Of bf16 values the products are exact, and sums are rounded as those of any others.
#[test]
fn sums_of_bf16_products_agree_with_the_definition() {
    if Unit::all().is_empty() {
        eprintln!("this processor multiplies no bf16 values: not tested");
    }
    let cases = [
        (size(2, 40, 70, 3), 32, square(3, 1, 1)),
        (size(2, 16, 16, 32), 64, square(3, 1, 1)),
        (size(3, 2, 2, 512), 512, square(3, 1, 1)),
        (size(1, 23, 31, 64), 40, square(3, 2, 1)),
        (size(1, 40, 52, 3), 64, square(7, 2, 3)),
        (size(1, 17, 19, 48), 70, square(5, 1, 2)),
        (size(1, 24, 24, 256), 64, square(1, 1, 0)),
        (size(2, 1, 1, 33), 1, square(1, 1, 0)),
        (size(1, 17, 17, 64), 96, Geometry { kernel: [1, 7], horizontal: [3, 3], ..square(1, 1, 0) }),
        (size(1, 17, 17, 64), 96, Geometry { kernel: [7, 1], vertical: [3, 3], ..square(1, 1, 0) }),
        // Several tasks.
        (size(1, 130, 140, 64), 33, square(3, 1, 1)),
    ];
    for (seed, (input, out, geometry)) in (0..).zip(cases) {
        let case = Case { input, out, geometry, seed, bf16: true };
        let expected = case.expected();
        for unit in Unit::all() {
            let (found, size) = case.run(Some(Algorithm::Bf16(*unit)), Finish::default());
            assert_eq!(size, case.output());
            let error = relative_error(&found, &expected);
            assert!(error <= DIRECT, "{case:?} by {unit:?}: {error:.1e}");
        }
        // Of any other values too where they are split.
        let case = Case { bf16: false, ..case };
        if let Some(algorithm) = split() {
            let (found, _) = case.run(Some(algorithm), Finish::default());
            let error = relative_error(&found, &case.expected());
            assert!(error <= DIRECT, "{case:?} by {algorithm:?}: {error:.1e}");
        }
    }
}

/// Sums of split values, where this processor has them.
fn split() -> Option<Algorithm> {
    Unit::all().contains(&Unit::Tiles).then_some(Algorithm::Split)
}

/// Winograd's tiles of split values, where this processor has them.
fn split_winograd() -> Option<Algorithm> {
    split().map(|_| Algorithm::SplitWinograd4)
}

/// All for 3x3 kernels with stride 1.
fn all_for_3x3() -> impl Iterator<Item = Algorithm> + Clone {
    let single = [Algorithm::Direct, Algorithm::Winograd4, Algorithm::Winograd2];
    let bf16 = Unit::all().iter().copied().map(Algorithm::Bf16);
    single.into_iter().chain(bf16).chain(split()).chain(split_winograd())
}

/// One stage after another and all in one, of whole groups of tiles and of some that are not full, of odd numbers of vectors.
#[test]
fn split_winograd_tiles_agree_with_the_definition() {
    let Some(algorithm) = split_winograd() else {
        eprintln!("this processor multiplies no tiles: not tested");
        return;
    };
    let cases = [
        (size(2, 70, 66, 64), 40),
        (size(1, 90, 103, 16), 70),
        (size(3, 37, 30, 33), 32),
        (size(1, 30, 33, 100), 70),
        (size(3, 4, 4, 256), 64),
        (size(1, 24, 31, 300), 33),
        (size(1, 9, 7, 80), 5),
        (size(40, 4, 4, 260), 20),
    ];
    for (seed, (input, out)) in (0..).zip(cases) {
        let case = Case { input, out, geometry: square(3, 1, 1), seed, bf16: false };
        let expected = case.expected();
        let (found, size) = case.run(Some(algorithm), Finish::default());
        assert_eq!(size, case.output());
        let error = relative_error(&found, &expected);
        assert!(error <= WINOGRAD, "{case:?}: {error:.1e}");
        let (found, _) = case.run(Some(algorithm), Finish { relu: true, pool: true, added: None });
        let error = relative_error(&found, &finished(&expected, case.output()));
        assert!(error <= WINOGRAD, "{case:?}, pooled: {error:.1e}");
    }
}

/// The 13 convolutions of VGG16 with their poolings on a picture of 32x32, everything in f64 beside it.
#[test]
fn the_error_through_vgg16_stays_small() {
    let blocks: [&[usize]; 5] = [&[64, 64], &[128, 128], &[256; 3], &[512; 3], &[512; 3]];
    let mut input = size(1, 32, 32, 3);
    let mut x = values(input.values(), 11);
    let mut expected: Vec<f64> = x.iter().copied().map(f64::from).collect();
    for block in blocks {
        for (place, out) in block.iter().enumerate() {
            let case = Case { input, out: *out, geometry: square(3, 1, 1), seed: 12, bf16: false };
            // He's scale, so that values keep their size from layer to layer.
            let scale = (24.0 / (9.0 * input.channels as f32)).sqrt();
            let weights: Vec<f32> = case.weights().iter().map(|weight| weight * scale).collect();
            let bias: Vec<f32> = case.bias().iter().map(|bias| bias * 0.1).collect();
            let pool = place + 1 == block.len();
            let finish = Finish { relu: true, pool, added: None };
            let packed = PackedWeights::new(case.shape());
            let found = cpu::convolve(&x, input, &packed.with(&weights), &bias, &case.geometry, finish);

            let output = case.output();
            let mut sums: Vec<f64> =
                (0..output.values()).map(|index| f64::from(bias[index % output.channels])).collect();
            case.products(|to, from, weight| sums[to] += expected[from] * f64::from(weights[weight]));
            expected = if pool {
                finished(&sums, output)
            } else {
                sums.into_iter().map(|sum| sum.max(0.0)).collect()
            };
            (x, input) = (found.0.to_vec(), found.1);
        }
    }
    let error = relative_error(&x, &expected);
    assert!(error <= 5e-6, "{error:.1e}");
}

#[test]
fn weight_gradients_of_the_networks_agree_with_the_definition() {
    // Tiles of both sizes, more of them than go through the stages together, and channels that fill no vector.
    let cases = [
        (size(3, 62, 66, 32), 32, square(3, 1, 1)),
        (size(70, 2, 2, 64), 96, square(3, 1, 1)),
        (size(5, 30, 26, 100), 52, square(3, 1, 0)),
        (size(2, 23, 31, 20), 40, square(3, 2, 1)),
        (size(1, 31, 33, 3), 20, square(7, 2, 3)),
        // More than one tile of channels, on both sides.
        (size(2, 11, 12, 205), 150, square(1, 1, 0)),
        (size(1, 13, 9, 101), 130, square(1, 2, 0)),
        (size(2, 16, 16, 3), 64, square(4, 2, 1)),
    ];
    for (seed, (input, out, geometry)) in (0..).zip(cases) {
        let case = Case { input, out, geometry, seed, bf16: false };
        let gradient = values(case.output().values(), seed + 3);
        let (x, shape) = (case.x(), case.shape());
        let mut expected = vec![0.0; shape.iter().product()];
        let mut of_x = vec![0.0; x.len()];
        let weights = case.weights();
        case.products(|to, from, weight| {
            expected[weight] += f64::from(gradient[to]) * f64::from(x[from]);
            of_x[from] += f64::from(gradient[to]) * f64::from(weights[weight]);
        });
        let found = cpu::weight_gradient(&x, input, &gradient, case.output(), &geometry);
        let error = relative_error(&found, &expected);
        assert!(error <= WINOGRAD, "{case:?}: {error:.1e}");
        let found = cpu::input_gradient(&gradient, case.output(), &weights, shape, &geometry, input);
        let error = relative_error(&found.expect("no gaps"), &of_x);
        assert!(error <= WINOGRAD, "{case:?}: {error:.1e}");
    }
}

fn cases(kernels: impl Strategy<Value = [usize; 2]>) -> impl Strategy<Value = Case> {
    let sizes = (0..3_usize, 1..14_usize, 1..14_usize, 1..20_usize, 1..40_usize);
    let steps = (1..4_usize, 1..4_usize, 1..3_usize);
    let padding = ([0..3_usize, 0..3], [0..3_usize, 0..3]);
    (sizes, kernels, steps, padding, any::<u32>()).prop_map(|(sizes, kernel, steps, padding, seed)| {
        let (images, height, width, channels, out) = sizes;
        let (down, right, dilation) = steps;
        let geometry = Geometry {
            kernel,
            stride: [down, right],
            dilation: [dilation; 2],
            vertical: padding.0,
            horizontal: padding.1,
        };
        Case { input: size(images, height, width, channels), out, geometry, seed: seed.into(), bf16: false }
    })
}

fn plain(case: Case) -> Case {
    Case { geometry: Geometry { stride: [1; 2], dilation: [1; 2], ..case.geometry }, ..case }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn direct_sums_agree_with_the_definition(case in cases([1..6_usize, 1..6])) {
        let (found, size) = case.run(Some(Algorithm::Direct), Finish::default());
        prop_assert_eq!(size, case.output());
        prop_assert!(error_over(&found, &case.expected(), case.terms()) <= DIRECT);
    }

    #[test]
    fn bf16_tiles_and_pairs_agree_with_the_definition(case in cases([1..6_usize, 1..6])) {
        let case = Case { geometry: Geometry { dilation: [1; 2], ..case.geometry }, bf16: true, ..case };
        let (expected, terms) = (case.expected(), case.terms());
        let pooled = finished(&expected, case.output());
        for unit in Unit::all() {
            let (found, size) = case.run(Some(Algorithm::Bf16(*unit)), Finish::default());
            prop_assert_eq!(size, case.output());
            prop_assert!(error_over(&found, &expected, terms) <= DIRECT, "{:?}", unit);
            let finish = Finish { relu: true, pool: true, added: None };
            let (found, _) = case.run(Some(Algorithm::Bf16(*unit)), finish);
            prop_assert!(error_over(&found, &pooled, terms / 2.0) <= DIRECT, "{:?}", unit);
        }
        let case = Case { bf16: false, ..case };
        if let Some(algorithm) = split() {
            let (found, _) = case.run(Some(algorithm), Finish::default());
            prop_assert!(error_over(&found, &case.expected(), case.terms()) <= DIRECT);
        }
    }

    #[test]
    fn winograd_tiles_agree_with_the_definition(case in cases(Just([3, 3])).prop_map(plain)) {
        let (expected, terms) = (case.expected(), case.terms());
        let pooled = finished(&expected, case.output());
        for algorithm in [Algorithm::Winograd4, Algorithm::Winograd2].into_iter().chain(split_winograd()) {
            let (found, size) = case.run(Some(algorithm), Finish::default());
            prop_assert_eq!(size, case.output());
            prop_assert!(error_over(&found, &expected, terms) <= WINOGRAD);
            let (found, _) = case.run(Some(algorithm), Finish { relu: true, pool: true, added: None });
            prop_assert!(error_over(&found, &pooled, terms / 2.0) <= WINOGRAD);
        }
        let (found, _) = case.run(Some(Algorithm::Direct), Finish { relu: true, pool: true, added: None });
        prop_assert!(error_over(&found, &pooled, terms / 2.0) <= DIRECT);
    }

    #[test]
    fn gradients_agree_with_the_definition(case in cases([1..5_usize, 1..5])) {
        let output = case.output();
        let gradient = values(output.values(), case.seed + 3);
        let (x, weights) = (case.x(), case.weights());
        let mut to_weights = vec![0.0; weights.len()];
        let mut to_x = vec![0.0; x.len()];
        let [mut of_weights, mut of_x] = [0.0; 2];
        case.products(|to, from, weight| {
            let term = f64::from(gradient[to]) * f64::from(x[from]);
            to_weights[weight] += term;
            of_weights += term * term;
            let term = f64::from(gradient[to]) * f64::from(weights[weight]);
            to_x[from] += term;
            of_x += term * term;
        });
        let found = cpu::weight_gradient(&x, case.input, &gradient, output, &case.geometry);
        let direct = Algorithm::choose(&case.geometry, case.input, case.out) == Algorithm::Direct;
        let allowed = if direct { DIRECT } else { WINOGRAD };
        prop_assert!(error_over(&found, &to_weights, of_weights.sqrt()) <= allowed);

        let mut to_bias = vec![0.0; case.out];
        let mut of_bias = 0.0;
        for (index, value) in gradient.iter().enumerate() {
            to_bias[index % case.out] += f64::from(*value);
            of_bias += f64::from(*value).powi(2);
        }
        let found = cpu::bias_gradient(&gradient, output);
        prop_assert!(error_over(&found, &to_bias, of_bias.sqrt()) <= DIRECT);

        let geometry = &case.geometry;
        let found =
            cpu::input_gradient(&gradient, output, &weights, case.shape(), geometry, case.input);
        // Gaps in the kernel are left to others.
        prop_assert_eq!(found.is_some(), geometry.dilation == [1, 1]);
        if let Some(found) = found {
            prop_assert!(error_over(&found, &to_x, of_x.sqrt()) <= WINOGRAD);
        }
    }

    #[test]
    fn the_gradient_of_a_pooling_goes_to_the_largest(case in cases(Just([3, 3])).prop_map(plain)) {
        let input = case.input;
        let y: Vec<f32> = case.x().into_iter().map(|value| value.max(0.0)).collect();
        let (pooled, size) = cpu::max_pool2(&y, input);
        let gradient = values(size.values(), case.seed + 4);
        let found = cpu::max_pool2_backward(&y, input, &gradient, true);
        // Moving along the gradient of one value changes the sum by the pooled gradients of the squares it leads.
        let mut expected = vec![0.0_f64; y.len()];
        for (index, (value, gradient)) in pooled.iter().zip(&gradient).enumerate() {
            let channel = index % size.channels;
            let x = index / size.channels % size.width;
            let row = index / size.channels / size.width;
            let (image, row) = (row / size.height, row % size.height);
            let at = |a: usize, b: usize| {
                ((image * input.height + 2 * row + a) * input.width + 2 * x + b) * input.channels + channel
            };
            let first = [at(0, 0), at(0, 1), at(1, 0), at(1, 1)].into_iter().find(|at| y[*at] == *value);
            if let (Some(first), true) = (first, *value > 0.0) {
                expected[first] = f64::from(*gradient);
            }
        }
        prop_assert_eq!(relative_error(&found, &expected), 0.0);
    }
}

#[test]
fn neither_threads_nor_batches_change_a_result() {
    for (seed, (input, out)) in (0..).zip([
        (size(5, 13, 18, 12), 20),
        (size(5, 2, 2, 64), 64),
        (size(5, 13, 18, 3), 20),
        (size(5, 13, 18, 100), 36),
        (size(5, 33, 34, 64), 36),
    ]) {
        let case = Case { input, out, geometry: square(3, 1, 1), seed, bf16: false };
        let pool =
            |threads: usize| rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        let finish = Finish { relu: true, pool: true, added: None };
        let gradient = values(case.output().values(), 7);
        let gradients = |threads: usize| {
            pool(threads).install(|| {
                let sums = cpu::weight_gradient(&case.x(), input, &gradient, case.output(), &case.geometry);
                (sums, cpu::bias_gradient(&gradient, case.output()))
            })
        };
        let packed = PackedWeights::new(case.shape());
        let (weights, bias) = (case.weights(), case.bias());
        let one = Size { images: 1, ..input };
        for choose in [Algorithm::choose, Algorithm::choose_for_kept] {
            assert_eq!(choose(&case.geometry, one, out), choose(&case.geometry, input, out));
        }
        for algorithm in all_for_3x3() {
            let (whole, size) = case.run(Some(algorithm), finish);
            for threads in [1, 2, 3] {
                assert_eq!(pool(threads).install(|| case.run(Some(algorithm), finish)).0[..], whole[..]);
                assert_eq!(gradients(threads), gradients(1));
            }
            for (x, expected) in case.x().chunks(one.values()).zip(whole.chunks(size.values() / 5)) {
                let (weights, geometry) = (packed.with(&weights), &case.geometry);
                let (found, _) = cpu::convolve_by(algorithm, x, one, &weights, &bias, geometry, finish);
                assert_eq!(&found[..], expected);
            }
        }
    }
}

#[test]
fn channels_last_moves_every_value() {
    let size = size(2, 17, 19, 5);
    let x = values(size.values(), 1);
    let found = cpu::channels_last(&x, size);
    for (index, value) in found.iter().enumerate() {
        let (channel, pixel) = (index % 5, index / 5);
        let (image, place) = (pixel / (17 * 19), pixel % (17 * 19));
        assert_eq!(*value, x[(image * 5 + channel) * 17 * 19 + place]);
    }
}

/// The end of a residual block, by every algorithm.
#[test]
fn what_is_added_comes_before_the_relu() {
    for (seed, channels, out) in [(1, 40, 24), (2, 3, 70), (3, 128, 33)] {
        let case = Case { input: size(2, 9, 13, channels), out, geometry: square(3, 1, 1), seed, bf16: true };
        let added = values(case.output().values(), seed + 9);
        let sums = case.expected().into_iter().zip(&added);
        let expected: Vec<f64> = sums.map(|(value, added)| (value + f64::from(*added)).max(0.0)).collect();
        let finish = Finish { added: Some(&added), relu: true, pool: false };
        for algorithm in all_for_3x3() {
            let (found, _) = case.run(Some(algorithm), finish);
            assert!(relative_error(&found, &expected) <= WINOGRAD, "{algorithm:?}");
        }
    }
}

/// As in PyTorch: a ReLU or a largest value that took a number instead would make a wrong score of an overflow.
#[test]
fn what_is_not_a_number_stays_so() {
    let input = size(1, 12, 12, 40);
    let case = Case { input, out: 24, geometry: square(3, 1, 1), seed: 5, bf16: false };
    // The outputs whose kernels cover one of these pixels, at the left and at the right of a square.
    for at in [[3, 4], [6, 7]] {
        let mut x = case.x();
        x[(at[0] * input.width + at[1]) * input.channels + 17] = f32::NAN;
        let packed = PackedWeights::new(case.shape());
        let (weights, bias) = (case.weights(), case.bias());
        let weights = packed.with(&weights);
        for algorithm in all_for_3x3() {
            for (pool, shrink) in [(false, 1), (true, 2)] {
                let finish = Finish { relu: true, pool, added: None };
                let (found, size) =
                    cpu::convolve_by(algorithm, &x, input, &weights, &bias, &case.geometry, finish);
                for y in at[0] - 1..=at[0] + 1 {
                    for x in at[1] - 1..=at[1] + 1 {
                        let place = (y / shrink * size.width + x / shrink) * size.channels;
                        let pixel = &found[place..][..size.channels];
                        assert!(pixel.iter().all(|value| value.is_nan()), "{algorithm:?} {finish:?} {y} {x}");
                    }
                }
                assert!(found[..size.channels].iter().all(|value| value.is_finite()), "{algorithm:?}");
            }
        }
    }
    // Each place of a square or window in turn.
    for place in 0..4 {
        let mut x = vec![1.0; 4 * 33];
        x[place * 33..][..33].fill(f32::NAN);
        let square = size(1, 2, 2, 33);
        assert!(cpu::max_pool2(&x, square).0.iter().all(|value| value.is_nan()), "{place}");
        let window = Window { side: 3, stride: 2, padding: 1 };
        assert!(cpu::max_pool(&x, square, window).0.iter().all(|value| value.is_nan()), "{place}");
    }
    assert!(cpu::add_relu(&[f32::NAN, 1.0], &[1.0, f32::NAN]).iter().all(|value| value.is_nan()));
    let (capped, _) =
        cpu::depthwise_relu6(&[f32::NAN; 40], size(1, 1, 1, 40), &[1.0; 40], &[0.0; 40], &square(1, 1, 0));
    assert!(capped.iter().all(|value| value.is_nan()));
}
