//! The table of timers: certificate handshakes of the native pair over three links, each with four ways to set the
//! retransmission timer, twenty seeds each.
//!
//! Golden: `golden/claims/timers.snap`. It holds what each setting costs in datagrams and bytes, how many retransmissions
//! were for nothing, and how long the handshakes take, the slowest included.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use conformance::root;
use windtunnel::endpoint::Role;
use windtunnel::observe::observe;
use windtunnel::output::row::Verdict;
use windtunnel::plan::Plan;
use windtunnel::run;
use windtunnel::scenario;
use windtunnel::stack;

const SEEDS: u64 = 20;

/// Links: their names, what stands in a scenario for them, and the round trip time that a device there would be told of. On
/// the last it is the flights that take long, at 4 kbit/s.
const LINKS: [(&str, &str, &str); 3] = [
    ("short", "delay: 10 ms, loss: 5 %", "20 ms"),
    ("long", "delay: 800 ms, loss: 5 %", "1600 ms"),
    ("nbiot-ce1", "profile: nbiot-ce1", "4 s"),
];

/// Names of settings, and what stands in a scenario for them.
const TIMERS: [(&str, &str); 4] = [
    ("default, 1 s", "initial: 1 s"),
    ("RFC 7925, 9 s", "initial: 9 s"),
    ("hint", "rtt-hint: RTT, min: 200 ms"),
    ("measured", "adaptive: true"),
];

/// What twenty handshakes come to.
#[derive(Default)]
struct Sums {
    datagrams: usize,
    bytes: usize,
    spurious: usize,
    times: Vec<Duration>,
}

fn fly(version: &str, network: &str, timer: &str) -> Sums {
    let text = format!(
        "windtunnel: 1\ngoal: One row of the table.\nseeds: 1..{SEEDS}\ndtls: {version}\nendpoints: {{both: {{timer: {{{timer}}}, \
         give-up: 1800 s}}}}\nnetwork: {{{network}}}\nworkload: {{messages: 0, close: none}}\nduration: 3600 s\n\
         expect: [handshake: completes]\n"
    );
    let scenario = Arc::new(scenario::from_text(Path::new("timers/table.yaml"), &text).unwrap());
    let native = stack::get("native").unwrap();
    let mut sums = Sums::default();
    for seed in scenario.seeds.0..=scenario.seeds.1 {
        let (client, server) = (Arc::clone(&native), Arc::clone(&native));
        let flight = run::fly(&Plan { scenario: Arc::clone(&scenario), client, server, seed }, &[]);
        assert_eq!(
            flight.verdict,
            Verdict::Pass,
            "{network}, {timer}, seed {seed}: {:?} {:?}",
            flight.failures,
            flight.reason
        );
        let seen = observe(&flight.record.unwrap().trace);
        sums.datagrams += seen.datagrams.len();
        sums.bytes += seen.datagrams.iter().map(|datagram| datagram.size).sum::<usize>();
        let transmissions = seen.flights.iter().flat_map(|flight| &flight.transmissions);
        sums.spurious += transmissions.filter(|transmission| transmission.spurious).count();
        let done = Role::BOTH.map(|role| seen.outcome(role).established.unwrap()).into_iter().max().unwrap();
        sums.times.push(done - seen.started().unwrap());
    }
    sums.times.sort_unstable();
    sums
}

/// To a millisecond.
fn seconds(time: Duration) -> String {
    format!("{}.{:03}", time.as_secs(), time.subsec_millis())
}

#[test]
fn what_each_setting_of_the_timer_costs_on_each_link() {
    let mut table = format!(
        "{:<8} {:<10} {:<14} {:>10} {:>8} {:>9} {:>9} {:>9}\n",
        "version", "link", "timer", "datagrams", "bytes", "spurious", "median", "slowest"
    );
    for version in ["1.2", "1.3"] {
        for (link, network, rtt) in LINKS {
            for (name, timer) in TIMERS {
                let sums = fly(version, network, &timer.replace("RTT", rtt));
                let [median, slowest] = [sums.times.len() / 2, sums.times.len() - 1].map(|at| seconds(sums.times[at]));
                let Sums { datagrams, bytes, spurious, .. } = sums;
                table += &format!(
                    "{version:<8} {link:<10} {name:<14} {datagrams:>10} {bytes:>8} {spurious:>9} {median:>9} {slowest:>9}\n"
                );
            }
        }
    }
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(root().join("golden/claims"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!("timers", table));
}
