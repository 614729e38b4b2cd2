//! Makes the answer to a DNS query. This module does no I/O. An answer is never empty and never says that a name does
//! not exist (NXDOMAIN), since Nginx would drop all nodes at once. On SERVFAIL or REFUSED it keeps the nodes that it
//! has.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::LazyLock,
};

use hickory_proto::{
    op::{Edns, Message, Metadata, OpCode, Query, ResponseCode},
    rr::{DNSClass, Name, RData, Record, RecordType, rdata::SRV},
};

use crate::membership::Members;

/// The zone of the names that Nginx asks for.
pub const ZONE: &str = "muster.internal";
/// The service in [`ZONE`] whose SRV records are the nodes.
pub const SERVICE: &str = "_ws._tcp";

/// How long Nginx may cache an answer, in seconds. The set of nodes may change at any time.
const TTL: u32 = 1;

static ORIGIN: LazyLock<Name> = LazyLock::new(|| name(ZONE));
static NODES: LazyLock<Name> = LazyLock::new(|| name(&format!("{SERVICE}.{ZONE}")));

/// Returns the answer when this `set` of nodes is announced. `None`: it is unknown which nodes there are.
pub fn answer(request: &Message, set: Option<&Members>) -> Message {
    let mut answer = Message::response(request.metadata.id, request.metadata.op_code);
    answer.metadata = Metadata::response_from_request(&request.metadata);
    answer.metadata.authoritative = true;
    answer.queries.clone_from(&request.queries);
    if request.edns.is_some() {
        answer.set_edns(Edns::new());
    }
    match records(request, set) {
        Ok(records) => answer.answers = records,
        Err(code) => answer.metadata.response_code = code,
    }
    answer
}

/// Returns whether an answer has the nodes in it.
pub fn has_nodes(answer: &Message) -> bool {
    answer.answers.iter().any(|record| record.record_type() == RecordType::SRV)
}

fn records(request: &Message, set: Option<&Members>) -> Result<Vec<Record>, ResponseCode> {
    let [query] = &request.queries[..] else { return Err(ResponseCode::FormErr) };
    if request.metadata.op_code != OpCode::Query {
        return Err(ResponseCode::NotImp);
    }
    match query.query_type() {
        _ if query.query_class() != DNSClass::IN => Err(ResponseCode::Refused),
        RecordType::SRV if query.name() == &*NODES => services(query, set),
        RecordType::A | RecordType::AAAA => addresses(query),
        _ => Err(ResponseCode::Refused),
    }
}

fn services(query: &Query, set: Option<&Members>) -> Result<Vec<Record>, ResponseCode> {
    let set = set.filter(|set| !set.is_empty()).ok_or(ResponseCode::ServFail)?;
    Ok(set.iter().map(|node| Record::from_rdata(query.name().clone(), TTL, service(*node))).collect())
}

/// Returns the SRV record of a node. All nodes have the same weight, also those that drain: the nodes decide which of
/// them takes a handshake.
fn service(node: SocketAddr) -> RData {
    RData::SRV(SRV::new(0, 1, node.port(), target(node.ip())))
}

/// Returns the address record of a target, whose name contains the address. So the answer exists also if the node has
/// left the set since the SRV answer, and the two answers never disagree. The answer for the other address family is
/// empty; Nginx asks for it too and does not need it.
fn addresses(query: &Query) -> Result<Vec<Record>, ResponseCode> {
    let address = address(query.name()).ok_or(ResponseCode::Refused)?;
    let record = Record::from_rdata(query.name().clone(), TTL, RData::from(address));
    Ok(if record.record_type() == query.query_type() { vec![record] } else { Vec::new() })
}

fn target(address: IpAddr) -> Name {
    let label = match address {
        IpAddr::V4(v4) => format!("{:08x}", v4.to_bits()),
        IpAddr::V6(v6) => format!("{:032x}", v6.to_bits()),
    };
    ORIGIN.prepend_label(label).expect("hexadecimal digits are a label")
}

fn address(target: &Name) -> Option<IpAddr> {
    if target.base_name() != *ORIGIN {
        return None;
    }
    let digits = std::str::from_utf8(target.iter().next()?).ok()?;
    match digits.len() {
        8 => u32::from_str_radix(digits, 16).ok().map(|bits| Ipv4Addr::from_bits(bits).into()),
        32 => u128::from_str_radix(digits, 16).ok().map(|bits| Ipv6Addr::from_bits(bits).into()),
        _ => None,
    }
}

fn name(text: &str) -> Name {
    let mut name = Name::from_ascii(text).expect("a literal name is valid");
    name.set_fqdn(true);
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(name: &str, kind: RecordType) -> Message {
        let mut request = Message::query();
        request.add_query(Query::query(super::name(name), kind));
        request
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
        assert!(has_nodes(&answer) && answer.answers.iter().all(|record| record.ttl == 1));
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
