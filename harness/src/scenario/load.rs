//! From paths to scenarios: which files count, what they are called, and everything that can be wrong with a file
//! before its first key.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use super::Scenario;
use super::error::{Error, Source};
use super::file::File;
use super::findings;

/// Largest file read. Scenarios have some hundred bytes.
const FILE_SIZE_MAX: u64 = 1024 * 1024;

/// Reads one scenario.
pub fn load(path: &Path) -> Result<Scenario, Error> {
    if findings::is_list(path) {
        let help = "name the scenarios, or the folder they are in";
        return Err(Error::whole(path, "this file lists findings, it is no scenario", help));
    }
    let text = read(path)?;
    from_text(path, &text)
}

/// Reads a scenario that is in memory; `path` gives its name.
pub fn from_text(path: &Path, text: &str) -> Result<Scenario, Error> {
    let source = Source { path, text: Arc::from(text) };
    let file: File = source.parse()?;
    source.scenario(name(path), Sha256::digest(text.as_bytes()).into(), &file)
}

/// Reads all scenarios of these files and folders, sorted by name. Folders are searched through; a file named twice
/// counts once.
pub fn collect(paths: &[PathBuf]) -> Result<Vec<Scenario>, Error> {
    let mut files = BTreeMap::new();
    for path in paths {
        if path.is_dir() {
            let before = files.len();
            search(path, &mut files)?;
            if files.len() == before {
                let help = "scenarios are files that end in `.yaml`";
                return Err(Error::whole(path, "there is no scenario in this folder", help));
            }
        } else {
            add(path, &mut files);
        }
    }
    let mut scenarios = BTreeMap::<String, Scenario>::new();
    for path in files.values() {
        let scenario = load(path)?;
        if let Some(other) = scenarios.get(&scenario.name) {
            let message = format!("another scenario is called {:?}: {}", scenario.name, other.path.display());
            return Err(Error::whole(path, message, "names come from folder and file: rename one of them"));
        }
        scenarios.insert(scenario.name.clone(), scenario);
    }
    Ok(scenarios.into_values().collect())
}

/// The whole file as text.
pub(super) fn read(path: &Path) -> Result<String, Error> {
    let unreadable = |error: std::io::Error| {
        let help = match error.kind() {
            std::io::ErrorKind::NotFound => "check the path",
            std::io::ErrorKind::PermissionDenied => "check the file's permissions",
            _ => "",
        };
        let what = match error.kind() {
            std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
            _ => format!("cannot be read: {error}"),
        };
        Error::whole(path, what, help)
    };
    let meta = std::fs::metadata(path).map_err(unreadable)?;
    if !meta.is_file() {
        return Err(Error::whole(path, "this is not a file", "name a YAML file, or a folder of them"));
    }
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(unreadable)?;
    file.take(FILE_SIZE_MAX + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > FILE_SIZE_MAX {
        return Err(Error::whole(path, "this file has more than 1 MiB", "scenarios are small: is it the right file?"));
    }
    String::from_utf8(bytes).map_err(|error| {
        let line = 1 + error.as_bytes()[..error.utf8_error().valid_up_to()].iter().filter(|&&b| b == b'\n').count();
        Error::whole(path, format!("line {line} is not UTF-8"), "save the file as UTF-8")
    })
}

/// `topic/behaviour`: the folder and the file, without the extension.
fn name(path: &Path) -> String {
    // `flight4.yaml` alone: its folder has a name nevertheless.
    let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let behaviour = whole.file_stem().map_or("scenario".into(), |stem| stem.to_string_lossy());
    match whole.parent().and_then(Path::file_name) {
        Some(topic) => format!("{}/{behaviour}", topic.to_string_lossy()),
        None => behaviour.into_owned(),
    }
}

fn search(folder: &Path, files: &mut BTreeMap<PathBuf, PathBuf>) -> Result<(), Error> {
    let unreadable = |error: std::io::Error| {
        Error::whole(folder, format!("cannot be searched: {error}"), "check the folder's permissions")
    };
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let path = entry.path();
        // Links to folders are not followed: they can lead in circles.
        if entry.file_type().map_err(unreadable)?.is_dir() {
            search(&path, files)?;
        } else if is_yaml(&path) && !findings::is_list(&path) {
            add(&path, files);
        }
    }
    Ok(())
}

fn add(path: &Path, files: &mut BTreeMap<PathBuf, PathBuf>) {
    let whole = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    files.entry(whole).or_insert_with(|| path.to_owned());
}

fn is_yaml(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml")
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "windtunnel: 1\ngoal: G.\nexpect: [handshake: completes]\n";

    fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        folder
    }

    fn said(path: &Path) -> String {
        let error = collect(&[path.to_owned()]).unwrap_err();
        assert!(error.to_string().starts_with(&error.path().display().to_string()), "{error}");
        let message = error.to_string()[error.path().as_os_str().len()..].to_owned();
        format!("{message}: {}", error.mend())
    }

    #[test]
    fn folders_are_searched_and_sorted_by_name() {
        let good = GOOD.as_bytes();
        let folder = folder(&[
            ("z/a.yaml", good),
            ("b/deep/c.yml", good),
            ("b/a.yaml", good),
            ("findings.yaml", b"not read"),
            ("b/notes.txt", b"not read"),
        ]);
        let paths = [folder.path().to_owned(), folder.path().join("z/a.yaml")];
        let names: Vec<_> = collect(&paths).unwrap().into_iter().map(|scenario| scenario.name).collect();
        assert_eq!(names, ["b/a", "deep/c", "z/a"]);
    }

    #[test]
    fn the_digest_is_of_the_bytes() {
        let path = Path::new("topic/a.yaml");
        let digest = |text: &str| from_text(path, text).unwrap().digest;
        assert_eq!(digest(GOOD), <[u8; 32]>::from(Sha256::digest(GOOD)));
        assert_ne!(digest(GOOD), digest(&format!("{GOOD}# more\n")));
    }

    #[test]
    fn files_that_cannot_be_scenarios_are_refused() {
        let large = vec![b'#'; FILE_SIZE_MAX as usize + 1];
        let folder = folder(&[
            ("text/latin1.yaml", b"windtunnel: 1\ngoal: \xe9\n"),
            ("large/a.yaml", &large),
            ("empty/readme.md", b""),
            ("findings.yaml", b""),
            ("nothing/a.yaml", b""),
        ]);
        let at = |name: &str| said(&folder.path().join(name));
        assert_eq!(at("absent.yaml"), ": there is no such file: check the path");
        assert_eq!(at("text/latin1.yaml"), ": line 2 is not UTF-8: save the file as UTF-8");
        assert_eq!(at("large"), ": this file has more than 1 MiB: scenarios are small: is it the right file?");
        assert_eq!(at("empty"), ": there is no scenario in this folder: scenarios are files that end in `.yaml`");
        assert_eq!(
            at("findings.yaml"),
            ": this file lists findings, it is no scenario: name the scenarios, or the folder they are in"
        );
        let error = load(&folder.path().join("nothing/a.yaml")).unwrap_err();
        assert_eq!((error.to_string().as_str(), error.mend()), ("the file is empty", "begin with `windtunnel: 1`"));
    }

    #[test]
    fn two_scenarios_of_one_name_are_refused() {
        let good = GOOD.as_bytes();
        let folder = folder(&[("one/t/a.yaml", good), ("two/t/a.yaml", good)]);
        let message = said(folder.path());
        assert!(message.starts_with(": another scenario is called \"t/a\": "), "{message}");
    }
}
