//! Weight files whose configuration is damaged: a typed error that names the field, before anything is allocated.

use iqa_models::Device;
use iqa_models::heads::gsn::{Gsn, GsnConfig, PairFusion, ScoreOptions as Crops};
use iqa_models::heads::hiqa::{Hiqa, HiqaConfig, HiqaScoreOptions};
use iqa_models::heads::multi_branch::{Branches, MultiBranch, MultiBranchConfig};
use iqa_models::heads::wadiqam::{Fusion, ScoreOptions, Wadiqam, WadiqamConfig};
use iqa_models::heads::{HeadError, Stored};
use iqa_models::nn::{NamedTensors, NnError};
use iqa_testkit::textured;
use serde_json::{Value, json};

/// How a family of networks is read and scores.
struct Family {
    key: &'static str,
    tensors: NamedTensors,
    /// Reads the network and scores a small pair with it.
    open: fn(NamedTensors) -> Result<(), HeadError>,
}

fn gsn(tensors: NamedTensors) -> Result<(), HeadError> {
    let model = Gsn::from_tensors(tensors, &GsnConfig::new(), &Device::flex())?.fuse();
    model.score(&textured(80, 64, 1), Some(&textured(80, 64, 2)), &Crops::default()).map(drop)
}

fn hiqa(tensors: NamedTensors) -> Result<(), HeadError> {
    let model = Hiqa::from_tensors(tensors, &Device::flex())?;
    model.score(&textured(80, 64, 1), None, &HiqaScoreOptions::default()).map(drop)
}

fn multi_branch(tensors: NamedTensors) -> Result<(), HeadError> {
    let model = MultiBranch::from_tensors(tensors, &MultiBranchConfig::vgg16(), &Device::flex())?;
    model.score(&textured(80, 64, 1), Some(&textured(80, 64, 2))).map(drop)
}

fn wadiqam(tensors: NamedTensors) -> Result<(), HeadError> {
    let model = Wadiqam::from_tensors(tensors, &WadiqamConfig::wadiqam_fr(), &Device::flex())?;
    model.score(&textured(80, 64, 1), Some(&textured(80, 64, 2)), &ScoreOptions::default()).map(drop)
}

fn families() -> [Family; 4] {
    let device = Device::flex();
    let origin = std::path::Path::new("small.safetensors");
    let config = MultiBranchConfig::vgg16().tiny();
    let frp = config.frp().init(&device);
    [
        Family {
            key: "gsn_config",
            tensors: GsnConfig::new().tiny().init(&device).to_tensors(origin).expect("reads"),
            open: gsn,
        },
        Family {
            key: "hiqa_config",
            tensors: HiqaConfig::reduced(4, 64).init(&device).to_tensors(origin).expect("reads"),
            open: hiqa,
        },
        Family {
            key: "multi_branch_config",
            tensors: config.init(frp, &device).to_tensors(origin).expect("reads"),
            open: multi_branch,
        },
        Family {
            key: "wadiqam_config",
            tensors: WadiqamConfig::wadiqam_fr().tiny().init(&device).to_tensors(origin).expect("reads"),
            open: wadiqam,
        },
    ]
}

/// The configuration that a file carries.
fn config(family: &Family) -> Value {
    serde_json::from_str(family.tensors.metadata(family.key).expect("there")).expect("JSON")
}

fn open(family: &Family, config: &Value) -> Result<(), HeadError> {
    (family.open)(family.tensors.clone().with_metadata(family.key, config.to_string()))
}

/// Every place in a configuration, as a JSON pointer.
fn places(value: &Value, at: &str, places: &mut Vec<String>) {
    if !at.is_empty() {
        places.push(at.into());
    }
    match value {
        Value::Array(items) => {
            items
                .iter()
                .enumerate()
                .for_each(|(index, item)| self::places(item, &format!("{at}/{index}"), places));
        }
        Value::Object(fields) => {
            fields.iter().for_each(|(name, field)| self::places(field, &format!("{at}/{name}"), places));
        }
        _ => {}
    }
}

/// What a place is damaged to.
fn absurd(random: usize, now: &Value) -> Value {
    let numbers = [
        0u64,
        1,
        2,
        3,
        7,
        33,
        64,
        100,
        255,
        1 << 10,
        1 << 14,
        1 << 16,
        1_000_000_000,
        1 << 32,
        (1 << 32) + 64,
        1 << 53,
        u64::MAX / 3,
        u64::MAX,
    ];
    match random % 4 {
        0 | 1 => json!(numbers[random / 4 % numbers.len()]),
        2 => match random / 4 % 10 {
            0 => json!(-1),
            1 => json!(1e300),
            2 => json!(-1.7e308),
            3 => json!(0.5),
            4 => json!(""),
            5 => Value::Null,
            6 => json!([]),
            7 => json!([1.7e308, -1.7e308]),
            8 => json!([-1.7e308, 1.7e308]),
            _ => json!({ "a": 1 }),
        },
        _ => match now {
            Value::Number(_) => json!(now.as_f64().unwrap_or(1.0) * [2.0, 0.5, -1.0, 1e9][random / 4 % 4]),
            Value::Bool(flag) => json!(!flag),
            Value::Array(items) => Value::Array(
                items.iter().cycle().take(items.len() * [2, 50, 2000][random / 4 % 3]).cloned().collect(),
            ),
            Value::String(text) => json!(
                [
                    text.to_uppercase().as_str(),
                    "concat",
                    "diff",
                    "frp",
                    "resnet50",
                    "inception_v3",
                    "lower_is_better"
                ][random / 4 % 7]
            ),
            other => other.clone(),
        },
    }
}

/// Peak memory of this process in bytes, where the system tells.
fn peak() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse::<usize>().ok().map(|kilobytes| kilobytes << 10)
}

/// `IQA_MUTANTS` asks for more than these.
const MUTANTS: usize = 80;

#[test]
fn damaged_configurations_neither_panic_nor_allocate() {
    let mutants = std::env::var("IQA_MUTANTS").ok().and_then(|count| count.parse().ok()).unwrap_or(MUTANTS);
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 8) as usize
    };
    for family in families() {
        let sound = config(&family);
        open(&family, &sound).unwrap_or_else(|error| panic!("{}: {error}", family.key));
        let before = peak();
        let mut all = Vec::new();
        places(&sound, "", &mut all);
        let mut refused = 0;
        for _ in 0..mutants {
            let mut damaged = sound.clone();
            for _ in 0..=random() % 2 {
                if let Some(place) = damaged.pointer_mut(&all[random() % all.len()]) {
                    *place = absurd(random(), place);
                }
            }
            if let Err(error) = open(&family, &damaged) {
                refused += 1;
                assert!(error.to_string().len() < 2000, "{error}");
            }
        }
        // Linux adds the count up from each processor's share: a later reading may be the smaller one.
        let growth = peak().zip(before).map_or(0, |(after, before)| after.saturating_sub(before));
        eprintln!("{}: {refused} of {mutants} refused, peak memory grew by {} KB", family.key, growth >> 10);
        assert!(refused > mutants / 2, "{}", family.key);
        assert!(growth < 200 << 20, "{}: {growth} bytes", family.key);
    }
}

#[test]
fn absurd_sizes_are_refused_by_field() {
    for family in families() {
        let sound = config(&family);
        for (key, place, value, field) in [
            ("gsn_config", "/fusion", json!(1_000_000_000u64), "fusion"),
            ("gsn_config", "/crop", json!(1u64 << 32), "crop"),
            ("gsn_config", "/crop", json!((1u64 << 32) + 32), "crop"),
            ("gsn_config", "/grid", json!(1u64 << 33), "grid"),
            ("gsn_config", "/stem", json!(u64::MAX), "stem"),
            ("gsn_config", "/blocks/0/0", json!(1u64 << 40), "blocks"),
            ("gsn_config", "/attention/0", json!(1_000_001), "attention"),
            ("gsn_config", "/range", json!([-1.7e308, 1.7e308]), "range"),
            ("hiqa_config", "/patch", json!(1u64 << 32), "patch"),
            ("hiqa_config", "/patch", json!((1u64 << 32) + 64), "patch"),
            ("hiqa_config", "/generator/width", json!(1u64 << 62), "generator.width"),
            ("hiqa_config", "/generator/stacks", json!(1_000_000_000u64), "generator.stacks"),
            ("hiqa_config", "/regressor/width", json!(1u64 << 61), "regressor.width"),
            ("hiqa_config", "/regressor/hidden", json!(1_000_000_000u64), "regressor.hidden"),
            ("multi_branch_config", "/hidden", json!([1_000_000_000u64]), "hidden"),
            ("multi_branch_config", "/hidden", json!(vec![1; 1000]), "hidden"),
            ("wadiqam_config", "/hidden", json!(1_000_000_000u64), "hidden"),
            ("wadiqam_config", "/blocks/4/1", json!(1u64 << 40), "blocks"),
            ("wadiqam_config", "/blocks/0", json!(vec![4; 100_000]), "blocks"),
        ] {
            if key == family.key {
                let mut damaged = sound.clone();
                *damaged.pointer_mut(place).expect(place) = value;
                let error = open(&family, &damaged).expect_err(place);
                assert!(
                    error.to_string().starts_with("small.safetensors: invalid configuration: "),
                    "{error}"
                );
                let HeadError::StoredConfig { source, .. } = error else { panic!("{place}: {error}") };
                assert!(
                    matches!(*source, HeadError::InvalidConfig { field: found, .. } if found == field),
                    "{place}: {source}"
                );
            }
        }
    }
}

#[test]
fn fields_that_are_not_known_are_refused_by_name() {
    for family in families() {
        let mut config = config(&family);
        config["bogus"] = json!(1);
        let error = open(&family, &config).expect_err(family.key).to_string();
        let expected = format!("small.safetensors: metadata `{}`: expected a configuration", family.key);
        assert!(error.starts_with(&expected) && error.contains("the field `bogus` is unknown"), "{error}");
    }
    let [_, hiqa, ..] = families();
    let mut config = config(&hiqa);
    config["generator"]["bogus"] = json!(1);
    let error = open(&hiqa, &config).expect_err("an unknown field inside").to_string();
    assert!(error.contains("`generator.bogus`"), "{error}");
}

#[test]
fn shares_beyond_their_bounds_are_refused() {
    let [gsn, .., wadiqam] = families();
    for (family, field, values) in
        [(gsn, "theta", [1e30, -0.1, 1.001]), (wadiqam, "weight_epsilon", [1e30, 0.0, 1.001])]
    {
        for value in values {
            let mut damaged = config(&family);
            damaged[field] = json!(value);
            let error = open(&family, &damaged).expect_err(field).to_string();
            assert!(error.contains(&format!("invalid configuration: {field} is ")), "{error}");
        }
    }
}

/// A root of a negative number, and a ReLU behind it that makes 0 of it: nothing of the score would show it.
#[test]
fn variances_below_zero_are_refused_by_name() {
    let mut with_norms = 0;
    for family in families() {
        let names = family.tensors.keys().filter(|key| key.ends_with("running_var"));
        let names: Vec<String> = names.map(str::to_owned).collect();
        for name in &names {
            let mut damaged = family.tensors.clone();
            *damaged.get_mut(name).expect(name).values.last_mut().expect("values") = -1e-3;
            let error = (family.open)(damaged).expect_err(name);
            let HeadError::Nn(NnError::TensorValue { key, found, .. }) = error else {
                panic!("{name}: {error}")
            };
            assert_eq!((&key, found), (name, -1e-3));
        }
        with_norms += usize::from(!names.is_empty());
    }
    assert_eq!(with_norms, 2, "GSN and HIQA");
}

/// Products of them overflow, which a ReLU may make 0.
#[test]
fn enormous_weights_are_refused_by_name() {
    for family in families() {
        for name in family.tensors.keys() {
            let mut damaged = family.tensors.clone();
            *damaged.get_mut(name).expect(name).values.last_mut().expect("values") = 3e38;
            let error = (family.open)(damaged).expect_err(name);
            let HeadError::Nn(NnError::TensorValue { key, found: 3e38, .. }) = error else {
                panic!("{name}: {error}")
            };
            assert_eq!(key, name);
        }
    }
}

#[test]
fn weights_that_lost_their_configuration_say_so() {
    let origin = std::path::Path::new("small.safetensors");
    let tensors = GsnConfig::small().init(&Device::flex()).weights(origin).expect("reads");
    let error = gsn(tensors).expect_err("of another size than the paper's");
    assert!(
        matches!(&error, HeadError::ConfigurationMissing { source: NnError::TensorShape { .. }, .. }),
        "{error}"
    );
    assert!(error.to_string().contains("small.safetensors") && error.to_string().contains("`gsn_config`"));
}

#[test]
fn sizes_that_a_network_may_have_are_compared_with_the_file() {
    for family in families() {
        let sound = config(&family);
        for (key, place, value) in [
            ("gsn_config", "/fusion", json!(16_384)),
            ("gsn_config", "/grid", json!(500)),
            ("gsn_config", "/pair_fusion", json!("concat_diff")),
            ("hiqa_config", "/regressor/hidden", json!(16_384)),
            ("hiqa_config", "/generator/stacks", json!(64)),
            ("multi_branch_config", "/hidden", json!([16_384, 16_384])),
            ("multi_branch_config", "/width_divisor", json!(1)),
            ("multi_branch_config", "/frp_width_divisor", json!(2)),
            ("wadiqam_config", "/hidden", json!(16_384)),
            ("wadiqam_config", "/fusion", json!("concat")),
        ] {
            if key == family.key {
                let mut damaged = sound.clone();
                *damaged.pointer_mut(place).expect(place) = value;
                let error = open(&family, &damaged).expect_err(place);
                let fits = matches!(
                    error,
                    HeadError::Nn(NnError::TensorShape { .. } | NnError::MissingTensor { .. })
                );
                assert!(fits, "{place}: {error}");
            }
        }
    }
}

#[test]
fn the_shapes_of_every_variant_are_those_of_its_network() {
    let device = Device::flex();
    let origin = std::path::Path::new("variant");
    for pair_fusion in [PairFusion::Concat, PairFusion::Diff, PairFusion::ConcatDiff] {
        let config = GsnConfig { pair_fusion, ..GsnConfig::new().tiny() };
        let tensors = config.init(&device).to_tensors(origin).expect("reads");
        Gsn::from_tensors(tensors, &config, &device).expect("fits");
    }
    let whole = HiqaConfig::reduced(4, 64);
    let unfused = HiqaConfig { regressor: whole.regressor.clone().with_fusion(None), ..whole.clone() };
    for config in [whole, unfused, HiqaConfig::baseline(4, 64)] {
        let tensors = config.init(&device).to_tensors(origin).expect("reads");
        Hiqa::from_tensors(tensors, &device).expect("fits");
    }
    for branches in Branches::ALL {
        let config = MultiBranchConfig { branches, ..MultiBranchConfig::vgg16().tiny() };
        let tensors = config.init(config.frp().init(&device), &device).to_tensors(origin).expect("reads");
        MultiBranch::from_tensors(tensors, &config, &device).expect("fits");
    }
    for fusion in [Fusion::DiffOnly, Fusion::Concat, Fusion::ConcatDiff] {
        for config in
            [WadiqamConfig::wadiqam_fr(), WadiqamConfig::diqam_fr(), WadiqamConfig::wadiqam_fr().shallow()]
        {
            let config = WadiqamConfig { fusion, ..config.tiny() };
            let tensors = config.init(&device).to_tensors(origin).expect("reads");
            Wadiqam::from_tensors(tensors, &config, &device).expect("fits");
        }
    }
}

/// Which of two networks would score would be chance.
#[test]
fn a_file_of_two_families_is_refused() {
    for family in families() {
        for other in families() {
            if other.key == family.key {
                continue;
            }
            let both = family.tensors.clone().with_metadata(other.key, config(&other).to_string());
            let Err(error) = (family.open)(both) else { panic!("{} and {}", family.key, other.key) };
            let HeadError::Nn(NnError::Metadata { key, expected, .. }) = error else { panic!("{error}") };
            assert_eq!(key, family.key);
            assert!(expected.contains(other.key), "{expected}");
        }
    }
}
