//! `iqa.toml`: what a user wants in place of the program's defaults.

use std::env;
use std::error::Error;
use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde::Deserialize;

use crate::opening::split_models;

/// The file in the working folder, and in the user's folder for settings, `iqa-models`.
const NAME: &str = "iqa.toml";
/// Names another file; nothing for none.
const VARIABLE: &str = "IQA_CONFIG";

/// More is no file of settings: a device, say, that does not end.
const MOST_BYTES: u64 = 1 << 20;

/// Each is what the option of its name says, where that is not given.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// The models for images with a reference, with commas; files of weights from the folder of the settings.
    model: Option<String>,
    /// The models for images without one.
    model_without_reference: Option<String>,
    /// [`Self::model`] apart, with the files where they are; nothing where it is not set.
    #[serde(skip)]
    pub(crate) models: Vec<String>,
    /// The same of [`Self::model_without_reference`].
    #[serde(skip)]
    pub(crate) models_without_reference: Vec<String>,
    /// The file itself.
    #[serde(skip)]
    pub(crate) file: Option<PathBuf>,
    device: Option<String>,
    threads: Option<usize>,
    cache: Option<PathBuf>,
}

static CONFIG: OnceLock<Config> = OnceLock::new();

/// That of this run.
pub(crate) fn config() -> &'static Config {
    CONFIG.get_or_init(Config::default)
}

/// Reads the settings, and gives the program with them as its defaults, so that its help shows them.
pub(crate) fn apply(mut program: clap::Command) -> Result<clap::Command, Box<dyn Error>> {
    let Some(path) = path() else { return Ok(program) };
    let wrong = |error: &dyn std::fmt::Display| format!("{}: expected settings: {error}", path.display());
    let mut text = String::new();
    let read = File::open(&path).and_then(|file| file.take(MOST_BYTES).read_to_string(&mut text));
    if read.map_err(|error| format!("{}: {error}", path.display()))? as u64 == MOST_BYTES {
        return Err(wrong(&"found more than a MiB").into());
    }
    let mut config: Config = toml::from_str(&text).map_err(|error| wrong(&error))?;
    if let Some(threads) = config.threads {
        let limit = crate::options::within(1..=crate::MAX_THREADS);
        limit(&threads.to_string()).map_err(|error| wrong(&format!("threads: {error}")))?;
    }
    let folder = path.parent().unwrap_or(Path::new(""));
    let models =
        |text: &Option<String>| text.as_deref().map_or(Vec::new(), |text| weights_below(folder, text));
    config.models = models(&config.model);
    config.models_without_reference = models(&config.model_without_reference);
    config.file = Some(path.clone());
    if let Some(cache) = &config.cache {
        iqa_models::backbones::pretrained::set_default_cache(folder.join(cache));
    }
    if let Some(threads) = config.threads {
        program = program.mut_arg("threads", |argument| argument.default_value(threads.to_string()));
    }
    if let Some(device) = &config.device {
        let names: Vec<String> =
            program.get_subcommands().map(|command| command.get_name().to_owned()).collect();
        for name in names {
            program = program.mut_subcommand(name, |command| {
                if command.get_arguments().all(|argument| argument.get_id() != "device") {
                    return command;
                }
                command.mut_arg("device", |argument| argument.default_value(device.clone()))
            });
        }
    }
    let _ = CONFIG.set(config);
    Ok(program)
}

/// Models with the weights of `NAME=FILE` from the folder of the settings.
fn weights_below(folder: &Path, models: &str) -> Vec<String> {
    let model = |label: String| match label.split_once('=') {
        Some((name, file)) if !file.is_empty() => format!("{name}={}", folder.join(file).display()),
        _ => label,
    };
    split_models(models, folder).into_iter().map(model).collect()
}

/// The file: that of `--config`, which the program's own reading of its options comes too late for, else that of the
/// environment, else the usual ones.
fn path() -> Option<PathBuf> {
    let arguments: Vec<OsString> = env::args_os().collect();
    let given = arguments.iter().enumerate().find_map(|(place, argument)| match argument.to_str()? {
        "--config" => arguments.get(place + 1).map(PathBuf::from),
        other => other.strip_prefix("--config=").map(PathBuf::from),
    });
    if let Some(path) = given {
        return Some(path);
    }
    if let Some(path) = env::var_os(VARIABLE) {
        return (!path.is_empty()).then(|| path.into());
    }
    let settings = etcetera::base_strategy::choose_native_strategy().ok();
    let settings = settings.map(|folders| {
        use etcetera::BaseStrategy;
        folders.config_dir().join("iqa-models").join(NAME)
    });
    [Some(PathBuf::from(NAME)), settings].into_iter().flatten().find(|path| path.is_file())
}
