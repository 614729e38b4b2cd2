//! What fuzzing runs: any datagram that comes from Nginx, or from someone who sends in its name.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::wire::{Failure, Query, Record};

/// The most bytes of an answer without records: a head, a question with the longest name, and the record of EDNS.
const BARE_MAX: usize = 12 + 255 + 4 + 11;

/// Sends a message to the DNS server. If the server answers, the message is an answer, repeats the id, and has a
/// bounded size.
pub fn dns(message: &[u8]) {
    let Some(query) = Query::read(message) else { return };
    let records = [
        Record::Service(9000, ["0a000005", "muster", "internal"].map(str::to_owned).to_vec()),
        Record::Address(Ipv4Addr::LOCALHOST.into()),
        Record::Address(Ipv6Addr::LOCALHOST.into()),
    ];
    let bare = [query.truncated(), query.answer(Err(Failure::Refused))];
    assert!(bare.iter().all(|answer| answer.len() <= BARE_MAX && answer.len() <= query.max_payload()));
    for answer in bare.into_iter().chain([query.answer(Ok(&records[..]))]) {
        assert_eq!(answer[..2], message[..2]);
        assert!(Query::read(&answer).is_none(), "an answer is no query");
    }
}

#[cfg(test)]
mod tests {
    use muster_testkit::corpus;

    use super::*;

    #[test]
    fn every_message_that_was_found_is_answered_or_ignored() {
        for (file, message) in corpus::files("dns") {
            // Printed first, so that a panic comes after the name of its input.
            println!("{}", file.display());
            dns(&message);
        }
    }
}
