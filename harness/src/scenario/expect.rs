//! Expectations. A demand that no run can meet, or that every run meets, is refused.

use super::error::{Error, Source};
use super::file::demands::{
    CountKeys, EarlyDataAnswer, EarlyDataDemandKeys, ExpectStep, HandshakeKeys, NegotiatedKeys, RoundTripKeys,
    SizeKeys, StruckKeys, TransmissionKeys, VisitExpectKeys,
};
use super::lower::Facts;
use super::text::{At, Count, Either, Text};
use super::{
    CountCheck, Demand, Expectation, Fault, Impairment, Loss, Network, Order, Per, Ratio, Spread, TimeCheck, VisitSpec,
    names,
};
use crate::endpoint::Dtls;
use crate::time::SimTime;
use crate::trace::Visit;

const AT_LEAST_ONE: CountCheck = CountCheck { min: 1, max: u64::MAX };

impl Source<'_> {
    pub(super) fn expectations(
        &self,
        steps: &At<Vec<At<ExpectStep>>>,
        facts: &Facts,
        network: &Network,
        faults: &[Fault],
        visits: &[VisitSpec],
    ) -> Result<Vec<Expectation>, Error> {
        if steps.value.is_empty() {
            let help = "say what must come of it, for example `- handshake: completes`";
            return Err(self.error(steps, "nothing is expected", help));
        }
        let mut expectations = Vec::new();
        for step in &steps.value {
            match &step.value {
                ExpectStep::Visit(At { value: VisitExpectKeys { number, expect }, .. }) => {
                    let visit = self.visit(number, facts)?;
                    if let Some(inner) = expect.value.iter().find(|step| matches!(step.value, ExpectStep::Visit(_))) {
                        return Err(self.error(
                            inner,
                            "a visit inside a visit",
                            "name each visit in a step of its own",
                        ));
                    }
                    for step in &expect.value {
                        expectations.extend(self.step(step, visit, facts, network, faults, visits)?);
                    }
                }
                _ => expectations.extend(self.step(step, facts.last_visit, facts, network, faults, visits)?),
            }
        }
        Ok(expectations)
    }

    /// The demands of one step on one visit.
    fn step(
        &self,
        step: &At<ExpectStep>,
        visit: Visit,
        facts: &Facts,
        network: &Network,
        faults: &[Fault],
        visits: &[VisitSpec],
    ) -> Result<impl Iterator<Item = Expectation> + use<>, Error> {
        let demands = match &step.value {
            ExpectStep::RoundTrips(keys) => self.round_trips(keys, network)?,
            ExpectStep::Struck(keys) => vec![self.struck(&keys.value, facts, network, faults)?],
            ExpectStep::Echo(keys) => {
                let spec = visits.get(usize::from(visit.0) - 1).expect("the visit was looked up");
                vec![self.echo(keys, spec)?]
            }
            other => vec![self.demand(other, facts)?],
        };
        let line = step.place.line;
        Ok(demands.into_iter().map(move |kind| Expectation { line, visit, kind }))
    }

    /// Those that need nothing but themselves.
    fn demand(&self, step: &ExpectStep, facts: &Facts) -> Result<Demand, Error> {
        Ok(match step {
            ExpectStep::Handshake(keys) => match &keys.value {
                Either::Short(text) => {
                    Demand::Handshake { result: self.read_text(keys, text)?, who: None, at: TimeCheck::default() }
                }
                Either::Long(keys) => self.handshake(keys)?,
            },
            ExpectStep::Flights(list) => {
                let mut flights = Vec::new();
                for at in &list.value {
                    let flight = self.flight(at)?;
                    if flights.contains(&flight) {
                        let help = "each flight counts once, where it first appears";
                        return Err(self.error(at, format!("flight {flight} is here twice"), help));
                    }
                    flights.push(flight);
                }
                Demand::Flights(flights)
            }
            ExpectStep::Messages(list) => Demand::Messages(list.value.clone()),
            ExpectStep::Transmissions(keys) => self.transmissions(keys)?,
            ExpectStep::WholeFlight(at) if facts.dtls == Dtls::V13 => {
                let help = "demand what comes again by `sent`, for example `sent: {flight: 4, attempt: 2.., count: 1}`";
                return Err(self.error(at, "DTLS 1.3 repeats only what is not acknowledged", help));
            }
            ExpectStep::WholeFlight(At { value: keys, .. }) => Demand::WholeFlight {
                flight: self.flight(&keys.flight)?,
                at_least: keys.at_least.as_ref().map(|at| self.ordinal(at, "at-least")).transpose()?.unwrap_or(1),
            },
            ExpectStep::Spurious(keys) => match &keys.value {
                Either::Short(text) => Demand::Spurious { from: None, count: self.read_text(keys, text)? },
                Either::Long(keys) => Demand::Spurious { from: keys.from, count: self.read(&keys.count)? },
            },
            ExpectStep::DatagramSize(keys) => self.datagram_size(keys)?,
            ExpectStep::Fragments(At { value: keys, .. }) => {
                Demand::Fragments { message: keys.message.value, count: self.read(&keys.count)? }
            }
            ExpectStep::Sent(keys) => {
                let keys = &keys.value;
                let connection_id =
                    keys.connection_id.as_ref().map(|at| self.ordinal(at, "connection-id")).transpose()?;
                Demand::Sent {
                    select: self.selector(keys.picks(), facts)?,
                    connection_id,
                    count: self.read(&keys.count)?,
                }
            }
            ExpectStep::Alert(At { value: keys, .. }) => {
                let description = &keys.description;
                if !names::ALERTS.contains(&description.value.as_str()) {
                    let help = names::suggest(&description.value, &names::ALERTS, "alerts are");
                    return Err(self.error(description, format!("there is no alert `{}`", description.value), help));
                }
                Demand::Alert {
                    from: keys.from,
                    description: description.value.clone(),
                    count: self.read_option(keys.count.as_ref())?.unwrap_or(AT_LEAST_ONE),
                }
            }
            ExpectStep::Discards(keys) => match &keys.value {
                Either::Short(text) => Demand::Discards { by: None, count: self.read_text(keys, text)? },
                Either::Long(keys) => Demand::Discards { by: keys.by, count: self.read(&keys.count)? },
            },
            ExpectStep::Selective(at) if facts.dtls == Dtls::V12 => {
                let help = "demand that it comes whole by `whole-flight`";
                return Err(self.error(at, "DTLS 1.2 acknowledges nothing and repeats whole flights", help));
            }
            ExpectStep::Selective(At { value: keys, .. }) => Demand::Selective {
                flight: self.flight(&keys.flight)?,
                at_least: keys.at_least.as_ref().map(|at| self.ordinal(at, "at-least")).transpose()?.unwrap_or(1),
            },
            ExpectStep::Data(keys) => match &keys.value {
                Either::Short(text) => Demand::Data { to: None, count: self.read_text(keys, text)? },
                Either::Long(keys) => Demand::Data { to: keys.to, count: self.read(&keys.count)? },
            },
            ExpectStep::EarlyData(at) => self.early_data_demand(at)?,
            ExpectStep::Negotiated(at) => self.negotiated(at)?,
            ExpectStep::Moved(keys) => match &keys.value {
                Either::Short(text) => Demand::Moved { by: None, count: self.read_text(keys, text)? },
                Either::Long(keys) => Demand::Moved { by: keys.by, count: self.read(&keys.count)? },
            },
            ExpectStep::RoundTrips(_) | ExpectStep::Struck(_) | ExpectStep::Echo(_) | ExpectStep::Visit(_) => {
                unreachable!("these look at the rest of the scenario")
            }
        })
    }

    fn handshake(&self, keys: &HandshakeKeys) -> Result<Demand, Error> {
        let instant = |at| Ok::<_, Error>(self.read_option(at)?.map(|time| SimTime::ZERO + time));
        let (at, after, within) =
            (instant(keys.at.as_ref())?, instant(keys.after.as_ref())?, instant(keys.within.as_ref())?);
        if let (Some(place), true) = (&keys.at, after.is_some() || within.is_some()) {
            let help = "keep `at`, or `after` and `within`";
            return Err(self.error(place, "`at` leaves no room for other bounds", help));
        }
        if let (Some(place), Some(after), Some(within)) = (&keys.within, after, within)
            && after > within
        {
            return Err(self.error(place, "no instant is within these bounds", "`within` is later than `after`"));
        }
        let at = TimeCheck { min: at.or(after), max: at.or(within) };
        Ok(Demand::Handshake { result: self.read(&keys.result)?, who: keys.who, at })
    }

    fn round_trips(&self, keys: &At<RoundTripKeys>, network: &Network) -> Result<Vec<Demand>, Error> {
        let (up, down) = (&network.up, &network.down);
        let why = if up.rate.is_some() || down.rate.is_some() {
            Some("the link has a rate, so the time depends on sizes")
        } else if up.delay.spread != Spread::None || down.delay.spread != Spread::None {
            Some("the link's delay is random")
        } else if up.delay.base != down.delay.base {
            Some("the two directions have different delays")
        } else if up.delay.base.is_zero() {
            Some("the link has no delay")
        } else {
            None
        };
        if let Some(why) = why {
            let help = "they need one fixed delay and no rate, for example `network: {delay: 25 ms}`";
            return Err(self.error(keys, format!("round trips cannot be counted here: {why}"), help));
        }
        let demands: Result<Vec<_>, Error> =
            keys.value.clocks().map(|(clock, at)| Ok(Demand::RoundTrips { clock, halves: self.read(at)? })).collect();
        match demands? {
            demands if demands.is_empty() => {
                let help = "name a clock, for example `{app-send: 3}`";
                Err(self.error(keys, "no clock is demanded", help))
            }
            demands => Ok(demands),
        }
    }

    fn transmissions(&self, at: &At<TransmissionKeys>) -> Result<Demand, Error> {
        let keys = &at.value;
        let instants = match &keys.at {
            None => None,
            Some(list) => {
                let times = list.value.iter().map(|time| Ok(SimTime::ZERO + self.read(time)?));
                let times: Vec<_> = times.collect::<Result<_, Error>>()?;
                if !times.is_sorted_by(|a, b| a < b) {
                    return Err(self.error(list, "these instants are not in order", "write the earliest first"));
                }
                Some(times)
            }
        };
        let gaps = match &keys.gaps {
            None => None,
            Some(list) => Some(list.value.iter().map(|gap| self.read(gap)).collect::<Result<Vec<_>, _>>()?),
        };
        if let (Some(list), true) = (&keys.gaps, instants.is_some()) {
            return Err(self.error(list, "`at` says what `gaps` would", "keep one of them"));
        }
        let listed = instants.as_ref().map(|at| at.len() as u64).or(gaps.as_ref().map(|gaps| gaps.len() as u64 + 1));
        let count = match (&keys.count, listed) {
            (Some(count), listed) => {
                let check = self.read(count)?;
                if let Some(listed) = listed.filter(|listed| !check.holds(*listed)) {
                    let message = format!("{check} transmissions, but the list is of {listed}");
                    return Err(self.error(count, message, "leave out `count`, or make it agree"));
                }
                check
            }
            (None, Some(listed)) => CountCheck { min: listed, max: listed },
            (None, None) => {
                let help = "say how often or when, for example `{flight: 4, count: 2}`";
                return Err(self.error(at, "nothing is demanded of this flight", help));
            }
        };
        Ok(Demand::Transmissions { flight: self.flight(&keys.flight)?, count, at: instants, gaps })
    }

    fn datagram_size(&self, at: &At<SizeKeys>) -> Result<Demand, Error> {
        let keys = &at.value;
        let (at_most, reaches) = (self.read_option(keys.at_most.as_ref())?, self.read_option(keys.reaches.as_ref())?);
        match (at_most, reaches, &keys.reaches) {
            (None, None, _) => {
                let help = "give `at-most`, `reaches`, or both";
                Err(self.error(at, "nothing is demanded of the sizes", help))
            }
            (Some(most), Some(least), Some(place)) if least > most => {
                Err(self.error(place, "no size reaches this below `at-most`", "`reaches` is not above `at-most`"))
            }
            _ => Ok(Demand::DatagramSize { from: keys.from, at_most: at_most.unwrap_or(u32::MAX), reaches }),
        }
    }

    fn early_data_demand(&self, at: &At<EarlyDataDemandKeys>) -> Result<Demand, Error> {
        let keys = &at.value;
        if keys.delivered.is_none() && keys.answer.is_none() {
            let help =
                "say how often it is delivered, or what the client is told, as `{delivered: 1, answer: accepted}`";
            return Err(self.error(at, "nothing is demanded of early data", help));
        }
        Ok(Demand::EarlyData {
            delivered: self.read_option(keys.delivered.as_ref())?,
            accepted: keys.answer.map(|answer| answer == EarlyDataAnswer::Accepted),
        })
    }

    fn negotiated(&self, at: &At<NegotiatedKeys>) -> Result<Demand, Error> {
        let NegotiatedKeys { who, resumed, peer, alpn } = &at.value;
        if (resumed, peer, alpn.is_none()) == (&None, &None, true) {
            return Err(self.error(
                at,
                "nothing is demanded here",
                "say what was agreed, for example `{resumed: true}`",
            ));
        }
        let alpn = alpn.as_ref().map(|alpn| alpn.value.clone());
        Ok(Demand::Negotiated { who: *who, resumed: *resumed, peer: *peer, alpn })
    }

    fn echo(&self, at: &At<Either<Text<Count>, CountKeys>>, visit: &VisitSpec) -> Result<Demand, Error> {
        let (count, place) = match &at.value {
            Either::Short(text) => (self.read_text(at, text)?, at.place),
            Either::Long(keys) => (self.read(&keys.count)?, keys.count.place),
        };
        // What is sent early comes back as well.
        let messages = u64::from(visit.workload.messages) + u64::from(visit.early_data.is_some());
        if count.min > messages {
            let help = format!("messages in the workload: {messages}; see `workload`");
            return Err(self.error_at(place, format!("{count} cannot come back"), help));
        }
        Ok(Demand::Echo { count })
    }

    fn struck(&self, keys: &StruckKeys, facts: &Facts, network: &Network, faults: &[Fault]) -> Result<Demand, Error> {
        let count = self.read_option(keys.count.as_ref())?.unwrap_or(AT_LEAST_ONE);
        let per = keys.per.as_ref().map_or(Per::Run, |per| per.value);
        if let (Per::Seeds, Some(at)) = (per, &keys.per)
            && facts.seeds.0 == facts.seeds.1
        {
            let help = "leave out `per`, or give the scenario more seeds, for example `seeds: 1..50`";
            return Err(self.error(at, "there is one seed only", help));
        }
        let impairment = keys.impairment.value;
        let pipes = [&network.up, &network.down];
        let (possible, mend) = match impairment {
            Impairment::Loss => (pipes.iter().any(|pipe| pipe.loss != Loss::None), "add `loss: 5 %` to the network"),
            Impairment::Duplicate => {
                (pipes.iter().any(|pipe| pipe.duplicate != Ratio::default()), "add `duplicate: 5 %` to the network")
            }
            Impairment::QueueFull => (
                pipes.iter().any(|pipe| pipe.rate.is_some()),
                "add `rate: {bits: 60 kbit/s, queue: 4 kB}` to the network",
            ),
            Impairment::Reordered => (
                !faults.is_empty()
                    || pipes.iter().any(|pipe| {
                        pipe.reorder.is_some() || pipe.order == Order::Free && pipe.delay.spread != Spread::None
                    }),
                "add `reorder: {share: 10 %, hold: 200 ms}` to the network",
            ),
            // Depends on what the ends send.
            Impairment::Mtu => (true, ""),
        };
        if !possible && count.min > 0 {
            let message = format!("this network has no {}", name(impairment));
            return Err(self.error(&keys.impairment, message, mend));
        }
        Ok(Demand::Struck { impairment, count, per })
    }
}

fn name(impairment: Impairment) -> &'static str {
    match impairment {
        Impairment::Loss => "random loss",
        Impairment::Duplicate => "random duplication",
        Impairment::Reordered => "reordering",
        Impairment::QueueFull => "queue",
        Impairment::Mtu => "MTU",
    }
}
