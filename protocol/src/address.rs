//! One form for each IP address, so that addresses can be compared.

use std::net::{IpAddr, SocketAddr};

/// The address with an IPv4-mapped IPv6 address (`::ffff:10.0.0.1`) replaced by the IPv4 address. A socket that listens on
/// `[::]` reports its IPv4 peers in the mapped form.
pub fn canonical(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        // An IPv6 address keeps its scope and flow label.
        IpAddr::V6(_) => address,
        ip => SocketAddr::new(ip, address.port()),
    }
}

/// The forms in which a list of networks may mean this address: the canonical one, and for IPv4 the mapped one, since a list may
/// hold `::ffff:10.0.0.0/104`. Both are the same for IPv6.
pub fn forms(ip: IpAddr) -> [IpAddr; 2] {
    let canonical = ip.to_canonical();
    let mapped = match canonical {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().into(),
        IpAddr::V6(_) => canonical,
    };
    [canonical, mapped]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapped_address_is_the_ipv4_address() {
        for (text, expected) in [
            ("[::ffff:127.0.0.1]:9", "127.0.0.1:9"),
            ("127.0.0.1:9", "127.0.0.1:9"),
            ("[::1]:9", "[::1]:9"),
            ("[fe80::1%2]:9", "[fe80::1%2]:9"),
        ] {
            assert_eq!(canonical(text.parse().unwrap()).to_string(), expected);
        }
        let mapped: IpAddr = "::ffff:10.0.0.1".parse().unwrap();
        let v4: IpAddr = "10.0.0.1".parse().unwrap();
        assert_eq!((forms(mapped), forms(v4)), ([v4, mapped], [v4, mapped]));
    }
}
