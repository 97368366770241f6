//! The diagrams in `docs/states.md` have the states that the code has.

use std::collections::BTreeSet;
use std::path::Path;

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Variants of the file's `enum State`.
fn in_code(file: &str) -> BTreeSet<String> {
    let source = read(file);
    let (_, body) = source.split_once("enum State {").expect("a state machine has states");
    let (body, _) = body.split_once("\n}").expect("an enum ends");
    let variant = |line: &str| line.trim().split(['(', ',', ' ']).next().map(str::to_owned);
    body.lines().filter_map(variant).filter(|name| name.starts_with("Wait")).collect()
}

/// States below a heading that start with `Wait`: the others belong to the connection, not to the handshake.
fn in_diagram(heading: &str) -> BTreeSet<String> {
    let document = read("docs/states.md");
    let (_, section) = document.split_once(heading).unwrap_or_else(|| panic!("no section `{heading}`"));
    let diagram = section.split("```").nth(1).expect("a section has a diagram");
    let arrow = |line: &str| line.split(" : ").next().unwrap_or_default().to_owned();
    let names: Vec<String> = diagram.lines().map(arrow).collect();
    let words = names.iter().flat_map(|arrow| arrow.split_whitespace());
    words.filter(|word| word.starts_with("Wait")).map(str::to_owned).collect()
}

#[test]
fn every_state_is_in_its_diagram_and_no_other() {
    for (heading, file) in [
        ("## Client, DTLS 1.2", "src/handshake/client12.rs"),
        ("## Server, DTLS 1.2", "src/handshake/server12.rs"),
        ("## Client, DTLS 1.3", "src/handshake/client13.rs"),
        ("## Server, DTLS 1.3", "src/handshake/server13.rs"),
    ] {
        assert_eq!(in_diagram(heading), in_code(file), "{heading}");
    }
}
