use super::*;
use Demand as D;

/// One number per kind of demand. A new kind does not compile until it has one, and [`KINDS`] makes it have examples.
fn number(demand: &Demand) -> usize {
    match demand {
        D::Handshake { .. } => 0,
        D::RoundTrips { .. } => 1,
        D::Flights(_) => 2,
        D::Messages(_) => 3,
        D::Transmissions { .. } => 4,
        D::WholeFlight { .. } => 5,
        D::Spurious { .. } => 6,
        D::DatagramSize { .. } => 7,
        D::Fragments { .. } => 8,
        D::Echo { .. } => 9,
        D::Sent { .. } => 10,
        D::Alert { .. } => 11,
        D::Discards { .. } => 12,
        D::Struck { .. } => 13,
        D::Selective { .. } => 14,
        D::Data { .. } => 15,
        D::EarlyData { .. } => 16,
        D::Negotiated { .. } => 17,
        D::Moved { .. } => 18,
    }
}

const KINDS: usize = 19;

fn handshake_is(result: HandshakeResult, who: Option<Role>) -> Demand {
    D::Handshake { result, who, at: TimeCheck::default() }
}

fn completes_at(min: Option<u64>, max: Option<u64>) -> Demand {
    let at = TimeCheck { min: min.map(ms), max: max.map(ms) };
    D::Handshake { result: HandshakeResult::Completes, who: None, at }
}

fn clock(clock: Clock, halves: u32) -> Demand {
    D::RoundTrips { clock, halves }
}

fn sent_again(flight: u8, count: u64, at: Option<&[u64]>, gaps: Option<&[u64]>) -> Demand {
    D::Transmissions {
        flight,
        count: exactly(count),
        at: at.map(|at| at.iter().map(|at| ms(*at)).collect()),
        gaps: gaps.map(|gaps| gaps.iter().map(|gap| Duration::from_millis(*gap)).collect()),
    }
}

fn size(from: Option<Role>, at_most: u32, reaches: Option<u32>) -> Demand {
    D::DatagramSize { from, at_most, reaches }
}

fn alert(from: Option<Role>, description: &str, count: u64) -> Demand {
    D::Alert { from, description: description.into(), count: exactly(count) }
}

fn struck(impairment: Impairment, count: u64) -> Demand {
    D::Struck { impairment, count: exactly(count), per: Per::Run }
}

const fn selective(at_least: u32) -> Demand {
    D::Selective { flight: 4, at_least }
}

const fn early(delivered: Option<u64>, accepted: Option<bool>) -> Demand {
    let delivered = match delivered {
        Some(count) => Some(exactly(count)),
        None => None,
    };
    D::EarlyData { delivered, accepted }
}

fn agreed(who: Option<Role>, resumed: Option<bool>, peer: Option<bool>, alpn: Option<&str>) -> Demand {
    D::Negotiated { who, resumed, peer, alpn: alpn.map(str::to_owned) }
}

/// The second half of flight 4 of DTLS 1.3 comes again.
fn second_half() -> Story {
    let [.., second, finished] = flight4_of_13(1, 5, 4);
    acknowledged13(&[second, finished])
}

/// Early data is taken, and a copy of it in another association as well.
fn early_twice() -> Story {
    let mut story = Story::default();
    story.note(What::AppSendEarly(b"now".to_vec()));
    for millis in [25, 40] {
        story.at(millis).report(SERVER, EndpointEvent::EarlyData(b"now".to_vec()));
    }
    story.at(50).report(CLIENT, EndpointEvent::EarlyDataAnswer { accepted: true });
    story
}

/// The client resumes, authenticated, and speaks a protocol; then it moves.
fn agreeing() -> Story {
    let mut story = abbreviated();
    story.report(SERVER, EndpointEvent::Negotiated(Negotiated::Resumed));
    story.report(SERVER, EndpointEvent::Negotiated(Negotiated::Peer("sensor".into())));
    story.report(SERVER, EndpointEvent::Negotiated(Negotiated::Alpn("coap".into())));
    story.at(500).report(SERVER, EndpointEvent::PeerMoved("192.0.2.7:5000".parse().unwrap()));
    story
}

/// Flight 4 sent twice, the first time in vain.
fn repeated() -> Story {
    let mut story = cookie_exchange();
    flight4(1).iter().for_each(|datagram| _ = story.at(75).lose(SERVER, datagram));
    flight4(5).iter().for_each(|datagram| _ = story.at(1075).send(SERVER, datagram));
    story
}

/// Flight 1 sent twice without need.
fn hasty() -> Story {
    let mut story = Story::default();
    story.at(0).send(CLIENT, &flight1(0)).at(10).send(CLIENT, &flight1(1));
    story
}

/// The client gives up.
fn given_up() -> Story {
    let mut story = Story::default();
    story.at(0).lose(CLIENT, &flight1(0)).at(1000).report(CLIENT, EndpointEvent::Failed("timed out".into()));
    story
}

fn closed() -> Story {
    let mut story = full();
    story.at(300).send(CLIENT, &protected(CLIENT, 21, 2, &[1, 0]));
    story
}

fn discarding() -> Story {
    let mut story = full();
    story.at(300).report(SERVER, EndpointEvent::Discarded("replayed".into()));
    story
}

/// Demands that hold, each with its trace.
fn holds() -> Vec<(Demand, Story)> {
    use HandshakeResult::{Completes, Fails, Unfinished};
    let messages = vec![
        Message::ClientHello,
        Message::HelloVerifyRequest,
        Message::ServerHello,
        Message::Certificate,
        Message::ServerHelloDone,
        Message::ClientKeyExchange,
        Message::ChangeCipherSpec,
        Message::Finished,
    ];
    let finished = Selector { message: Some(Message::Finished), ..Selector::default() };
    vec![
        (handshake_is(Completes, None), full()),
        (handshake_is(Completes, Some(SERVER)), full()),
        (completes_at(Some(150), Some(150)), full()),
        (handshake_is(Fails, None), given_up()),
        (handshake_is(Fails, Some(CLIENT)), given_up()),
        (handshake_is(Unfinished, None), hellos()),
        (handshake_is(Unfinished, Some(SERVER)), given_up()),
        (clock(Clock::AppSend, 6), full()),
        (clock(Clock::ServerDone, 5), full()),
        (clock(Clock::Confirmed, 6), full()),
        (clock(Clock::AppReply, 8), full()),
        (clock(Clock::AppSend, 4), without_cookie()),
        (clock(Clock::ServerDone, 3), without_cookie()),
        (clock(Clock::Confirmed, 4), without_cookie()),
        (clock(Clock::AppSend, 2), abbreviated()),
        (clock(Clock::ServerDone, 3), abbreviated()),
        (D::Flights(vec![1, 2, 3, 4, 5, 6]), full()),
        (D::Flights(vec![1, 4, 5, 6]), without_cookie()),
        (D::Flights(vec![1, 4, 5]), abbreviated()),
        (D::Messages(messages), full()),
        (sent_again(4, 2, Some(&[75, 1075]), Some(&[1000])), repeated()),
        (sent_again(5, 0, None, None), repeated()),
        (D::WholeFlight { flight: 4, at_least: 1 }, repeated()),
        (D::WholeFlight { flight: 4, at_least: 0 }, full()),
        (D::Spurious { from: None, count: exactly(0) }, repeated()),
        (D::Spurious { from: Some(CLIENT), count: exactly(1) }, hasty()),
        (D::Spurious { from: Some(SERVER), count: exactly(0) }, hasty()),
        (size(None, 238, Some(238)), full()),
        (size(Some(CLIENT), 100, None), full()),
        (D::Fragments { message: Message::Certificate, count: exactly(2) }, repeated()),
        (D::Fragments { message: Message::ChangeCipherSpec, count: exactly(1) }, full()),
        (D::Echo { count: exactly(1) }, full()),
        (D::Sent { select: finished.clone(), connection_id: None, count: exactly(2) }, full()),
        (D::Sent { select: finished, connection_id: None, count: exactly(0) }, hellos()),
        (alert(Some(CLIENT), "close_notify", 1), closed()),
        (alert(None, "handshake_failure", 0), closed()),
        (D::Discards { by: Some(SERVER), count: exactly(1) }, discarding()),
        (D::Discards { by: Some(CLIENT), count: exactly(0) }, discarding()),
        (struck(Impairment::Loss, 2), repeated()),
        (struck(Impairment::Duplicate, 0), repeated()),
        (selective(1), second_half()),
        (selective(0), full13()),
        (clock(Clock::AppSend, 4), full13()),
        (clock(Clock::ServerDone, 5), full13()),
        (clock(Clock::Confirmed, 6), full13()),
        (D::Flights(vec![1, 2, 3, 4, 5]), full13()),
        (D::Data { to: None, count: exactly(2) }, full()),
        (D::Data { to: Some(SERVER), count: exactly(1) }, full()),
        (D::Data { to: None, count: exactly(0) }, abbreviated()),
        (early(Some(2), Some(true)), early_twice()),
        (early(Some(0), None), full13()),
        (agreed(Some(SERVER), Some(true), Some(true), Some("coap")), agreeing()),
        (agreed(Some(CLIENT), Some(false), Some(false), Some("")), agreeing()),
        (D::Moved { by: Some(SERVER), count: exactly(1) }, agreeing()),
        (D::Moved { by: Some(CLIENT), count: exactly(0) }, agreeing()),
    ]
}

/// Demands that do not hold, each with its trace, who is to blame, and a part of what is said.
fn trips() -> Vec<(Demand, Story, Option<Role>, &'static str)> {
    use HandshakeResult::{Completes, Fails, Unfinished};
    let never = "the server was neither established nor failed by 0.100000000";
    let select = |flight| Selector { flight: Some(flight), ..Selector::default() };
    vec![
        (handshake_is(Completes, None), given_up(), Some(CLIENT), "the client failed at 1.000000000: timed out"),
        (handshake_is(Completes, Some(SERVER)), hellos(), Some(SERVER), never),
        (completes_at(Some(151), None), full(), None, "completed at 0.150000000, before 0.151000000"),
        (completes_at(None, Some(149)), full(), None, "completed at 0.150000000, after 0.149000000"),
        (handshake_is(Fails, None), full(), Some(CLIENT), "the client was established at 0.150000000"),
        (handshake_is(Fails, Some(SERVER)), given_up(), Some(SERVER), "neither established nor failed"),
        (handshake_is(Unfinished, None), full(), Some(CLIENT), "was established"),
        (handshake_is(Unfinished, Some(CLIENT)), given_up(), Some(CLIENT), "failed at"),
        (
            D::Handshake { result: Unfinished, who: None, at: TimeCheck { min: Some(ms(1)), max: None } },
            hellos(),
            None,
            "not to end",
        ),
        (clock(Clock::AppSend, 4), full(), Some(CLIENT), "AppSend after 150ms, not 100ms (2 round trips)"),
        (clock(Clock::ServerDone, 6), full(), Some(SERVER), "125ms"),
        (clock(Clock::AppReply, 6), without_cookie(), Some(CLIENT), "never stopped"),
        (clock(Clock::AppSend, 6), Story::default(), None, "no ClientHello"),
        (clock(Clock::Confirmed, 2), abbreviated(), None, "abbreviated"),
        (D::Flights(vec![1, 2, 3, 4, 5, 6]), hellos(), None, "flights [1, 2, 3, 4]"),
        (D::Messages(vec![Message::ClientHello]), full(), None, "message 2 is hello_verify_request, not nothing"),
        (D::Messages(vec![Message::ClientHello, Message::ServerHello]), full(), None, "not server_hello"),
        (D::Messages(vec![Message::ClientHello]), Story::default(), None, "message 1 is nothing, not client_hello"),
        (sent_again(4, 1, None, None), repeated(), Some(SERVER), "sent 2 times, not exactly 1 (sent at 0.075000000,"),
        (sent_again(4, 2, Some(&[75, 1076]), None), repeated(), Some(SERVER), "instants"),
        (sent_again(4, 2, Some(&[75]), None), repeated(), Some(SERVER), "instants"),
        (sent_again(4, 2, None, Some(&[999])), repeated(), Some(SERVER), "came after [1s], not [999ms]"),
        (sent_again(4, 0, Some(&[75]), None), Story::default(), None, "instants"),
        (D::WholeFlight { flight: 4, at_least: 2 }, repeated(), None, "sent again 1 times, not at least 2"),
        (D::WholeFlight { flight: 6, at_least: 1 }, Story::default(), None, "sent again 0 times"),
        (
            D::WholeFlight { flight: 4, at_least: 1 },
            hellos().at(1075).send(SERVER, &flight4(5)[0]).clone(),
            Some(SERVER),
            "transmission 2 of flight 4 at 1.075000000 lacks all or some of certificate (message_seq 2)",
        ),
        (
            D::WholeFlight { flight: 1, at_least: 1 },
            Story::default().send(CLIENT, &flight1(0)).at(1000).send(CLIENT, &flight1(0)).clone(),
            Some(CLIENT),
            "has record 0/0 again",
        ),
        (
            D::WholeFlight { flight: 5, at_least: 1 },
            full().at(1000).send(CLIENT, &change_cipher_spec(9)).clone(),
            Some(CLIENT),
            "lacks all or some of client_key_exchange",
        ),
        (
            D::Spurious { from: None, count: exactly(0) },
            hasty(),
            None,
            "first transmission 2 of flight 1 at 0.010000000",
        ),
        (D::Spurious { from: None, count: at_least(1) }, repeated(), None, "0 retransmissions"),
        (size(None, 237, None), full(), Some(SERVER), "datagram #3 of the server at 0.075000000: 238 bytes"),
        (size(Some(CLIENT), 238, Some(238)), full(), Some(CLIENT), "does not reach 238"),
        (size(None, 1200, None), Story::default(), None, "no datagram was sent"),
        (D::Fragments { message: Message::Certificate, count: at_least(3) }, repeated(), Some(SERVER), "2 fragments"),
        (D::Fragments { message: Message::Certificate, count: at_least(0) }, without_cookie(), None, "no certificate"),
        (D::Echo { count: exactly(1) }, without_cookie(), None, "0 messages came back to the client, not exactly 1"),
        (
            D::Echo { count: exactly(2) },
            full().report(CLIENT, EndpointEvent::Data(b"windtunnel 0000".to_vec())).clone(),
            None,
            "1 messages",
        ),
        (
            D::Sent { select: select(4), connection_id: None, count: exactly(0) },
            full(),
            None,
            "2 datagrams of this kind were sent",
        ),
        (
            D::Sent { select: select(4), connection_id: None, count: exactly(0) },
            full(),
            None,
            "first datagram #3 of the server",
        ),
        (D::Sent { select: select(6), connection_id: None, count: at_least(1) }, hellos(), None, "0 datagrams"),
        (alert(None, "close_notify", 0), closed(), None, "1 close_notify alerts, not exactly 0, first datagram #9"),
        (alert(Some(SERVER), "close_notify", 1), closed(), None, "0 close_notify"),
        (alert(None, "no_such_alert", 0), closed(), None, "there is no alert no_such_alert"),
        (D::Discards { by: None, count: exactly(0) }, discarding(), None, "by the server at 0.300000000: replayed"),
        (struck(Impairment::Loss, 0), repeated(), None, "Loss struck 2 times, not exactly 0"),
        (struck(Impairment::Reordered, 1), full(), None, "Reordered struck 0 times"),
        (struck(Impairment::QueueFull, 1), full(), None, "QueueFull"),
        (struck(Impairment::Mtu, 1), full(), None, "Mtu"),
        (struck(Impairment::Duplicate, 1), full(), None, "Duplicate"),
        (selective(2), second_half(), Some(SERVER), "sent again 1 times, not at least 2"),
        (selective(1), Story::default(), None, "flight 4 was not sent"),
        (
            selective(1),
            acknowledged13(&flight4_of_13(1, 5, 4)[3..4]),
            Some(SERVER),
            "at 0.135000000 lacks finished (message_seq 4) from byte 0 on",
        ),
        (
            selective(1),
            acknowledged13(&flight4_of_13(1, 5, 4)[2..]),
            Some(SERVER),
            "repeats though it is acknowledged certificate (message_seq 3) from byte 0 on",
        ),
        (D::Data { to: None, count: exactly(0) }, full(), None, "2 messages of application data were delivered"),
        (D::Data { to: Some(CLIENT), count: exactly(2) }, full(), None, "first to the client at 0.200000000"),
        (early(Some(1), None), early_twice(), None, "2 times early data was delivered, not exactly 1, first at 0.025"),
        (early(None, Some(false)), early_twice(), Some(CLIENT), "early data was accepted, not refused"),
        (early(None, Some(false)), full13(), Some(CLIENT), "no early data was sent"),
        (agreed(None, Some(true), None, None), agreeing(), Some(CLIENT), "the client has not resumed a session"),
        (agreed(Some(SERVER), Some(false), None, None), agreeing(), Some(SERVER), "has resumed a session"),
        (agreed(Some(SERVER), None, Some(false), None), agreeing(), Some(SERVER), "has authenticated peer sensor"),
        (agreed(Some(CLIENT), None, Some(true), None), agreeing(), Some(CLIENT), "has authenticated nobody"),
        (agreed(Some(SERVER), None, None, Some("h2")), agreeing(), Some(SERVER), "protocol coap, not h2"),
        (agreed(None, Some(true), None, None), hellos(), Some(CLIENT), "was never established"),
        (D::Moved { by: None, count: exactly(0) }, agreeing(), None, "first by the server at 0.500000000"),
    ]
}

/// Every demand of the examples.
pub(super) fn all() -> Vec<Demand> {
    holds().into_iter().map(|(demand, _)| demand).chain(trips().into_iter().map(|(demand, ..)| demand)).collect()
}

fn checked(demand: &Demand, story: &Story) -> Result<(), Complaint> {
    let seen = observe(&story.trace());
    super::super::demands::check(&scenario_of(story), &seen, &seen, demand)
}

#[test]
fn demands_that_are_met_hold() {
    for (demand, story) in holds() {
        assert_eq!(checked(&demand, &story), Ok(()), "{demand:?}");
    }
}

#[test]
fn demands_that_are_not_met_trip() {
    for (demand, story, role, says) in trips() {
        let complaint = checked(&demand, &story).expect_err(&format!("{demand:?} holds, though {says:?}"));
        assert!(complaint.detail.contains(says), "{says:?} is not in {:?}", complaint.detail);
        assert_eq!(complaint.role, role, "{}", complaint.detail);
    }
}

#[test]
fn every_kind_of_demand_has_both_examples() {
    let all: BTreeSet<usize> = (0..KINDS).collect();
    assert_eq!(holds().iter().map(|(demand, _)| number(demand)).collect::<BTreeSet<_>>(), all);
    assert_eq!(trips().iter().map(|(demand, ..)| number(demand)).collect::<BTreeSet<_>>(), all);
    assert_eq!(trips().iter().map(|(demand, ..)| name(demand)).collect::<BTreeSet<_>>().len(), KINDS);
}

#[test]
fn round_trips_need_a_link_with_fixed_delays() {
    let seen = observe(&full().trace());
    let mut scenario = scenario();
    let demand = clock(Clock::ServerDone, 5);
    // Uneven delays: three times up, twice down.
    scenario.network.up.delay.base = Duration::from_millis(15);
    scenario.network.down.delay.base = Duration::from_millis(40);
    assert_eq!(super::super::demands::check(&scenario, &seen, &seen, &demand), Ok(()));
    scenario.network.down.delay.spread = Spread::Uniform(Duration::from_millis(1));
    let complaint = super::super::demands::check(&scenario, &seen, &seen, &demand).unwrap_err();
    assert!(complaint.detail.contains("fixed delays"), "{}", complaint.detail);
}
