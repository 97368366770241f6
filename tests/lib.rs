//! What the tests beside this file share: where things are, and what the environment asks for.
//!
//! | variable | effect on `scenarios` |
//! |---|---|
//! | `WINDTUNNEL_SEED=7` | this seed instead of those of the scenarios |
//! | `WINDTUNNEL_SEEDS=1..50` | these seeds, both included |
//! | `WINDTUNNEL_REPLAY=<token>` | this run alone, with its whole ladder |
//! | `WINDTUNNEL_OUT=<folder>` | where captures of failed runs go, instead of `target/windtunnel` |
#![forbid(unsafe_code)]

use std::env;
use std::path::{Path, PathBuf};

use windtunnel::output::token::Token;

/// The workspace.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package is a folder of the workspace")
}

/// What the environment asks for.
#[derive(Clone, Debug)]
pub struct Options {
    /// These seeds, both included.
    pub seeds: Option<(u64, u64)>,
    /// This run alone.
    pub replay: Option<Token>,
    /// Where captures of failed runs go.
    pub out: PathBuf,
}

impl Options {
    /// Reads the environment; a word that makes no sense is an error, not a default.
    pub fn from_env() -> Result<Self, String> {
        let seed = variable("WINDTUNNEL_SEED")?
            .map(|text| text.parse::<u64>().map_err(|_| format!("WINDTUNNEL_SEED is `{text}`, not a number")))
            .transpose()?;
        let seeds = variable("WINDTUNNEL_SEEDS")?
            .map(|text| {
                range(&text).ok_or_else(|| format!("WINDTUNNEL_SEEDS is `{text}`, not a range such as `1..50`"))
            })
            .transpose()?;
        let replay = variable("WINDTUNNEL_REPLAY")?
            .map(|text| text.parse().map_err(|error| format!("WINDTUNNEL_REPLAY: {error}")))
            .transpose()?;
        let out = variable("WINDTUNNEL_OUT")?.map_or_else(|| root().join("target/windtunnel"), PathBuf::from);
        Ok(Self { seeds: seeds.or(seed.map(|seed| (seed, seed))), replay, out })
    }
}

fn variable(name: &str) -> Result<Option<String>, String> {
    match env::var(name) {
        Ok(value) if value.is_empty() => Ok(None),
        Ok(value) => Ok(Some(value)),
        Err(env::VarError::NotPresent) => Ok(None),
        Err(env::VarError::NotUnicode(_)) => Err(format!("{name} is not text")),
    }
}

fn range(text: &str) -> Option<(u64, u64)> {
    let (first, last) = text.split_once("..")?;
    let (first, last) = (first.parse().ok()?, last.parse().ok()?);
    (first <= last).then_some((first, last))
}

/// All files with an extension below a folder, in the order of their paths; none if there is no such folder.
pub fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in folder.read_dir().into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|found| found == extension) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// All scenario files below a folder; the list of findings is none.
pub fn scenario_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = files(folder, "yaml");
    found.retain(|file| file.file_name().is_some_and(|name| name != "findings.yaml"));
    found
}

/// `topic/behaviour` of a file below a folder.
pub fn name_of(file: &Path, folder: &Path) -> String {
    let relative = file.strip_prefix(folder).unwrap_or(file).with_extension("");
    relative.components().map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/")
}
