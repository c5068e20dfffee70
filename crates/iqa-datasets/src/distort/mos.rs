//! The mean opinion scores of KADID-10k by type and level, from the table beside this crate's sources.

use std::sync::LazyLock;

/// `type,name,level,mean_mos,std_over_references,references`, computed from the published labels.
const TABLE: &str = include_str!("../kadid10k_mean_mos.csv");

struct Row {
    #[cfg(test)]
    name: &'static str,
    mean_mos: [f32; 5],
    spread: [f32; 5],
}

static ROWS: LazyLock<Vec<Row>> = LazyLock::new(|| {
    let mut rows: Vec<Row> = Vec::new();
    for line in TABLE.lines().skip(1) {
        let fields: Vec<&'static str> = line.split(',').collect();
        let number = |index: usize| -> f32 {
            fields[index].parse().unwrap_or_else(|_| panic!("the built-in table is damaged: {line}"))
        };
        let (kind, level) = (number(0) as usize, number(2) as usize);
        if rows.len() < kind {
            rows.push(Row {
                #[cfg(test)]
                name: fields[1],
                mean_mos: [0.0; 5],
                spread: [0.0; 5],
            });
        }
        rows[kind - 1].mean_mos[level - 1] = number(3);
        rows[kind - 1].spread[level - 1] = number(4);
    }
    rows
});

/// Mean opinion score at the five levels of a type (1 to 25).
pub(super) fn mean_mos(kadid_type: u8) -> [f32; 5] {
    ROWS[usize::from(kadid_type) - 1].mean_mos
}

/// Standard deviation over the photographs at the five levels of a type (1 to 25).
pub(super) fn spread(kadid_type: u8) -> [f32; 5] {
    ROWS[usize::from(kadid_type) - 1].spread
}

#[cfg(test)]
pub(super) fn name(kadid_type: u8) -> &'static str {
    ROWS[usize::from(kadid_type) - 1].name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_whole() {
        assert_eq!(ROWS.len(), 25);
        assert!(ROWS.iter().flat_map(|row| row.mean_mos).all(|mos| (1.0..=5.0).contains(&mos)));
        assert_eq!(mean_mos(1), [4.6122, 4.3817, 2.9111, 1.873, 1.3027]);
        assert_eq!(mean_mos(25)[4], 3.3238);
        assert_eq!(spread(25)[4], 0.3761);
    }
}
