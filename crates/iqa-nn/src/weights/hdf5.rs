//! Named arrays of HDF5 files, such as Chainer writes: any depth of groups; contiguous, compact or chunked;
//! gzip, shuffle and checksum filters; 16-, 32- or 64-bit floats of either byte order.

use std::path::Path;

use half::f16;
use hdf5_pure::{Dataset, Datatype, DatatypeByteOrder, File, FloatingPointLayout, FormatError, Group};
use thiserror::Error;

use super::MAX_ELEMENTS;

/// Groups within groups that are followed; a link back to a parent would otherwise never end.
const MAX_DEPTH: usize = 16;
/// Datasets in one file: weights have hundreds.
const MAX_DATASETS: usize = 1 << 16;

/// Why an HDF5 file could not be read.
#[derive(Debug, Error)]
pub(crate) enum Hdf5Failure {
    /// The file cannot be opened or read.
    #[error("cannot read the file: {0}")]
    Io(#[from] std::io::Error),
    /// The file ends before the place that its header gives.
    #[error("the file has {found} bytes of {expected}: it is truncated")]
    Truncated {
        /// Bytes there are.
        found: u64,
        /// Bytes there should be.
        expected: u64,
    },
    /// The structure of the file is damaged, or beyond what the reader knows.
    #[error("{}: {source}", if object.is_empty() { "not a readable HDF5 file" } else { object })]
    Format {
        /// The group or dataset, empty for the file.
        object: String,
        /// The reader's reason.
        #[source]
        source: hdf5_pure::Error,
    },
    /// A group of the old format with a link that has no place of its own.
    #[error("{}: it holds a soft or external link, which is not supported", if group.is_empty() { "/" } else { group })]
    Link {
        /// The group, empty for the outermost.
        group: String,
    },
    /// A dataset holds something else than floats.
    #[error("{dataset} holds {found}, expected IEEE 754 floats of 16, 32 or 64 bits")]
    NotFloat {
        /// The dataset.
        dataset: String,
        /// Its type.
        found: String,
    },
    /// The number of values read is not the product of the extents.
    #[error("{dataset} has extents {shape:?} but {values} values")]
    Inconsistent {
        /// The dataset.
        dataset: String,
        /// Its extents.
        shape: Vec<u64>,
        /// How many values there are.
        values: usize,
    },
    /// The file claims more than any file of weights has.
    #[error("{object}: above the limit of {limit} {what}")]
    Limit {
        /// The group or dataset.
        object: String,
        /// What there is too much of.
        what: &'static str,
        /// How much is allowed.
        limit: u64,
    },
}

/// Name (`conv1/W`, without a leading slash), extents and values of a dataset.
pub(crate) type Array = (String, Vec<usize>, Vec<f32>);

/// Every dataset of the file, which may begin with a block of the user's. Soft and external links are passed over where
/// the format marks them, and refused in groups of the old format.
///
/// Values of 64 bits are rounded to 32, to infinity where they are too large.
pub(crate) fn read_hdf5(path: &Path) -> Result<Vec<Array>, Hdf5Failure> {
    parse(std::fs::read(path)?)
}

pub(crate) fn parse(bytes: Vec<u8>) -> Result<Vec<Array>, Hdf5Failure> {
    let found = bytes.len() as u64;
    let file = File::from_bytes(bytes).map_err(in_object(""))?;
    let expected = file.superblock().eof_address;
    if found < expected {
        return Err(Hdf5Failure::Truncated { found, expected });
    }
    let mut reader = Reader { arrays: Vec::new(), elements: 0 };
    reader.group(&file.root(), "", 0)?;
    Ok(reader.arrays)
}

fn in_object(object: &str) -> impl Fn(hdf5_pure::Error) -> Hdf5Failure {
    move |source| Hdf5Failure::Format { object: object.into(), source }
}

/// As [`in_object`], of a group's links. The reader follows all of them, soft ones to the address that marks none.
fn in_group(group: &str) -> impl Fn(hdf5_pure::Error) -> Hdf5Failure {
    move |source| match source {
        hdf5_pure::Error::Format(
            FormatError::UnexpectedEof { expected: usize::MAX, .. }
            | FormatError::OffsetOverflow { offset: u64::MAX, .. },
        ) => Hdf5Failure::Link { group: group.into() },
        source => in_object(group)(source),
    }
}

struct Reader {
    arrays: Vec<Array>,
    elements: u64,
}

impl Reader {
    fn group(&mut self, group: &Group, prefix: &str, depth: usize) -> Result<(), Hdf5Failure> {
        if depth > MAX_DEPTH {
            let limit = MAX_DEPTH as u64;
            return Err(Hdf5Failure::Limit { object: prefix.into(), what: "nested groups", limit });
        }
        for (name, dataset) in group.iter_datasets().map_err(in_group(prefix))? {
            self.dataset(&dataset, format!("{prefix}{name}"))?;
        }
        for (name, inner) in group.iter_groups().map_err(in_group(prefix))? {
            self.group(&inner, &format!("{prefix}{name}/"), depth + 1)?;
        }
        Ok(())
    }

    fn dataset(&mut self, dataset: &Dataset, name: String) -> Result<(), Hdf5Failure> {
        let extents = dataset.shape().map_err(in_object(&name))?;
        let count = extents.iter().try_fold(1u64, |product, &extent| product.checked_mul(extent));
        let total = count.and_then(|count| count.checked_add(self.elements));
        let (Some(count), Some(total)) = (count, total.filter(|&total| total <= MAX_ELEMENTS)) else {
            return Err(Hdf5Failure::Limit { object: name, what: "elements", limit: MAX_ELEMENTS });
        };
        if self.arrays.len() >= MAX_DATASETS {
            return Err(Hdf5Failure::Limit { object: name, what: "datasets", limit: MAX_DATASETS as u64 });
        }
        let values = floats(dataset, &name)?;
        // Extents fit `usize`: their product is below the limit, unless one of them is 0.
        let shape: Vec<usize> = extents.iter().filter_map(|&extent| extent.try_into().ok()).collect();
        if values.len() as u64 != count || shape.len() != extents.len() {
            return Err(Hdf5Failure::Inconsistent { dataset: name, shape: extents, values: values.len() });
        }
        self.elements = total;
        self.arrays.push((name, shape, values));
        Ok(())
    }
}

/// The layout of 16-bit floats in IEEE 754; the reader knows the others.
const IEEE754_BINARY16: FloatingPointLayout = FloatingPointLayout {
    bit_offset: 0,
    bit_precision: 16,
    exponent_location: 10,
    exponent_size: 5,
    mantissa_location: 0,
    mantissa_size: 10,
    exponent_bias: 15,
};

fn floats(dataset: &Dataset, name: &str) -> Result<Vec<f32>, Hdf5Failure> {
    let datatype = dataset.datatype().map_err(in_object(name))?;
    let not_float = |found: String| Hdf5Failure::NotFloat { dataset: name.into(), found };
    let Datatype::FloatingPoint { size, byte_order, layout } = datatype else {
        return Err(not_float(dataset.dtype().map_err(in_object(name))?.to_string()));
    };
    let half = match byte_order {
        DatatypeByteOrder::LittleEndian => f16::from_le_bytes,
        DatatypeByteOrder::BigEndian => f16::from_be_bytes,
        other => return Err(not_float(format!("floats in the byte order {other:?}"))),
    };
    match size {
        4 if layout == FloatingPointLayout::IEEE754_BINARY32 => dataset.read_f32().map_err(in_object(name)),
        8 if layout == FloatingPointLayout::IEEE754_BINARY64 => dataset.read_f32().map_err(in_object(name)),
        2 if layout == IEEE754_BINARY16 => {
            let bytes = dataset.read_raw().map_err(in_object(name))?;
            Ok(bytes.chunks_exact(2).map(|pair| half([pair[0], pair[1]]).to_f32()).collect())
        }
        _ => Err(not_float(format!(
            "floats of {size} bytes with {} bits of exponent, {} of mantissa and a bias of {}",
            layout.exponent_size, layout.mantissa_size, layout.exponent_bias
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weights::mutants;

    fn fixture(name: &str) -> Vec<u8> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name);
        std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    fn ramp(count: usize) -> Vec<f32> {
        (0..count).map(|i| i as f32).collect()
    }

    #[test]
    fn chainer_file_has_every_parameter() {
        let arrays = parse(fixture("tiny_official_fr.model")).expect("a file of h5py");
        let widths = [3, 4, 4, 8, 8, 16, 16, 32, 32, 64, 64];
        let mut expected = Vec::new();
        for conv in 1..=10 {
            let (inputs, outputs) = (widths[conv - 1], widths[conv]);
            expected.push((format!("conv{conv}/W"), vec![outputs, inputs, 3, 3]));
            expected.push((format!("conv{conv}/b"), vec![outputs]));
        }
        for head in ["", "_a"] {
            expected.push((format!("fc1{head}/W"), vec![64, 192]));
            expected.push((format!("fc1{head}/b"), vec![64]));
            expected.push((format!("fc2{head}/W"), vec![1, 64]));
            expected.push((format!("fc2{head}/b"), vec![1]));
        }
        expected.sort();
        let mut found: Vec<_> = arrays.iter().map(|(name, shape, _)| (name.clone(), shape.clone())).collect();
        found.sort();
        assert_eq!(found, expected);

        // As h5py 3.16 reads them.
        let values = |name: &str| &arrays.iter().find(|array| array.0 == name).expect(name).2;
        assert_eq!(values("conv1/W")[..3], [-0.110_839_844, -0.242_187_5, -0.016_845_703]);
        assert_eq!(values("conv10/W").last(), Some(&-0.014_160_156));
        assert_eq!(values("fc2/b")[..], [49.75]);
    }

    #[test]
    fn types_layouts_and_filters() {
        let arrays = parse(fixture("hdf5_variants.h5")).expect("a file of h5py");
        let array = |name: &str| {
            let (_, shape, values) = arrays.iter().find(|array| array.0 == name).expect(name);
            (shape.clone(), values.clone())
        };
        for name in ["f16", "f64", "f32_big_endian"] {
            assert_eq!(array(name), (vec![5, 7], ramp(35)), "{name}");
        }
        assert_eq!(array("scalar"), (vec![], vec![3.5]));
        assert_eq!(array("deep/er/still/compact"), (vec![3], ramp(3)));
        for name in ["plain", "gzip", "shuffle_gzip", "shuffle_gzip_checksum"] {
            assert_eq!(array(&format!("chunked/{name}")), (vec![33, 21], ramp(33 * 21)), "{name}");
        }
        let (shape, values) = array("chunked/missing");
        assert_eq!(shape, [33, 21]);
        for (i, value) in values.into_iter().enumerate() {
            let written = i / 21 < 8 && i % 21 < 6;
            assert_eq!(value, if written { 1.0 } else { 2.5 }, "element {i}");
        }
        for i in 0..40 {
            assert_eq!(array(&format!("many/entry{i:02}")), (vec![1], vec![i as f32]));
        }
        assert_eq!(arrays.len(), 10 + 40);
    }

    #[test]
    fn newer_format() {
        let mut arrays = parse(fixture("hdf5_v110_format.h5")).expect("a file of h5py");
        arrays.sort_by(|a, b| a.0.cmp(&b.0));
        assert_eq!(arrays[0], ("gzip/W".into(), vec![33, 21], ramp(33 * 21)));
        assert_eq!(arrays[1], ("plain/W".into(), vec![5, 7], ramp(35)));
        assert_eq!(arrays.len(), 2);
    }

    #[test]
    fn what_is_no_float_is_named() {
        let failure = parse(fixture("hdf5_integers.h5")).expect_err("integers");
        assert_eq!(failure.to_string(), "bn/N holds i32, expected IEEE 754 floats of 16, 32 or 64 bits");
    }

    #[test]
    fn a_block_of_the_users_is_passed_over_and_soft_links_are_refused() {
        let arrays = parse(fixture("checkpoints/user_block.h5")).expect("a file of h5py");
        assert_eq!(arrays, [("conv1/W".into(), vec![2, 3], ramp(6))]);
        let failure = parse(fixture("checkpoints/soft_links.h5")).expect_err("a soft link");
        let expected = "conv1/: it holds a soft or external link, which is not supported";
        assert_eq!(failure.to_string(), expected);
    }

    #[test]
    fn floats_of_other_kinds_are_named() {
        let failure = parse(fixture("checkpoints/float_bias.h5")).expect_err("another bias");
        let expected = "W holds floats of 4 bytes with 8 bits of exponent, 23 of mantissa and a bias of 120, expected IEEE \
                        754 floats of 16, 32 or 64 bits";
        assert_eq!(failure.to_string(), expected);
    }

    #[test]
    fn cycle_of_groups_ends() {
        let failure = parse(fixture("hdf5_cycle.h5")).expect_err("a cycle");
        assert!(matches!(failure, Hdf5Failure::Limit { what: "nested groups", .. }), "{failure}");
    }

    #[test]
    fn missing_and_foreign_files() {
        let missing = read_hdf5(Path::new("no/such/file.model")).expect_err("no file");
        assert!(matches!(missing, Hdf5Failure::Io(_)), "{missing}");
        for bytes in [&b""[..], b"\x89HDF\r\n\x1a\n", b"not HDF5, but long enough to hold a header of it"] {
            let failure = parse(bytes.to_vec()).expect_err("not HDF5");
            assert!(matches!(failure, Hdf5Failure::Format { .. }), "{failure}");
        }
    }

    #[test]
    fn truncated_files_are_errors() {
        for name in ["tiny_official_fr.model", "hdf5_v110_format.h5"] {
            let bytes = fixture(name);
            let step = bytes.len() / 300;
            for length in (0..bytes.len()).step_by(step).chain([bytes.len() - 1]) {
                assert!(parse(bytes[..length].to_vec()).is_err(), "{name} cut to {length} bytes");
                // Cut, with a header that agrees: the structure itself is incomplete.
                if length >= 48 && name.ends_with("model") {
                    let mut cut = bytes[..length].to_vec();
                    cut[40..48].copy_from_slice(&(length as u64).to_le_bytes());
                    assert!(parse(cut).is_err(), "{name} cut to {length} bytes, header adjusted");
                }
            }
        }
    }

    #[test]
    fn damaged_files_do_not_panic() {
        for name in ["tiny_official_fr.model", "hdf5_variants.h5", "hdf5_v110_format.h5"] {
            for damaged in mutants(&fixture(name)) {
                // A hit in plain values is no error; extents and counts must agree all the same.
                for (name, shape, values) in parse(damaged).into_iter().flatten() {
                    assert_eq!(shape.iter().product::<usize>(), values.len(), "{name}");
                }
            }
        }
    }
}
