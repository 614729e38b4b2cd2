//! Queries that another implementation writes, and answers that it reads.

use hickory_proto::{
    op::{Edns, Message, Query as Asked},
    rr::{Name, RecordType},
};

use super::*;

fn asked() -> Message {
    let mut request = Message::query();
    request.add_query(Asked::query(Name::from_ascii("a.B.example.").unwrap(), RecordType::SRV));
    request.metadata.recursion_desired = true;
    request
}

#[test]
fn a_query_is_read_and_its_answer_repeats_it() {
    let request = asked();
    let bytes = request.to_vec().unwrap();
    let query = Query::read(&bytes).unwrap();
    let question = query.question.as_ref().unwrap();
    assert_eq!(question.labels, [&b"a"[..], b"B", b"example"]);
    assert!((question.kind, question.class) == (SRV, IN) && query.is_standard());
    let answer = Message::from_vec(&query.answer(Err(Failure::NotImp))).unwrap();
    assert_eq!((answer.metadata.id, &answer.queries), (request.metadata.id, &request.queries));
    assert!(answer.metadata.recursion_desired && answer.metadata.authoritative && answer.edns.is_none());
    assert_eq!(format!("{:?}", answer.metadata.response_code), "NotImp");
}

#[test]
fn edns_says_how_long_a_datagram_may_be_and_is_answered_with_edns() {
    for (asked_for, taken) in [(512, 512), (1232, 1232)] {
        let mut request = asked();
        request.set_edns(Edns::new().set_max_payload(asked_for).clone());
        let bytes = request.to_vec().unwrap();
        let query = Query::read(&bytes).unwrap();
        assert_eq!(query.max_payload(), taken);
        let answer = Message::from_vec(&query.truncated()).unwrap();
        assert!(answer.metadata.truncation && answer.edns.is_some_and(|edns| edns.max_payload() == 512));
    }
    let bytes = asked().to_vec().unwrap();
    assert_eq!(Query::read(&bytes).unwrap().max_payload(), 512);
}

#[test]
fn what_is_cut_off_or_too_long_is_no_query() {
    let mut request = asked();
    request.set_edns(Edns::new());
    let bytes = request.to_vec().unwrap();
    assert!((0..bytes.len()).all(|length| Query::read(&bytes[..length]).is_none()));
    let labels = |count: usize| {
        let name = [&[1, b'a'][..]].repeat(count).concat();
        [&bytes[..4], &[0, 1, 0, 0, 0, 0, 0, 0], &name, &[0, 0, 33, 0, 1]].concat()
    };
    assert!(Query::read(&labels(127)).is_some() && Query::read(&labels(128)).is_none());
    let pointer = [&bytes[..4], &[0, 1, 0, 0, 0, 0, 0, 0, 0xc0, 12, 0, 33, 0, 1]].concat();
    assert!(Query::read(&pointer).is_none(), "a pointer to itself");
}
