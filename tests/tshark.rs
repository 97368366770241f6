//! A second opinion on our captures: tshark opens and decrypts them with nothing but what is in the file, finds nothing
//! malformed, and sees the same messages as our observer.
//!
//! Skipped if there is no tshark, unless `WINDTUNNEL_REQUIRE_TSHARK=1`.

use std::env;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use conformance::{root, scenario_files};
use windtunnel::dissect::{Body, Dissected};
use windtunnel::endpoint::Dtls;
use windtunnel::output::capture::{Addresses, Source, View, pcapng};
use windtunnel::output::row::Verdict;
use windtunnel::plan;
use windtunnel::run::{self, Flight};
use windtunnel::scenario::{self, Scenario};
use windtunnel::stack;

/// What one packet holds: of each record its content type, of handshake records the types of the messages.
#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    content_types: Vec<String>,
    handshake_types: Vec<String>,
    /// Application data, decrypted, in hex.
    data: Vec<String>,
    /// Malformed, or an error in the eyes of the dissector.
    errors: Vec<String>,
}

/// Severity of an expert information that is an error, `PI_ERROR`.
const ERROR: &str = "8388608";

fn tshark_is_there() -> bool {
    let there = Command::new("tshark").arg("--version").output().is_ok_and(|output| output.status.success());
    let required = env::var("WINDTUNNEL_REQUIRE_TSHARK").is_ok_and(|value| value == "1");
    assert!(there || !required, "tshark is required and not installed");
    if !there {
        println!("skipped: tshark is not installed");
    }
    there
}

/// What tshark 4.0 can follow. It takes the unified header of DTLS 1.3 for data of unknown kind; it finds keys by
/// addresses and the client's random, so that a client behind a NAT that moves, or that comes again, is lost to it; and
/// of connection IDs it does not know the length in captures like ours.
fn is_read(scenario: &Scenario) -> bool {
    let moves = scenario.network.nat.is_some() || scenario.visits.len() > 1;
    let ids = [&scenario.client, &scenario.server].iter().any(|end| end.features.connection_id.is_some());
    scenario.dtls == Dtls::V12 && !moves && !ids
}

/// A run of every scenario with every pair. Each has a seed of its own: with equal seeds, clients of several scenarios
/// would share their random, by which tshark looks up secrets.
fn flights() -> Vec<Flight> {
    let load = |file: &std::path::PathBuf| Arc::new(scenario::load(file).expect("checked by the tests of scenarios"));
    let scenarios = scenario_files(&root().join("scenarios"));
    let scenarios: Vec<_> = scenarios.iter().map(load).filter(|scenario| is_read(scenario)).collect();
    let stacks = stack::registry();
    let mut plans = run::plans(&scenarios, &stacks, &stacks, Some((0, 0)));
    for (seed, plan) in (1..).zip(&mut plans) {
        plan.seed = seed;
    }
    plans.iter().map(|plan| run::fly(plan, &[])).filter(|flight| flight.record.is_some()).collect()
}

/// Addresses of its own for each run: tshark takes packets that share an end for one conversation.
fn addresses(index: usize) -> Addresses {
    let offset = u32::try_from(index).expect("some hundreds");
    let host = |first: Ipv4Addr| IpAddr::V4(Ipv4Addr::from(u32::from(first) + offset));
    Addresses {
        client: SocketAddr::new(host(Ipv4Addr::new(10, 0, 0, 1)), plan::CLIENT.port()),
        server: SocketAddr::new(host(Ipv4Addr::new(10, 1, 0, 1)), plan::SERVER.port()),
    }
}

/// What tshark sees in each packet, with the packet's comment. It is told nothing but the name of the file.
fn tshark(file: &Path) -> Vec<(String, Seen)> {
    let fields = [
        "frame.comment",
        "dtls.record.content_type",
        "dtls.handshake.type",
        "data.data",
        "_ws.malformed",
        "_ws.expert.severity",
        "_ws.expert.message",
    ];
    let mut command = Command::new("tshark");
    command.arg("-r").arg(file).args(["-T", "fields", "-E", "occurrence=a", "-E", "aggregator=\u{1f}"]);
    for field in fields {
        command.args(["-e", field]);
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(packet).collect()
}

fn packet(line: &str) -> (String, Seen) {
    let cells: Vec<Vec<String>> = line
        .split('\t')
        .map(|cell| cell.split('\u{1f}').filter(|part| !part.is_empty()).map(str::to_owned).collect())
        .collect();
    let [comment, content_types, handshake_types, data, malformed, severities, messages] = &cells[..] else {
        panic!("{} cells in {line}", cells.len());
    };
    let mut errors = malformed.clone();
    if severities.iter().any(|severity| severity == ERROR) {
        errors.extend(messages.iter().filter(|message| !comment.contains(message)).cloned());
    }
    let seen = Seen {
        content_types: content_types.clone(),
        handshake_types: handshake_types.clone(),
        data: data.clone(),
        errors,
    };
    (comment.concat(), seen)
}

/// The same from our observer.
fn observed(read: &Dissected) -> Seen {
    let mut seen = Seen { errors: read.malformed.iter().cloned().collect(), ..Default::default() };
    for record in &read.records {
        seen.content_types.push(record.content_type.to_string());
        match &record.body {
            Body::Handshake(fragments) => {
                seen.handshake_types.extend(fragments.iter().map(|fragment| fragment.code.to_string()));
            }
            Body::ApplicationData(data) => seen.data.push(data.iter().map(|byte| format!("{byte:02x}")).collect()),
            _ => {}
        }
    }
    seen
}

/// Scenarios in whose captures tshark 4.0 sees records, but not what is in them.
const SEALED: [(&str, &str); 6] = [
    ("handshake/suite_chacha20_poly1305", "it does not open ChaCha20-Poly1305 records of DTLS 1.2"),
    ("handshake/ecdhe_psk", "it does not know the suites of RFC 8442"),
    ("handshake/group_p384", "it does not know the suites of RFC 8442"),
    ("handshake/group_x25519", "it does not know the suites of RFC 8442"),
    ("peers/ecdhe_psk_1_2", "it does not open ChaCha20-Poly1305 records of DTLS 1.2"),
    ("duplication/old_client_hello_returns", "it takes the ClientHello that returns for a new handshake"),
];

/// What tshark says of a fragment sent again, once it has put the message together.
const SENT_AGAIN: &str = "New fragment overlaps old data (retransmission?)";

/// Whether both see the same, as far as tshark can.
fn agree(theirs: &Seen, ours: &Seen, scenario: &str, again: bool) -> bool {
    if SEALED.iter().any(|(sealed, _)| *sealed == scenario) {
        return theirs.content_types == ours.content_types;
    }
    let overlap = |error: &String| error.contains(SENT_AGAIN) || error == "_ws.malformed";
    if again && !theirs.errors.is_empty() && theirs.errors.iter().all(overlap) {
        // It leaves the datagram there.
        return ours.content_types.starts_with(&theirs.content_types)
            && ours.handshake_types.starts_with(&theirs.handshake_types);
    }
    theirs == ours
}

/// Compares the packets of one run with what the observer saw; what differs, in words.
fn compare(flight: &Flight, packets: &mut impl Iterator<Item = (String, Seen)>) -> Vec<String> {
    let record = flight.record.as_ref().expect("only flown ones");
    // A dropped datagram is a packet too, and each copy is one.
    let count = record.trace.sent().map(|(_, sent)| sent.fate.copies.len().max(1)).sum();
    let mut different = Vec::new();
    for _ in 0..count {
        let (comment, theirs) = packets.next().expect("a packet for each copy of each datagram");
        let number = comment.trim_start_matches('#').split(' ').next().and_then(|number| number.parse::<usize>().ok());
        let read = &record.observation.dissected[number.expect("a comment begins with the number")];
        let again = read.attempt > 1 || comment.contains(", copy ");
        let ours = observed(read);
        if !agree(&theirs, &ours, &flight.plan.scenario.name, again) {
            let token = flight.token();
            different.push(format!("{token}\n  {comment}\n  tshark {theirs:?}\n  ours   {ours:?}"));
        }
    }
    different
}

#[test]
fn tshark_reads_decrypts_and_agrees_with_the_observer() {
    if !tshark_is_there() {
        return;
    }
    let flights = flights();
    let sources: Vec<Source<'_>> = flights
        .iter()
        .enumerate()
        .filter_map(|(index, flight)| {
            let record = flight.record.as_ref()?;
            let dissected = &record.observation.dissected;
            Some(Source { trace: &record.trace, dissected, addresses: addresses(index) })
        })
        .collect();
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("all.pcapng");
    fs::write(&file, pcapng(&sources, View::Wire)).unwrap();
    let mut packets = tshark(&file).into_iter();
    let different: Vec<String> = flights.iter().flat_map(|flight| compare(flight, &mut packets)).collect();
    assert_eq!(packets.count(), 0, "no packet is left over");
    report(&different);
}

/// One file for all runs is fast, yet nobody opens it. Of each topic, one file as people get it.
#[test]
fn tshark_reads_single_captures_as_well() {
    if !tshark_is_there() {
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let topic = |flight: &Flight| flight.plan.scenario.name.split('/').next().unwrap_or_default().to_owned();
    let mut flights = flights();
    flights.retain(|flight| flight.verdict == Verdict::Pass);
    flights.dedup_by_key(|flight| topic(flight));
    for flight in &flights {
        let file = place.path().join(format!("{}.pcapng", topic(flight)));
        fs::write(&file, flight.capture(View::Wire).expect("only flown ones")).unwrap();
        report(&compare(flight, &mut tshark(&file).into_iter()));
    }
}

fn report(different: &[String]) {
    let shown = different[..different.len().min(20)].join("\n");
    assert!(different.is_empty(), "{} packets differ:\n{shown}", different.len());
}
