//! Files that a command leaves behind: each whole or not at all.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use miette::{Report, miette};

/// A folder for results, created before anything is run so that a run is not lost for want of a place.
#[derive(Clone, Debug)]
pub(super) struct Folder {
    root: PathBuf,
}

impl Folder {
    /// Creates it and tries whether it can be written to.
    pub(super) fn create(root: &Path) -> Result<Self, Report> {
        let folder = Self { root: root.to_path_buf() };
        let probe = root.join(".windtunnel-probe");
        let tried =
            fs::create_dir_all(root).and_then(|()| fs::write(&probe, b"")).and_then(|()| fs::remove_file(&probe));
        tried.map_err(|error| unwritable(root, &error))?;
        Ok(folder)
    }

    /// Where it is.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Writes a file below it, under another name first: whoever finds the file finds all of it.
    pub(super) fn write(&self, relative: &str, bytes: &[u8]) -> Result<PathBuf, Report> {
        let path = self.root.join(relative);
        let written = path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| {
            let mut name = path.file_name().unwrap_or_default().to_owned();
            name.push(".part");
            let part = path.with_file_name(name);
            write_and_rename(&part, &path, bytes).inspect_err(|_| {
                let _ = fs::remove_file(&part);
            })
        });
        written.map_err(|error| unwritable(&path, &error))?;
        Ok(path)
    }
}

fn write_and_rename(part: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = fs::File::create(part)?;
    file.write_all(bytes)?;
    drop(file);
    fs::rename(part, path)
}

fn unwritable(path: &Path, error: &io::Error) -> Report {
    miette!(
        help = "choose another folder with `--out DIR`, or make this one writable",
        "cannot write {}: {error}",
        path.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_written_file_is_whole_and_alone() {
        let temp = tempfile::tempdir().unwrap();
        let folder = Folder::create(&temp.path().join("a/b")).unwrap();
        let path = folder.write("topic/file", b"bytes").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"bytes");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
        assert_eq!(fs::read_dir(folder.root()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_in_the_way_of_a_folder_is_said_with_a_mend() {
        let temp = tempfile::tempdir().unwrap();
        let blocked = temp.path().join("file");
        fs::write(&blocked, b"").unwrap();
        let report = Folder::create(&blocked.join("out")).unwrap_err();
        assert!(format!("{report:?}").contains("--out DIR"));
    }
}
