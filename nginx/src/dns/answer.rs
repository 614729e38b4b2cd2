//! Chooses the records that answer a DNS query. This module does no I/O. An answer is never empty and never says that a
//! name does not exist (NXDOMAIN): Nginx would then drop all nodes at once. On SERVFAIL or REFUSED, Nginx keeps the
//! nodes that it has.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::wire::{A, AAAA, Failure, IN, Query, Record, SRV};
use crate::membership::Members;

/// The zone of the names that Nginx asks for.
pub const ZONE: &str = "muster.internal";
/// The service in [`ZONE`] whose SRV records are the nodes.
pub const SERVICE: &str = "_ws._tcp";

/// Returns the records of an answer while this `set` of nodes is announced. `None` as the set: it is unknown which
/// nodes there are.
pub fn records(query: &Query, set: Option<&Members>) -> Result<Vec<Record>, Failure> {
    let question = query.question.as_ref().ok_or(Failure::FormErr)?;
    if !query.is_standard() {
        return Err(Failure::NotImp);
    }
    match question.kind {
        _ if question.class != IN => Err(Failure::Refused),
        SRV if is(&question.labels, &format!("{SERVICE}.{ZONE}")) => services(set),
        A | AAAA => addresses(&question.labels, question.kind),
        _ => Err(Failure::Refused),
    }
}

fn services(set: Option<&Members>) -> Result<Vec<Record>, Failure> {
    let set = set.filter(|set| !set.is_empty()).ok_or(Failure::ServFail)?;
    Ok(set.iter().map(|node| service(*node)).collect())
}

/// Returns the SRV record of a node. All nodes have the same weight, also those that drain: the nodes decide which of
/// them takes a handshake.
fn service(node: SocketAddr) -> Record {
    let label = match node.ip() {
        IpAddr::V4(v4) => format!("{:08x}", v4.to_bits()),
        IpAddr::V6(v6) => format!("{:032x}", v6.to_bits()),
    };
    Record::Service(node.port(), [label].into_iter().chain(ZONE.split('.').map(str::to_owned)).collect())
}

/// Returns the address record of a target, whose name contains the address. So the answer exists also if the node has
/// left the set since the SRV answer, and the two answers never disagree. The answer for the other address family is
/// empty; Nginx asks for it too and does not need it.
fn addresses(target: &[&[u8]], kind: u16) -> Result<Vec<Record>, Failure> {
    let address = address(target).ok_or(Failure::Refused)?;
    let of_kind = kind == if address.is_ipv4() { A } else { AAAA };
    Ok(of_kind.then_some(Record::Address(address)).into_iter().collect())
}

fn address(target: &[&[u8]]) -> Option<IpAddr> {
    let (first, _) = target.split_first().filter(|(_, zone)| is(zone, ZONE))?;
    let digits = std::str::from_utf8(first).ok()?;
    match digits.len() {
        8 => u32::from_str_radix(digits, 16).ok().map(|bits| Ipv4Addr::from_bits(bits).into()),
        32 => u128::from_str_radix(digits, 16).ok().map(|bits| Ipv6Addr::from_bits(bits).into()),
        _ => None,
    }
}

/// Returns whether the labels are those of the name. The case of letters doesn't matter.
fn is(labels: &[&[u8]], name: &str) -> bool {
    let same = |(label, expected): (&&[u8], &str)| label.eq_ignore_ascii_case(expected.as_bytes());
    labels.len() == name.split('.').count() && labels.iter().zip(name.split('.')).all(same)
}

#[cfg(test)]
mod tests {
    use hickory_proto::{
        op::{Message, Query as Asked, ResponseCode},
        rr::{Name, RData, RecordType},
    };

    use super::*;

    fn ask(name: &str, kind: RecordType) -> Message {
        let mut request = Message::query();
        let mut name = Name::from_ascii(name).unwrap();
        name.set_fqdn(true);
        request.add_query(Asked::query(name, kind));
        request
    }

    /// Returns the answer as another implementation reads it.
    fn answer(request: &Message, set: Option<&Members>) -> Message {
        let request = request.to_vec().unwrap();
        let query = Query::read(&request).unwrap();
        let records = records(&query, set);
        Message::from_vec(&query.answer(records.as_deref().map_err(|failure| *failure))).unwrap()
    }

    fn set() -> Members {
        ["10.0.0.5:9000", "10.0.0.5:9001", "[fe80::1]:9000"].iter().map(|node| node.parse().unwrap()).collect()
    }

    fn code(name: &str, kind: RecordType, set: Option<&Members>) -> ResponseCode {
        answer(&ask(name, kind), set).metadata.response_code
    }

    /// Resolves the set as Nginx does it, with the addresses of each target in both families.
    fn resolve(set: &Members) -> Members {
        let services = answer(&ask("_ws._tcp.muster.internal", RecordType::SRV), Some(set));
        let mut found = Members::new();
        for record in &services.answers {
            let RData::SRV(srv) = &record.data else { panic!("{record:?}") };
            for kind in [RecordType::A, RecordType::AAAA] {
                let addresses = answer(&ask(&srv.target.to_ascii(), kind), None);
                assert_eq!(addresses.metadata.response_code, ResponseCode::NoError);
                found.extend(addresses.answers.iter().map(|a| SocketAddr::new(a.data.ip_addr().unwrap(), srv.port)));
            }
        }
        found
    }

    #[test]
    fn the_answers_resolve_to_the_set() {
        assert_eq!(resolve(&set()), set());
    }

    #[test]
    fn an_answer_repeats_id_and_query_and_expires_in_a_second() {
        let request = ask("_WS._tcp.Muster.internal", RecordType::SRV);
        let answer = answer(&request, Some(&set()));
        assert_eq!((answer.metadata.id, &answer.queries), (request.metadata.id, &request.queries));
        assert!(answer.answers.len() == 3 && answer.answers.iter().all(|record| record.ttl == 1));
        let weights = answer.answers.iter().map(|record| match &record.data {
            RData::SRV(srv) => (srv.priority, srv.weight),
            other => panic!("{other:?}"),
        });
        assert!(weights.eq([(0, 1); 3]));
    }

    #[test]
    fn an_empty_or_unknown_set_is_answered_with_servfail() {
        for set in [None, Some(&Members::new())] {
            assert_eq!(code("_ws._tcp.muster.internal", RecordType::SRV, set), ResponseCode::ServFail);
        }
    }

    #[test]
    fn a_query_for_anything_else_is_refused_and_never_answered_with_nxdomain() {
        let names = ["_ws._tcp.muster.internal", "muster.internal", "0a00000.muster.internal", "example.com", "."];
        let kinds = [RecordType::A, RecordType::AAAA, RecordType::TXT, RecordType::ANY, RecordType::NS];
        for (name, kind) in names.iter().flat_map(|name| kinds.map(|kind| (name, kind))) {
            assert_eq!(code(name, kind, Some(&set())), ResponseCode::Refused, "{name} {kind}");
        }
        assert_eq!(code("example.com", RecordType::SRV, Some(&set())), ResponseCode::Refused);
        assert_eq!(answer(&Message::query(), Some(&set())).metadata.response_code, ResponseCode::FormErr);
    }
}
