//! The packed form of a UDP address: 4 or 16 bytes of IP and 2 of port, big endian (6 or 18 bytes).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Reads a packed address; `None` unless it is 6 or 18 bytes long.
pub fn unpack(packed: &[u8]) -> Option<SocketAddr> {
    let (ip, port) = packed.split_at_checked(packed.len().checked_sub(2)?)?;
    let ip = if let Ok(octets) = <[u8; 4]>::try_from(ip) {
        IpAddr::V4(Ipv4Addr::from(octets))
    } else {
        IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(ip).ok()?))
    };
    Some(SocketAddr::new(
        ip,
        u16::from_be_bytes(port.try_into().ok()?),
    ))
}

/// Packs an address; an IPv4 address mapped into IPv6 comes out as the IPv4 address it is.
pub fn pack(address: &SocketAddr) -> Vec<u8> {
    let mut packed = match address.ip().to_canonical() {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    packed.extend_from_slice(&address.port().to_be_bytes());
    packed
}

/// What one "address" means for limits: an IPv4 address, or an IPv6 /64, since one site owns at least that much.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Site {
    /// One IPv4 address.
    V4([u8; 4]),
    /// The first 64 bits of an IPv6 address.
    V6(u64),
}

impl From<&SocketAddr> for Site {
    fn from(address: &SocketAddr) -> Self {
        match address.ip().to_canonical() {
            IpAddr::V4(ip) => Self::V4(ip.octets()),
            IpAddr::V6(ip) => {
                let [a, b, c, d, e, f, g, h, ..] = ip.octets();
                Self::V6(u64::from_be_bytes([a, b, c, d, e, f, g, h]))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_families_survive_packing() {
        for text in ["192.0.2.7:7000", "[2001:db8::1]:65535"] {
            let address: SocketAddr = text.parse().unwrap_or_else(|_| unreachable!());
            assert_eq!(unpack(&pack(&address)), Some(address));
        }
    }

    #[test]
    fn other_lengths_are_refused() {
        for length in [0, 1, 2, 5, 7, 17, 19] {
            assert_eq!(unpack(&vec![0; length]), None);
        }
    }

    #[test]
    fn one_site_is_a_64_bit_prefix() {
        let near = Site::from(&SocketAddr::from((
            Ipv6Addr::new(1, 2, 3, 4, 5, 6, 7, 8),
            1,
        )));
        let same = Site::from(&SocketAddr::from((
            Ipv6Addr::new(1, 2, 3, 4, 9, 9, 9, 9),
            2,
        )));
        let other = Site::from(&SocketAddr::from((
            Ipv6Addr::new(1, 2, 3, 5, 5, 6, 7, 8),
            1,
        )));
        assert_eq!(near, same);
        assert_ne!(near, other);
    }
}
