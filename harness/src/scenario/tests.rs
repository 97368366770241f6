//! The whole language in one good file, and a table of bad ones with what is said about each.

use std::path::Path;

use super::*;
use crate::endpoint::{AdaptiveTimer, EarlyData, PathMtu, PskMode, ResumeBy, Resumption};

/// Every key of the language.
const GOOD: &str = r#"
windtunnel: 1
goal: >
  The first transmission of flight 4 is lost;
  the server's timer brings the whole flight again.
clauses: [RFC 6347 §4.2.4, RFC 6347 §4.2.4.1]
seeds: 1..200
golden: true
credentials: {certificate: {key: ed25519, issuer: rsa-2048, certificates: 2, size: 4 KiB, names: [a.example, 192.0.2.1]}}
endpoints:
  both: {mtu: 1024 B, suites: [ECDHE_ECDSA_WITH_AES_128_GCM_SHA256], groups: [x25519, p256], timer: {initial: 1 s}}
  client: {mtu: 512 B, timer: {max: 60 s, adaptive: true}, give-up: 183 s, max-fragment-length: 1024 B}
  server: {cookie: true, timer: {rtt-hint: 2 s, min: 500 ms}, path-mtu: back-off}
network:
  profile: nbiot-ce1
  delay: {base: 60 ms, median: 140 ms, sigma: 0.6}
  loss: {good-to-bad: 1 %, bad-to-good: 20 %, loss-good: 0.2 %, loss-bad: 60 %}
  duplicate: 5 %
  reorder: {share: 10 %, hold: 200 ms}
  rate: {bits: 60 kbit/s, queue: 16 kB}
  ip-mtu: 1358 B
  tells-too-big: true
  order: fifo
  half-duplex: false
  up: {delay: 25 ms, loss: 30 %, rate: 20 kbit/s, order: free}
  down: {delay: {base: 60 ms, uniform: 10 ms}}
  bystanders: [{name: sensor-2, profile: lan, traffic: {every: 1 s, size: 100 B}}, {name: idle}]
faults:
  - drop: {flight: 4, attempt: 1}
  - drop: {message: certificate, fragment: 2, attempt: 1..2, optional: true}
  - duplicate: {from: client, flight: 5, copies: 2, after: 10 ms, times: 3}
  - delay: {flight: 5, datagram: 1, by: 300 ms}
  - hold: {flight: 4, epoch: 0, behind: 2, at-most: 500 ms}
  - drop: {after-time: 1 s, before-time: 2 s}
  - blackhole: {from: server, start: 10 s, end: 20 s, optional: true}
workload: {messages: 2, size: 128 B, interval: 50 ms, close: none}
duration: 10 min
expect:
  - handshake: completes
  - handshake: {result: fails, who: client, at: 75 ms}
  - handshake: {result: unfinished, after: 1 s, within: 2 s}
  - flights: [1, 2, 3, 4, 5, 6]
  - messages: [client_hello, hello_verify_request, client_hello]
  - transmissions: {flight: 4, count: 2, at: [75 ms, 1075 ms]}
  - transmissions: {flight: 1, gaps: [1 s, 2 s]}
  - whole-flight: {flight: 4, at-least: 2}
  - spurious: 0
  - spurious: {from: client, count: ..3}
  - datagram-size: {from: server, at-most: 1024 B, reaches: 1000 B}
  - fragments: {message: certificate, count: 3..}
  - echo: 1..2
  - echo: {count: 2}
  - sent: {message: hello_verify_request, count: 0}
  - alert: {from: client, description: bad_certificate, count: 1}
  - discards: 0
  - discards: {by: server, count: 0..1}
  - struck: {impairment: loss, count: 1.., per: seeds}
"#;

pub(super) fn parse(text: &str) -> Result<Scenario, Error> {
    from_text(Path::new("scenarios/topic/behaviour.yaml"), text)
}

const MS: Duration = Duration::from_millis(1);

#[test]
fn every_key_of_the_language_arrives() {
    let scenario = parse(GOOD).unwrap();
    assert_eq!(scenario.name, "topic/behaviour");
    assert_eq!(
        scenario.goal,
        "The first transmission of flight 4 is lost; the server's timer brings the whole flight again."
    );
    assert_eq!(scenario.clauses, ["RFC 6347 §4.2.4", "RFC 6347 §4.2.4.1"]);
    assert_eq!((scenario.seeds, scenario.golden, scenario.duration), ((1, 200), true, Duration::from_secs(600)));
    let CredentialsSpec::Certificate(shape) = &scenario.credentials else { panic!("{:?}", scenario.credentials) };
    assert_eq!((shape.certificates, shape.size), (2, Some(4096)));
    assert_eq!(shape.names, ["a.example", "192.0.2.1"]);

    assert_eq!((scenario.client.mtu, scenario.server.mtu), (512, 1024));
    assert_eq!(scenario.client.timer_initial, Some(Duration::from_secs(1)));
    assert_eq!((scenario.client.timer_max, scenario.server.timer_max), (Some(Duration::from_secs(60)), None));
    assert_eq!((scenario.client.give_up, scenario.server.give_up), (Some(Duration::from_secs(183)), None));
    assert_eq!(scenario.server.groups, [Group::X25519, Group::P256]);
    let (client, server) = (&scenario.client.features, &scenario.server.features);
    assert_eq!((client.max_fragment_length, server.max_fragment_length), (Some(1024), None));
    assert_eq!((client.path_mtu, server.path_mtu), (None, Some(PathMtu::BackOff)));
    assert_eq!(client.adaptive_timer, Some(AdaptiveTimer::default()));
    let hinted = AdaptiveTimer { rtt_hint: Some(2000 * MS), min: Some(500 * MS) };
    assert_eq!(server.adaptive_timer, Some(hinted));

    let Network { up, down, half_duplex, bystanders, profile, nat: _ } = &scenario.network;
    assert_eq!((profile.as_str(), *half_duplex, up.ip_mtu), ("nbiot-ce1", false, 1358));
    assert!(up.tells_too_big && down.tells_too_big);
    assert_eq!(up.delay, Delay { base: 25 * MS, spread: Spread::None });
    assert_eq!(up.loss, Loss::Bernoulli(ratio(30)));
    assert_eq!((up.order, down.order), (Order::Free, Order::Fifo));
    // A rate without a queue keeps the queue that was there.
    assert_eq!(up.rate, Some(Rate { bits_per_second: 20_000, queue_bytes: 16_000 }));
    assert_eq!(down.rate, Some(Rate { bits_per_second: 60_000, queue_bytes: 16_000 }));
    assert_eq!(down.delay, Delay { base: 60 * MS, spread: Spread::Uniform(10 * MS) });
    assert_eq!(
        down.loss,
        Loss::GilbertElliott {
            p_gb: ratio(1),
            p_bg: ratio(20),
            h_g: Ratio { parts_per_trillion: 2_000_000_000 },
            h_b: ratio(60)
        }
    );
    assert_eq!(down.reorder, Some(Reorder { share: ratio(10), hold_max: 200 * MS }));
    assert_eq!(down.duplicate, ratio(5));
    assert_eq!(bystanders[0].traffic, Some((Duration::from_secs(1), 100)));
    assert_eq!(bystanders[1].traffic, None);

    assert_eq!(scenario.faults.len(), 7);
    assert_eq!(
        scenario.faults[1],
        Fault::Hit {
            select: Selector {
                message: Some(Message::Certificate),
                fragment: Some(2),
                attempt: Some((1, 2)),
                ..Selector::default()
            },
            action: Action::Drop,
            times: None,
            optional: true,
        }
    );
    assert_eq!(
        scenario.faults[2],
        Fault::Hit {
            select: Selector { from: Some(Role::Client), flight: Some(5), ..Selector::default() },
            action: Action::Duplicate { copies: 2, after: 10 * MS },
            times: Some(3),
            optional: false,
        }
    );
    assert_eq!(*scenario.workload(), Workload { messages: 2, size: 128, interval: 50 * MS, ..Workload::default() });
    assert_eq!(scenario.expect.len(), 19);
    assert_eq!(
        scenario.expect[0].line as usize,
        1 + GOOD.lines().position(|line| line.contains("- handshake")).unwrap()
    );
    assert_eq!(
        scenario.expect[6].kind,
        Demand::Transmissions {
            flight: 1,
            count: CountCheck { min: 3, max: 3 },
            at: None,
            gaps: Some(vec![1000 * MS, 2000 * MS])
        }
    );
}

fn ratio(percent: u64) -> Ratio {
    Ratio { parts_per_trillion: percent * 10_000_000_000 }
}

const SHORT: &str = "windtunnel: 1\ngoal: Nothing happens.\nexpect:\n  - handshake: completes\n";

#[test]
fn defaults_are_filled_in() {
    let scenario = parse(SHORT).unwrap();
    assert_eq!((scenario.seeds, scenario.golden, scenario.duration), ((1, 1), false, Duration::from_secs(300)));
    assert_eq!(scenario.credentials, CredentialsSpec::Certificate(ChainShape::default()));
    assert_eq!((scenario.client.mtu, scenario.server.cookie), (1200, true));
    let close = Some(Role::Client);
    let workload = Workload { messages: 1, size: 64, interval: 100 * MS, close, ..Workload::default() };
    assert_eq!(*scenario.workload(), workload);
    assert_eq!(scenario.network.profile, "ideal");
    assert_eq!(scenario.network.up, scenario.network.down);
    assert_eq!(scenario.network.up.delay, Delay { base: Duration::ZERO, spread: Spread::None });
}

#[test]
fn round_trips_become_one_demand_for_each_clock() {
    let text = format!("{SHORT}  - round-trips: {{app-send: 3, server-done: 2.5}}\nnetwork: {{delay: 25 ms}}\n");
    let demands: Vec<_> = parse(&text).unwrap().expect.into_iter().map(|expectation| expectation.kind).collect();
    assert_eq!(demands[1], Demand::RoundTrips { clock: Clock::AppSend, halves: 6 });
    assert_eq!(demands[2], Demand::RoundTrips { clock: Clock::ServerDone, halves: 5 });
}

#[test]
fn the_schema_describes_every_key() {
    fn check(value: &serde_json::Value, path: &str, keys: &mut usize) {
        if let Some(properties) = value.get("properties").and_then(|properties| properties.as_object()) {
            for (key, inside) in properties {
                *keys += 1;
                // A step has one key, which its variant describes.
                let described = [inside, value].iter().any(|value| value.get("description").is_some());
                assert!(described, "{path}/{key}");
            }
        }
        let children: Vec<(String, &serde_json::Value)> = match value {
            serde_json::Value::Object(map) => map.iter().map(|(key, value)| (key.clone(), value)).collect(),
            serde_json::Value::Array(list) => list.iter().map(|value| (String::new(), value)).collect(),
            _ => Vec::new(),
        };
        for (key, child) in children {
            check(child, &format!("{path}/{key}"), keys);
        }
    }
    let schema = schema();
    let mut keys = 0;
    check(&schema, "", &mut keys);
    assert!(keys > 100, "{keys} keys");
    let text = schema.to_string();
    assert!(!text.contains("null"), "{text}");
    // What every scenario above uses is there by name.
    for key in ["half-duplex", "after-time", "whole-flight", "good-to-bad", "bystanders", "give-up"] {
        assert!(text.contains(&format!("\"{key}\":")), "{key}");
    }
}

#[test]
fn errors_show_file_place_and_mend() {
    let text = format!("{SHORT}faults:\n  - drop: {{fligth: 4}}\n");
    let report = miette::Report::new(parse(&text).unwrap_err());
    let mut shown = String::new();
    let handler = miette::GraphicalReportHandler::new_themed(miette::GraphicalTheme::unicode_nocolor());
    handler.render_report(&mut shown, report.as_ref()).unwrap();
    for part in
        ["unknown key `fligth`", "scenarios/topic/behaviour.yaml:6:12", "did you mean `flight`?", "- drop: {fligth: 4}"]
    {
        assert!(shown.contains(part), "{part} in\n{shown}");
    }
}

#[test]
fn a_scenario_of_dtls_1_3_has_its_own_suites_messages_and_epochs() {
    let good = |rest: &str| parse(&format!("{SHORT}{rest}")).map(|scenario| scenario.dtls);
    for dtls in ["dtls: '1.3'\n", "dtls: 1.3\n"] {
        assert_eq!(good(dtls).unwrap(), Dtls::V13);
    }
    assert_eq!(good("").unwrap(), Dtls::V12);
    let said = |rest: &str| parse(&format!("{SHORT}dtls: '1.3'\n{rest}\n")).unwrap_err().to_string();
    for (rest, part) in [
        ("endpoints: {both: {suites: [PSK_WITH_AES_128_CCM_8]}}", "no suite"),
        ("faults: [drop: {message: change_cipher_spec}]", "no such datagram"),
        ("faults: [drop: {message: key_update}]", "not sent"),
        ("faults: [drop: {flight: 6}]", "no flight 6"),
        ("faults: [drop: {epoch: 1}]", "no record has epoch 1"),
        ("faults: [drop: {message: finished, epoch: 0}]", "never in epoch 0"),
    ] {
        assert!(said(rest).contains(part), "{rest}: {}", said(rest));
    }
    assert!(good("dtls: '1.3'\nfaults: [drop: {message: encrypted_extensions, epoch: 2}]\n").is_ok());
    assert!(good("dtls: '1.3'\nendpoints: {both: {suites: [AES_128_GCM_SHA256]}}\n").is_ok());
    let whole = SHORT.replace("handshake: completes", "whole-flight: {flight: 4}");
    assert!(parse(&format!("{whole}dtls: '1.3'\n")).unwrap_err().to_string().contains("not acknowledged"));
}

#[test]
fn visits_are_counted_or_listed_and_faults_mean_the_last() {
    let good = |rest: &str| parse(&format!("{SHORT}{rest}\n")).unwrap_or_else(|error| panic!("{rest}: {error}"));
    let twice = good("workload: {messages: 3}\nvisits: 2\nfaults: [drop: {flight: 1}]");
    assert_eq!(twice.visits.len(), 2);
    assert_eq!(twice.visits[1].begin, Begin::After(Duration::from_secs(1)));
    assert_eq!(twice.visits[0].workload, twice.visits[1].workload);
    assert!(matches!(&twice.faults[0], Fault::Hit { select, .. } if select.visit == Visit(2)));

    let listed = good(
        "dtls: 1.3\nworkload: {messages: 3, interval: 1 s, update-keys: {by: both, after: 2, request-peer: true}}\n\
         endpoints: {server: {resumption: {count: 2, lifetime: 1 h}, early-data: {window: 5 s}}, both: {psk-modes: [psk-ke]}}\n\
         network: {nat: {lifetime: 30 s, rebind-at: [1 s, 2 s]}}\n\
         visits: [{workload: {close: server, server-messages: 1}}, \
                  {at: 10 s, same-address: true, resume: true, early-data: 100 B}, {after: 2 s}]\n\
         faults: [replay: {visit: 2, message: client_hello, copies: 2, ahead: 5 ms}, drop: {visit: 2, epoch: 1, times: 1}, \
                  replay: {flight: 4, after: 1 s, source: same}, drop: {message: new_session_ticket, epoch: 4}]",
    );
    let [first, second, third] = &listed.visits[..] else { panic!("{:?}", listed.visits) };
    assert_eq!((first.workload.close, first.workload.server_messages), (Some(Role::Server), 1));
    assert_eq!((second.workload.close, second.workload.messages), (Some(Role::Client), 3));
    assert_eq!(second.begin, Begin::At(SimTime::ZERO + Duration::from_secs(10)));
    assert_eq!((second.same_address, second.resume, second.early_data), (true, true, Some(100)));
    assert_eq!((third.begin, third.resume), (Begin::After(Duration::from_secs(2)), false));
    let given = good(
        "dtls: 1.3\nworkload: {messages: 3, new-connection-ids: {by: both, count: 2, immediate: true, after: 2}, \
         request-connection-ids: {by: server, count: 3}}",
    );
    let steps = [
        Step { by: Role::Server, after: 1, ask: Ask::RequestConnectionIds(3) },
        Step { by: Role::Client, after: 2, ask: Ask::ReplaceConnectionIds(2) },
        Step { by: Role::Server, after: 2, ask: Ask::ReplaceConnectionIds(2) },
    ];
    assert_eq!(given.visits[0].workload.steps, steps);
    let ask = Ask::UpdateKeys { request_peer: true };
    assert_eq!(third.workload.steps, Role::BOTH.map(|by| Step { by, after: 2, ask }));
    let nat = listed.network.nat.as_ref().expect("a NAT");
    let at = |seconds| SimTime::ZERO + Duration::from_secs(seconds);
    assert_eq!((nat.lifetime, &nat.rebind_at[..]), (Some(Duration::from_secs(30)), &[at(1), at(2)][..]));
    let features = &listed.server.features;
    let resumption = Resumption { by: ResumeBy::Tickets, count: Some(2), lifetime: Some(Duration::from_secs(3600)) };
    assert_eq!(features.resumption, Some(resumption));
    assert_eq!(
        features.early_data,
        Some(EarlyData { max: 16_384, window: Some(Duration::from_secs(5)), without_cookie: false })
    );
    assert_eq!(
        (&features.psk_modes, &listed.client.features.psk_modes),
        (&vec![PskMode::PskKe], &vec![PskMode::PskKe])
    );
    let Fault::Hit { select, action: Action::Replay { copies: 2, when, source }, .. } = &listed.faults[0] else {
        panic!()
    };
    assert_eq!((select.visit, select.from), (Visit(2), Some(Role::Client)));
    assert_eq!((*when, *source), (ReplayTime::Ahead(5 * MS), Some(crate::addresses::STRANGER)));
}
