//! Runs the bodies of the fuzz targets over the inputs that were kept: those that once failed, and the smallest set that
//! reaches what fuzzing has reached.

use std::path::Path;

use dtls_impl::PeerIdentity;
use dtls_impl::wire::ProtocolVersion;

use self::bodies::{Pair, Setup};

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

/// What the byte that picks the setup is worth: without trouble each comes to what it says.
#[test]
fn every_setup_is_what_it_says() {
    for byte in 0..=u8::MAX {
        let (setup, established) = (Setup(byte), [true; 2]);
        let mut pair = Pair::new(setup);
        pair.calm();
        assert_eq!(pair.established, established, "{setup:?}");
        let [client, server] = pair.ends.each_ref().map(|end| end.negotiated().expect("established"));
        assert_eq!([client.resumed, server.resumed], [setup.resumes(); 2], "{setup:?}");
        assert_eq!(client.version, server.version, "{setup:?}");
        assert_eq!(client.version == ProtocolVersion::DTLS1_3, setup.is_dtls13(), "{setup:?}");
        let shown = matches!(server.peer, PeerIdentity::Certificate(_));
        assert_eq!(shown, setup.has_client_certificate(), "{setup:?}");
        let ids = pair.ends.iter().all(|end| !end.connection_ids().is_empty());
        assert_eq!(ids, setup.has_connection_ids(), "{setup:?}");
    }
}
