//! The blocks of Inception-v3, their branches in the order in which torchvision concatenates them.

/// A convolution of a branch, by torchvision's name.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unit {
    pub(super) name: &'static str,
    pub(super) out: usize,
    pub(super) kernel: [usize; 2],
    pub(super) stride: usize,
    pub(super) padding: [usize; 2],
}

/// What stands at the head of a branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pool {
    None,
    /// 3x3, stride 1, zeros beyond the border counted.
    Average,
    /// 3x3, stride 2, no padding.
    Max,
}

/// A branch of a block.
#[derive(Clone, Debug)]
pub(super) struct Branch {
    pub(super) pool: Pool,
    pub(super) convs: Vec<Unit>,
    /// Convolutions side by side behind the last of `convs`.
    pub(super) split: Vec<Unit>,
}

impl Branch {
    /// Channels that leave the branch.
    pub(super) fn out(&self, into: usize) -> usize {
        match (self.split.as_slice(), self.convs.last()) {
            ([], None) => into,
            ([], Some(last)) => last.out,
            (split, _) => split.iter().map(|unit| unit.out).sum(),
        }
    }
}

/// A convolution with stride 1 that keeps the size.
fn same(name: &'static str, out: usize, rows: usize, columns: usize) -> Unit {
    Unit { name, out, kernel: [rows, columns], stride: 1, padding: [rows / 2, columns / 2] }
}

/// A 3x3 convolution with stride 2 and no padding.
fn strided(name: &'static str, out: usize) -> Unit {
    Unit { name, out, kernel: [3, 3], stride: 2, padding: [0, 0] }
}

fn branch(convs: Vec<Unit>) -> Branch {
    Branch { pool: Pool::None, convs, split: Vec::new() }
}

fn pooled(pool: Pool, convs: Vec<Unit>) -> Branch {
    Branch { pool, convs, split: Vec::new() }
}

pub(super) fn inception_a(pool_features: usize) -> Vec<Branch> {
    vec![
        branch(vec![same("branch1x1", 64, 1, 1)]),
        branch(vec![same("branch5x5_1", 48, 1, 1), same("branch5x5_2", 64, 5, 5)]),
        branch(vec![
            same("branch3x3dbl_1", 64, 1, 1),
            same("branch3x3dbl_2", 96, 3, 3),
            same("branch3x3dbl_3", 96, 3, 3),
        ]),
        pooled(Pool::Average, vec![same("branch_pool", pool_features, 1, 1)]),
    ]
}

pub(super) fn inception_b() -> Vec<Branch> {
    vec![
        branch(vec![strided("branch3x3", 384)]),
        branch(vec![
            same("branch3x3dbl_1", 64, 1, 1),
            same("branch3x3dbl_2", 96, 3, 3),
            strided("branch3x3dbl_3", 96),
        ]),
        pooled(Pool::Max, Vec::new()),
    ]
}

pub(super) fn inception_c(inner: usize) -> Vec<Branch> {
    vec![
        branch(vec![same("branch1x1", 192, 1, 1)]),
        branch(vec![
            same("branch7x7_1", inner, 1, 1),
            same("branch7x7_2", inner, 1, 7),
            same("branch7x7_3", 192, 7, 1),
        ]),
        branch(vec![
            same("branch7x7dbl_1", inner, 1, 1),
            same("branch7x7dbl_2", inner, 7, 1),
            same("branch7x7dbl_3", inner, 1, 7),
            same("branch7x7dbl_4", inner, 7, 1),
            same("branch7x7dbl_5", 192, 1, 7),
        ]),
        pooled(Pool::Average, vec![same("branch_pool", 192, 1, 1)]),
    ]
}

pub(super) fn inception_d() -> Vec<Branch> {
    vec![
        branch(vec![same("branch3x3_1", 192, 1, 1), strided("branch3x3_2", 320)]),
        branch(vec![
            same("branch7x7x3_1", 192, 1, 1),
            same("branch7x7x3_2", 192, 1, 7),
            same("branch7x7x3_3", 192, 7, 1),
            strided("branch7x7x3_4", 192),
        ]),
        pooled(Pool::Max, Vec::new()),
    ]
}

pub(super) fn inception_e() -> Vec<Branch> {
    let split = |a, b| vec![same(a, 384, 1, 3), same(b, 384, 3, 1)];
    vec![
        branch(vec![same("branch1x1", 320, 1, 1)]),
        Branch {
            pool: Pool::None,
            convs: vec![same("branch3x3_1", 384, 1, 1)],
            split: split("branch3x3_2a", "branch3x3_2b"),
        },
        Branch {
            pool: Pool::None,
            convs: vec![same("branch3x3dbl_1", 448, 1, 1), same("branch3x3dbl_2", 384, 3, 3)],
            split: split("branch3x3dbl_3a", "branch3x3dbl_3b"),
        },
        pooled(Pool::Average, vec![same("branch_pool", 192, 1, 1)]),
    ]
}
