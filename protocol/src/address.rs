//! One form for each IP address, so that programs can compare addresses; and which address in a lease may be a node's.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use ipnet::IpNet;

/// Returns the address, as IPv4 if it is an IPv4-mapped IPv6 address (`::ffff:10.0.0.1`). A socket that listens on
/// `[::]` reports its IPv4 peers in the mapped form.
pub fn canonical(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        // An IPv6 address keeps its scope and flow label.
        IpAddr::V6(_) => address,
        ip => SocketAddr::new(ip, address.port()),
    }
}

/// Returns the forms in which a list of networks may mean this address: the canonical one and, for IPv4, the mapped
/// one, since a list may hold `::ffff:10.0.0.0/104`. For IPv6 both are the same.
fn forms(ip: IpAddr) -> [IpAddr; 2] {
    let canonical = ip.to_canonical();
    let mapped = match canonical {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().into(),
        IpAddr::V6(_) => canonical,
    };
    [canonical, mapped]
}

/// Returns whether an address is in one of these networks, in whichever form the address and the networks are written.
pub fn lies_in(ip: IpAddr, networks: &[IpNet]) -> bool {
    let forms = forms(ip);
    networks.iter().any(|net| forms.iter().any(|ip| net.contains(ip)))
}

/// Why the address in a lease is not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum UnusableAddress {
    /// The text is no address at which a node can serve.
    #[error("its address is no IP:PORT that can be connected to")]
    NoAddress,
    /// The address is in no network of the list.
    #[error("its address is in no network of --allow")]
    NotAllowed,
}

/// Reads the address in a lease. The address must be in one of these networks.
///
/// # Errors
/// [`UnusableAddress`] if the address is not, or if nothing can connect to it.
pub fn of_node(text: &str, allow: &[IpNet]) -> Result<SocketAddr, UnusableAddress> {
    let address = text.parse().map(canonical).map_err(|_| UnusableAddress::NoAddress)?;
    // A scope names a network interface of the node's host, and means nothing on this host.
    let scoped = matches!(address, SocketAddr::V6(v6) if v6.scope_id() != 0 || v6.flowinfo() != 0);
    if address.port() == 0 || address.ip().is_unspecified() || address.ip().is_multicast() || scoped {
        return Err(UnusableAddress::NoAddress);
    }
    if lies_in(address.ip(), allow) { Ok(address) } else { Err(UnusableAddress::NotAllowed) }
}

/// Returns the address by which limits for each address count: the IPv4 address, or the first 64 bits of an IPv6
/// address. The smallest IPv6 network has 64 more bits of addresses, and could take another one for each try.
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
    fn an_address_is_that_of_a_node_if_it_is_in_a_network_of_the_list() {
        let allow: Vec<IpNet> =
            ["10.0.0.0/8", "::ffff:127.0.0.0/104", "fe80::/10"].map(|net| net.parse().unwrap()).into();
        for address in ["10.0.0.1:9", "[::ffff:10.0.0.1]:9", "127.0.0.1:9", "[fe80::1]:9"] {
            assert_eq!(of_node(address, &allow), Ok(canonical(address.parse().unwrap())));
        }
        for address in
            ["8.8.8.8:9", "[::ffff:8.8.8.8]:9", "[::1]:9", "10.0.0.1:0", "[fe80::1%2]:9", "localhost:9", "0.0.0.0:9"]
        {
            assert!(of_node(address, &allow).is_err(), "{address}");
        }
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
