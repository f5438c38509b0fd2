//! Which servers a load may be put on: those of this machine.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Returns the address in a URL such as `http://127.0.0.1:3000`. Refuses all that leave this machine.
pub(crate) fn parse(url: &str) -> Result<SocketAddr, String> {
    let authority =
        url.strip_prefix("http://").ok_or_else(|| format!("{url} does not start with http://"))?;
    let authority = authority.strip_suffix('/').unwrap_or(authority);
    let (host, port) = authority.rsplit_once(':').ok_or_else(|| format!("{url} has no port"))?;
    let port = port.parse().map_err(|_| format!("{port} is no port"))?;
    let ip = match host {
        "localhost" => IpAddr::V4(Ipv4Addr::LOCALHOST),
        "[::1]" => IpAddr::V6(Ipv6Addr::LOCALHOST),
        _ => host.parse().map_err(|_| format!("{host} is not an address of this machine"))?,
    };
    if !ip.is_loopback() {
        return Err(format!("{ip} is not this machine: a load is put on loopback addresses only"));
    }
    Ok(SocketAddr::new(ip, port))
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn takes_loopback() {
        for url in
            ["http://127.0.0.1:1", "http://127.9.9.9:80/", "http://localhost:3000", "http://[::1]:3000"]
        {
            assert!(parse(url).unwrap().ip().is_loopback(), "{url}");
        }
    }

    #[test]
    fn refuses_all_else() {
        let others = [
            "http://192.0.2.1:80",
            "http://0.0.0.0:80",
            "http://[::]:80",
            "http://[::ffff:192.0.2.1]:80",
            "http://example.org:80",
            "http://localhost.example.org:80",
            "http://127.0.0.1@192.0.2.1:80",
            "http://127.0.0.1",
            "https://127.0.0.1:443",
            "127.0.0.1:80",
        ];
        for url in others {
            assert!(parse(url).is_err(), "{url}");
        }
    }
}
