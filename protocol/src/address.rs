//! One form for each IP address, so that addresses can be compared.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

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

/// What limits for each address count by: the IPv4 address, or the first 64 bits of an IPv6 address, since the smallest network has so
/// many addresses and could take another one for each try.
pub fn site(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(ip) => Ipv6Addr::from(u128::from(ip) >> 64 << 64).into(),
        ip => ip,
    }
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
    #[test]
    fn a_site_is_an_ipv4_address_or_a_network_of_64_bits() {
        let of = |text: &str| site(text.parse().unwrap()).to_string();
        assert_eq!((of("10.0.0.1"), of("::ffff:10.0.0.1")), ("10.0.0.1".into(), "10.0.0.1".into()));
        assert_eq!(
            (of("2001:db8:1:2::1"), of("2001:db8:1:2:3:4:5:6")),
            ("2001:db8:1:2::".into(), "2001:db8:1:2::".into())
        );
        assert_eq!(of("2001:db8:1:3::1"), "2001:db8:1:3::");
    }
}
