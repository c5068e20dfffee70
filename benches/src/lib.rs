//! What the benchmarks share: the devices to measure, a training step, and the table of all that Criterion has measured.

pub mod models;
pub mod steps;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use burn::module::Module;
use burn::optim::{GradientsParams, ModuleOptimizer};
use iqa_models::train::Adam;
use iqa_models::{Device, FloatDType, Tensor, available_devices, device_by_name, device_with_float};
use iqa_testkit::workspace_path;

/// Every device of the build, or those that `IQA_DEVICES` names, separated by commas.
///
/// # Panics
/// When a name is not known or not compiled in.
pub fn devices() -> Vec<(String, Device)> {
    let names: Vec<String> = match std::env::var("IQA_DEVICES") {
        Ok(names) => names.split(',').map(str::to_owned).collect(),
        // A machine without an NVIDIA card has these names too.
        Err(_) => {
            available_devices().into_iter().filter(|name| !name.contains("cuda")).map(str::to_owned).collect()
        }
    };
    names.into_iter().map(|name| (name.clone(), open_device(&name))).collect()
}

/// The device of that name, computing in the type that `IQA_FLOAT` names, `f16` or `bf16`; in single precision without.
///
/// # Panics
/// When a name is not known or not compiled in, or when the device does not compute in that type.
pub fn open_device(name: &str) -> Device {
    let opened = match std::env::var("IQA_FLOAT").as_deref() {
        Err(_) => device_by_name(name),
        Ok("f16") => device_with_float(name, FloatDType::F16),
        Ok("bf16") => device_with_float(name, FloatDType::BF16),
        Ok(other) => panic!("IQA_FLOAT is `{other}`, expected f16 or bf16"),
    };
    opened.unwrap_or_else(|error| panic!("{error}"))
}

/// Width and height of the images to score: `IQA_SIZE`, as `512x384`, which is the default.
///
/// # Panics
/// When it is not of that form.
pub fn image_size() -> (u32, u32) {
    let text = std::env::var("IQA_SIZE").unwrap_or_else(|_| "512x384".into());
    let size =
        text.split_once('x').and_then(|(width, height)| Some((width.parse().ok()?, height.parse().ok()?)));
    size.unwrap_or_else(|| panic!("IQA_SIZE is `{text}`, expected a size like 512x384"))
}

/// Forward, backward and Adam, once a call; returns the loss, `[1]`.
pub fn training_step<M: Module>(model: M, loss: impl Fn(&M) -> Tensor<1>) -> impl FnMut() -> Tensor<1> {
    let mut model = Some(model);
    let mut optimiser: ModuleOptimizer = Adam::new(1e-5).into();
    move || {
        let network = model.take().expect("put back below");
        let loss = loss(&network);
        let gradients = GradientsParams::from_grads(loss.backward(), &network);
        model = Some(optimiser.step(1e-4, network, gradients));
        loss.inner()
    }
}

/// Where Criterion keeps its figures.
pub fn criterion_directory() -> PathBuf {
    let from = |name: &str| std::env::var_os(name).map(PathBuf::from);
    from("CRITERION_HOME")
        .or_else(|| Some(from("CARGO_TARGET_DIR")?.join("criterion")))
        .unwrap_or_else(|| workspace_path("target/criterion"))
}

/// All benchmarks whose name ends with a device, as a Markdown table: work down, devices across, median milliseconds of
/// the latest run of each.
pub fn comparison_table(directory: &Path) -> String {
    let mut figures = Vec::new();
    collect(directory, &mut figures);
    let known: Vec<&str> = iqa_models::nn::DEVICE_NAMES.to_vec();
    let mut rows: BTreeMap<&str, BTreeMap<&str, f64>> = BTreeMap::new();
    for (name, nanoseconds) in &figures {
        if let Some((work, device)) = name.rsplit_once('/')
            && known.contains(&device)
        {
            rows.entry(work).or_default().insert(device, nanoseconds / 1e6);
        }
    }
    let devices: Vec<&str> =
        known.into_iter().filter(|device| rows.values().any(|row| row.contains_key(device))).collect();
    let mut table = format!("| ms | {} |\n|---{}|\n", devices.join(" | "), "|---".repeat(devices.len()));
    for (work, row) in &rows {
        let _ = write!(table, "| {work} |");
        for device in &devices {
            let _ = match row.get(device) {
                Some(milliseconds) => write!(table, " {milliseconds:.2} |"),
                None => write!(table, " |"),
            };
        }
        table.push('\n');
    }
    table
}

/// Names and medians in nanoseconds of the figures under a folder; whatever is no figure of Criterion's is passed over.
fn collect(folder: &Path, figures: &mut Vec<(String, f64)>) {
    if folder.ends_with("new") {
        let json = |file: &str| -> Option<serde_json::Value> {
            serde_json::from_slice(&fs::read(folder.join(file)).ok()?).ok()
        };
        if let (Some(benchmark), Some(estimates)) = (json("benchmark.json"), json("estimates.json"))
            && let Some(name) = benchmark["full_id"].as_str()
            && let Some(median) = estimates["median"]["point_estimate"].as_f64()
        {
            figures.push((name.to_owned(), median));
        }
        return;
    }
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.path().is_dir() {
            collect(&entry.path(), figures);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_work_down_and_devices_across() {
        let folder = tempfile::tempdir().expect("a folder");
        for (place, name, median) in [
            ("a/x/flex", "gsn/batch8/flex", 2.5e6),
            ("a/x/libtorch", "gsn/batch8/libtorch", 4e6),
            ("a/y/flex", "gsn/batch1/flex", 1e6),
            ("a/z", "measure/psnr/512x384", 1e6),
        ] {
            let new = folder.path().join(place).join("new");
            fs::create_dir_all(&new).expect("a folder");
            fs::write(new.join("benchmark.json"), format!(r#"{{"full_id":"{name}"}}"#)).expect("writes");
            fs::write(new.join("estimates.json"), format!(r#"{{"median":{{"point_estimate":{median}}}}}"#))
                .expect("writes");
        }
        fs::create_dir_all(folder.path().join("empty/new")).expect("a folder");
        let expected = "| ms | flex | libtorch |\n|---|---|---|\n| gsn/batch1 | 1.00 | |\n| gsn/batch8 | 2.50 | 4.00 |\n";
        assert_eq!(comparison_table(folder.path()), expected);
    }
}
