//! Several associations in one run, a NAT between them and copies by a third party.

use super::*;
use crate::addresses::{CLIENT, OUTSIDE, STRANGER, of_client};
use crate::endpoint::Ask;
use crate::scenario::{Nat as NatSpec, ReplayTime};
use crate::trace::Refusal;

/// Hands out endpoints that were made before, and keeps what was asked of it.
#[derive(Default)]
struct Spare {
    clients: VecDeque<Fake>,
    servers: VecDeque<Fake>,
    asked: Vec<Asked>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Client { visit: Visit, local: SocketAddr, resumes: bool },
    Server { at: SimTime, peer: SocketAddr },
}

impl Hosts for Spare {
    fn client(&mut self, _: SimTime, visit: Visit, local: SocketAddr, session: Option<&Session>) -> Made {
        self.asked.push(Asked::Client { visit, local, resumes: session.is_some() });
        Ok(Box::new(self.clients.pop_front().ok_or("no more clients")?))
    }

    fn server(&mut self, at: SimTime, peer: SocketAddr) -> Made {
        self.asked.push(Asked::Server { at, peer });
        Ok(Box::new(self.servers.pop_front().ok_or("no more servers")?))
    }
}

fn fly(network: &Network, faults: &[Fault], visits: &[VisitSpec], ends: [Fake; 2], hosts: &mut Spare) -> Trace {
    let [client, server] = ends;
    run(Setup {
        network,
        faults,
        visits,
        duration: Duration::from_secs(7200),
        seed: 1,
        client: Box::new(client),
        server: Box::new(server),
        hosts,
        budget: Budget::default(),
    })
}

fn ping(at: u64) -> Fake {
    Fake { sends: VecDeque::from([(ms(at), vec![0; 8])]), ..Fake::default() }
}

fn then(begin: Begin) -> VisitSpec {
    VisitSpec { begin, ..VisitSpec::default() }
}

/// Instant, visit and outcome of everything that arrived, or was to arrive, after the link.
fn arrived(trace: &Trace) -> Vec<(SimTime, u16, Option<Refusal>)> {
    let outcome = |event: &Event| match event.what {
        What::Delivered { .. } => Some((event.at, event.visit.0, None)),
        What::Refused { why, .. } => Some((event.at, event.visit.0, Some(why))),
        _ => None,
    };
    trace.events.iter().filter_map(outcome).collect()
}

fn outside(nth: u16) -> SocketAddr {
    SocketAddr::new(OUTSIDE.ip(), OUTSIDE.port() + nth)
}

#[test]
fn each_visit_has_a_port_of_its_own_and_an_endpoint_on_both_hosts() {
    let network = network(pipe());
    let visits = [VisitSpec::default(), then(Begin::At(ms(5))), then(Begin::At(ms(100)))];
    let mut hosts = Spare {
        clients: [ping(5), ping(100)].into(),
        servers: [Fake::echo(), Fake::echo()].into(),
        ..Spare::default()
    };
    let trace = fly(&network, &[], &visits, [ping(0), Fake::echo()], &mut hosts);
    let client = |visit| Asked::Client { visit: Visit(visit), local: of_client(Visit(visit)), resumes: false };
    let server = |at, visit| Asked::Server { at: ms(at), peer: of_client(Visit(visit)) };
    assert_eq!(hosts.asked, [client(2), server(15, 2), client(3), server(110, 3)]);
    let of = |at, visit| (ms(at), visit, None);
    assert_eq!(arrived(&trace), [of(10, 1), of(15, 2), of(20, 1), of(25, 2), of(110, 3), of(120, 3)]);
    assert_eq!(trace.visits(), [Visit(1), Visit(2), Visit(3)]);
    let paths: Vec<_> = trace.sent().map(|(_, sent)| sent.path.map(|path| path.outside)).collect();
    assert_eq!(paths[..3], [None, Some(of_client(Visit(2))), None]);
}

#[test]
fn a_visit_follows_the_end_of_the_one_before_with_the_session_it_got() {
    let network = network(pipe());
    let workload = Workload { messages: 1, size: 20, close: Some(Role::Client), ..idle() };
    let first = VisitSpec { workload: workload.clone(), ..VisitSpec::default() };
    let again = VisitSpec { begin: Begin::After(30 * MS), resume: true, workload, ..VisitSpec::default() };
    let visits = [first, again.clone(), VisitSpec { resume: false, ..again }];
    let established = || Fake { gives_session: true, ..Fake::established() };
    let mut hosts = Spare {
        clients: [established(), established()].into(),
        servers: [Fake::established(), Fake::established()].into(),
        ..Spare::default()
    };
    let trace = fly(&network, &[], &visits, [established(), Fake::established()], &mut hosts);
    let resumed = hosts.asked.iter().filter_map(|asked| match asked {
        Asked::Client { visit, resumes, .. } => Some((visit.0, *resumes)),
        Asked::Server { .. } => None,
    });
    assert_eq!(resumed.collect::<Vec<_>>(), [(2, true), (3, false)]);
    let closed: Vec<_> = trace.events.iter().filter(|event| event.what == What::AppClose(Role::Client)).collect();
    assert_eq!(
        closed.iter().map(|event| (event.at, event.visit.0)).collect::<Vec<_>>(),
        [(ms(20), 1), (ms(70), 2), (ms(120), 3)]
    );
}

#[test]
fn a_client_that_has_forgotten_meets_the_endpoint_that_has_not() {
    let network = network(pipe());
    let again = VisitSpec { same_address: true, ..then(Begin::At(ms(100))) };
    let mut hosts = Spare { clients: [ping(100)].into(), ..Spare::default() };
    // The first client would send again after it was forgotten.
    let first = Fake::sender(2, 150 * MS, 8);
    let trace = fly(&network, &[], &[VisitSpec::default(), again], [first, Fake::echo()], &mut hosts);
    assert_eq!(hosts.asked, [Asked::Client { visit: Visit(2), local: CLIENT, resumes: false }]);
    let of = |at, visit| (ms(at), visit, None);
    assert_eq!(arrived(&trace), [of(10, 1), of(20, 1), of(110, 2), of(120, 2)]);
}

#[test]
fn replies_to_an_address_that_the_nat_has_given_up_are_lost() {
    let nat = NatSpec { lifetime: None, rebind_at: vec![ms(15), ms(1000)] };
    let network = Network { nat: Some(nat), ..network(pipe()) };
    let mut hosts = Spare { servers: [Fake::echo()].into(), ..Spare::default() };
    let trace = fly(&network, &[], &[VisitSpec::default()], [Fake::sender(2, 100 * MS, 8), Fake::echo()], &mut hosts);
    assert_eq!(hosts.asked, [Asked::Server { at: ms(110), peer: outside(1) }]);
    let lost = (ms(20), 1, Some(Refusal::NoMapping));
    assert_eq!(arrived(&trace), [(ms(10), 1, None), lost, (ms(110), 1, None), (ms(120), 1, None)]);
    let rebound = trace.events.iter().find_map(|event| match event.what {
        What::Rebound(outside) => Some((event.at, outside)),
        _ => None,
    });
    assert_eq!(rebound, Some((ms(15), outside(1))));
    let paths: Vec<_> = trace.sent().filter_map(|(_, sent)| sent.path).collect();
    let path = |nth| Path { inside: Some(CLIENT), outside: outside(nth) };
    assert_eq!(paths, [path(0), path(0), path(1), path(1)]);
}

#[test]
fn an_endpoint_that_knows_its_connection_id_follows_the_client() {
    let nat = NatSpec { lifetime: Some(50 * MS), rebind_at: vec![] };
    let network = Network { nat: Some(nat), ..network(pipe()) };
    let mut hosts = Spare::default();
    let server = Fake { owns: true, ..Fake::echo() };
    let trace = fly(&network, &[], &[VisitSpec::default()], [Fake::sender(2, 100 * MS, 8), server], &mut hosts);
    assert!(hosts.asked.is_empty(), "{:?}", hosts.asked);
    let moved = trace.events.iter().find(|event| matches!(event.what, What::Endpoint(Role::Server, _)));
    let moved = moved.map(|event| (event.at, event.what.clone()));
    assert_eq!(moved, Some((ms(110), What::Endpoint(Role::Server, EndpointEvent::PeerMoved(outside(1))))));
    assert_eq!(arrived(&trace).last(), Some(&(ms(120), 1, None)));
}

#[test]
fn copies_from_a_stranger_begin_an_association_of_their_own() {
    let network = network(pipe());
    let replay = |when, source| {
        let select = Selector { from: Some(Role::Client), ..Selector::default() };
        let action = Action::Replay { copies: 2, when, source };
        [Fault::Hit { select, action, times: None, optional: false }]
    };
    let run = |when, source| {
        let mut hosts = Spare { servers: [Fake::echo()].into(), ..Spare::default() };
        let faults = replay(when, source);
        let trace = fly(&network, &faults, &[VisitSpec::default()], [ping(0), Fake::echo()], &mut hosts);
        (hosts.asked, trace)
    };
    let (asked, trace) = run(ReplayTime::After(7 * MS), Some(STRANGER));
    assert_eq!(asked, [Asked::Server { at: ms(17), peer: STRANGER }]);
    let answered: Vec<_> = trace.sent().map(|(at, sent)| (at, sent.path.map(|path| path.outside))).collect();
    assert_eq!(answered, [(ms(0), None), (ms(10), None), (ms(17), Some(STRANGER)), (ms(24), Some(STRANGER))]);
    let refused = |at| (ms(at), 2, Some(Refusal::NobodyThere));
    let of_client = |at| (ms(at), 1, None);
    let expected = [of_client(10), of_client(17), of_client(20), of_client(24), refused(27), refused(34)];
    assert_eq!(arrived(&trace), expected);

    let (asked, trace) = run(ReplayTime::Ahead(4 * MS), Some(STRANGER));
    assert_eq!(asked, [Asked::Server { at: ms(6), peer: STRANGER }]);
    assert_eq!(arrived(&trace).first(), Some(&(ms(6), 1, None)));

    let (asked, trace) = run(ReplayTime::After(MS), None);
    assert_eq!((asked.len(), arrivals(&trace).len()), (0, 3));
}

#[test]
fn an_endpoint_that_cannot_be_made_breaks_the_run_of_its_stack() {
    let network = network(pipe());
    let visits = [VisitSpec::default(), then(Begin::At(ms(5)))];
    let trace = fly(&network, &[], &visits, [Fake::default(), Fake::default()], &mut Spare::default());
    let end = End::Broken { role: Role::Client, what: "made no endpoint: no more clients".to_owned() };
    assert_eq!(trace.end(), Some(&end));
}

#[test]
fn refused_requests_are_reported_where_they_were_made() {
    let network = network(pipe());
    let step = crate::scenario::Step { by: Role::Client, after: 0, ask: Ask::UpdateKeys { request_peer: true } };
    let workload = Workload { steps: vec![step], ..idle() };
    let given = Given { visits: once(workload), ..Given::new(&network) };
    let trace = given.fly(Fake::established(), Fake::established()).trace;
    let last: Vec<_> = trace.events.iter().map(|event| event.what.clone()).rev().skip(1).take(2).collect();
    let refused = EndpointEvent::SendRefused("cannot update keys of both".to_owned());
    let expected =
        [What::Endpoint(Role::Client, refused), What::AppAsk(Role::Client, Ask::UpdateKeys { request_peer: true })];
    assert_eq!(last, expected);
}
