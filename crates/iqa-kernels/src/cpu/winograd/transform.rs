//! The matrices of Winograd's tiles.

use pulp::Simd;

/// The three matrices of a tile size.
pub(in crate::cpu) trait Transform<const IN: usize, const OUT: usize>: Send + Sync {
    /// `G`, from kernel to tile.
    fn kernel_matrix() -> [[f64; 3]; IN];
    /// `B^T d` for one column.
    fn input<S: Simd>(simd: S, d: [S::f32s; IN]) -> [S::f32s; IN];
    /// `A^T m` for one column.
    fn output<S: Simd>(simd: S, m: [S::f32s; IN]) -> [S::f32s; OUT];
    /// `A y` for one column: [`Self::output`] turned round, for gradients.
    fn spread<S: Simd>(simd: S, y: [S::f32s; OUT]) -> [S::f32s; IN];
}

/// `x + factor * y`
#[inline(always)]
fn plus<S: Simd>(simd: S, x: S::f32s, factor: f32, y: S::f32s) -> S::f32s {
    simd.mul_add_e_f32s(simd.splat_f32s(factor), y, x)
}

/// F(4x4, 3x3), with the points 0, A, -A, B, -B and infinity.
///
/// The textbooks' A = 1 and B = 2 round two to four times as much (compared in f32 over random images, among points
/// that f32 holds exactly).
pub(in crate::cpu) struct F4;

const A: f32 = 0.625;
const B: f32 = 1.5;
const A2: f32 = A * A;
const B2: f32 = B * B;

impl Transform<6, 4> for F4 {
    fn kernel_matrix() -> [[f64; 3]; 6] {
        let [a, b] = [A, B].map(f64::from);
        let pair = |x: f64, other: f64| {
            let scale = 1.0 / (2.0 * x * x * (x * x - other * other));
            [[scale, scale * x, scale * x * x], [scale, -scale * x, scale * x * x]]
        };
        let [a_plus, a_minus] = pair(a, b);
        let [b_plus, b_minus] = pair(b, a);
        [[1.0 / (a * a * b * b), 0.0, 0.0], a_plus, a_minus, b_plus, b_minus, [0.0, 0.0, 1.0]]
    }

    #[inline(always)]
    fn input<S: Simd>(simd: S, [a, b, c, d, e, f]: [S::f32s; 6]) -> [S::f32s; 6] {
        let [even_a, odd_a] = [plus(simd, e, -B2, c), plus(simd, d, -B2, b)];
        let [even_b, odd_b] = [plus(simd, e, -A2, c), plus(simd, d, -A2, b)];
        [
            plus(simd, plus(simd, e, -(A2 + B2), c), A2 * B2, a),
            plus(simd, even_a, A, odd_a),
            plus(simd, even_a, -A, odd_a),
            plus(simd, even_b, B, odd_b),
            plus(simd, even_b, -B, odd_b),
            plus(simd, plus(simd, f, -(A2 + B2), d), A2 * B2, b),
        ]
    }

    #[inline(always)]
    fn output<S: Simd>(simd: S, [a, b, c, d, e, f]: [S::f32s; 6]) -> [S::f32s; 4] {
        let zero = simd.splat_f32s(0.0);
        let [sum_a, difference_a] = [simd.add_f32s(b, c), simd.sub_f32s(b, c)];
        let [sum_b, difference_b] = [simd.add_f32s(d, e), simd.sub_f32s(d, e)];
        [
            simd.add_f32s(simd.add_f32s(a, sum_a), sum_b),
            plus(simd, plus(simd, zero, A, difference_a), B, difference_b),
            plus(simd, plus(simd, zero, A2, sum_a), B2, sum_b),
            plus(simd, plus(simd, f, A * A2, difference_a), B * B2, difference_b),
        ]
    }

    #[inline(always)]
    fn spread<S: Simd>(simd: S, [a, b, c, d]: [S::f32s; 4]) -> [S::f32s; 6] {
        let zero = simd.splat_f32s(0.0);
        let [even_a, odd_a] = [plus(simd, a, A2, c), plus(simd, plus(simd, zero, A, b), A * A2, d)];
        let [even_b, odd_b] = [plus(simd, a, B2, c), plus(simd, plus(simd, zero, B, b), B * B2, d)];
        [
            a,
            simd.add_f32s(even_a, odd_a),
            simd.sub_f32s(even_a, odd_a),
            simd.add_f32s(even_b, odd_b),
            simd.sub_f32s(even_b, odd_b),
            d,
        ]
    }
}

/// F(2x2, 3x3), with the points 0, 1, -1.
pub(in crate::cpu) struct F2;

impl Transform<4, 2> for F2 {
    fn kernel_matrix() -> [[f64; 3]; 4] {
        [[1.0, 0.0, 0.0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0.0, 0.0, 1.0]]
    }

    #[inline(always)]
    fn input<S: Simd>(simd: S, [a, b, c, d]: [S::f32s; 4]) -> [S::f32s; 4] {
        [simd.sub_f32s(a, c), simd.add_f32s(b, c), simd.sub_f32s(c, b), simd.sub_f32s(b, d)]
    }

    #[inline(always)]
    fn output<S: Simd>(simd: S, [a, b, c, d]: [S::f32s; 4]) -> [S::f32s; 2] {
        [simd.add_f32s(a, simd.add_f32s(b, c)), simd.sub_f32s(simd.sub_f32s(b, c), d)]
    }

    #[inline(always)]
    fn spread<S: Simd>(simd: S, [a, b]: [S::f32s; 2]) -> [S::f32s; 4] {
        [a, simd.add_f32s(a, b), simd.sub_f32s(a, b), simd.sub_f32s(simd.splat_f32s(0.0), b)]
    }
}
