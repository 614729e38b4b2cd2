//! DNS messages as far as Nginx sends and reads them (RFC 1035, RFC 2782 for SRV, RFC 6891 for EDNS).

use std::net::IpAddr;

/// The record type of an IPv4 address.
pub const A: u16 = 1;
/// The record type of an IPv6 address.
pub const AAAA: u16 = 28;
/// The record type of a service.
pub const SRV: u16 = 33;
/// The class of the Internet.
pub const IN: u16 = 1;
/// The record type of EDNS.
const OPT: u16 = 41;

/// How long Nginx may cache an answer, in seconds. The set of nodes may change at any time.
const TTL: u16 = 1;
/// The length of a message's header, and so the place of the first name.
const HEADER: usize = 12;
/// The longest name, with the length of each label.
const NAME_MAX: usize = 255;
/// How many bytes a datagram may always have, and how many this server says that it takes.
const PAYLOAD: u16 = 512;
/// The flags that an answer repeats: the operation, "recursion desired" and "checking disabled".
const REPEATED: u16 = 0x7910;
const IS_ANSWER: u16 = 0x8000;
const AUTHORITATIVE: u16 = 0x0400;
const TRUNCATED: u16 = 0x0200;

/// Why an answer has no records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// The query doesn't have exactly one question.
    FormErr = 1,
    /// The records are not known.
    ServFail = 2,
    /// The operation is no query.
    NotImp = 4,
    /// The server answers no such name, type or class.
    Refused = 5,
}

/// What a record says about the name that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// A node: its port, and the labels of a name that has its address.
    Service(u16, Vec<String>),
    /// The address of a name.
    Address(IpAddr),
}

/// A query, as it was read from a message.
pub struct Query<'a> {
    id: u16,
    flags: u16,
    /// The question, if there is exactly one.
    pub question: Option<Question<'a>>,
    /// The longest datagram that the asker takes, in bytes, if the query uses EDNS.
    payload: Option<u16>,
}

/// A question of a query.
pub struct Question<'a> {
    /// The labels of the name, without the root.
    pub labels: Vec<&'a [u8]>,
    /// The record type.
    pub kind: u16,
    /// The class.
    pub class: u16,
    /// The question's bytes, which the answer repeats.
    raw: &'a [u8],
}

impl<'a> Query<'a> {
    /// Reads a query. `None` if the message is an answer or no DNS message.
    pub fn read(message: &'a [u8]) -> Option<Self> {
        let mut rest = message;
        let [id, flags, questions, answers, authorities, additional] = [(); 6].map(|()| number(&mut rest));
        let (id, flags, additional) = (id?, flags?, additional?);
        if flags & IS_ANSWER != 0 {
            return None;
        }
        let mut query = Self { id, flags, question: None, payload: None };
        if questions? != 1 {
            return Some(query);
        }
        query.question = Some(Question::read(&mut rest)?);
        for _ in 0..u32::from(answers?) + u32::from(authorities?) + u32::from(additional) {
            let (kind, class) = skip_record(&mut rest)?;
            if kind == OPT {
                query.payload = Some(class);
            }
        }
        Some(query)
    }

    /// Returns whether the operation is a query, and not for example an update.
    pub fn is_standard(&self) -> bool {
        self.flags & 0x7800 == 0
    }

    /// Returns the longest datagram that the asker takes, in bytes. At least 512.
    pub fn max_payload(&self) -> usize {
        self.payload.unwrap_or(PAYLOAD).max(PAYLOAD).into()
    }

    /// Returns the message that answers with these records or this failure.
    pub fn answer(&self, records: Result<&[Record], Failure>) -> Vec<u8> {
        let code = records.err().map_or(0, |failure| failure as u16);
        self.message(AUTHORITATIVE | code, records.unwrap_or_default())
    }

    /// Returns the message which says that the answer is too long for a datagram.
    pub fn truncated(&self) -> Vec<u8> {
        self.message(AUTHORITATIVE | TRUNCATED, &[])
    }

    fn message(&self, flags: u16, records: &[Record]) -> Vec<u8> {
        let flags = IS_ANSWER | self.flags & REPEATED | flags;
        let counts = [self.question.is_some().into(), records.len() as u16, 0, self.payload.is_some().into()];
        let mut message = [&[self.id, flags], &counts[..]].concat().into_iter().flat_map(u16::to_be_bytes).collect();
        if let Some(question) = &self.question {
            Vec::extend(&mut message, question.raw);
        }
        records.iter().for_each(|record| record.write(&mut message));
        if self.payload.is_some() {
            // The root's name, the type, the longest datagram, no extended code or flags, no options.
            message.push(0);
            [OPT, PAYLOAD, 0, 0, 0].iter().for_each(|number| message.extend(number.to_be_bytes()));
        }
        message
    }
}

impl<'a> Question<'a> {
    fn read(rest: &mut &'a [u8]) -> Option<Self> {
        let (whole, mut labels, mut length) = (*rest, Vec::new(), 1);
        loop {
            match *rest.split_off_first()? {
                0 => break,
                // The first name of a message has no earlier name to point to.
                64.. => return None,
                size => labels.push(rest.split_off(..size.into())?),
            }
            length += labels.last()?.len() + 1;
        }
        let (kind, class) = (number(rest)?, number(rest)?);
        (length <= NAME_MAX).then_some(Self { labels, kind, class, raw: &whole[..whole.len() - rest.len()] })
    }
}

impl Record {
    /// Writes the record. Its name is a pointer to the name in the question.
    fn write(&self, message: &mut Vec<u8>) {
        let (kind, data) = match self {
            Self::Service(port, target) => (SRV, service(*port, target)),
            Self::Address(IpAddr::V4(address)) => (A, address.octets().to_vec()),
            Self::Address(IpAddr::V6(address)) => (AAAA, address.octets().to_vec()),
        };
        let numbers = [0xc000 | HEADER as u16, kind, IN, 0, TTL, data.len() as u16];
        numbers.iter().for_each(|number| message.extend(number.to_be_bytes()));
        message.extend(data);
    }
}

/// Returns the data of an SRV record with the priority 0 and the weight 1. RFC 2782 allows no pointer in the target's
/// name.
fn service(port: u16, target: &[String]) -> Vec<u8> {
    let mut data: Vec<u8> = [0, 1, port].into_iter().flat_map(u16::to_be_bytes).collect();
    for label in target {
        data.push(label.len() as u8);
        data.extend(label.as_bytes());
    }
    data.push(0);
    data
}

/// Skips a record. Returns its type and class.
fn skip_record(rest: &mut &[u8]) -> Option<(u16, u16)> {
    loop {
        match *rest.split_off_first()? {
            0 => break,
            192.. => {
                rest.split_off_first()?;
                break;
            }
            64.. => return None,
            size => rest.split_off(..size.into())?,
        };
    }
    let (kind, class) = (number(rest)?, number(rest)?);
    rest.split_off(..4)?;
    let length = number(rest)?;
    rest.split_off(..length.into())?;
    Some((kind, class))
}

fn number(rest: &mut &[u8]) -> Option<u16> {
    Some(u16::from_be_bytes(rest.split_off(..2)?.try_into().ok()?))
}

#[cfg(test)]
mod tests;
