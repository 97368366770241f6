//! Runs the bodies of the fuzz targets over the inputs that were kept: those that once failed, and the smallest set that
//! reaches what fuzzing has reached.

use std::path::Path;

#[path = "../fuzz/bodies/mod.rs"]
mod bodies;

fn replay(target: &str, body: fn(&[u8])) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpora").join(target);
    let mut files: Vec<_> = std::fs::read_dir(&directory)
        .unwrap_or_else(|error| panic!("{}: {error}", directory.display()))
        .map(|entry| entry.expect("the directory can be read").path())
        .collect();
    files.sort();
    assert!(!files.is_empty(), "no input for {target}");
    for file in files {
        let input = std::fs::read(&file).expect("the file can be read");
        if std::panic::catch_unwind(|| body(&input)).is_err() {
            panic!("{target} fails on {}", file.display());
        }
    }
}

#[test]
fn records() {
    replay("records", bodies::records);
}

#[test]
fn messages() {
    replay("messages", bodies::messages);
}

#[test]
fn reassembly() {
    replay("reassembly", bodies::reassembly);
}

#[test]
fn datagrams() {
    replay("datagrams", bodies::datagrams);
}

#[test]
fn sealed() {
    replay("sealed", bodies::sealed);
}

#[test]
fn calls() {
    replay("calls", bodies::calls);
}
