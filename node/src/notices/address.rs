//! Which addresses a message may be posted to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ipnet::IpNet;

/// IPv4 networks that are not the public Internet: of this host, private, of carriers, link-local (where clouds have their metadata),
/// for protocols, examples and benchmarks, multicast, and what is reserved.
const NOT_PUBLIC_V4: [(Ipv4Addr, u8); 14] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    (Ipv4Addr::new(224, 0, 0, 0), 3),
];

/// Parts of 2000::/3, which is the public Internet of IPv6, that are none: for protocols (Teredo too), examples, and 6to4, which has an IPv4
/// address within it.
const NOT_PUBLIC_V6: [(Ipv6Addr, u8); 4] = [
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];

/// Those of a receiver's addresses to which messages may go: public ones by https, and those of these networks however.
///
/// # Errors
/// Why to none, and what to do.
pub fn allowed(found: Vec<SocketAddr>, is_https: bool, networks: &[IpNet]) -> Result<Vec<SocketAddr>, String> {
    let first = found.first().map(SocketAddr::ip);
    let may_go = |to: &SocketAddr| is_in(to.ip(), networks) || (is_https && is_public(to.ip()));
    let allowed: Vec<_> = found.into_iter().filter(may_go).collect();
    match first {
        Some(address) if allowed.is_empty() && is_public(address) => Err(format!(
            "{address} is reached by http://, where whoever is on the way reads and changes messages: give https://, or allow its network \
             with --notice-to"
        )),
        Some(address) if allowed.is_empty() => Err(format!(
            "{address} is an address of a private or special network: no message is posted there unless the nodes allow its network with \
             --notice-to"
        )),
        _ => Ok(allowed),
    }
}

/// Whether an address is in one of these networks. An IPv4 address that is written as IPv6 counts as IPv4.
fn is_in(address: IpAddr, networks: &[IpNet]) -> bool {
    let address = address.to_canonical();
    networks.iter().any(|network| network.contains(&address))
}

/// Whether an address is one of the public Internet.
fn is_public(address: IpAddr) -> bool {
    let within =
        |network: IpAddr, prefix| IpNet::new(network, prefix).is_ok_and(|net| net.contains(&address.to_canonical()));
    match address.to_canonical() {
        IpAddr::V4(_) => !NOT_PUBLIC_V4.iter().any(|(network, prefix)| within((*network).into(), *prefix)),
        IpAddr::V6(address) => {
            address.segments()[0] & 0xe000 == 0x2000
                && !NOT_PUBLIC_V6.iter().any(|(network, prefix)| within((*network).into(), *prefix))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_public_internet_is_public() {
        for public in ["1.1.1.1", "93.184.216.34", "172.32.0.1", "2606:4700::1111", "::ffff:1.1.1.1", "2a00::1"] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
        for other in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::127.0.0.1",
            "fe80::1",
            "fc00::1",
            "fd00:ec2::254",
            "ff02::1",
            "64:ff9b::a00:1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
        ] {
            assert!(!is_public(other.parse().unwrap()), "{other}");
        }
    }

    #[test]
    fn an_address_is_in_a_network_however_it_is_written() {
        let networks = ["127.0.0.0/8".parse().unwrap()];
        assert!(is_in("::ffff:127.0.0.1".parse().unwrap(), &networks) && !is_in("::1".parse().unwrap(), &networks));
    }

    #[test]
    fn messages_go_to_the_public_internet_by_https_and_elsewhere_where_a_flag_allows() {
        let told = |addresses: &[&str], is_https, network: &str| {
            let found = addresses.iter().map(|address| SocketAddr::new(address.parse().unwrap(), 443)).collect();
            allowed(found, is_https, &[network.parse().unwrap()]).map(|allowed| allowed.len())
        };
        assert_eq!(told(&["1.1.1.1"], true, "192.168.0.0/16"), Ok(1));
        assert_eq!(told(&["127.0.0.1"], false, "127.0.0.0/8"), Ok(1));
        assert_eq!(told(&["10.0.0.1", "1.1.1.1", "::1"], true, "192.168.0.0/16"), Ok(1), "the public one alone");
        assert!(told(&["1.1.1.1"], false, "192.168.0.0/16").unwrap_err().contains("give https://"));
        for address in ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::ffff:10.0.0.1"] {
            assert!(told(&[address], true, "192.168.0.0/16").unwrap_err().contains("--notice-to"), "{address}");
        }
    }
}
