//! The client's visits, and what the applications do in them.

use std::time::Duration;

use super::error::{Error, Source};
use super::file::File;
use super::file::workload::{
    Closer, ConnectionIdKeys, NewConnectionIdKeys, UpdateKeysKeys, VisitKeys, Who, WorkloadKeys,
};
use super::text::{At, Bytes, Number, Several, Value};
use super::{Begin, Step, VisitSpec, Workload};
use crate::endpoint::{Ask, Dtls, Role};
use crate::time::SimTime;

/// Visits have ports of their own, and every one costs a handshake.
const VISITS_MAX: u64 = 1000;
/// Pause between visits: long enough that nothing of one is still on its way when the next begins, on most links.
const PAUSE_DEFAULT: Duration = Duration::from_secs(1);
const MESSAGES_MAX: u64 = 10_000;
/// RFC 5246 §6.2.1: a record's plaintext has at most 2^14 bytes, and the workload puts a message in one record.
const MESSAGE_SIZE_MAX: u32 = 16_384;

impl Source<'_> {
    pub(super) fn visits(&self, file: &File, duration: Duration) -> Result<Vec<VisitSpec>, Error> {
        let first = VisitSpec { workload: self.workload(&file.workload, None, file.dtls)?, ..VisitSpec::default() };
        let Some(at) = &file.visits else { return Ok(vec![first]) };
        let mut visits = Vec::<VisitSpec>::new();
        match &at.value {
            Several::Alike(text) => {
                let count = self.read_text(at, text)?;
                if !(1..=VISITS_MAX).contains(&count) {
                    return Err(self.error(
                        at,
                        format!("{count} visits are not possible"),
                        format!("1 to {VISITS_MAX}"),
                    ));
                }
                for _ in 0..count {
                    let begin = if visits.is_empty() { Begin::default() } else { Begin::After(PAUSE_DEFAULT) };
                    self.follows(at, visits.last(), begin)?;
                    visits.push(VisitSpec { begin, ..first.clone() });
                }
            }
            Several::Listed(list) => {
                if list.is_empty() || list.len() as u64 > VISITS_MAX {
                    let help = format!("list 1 to {VISITS_MAX} visits, the plain ones as `{{}}`");
                    return Err(self.error(at, "this is no list of visits", help));
                }
                for keys in list {
                    let visit = self.visit_of(keys, file, visits.last(), duration)?;
                    visits.push(visit);
                }
            }
        }
        Ok(visits)
    }

    fn visit_of(
        &self,
        keys: &At<VisitKeys>,
        file: &File,
        before: Option<&VisitSpec>,
        duration: Duration,
    ) -> Result<VisitSpec, Error> {
        let place = keys.place;
        let VisitKeys { at, after, same_address, resume, early_data, workload } = &keys.value;
        let begin = match (at, after, before) {
            (Some(_), Some(after), _) => {
                return Err(self.error(after, "`at` and `after` at once", "keep one of them"));
            }
            (Some(at), ..) | (_, Some(at), _) if before.is_none() => {
                return Err(self.error(at, "the first visit begins with the run", "leave this out"));
            }
            (Some(at), None, _) => {
                let instant = self.read(at)?;
                if instant >= duration {
                    let help = format!("the run lasts {duration:?}; see `duration`");
                    return Err(self.error(at, "this visit begins after the run", help));
                }
                Begin::At(SimTime::ZERO + instant)
            }
            (None, _, None) => Begin::default(),
            (None, after, Some(_)) => Begin::After(self.read_option(after.as_ref())?.unwrap_or(PAUSE_DEFAULT)),
        };
        self.follows(keys, before, begin)?;
        if let (Some(resume), None) = (resume.as_ref().filter(|resume| resume.value), before) {
            let help = "give the list a visit before it, from which it gets a session";
            return Err(self.error(resume, "there is nothing to resume in the first visit", help));
        }
        let resume = resume.as_ref().is_some_and(|resume| resume.value);
        let early_data = match early_data {
            None => None,
            Some(at) if file.dtls == Dtls::V12 => {
                return Err(self.error(at, "DTLS 1.2 has no early data", "set `dtls: 1.3`"));
            }
            Some(at) if !resume => {
                let help = "early data needs a session: add `resume: true`";
                return Err(self.error(at, "nothing protects this early data", help));
            }
            Some(at) => Some(self.message_size(at)?),
        };
        let same_address = same_address.unwrap_or(false);
        if same_address && before.is_none() {
            return Err(self.error_at(place, "there is no address before the first visit", "leave out `same-address`"));
        }
        let workload = self.workload(&file.workload, workload.as_ref(), file.dtls)?;
        Ok(VisitSpec { begin, same_address, resume, early_data, workload })
    }

    /// A visit that waits for the end of another can begin only if there is one.
    fn follows<T>(&self, at: &At<T>, before: Option<&VisitSpec>, begin: Begin) -> Result<(), Error> {
        match (before, begin) {
            (Some(before), Begin::After(_)) if before.workload.close.is_none() => {
                let help = "say when it begins, for example `at: 10 s`, or who closes the one before";
                Err(self.error(at, "nobody ends the visit before this one", help))
            }
            _ => Ok(()),
        }
    }

    /// `own` takes precedence, key by key.
    fn workload(&self, all: &WorkloadKeys, own: Option<&WorkloadKeys>, dtls: Dtls) -> Result<Workload, Error> {
        macro_rules! pick {
            ($key:ident) => {
                own.and_then(|own| own.$key.as_ref()).or(all.$key.as_ref())
            };
        }
        let steps = self.steps(pick!(update_keys), pick!(request_connection_ids), pick!(new_connection_ids), dtls)?;
        Ok(Workload {
            messages: pick!(messages).map_or(Ok(1), |at| self.messages(at))?,
            size: pick!(size).map_or(Ok(64), |at| self.message_size(at))?,
            interval: self.read_option(pick!(interval))?.unwrap_or(Duration::from_millis(100)),
            close: match pick!(close) {
                None | Some(Closer::Client) => Some(Role::Client),
                Some(Closer::Server) => Some(Role::Server),
                Some(Closer::None) => None,
            },
            server_messages: pick!(server_messages).map_or(Ok(0), |at| self.messages(at))?,
            steps,
        })
    }

    fn messages(&self, at: &Value<Number>) -> Result<u32, Error> {
        match self.read(at)? {
            messages @ 0..=MESSAGES_MAX => Ok(messages as u32),
            _ => Err(self.error(at, "too many messages", format!("at most {MESSAGES_MAX}"))),
        }
    }

    fn message_size(&self, at: &Value<Bytes>) -> Result<u16, Error> {
        let size = self.read(at)?;
        u16::try_from(size).ok().filter(|_| (1..=MESSAGE_SIZE_MAX).contains(&size)).ok_or_else(|| {
            let help = format!("from 1 B to {MESSAGE_SIZE_MAX} B, what one record holds (RFC 5246 §6.2.1)");
            self.error(at, format!("a message cannot have {size} B"), help)
        })
    }

    fn steps(
        &self,
        update: Option<&At<UpdateKeysKeys>>,
        request: Option<&At<ConnectionIdKeys>>,
        give: Option<&At<NewConnectionIdKeys>>,
        dtls: Dtls,
    ) -> Result<Vec<Step>, Error> {
        let mut steps = Vec::new();
        let mut add = |who: Option<Who>, after: u32, ask: Ask| {
            steps.extend(who.unwrap_or_default().roles().iter().map(|by| Step { by: *by, after, ask }));
        };
        if let Some(keys) = update {
            self.only_13(keys, dtls)?;
            let request_peer = keys.value.request_peer.unwrap_or(false);
            add(keys.value.by, self.step_after(keys.value.after.as_ref())?, Ask::UpdateKeys { request_peer });
        }
        if let Some(keys) = request {
            self.only_13(keys, dtls)?;
            let count = self.connection_ids(keys.value.count.as_ref())?;
            add(keys.value.by, self.step_after(keys.value.after.as_ref())?, Ask::RequestConnectionIds(count));
        }
        if let Some(keys) = give {
            self.only_13(keys, dtls)?;
            let count = self.connection_ids(keys.value.count.as_ref())?;
            let immediate = keys.value.immediate.unwrap_or(false);
            let ask = if immediate { Ask::ReplaceConnectionIds(count) } else { Ask::NewConnectionIds(count) };
            add(keys.value.by, self.step_after(keys.value.after.as_ref())?, ask);
        }
        // In the order in which they are due; those due together in the order of the keys above.
        steps.sort_by_key(|step| step.after);
        Ok(steps)
    }

    fn connection_ids(&self, count: Option<&Value<Number>>) -> Result<u8, Error> {
        let Some(at) = count else { return Ok(1) };
        u8::try_from(self.read(at)?)
            .ok()
            .filter(|count| *count > 0)
            .ok_or_else(|| self.error(at, "one message cannot ask for or give so many", "from 1 to 255"))
    }

    fn step_after(&self, at: Option<&Value<Number>>) -> Result<u32, Error> {
        at.map_or(Ok(1), |at| self.messages(at))
    }

    fn only_13<T>(&self, at: &At<T>, dtls: Dtls) -> Result<(), Error> {
        match dtls {
            Dtls::V13 => Ok(()),
            Dtls::V12 => Err(self.error(at, "DTLS 1.2 has no messages for this", "set `dtls: 1.3`")),
        }
    }
}
