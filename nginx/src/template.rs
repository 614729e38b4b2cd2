//! Makes the text of Nginx's configuration, from the templates and from typed values only.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

use ipnet::{IpNet, Ipv4Net};
use upon::{Engine, Value, value};

use crate::{
    config::Config,
    dns::answer::{SERVICE, ZONE},
    listeners,
    membership::Members,
    own_files::{CERTIFICATE, CLIENT_CA, FOLDER, KEY},
    ports::Ports,
};

/// The text of a generation's files, by file name.
pub type GenerationFiles = BTreeMap<&'static str, String>;

/// How many requests one client address may have in progress. Streams of events count, WebSocket sessions do not. Nginx
/// answers 429 to more. Clients behind a proxy that `--real-ip-from` does not name share one address.
const REQUESTS_PER_ADDRESS: u32 = 100;
/// How many refused handshakes of one client address are answered by nodes in a second. Further ones wait for their
/// answer, up to [`REFUSED_BURST`] of them, and Nginx answers 429 to more.
const REFUSED_PER_ADDRESS: u32 = 10;
/// How many refused handshakes of one client address may be ahead of the rate: one waits at most 5 s.
const REFUSED_BURST: u32 = 50;

/// Returns the files of one generation.
pub fn render(config: &Config, ports: Ports, generation: u64, members: &Members) -> anyhow::Result<GenerationFiles> {
    let connections = config.connections();
    let dir = config.dir.display().to_string();
    let limits = fill(include_str!("../templates/limits.conf"), &value! { max_body: config.max_body })?;
    let has_upstream = !members.is_empty() || ports.resolver.is_some();
    let others = match has_upstream && config.serves_others() {
        true => Some(servers_of_others(config)?),
        false => None,
    };
    let steps =
        [("_node", false), ("_refused", true)].map(|(name, is_refused)| value! { name: name, is_refused: is_refused });
    let values = value! {
        generation: generation,
        workers: config.workers,
        connections: connections,
        descriptors: config.open_files(),
        counts_connections: config.counts_connections,
        sessions_of_worker: config.sessions_of_worker().filter(|_| config.signal.is_none()),
        own: format!("{dir}/gen/{generation}/{FOLDER}"),
        dir: dir,
        access_log: config.access_log.clone(),
        snippets: config.snippets.clone(),
        listeners: listeners::directives(config, ports.listen),
        server_names: listeners::server_names(config),
        real_ip_header: if config.proxy_protocol { "proxy_protocol" } else { "X-Forwarded-For" },
        signal: config.signal.is_some(),
        limits: limits.trim_end(),
        allow: networks(&config.allow).iter().map(ToString::to_string).collect::<Vec<_>>(),
        control: ports.control.to_string(),
        resolver: ports.resolver.map(|resolver| resolver.to_string()),
        errors_at: ports.errors.map(|errors| errors.to_string()),
        certificate: config.tls_cert.as_ref().map(|_| CERTIFICATE),
        certificate_key: KEY,
        client_ca: config.client_ca.as_ref().map(|_| CLIENT_CA),
        client_id_from: config.client_id_from.label(),
        real_ip_from: config.real_ip_from.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ws_path: config.ws_path.clone(),
        edge: config.edge.clone(),
        requests_per_address: REQUESTS_PER_ADDRESS,
        calls_per_address: config.calls_per_address,
        sessions_per_address: config.sessions_per_address,
        refused_per_address: REFUSED_PER_ADDRESS,
        refused_burst: REFUSED_BURST,
        steps: steps.to_vec(),
        errors: errors(config),
        has_upstream: has_upstream,
        has_nodes: has_upstream && !config.serves_others(),
        others: others,
    };
    Ok(GenerationFiles::from([
        ("nginx.conf", fill(include_str!("../templates/nginx.conf"), &values)?),
        ("http.conf", fill(include_str!("../templates/http.conf"), &values)?),
        ("nodes.conf", nodes(members, ports.resolver, config.serves_others())?),
    ]))
}

/// Returns what the server block has for servers of another kind than Muster's.
fn servers_of_others(config: &Config) -> anyhow::Result<String> {
    let values = value! {
        client_ca: config.client_ca.as_ref().map(|_| CLIENT_CA),
        sessions_of_worker: config.sessions_of_worker().filter(|_| config.signal.is_none()),
        sessions_per_address: config.sessions_per_address,
    };
    Ok(fill(include_str!("../templates/others.conf"), &values)?.trim_end().to_owned())
}

/// Returns the upstream, which depends only on the set of nodes, on the resolver, and on whether they are servers of
/// another kind.
pub fn nodes(members: &Members, resolver: Option<SocketAddr>, of_others: bool) -> anyhow::Result<String> {
    let values = value! {
        nodes: addresses(members),
        resolver: resolver.map(|resolver| resolver.to_string()),
        zone: ZONE,
        service: SERVICE,
        of_others: of_others,
    };
    fill(include_str!("../templates/nodes.conf"), &values)
}

/// Returns the networks as Nginx's `geo` compares them: an address of IPv4 is compared with networks of IPv4 only, also
/// if it was written as IPv6.
fn networks(allow: &[IpNet]) -> BTreeSet<IpNet> {
    let mapped = |net: &IpNet| match net {
        IpNet::V4(_) => None,
        IpNet::V6(v6) if v6.prefix_len() < 96 => {
            let is_within = v6.contains(&Ipv4Addr::UNSPECIFIED.to_ipv6_mapped());
            is_within.then(|| Ipv4Net::default().into())
        }
        IpNet::V6(v6) => {
            let first = v6.network().to_ipv4_mapped()?;
            IpNet::new(IpAddr::V4(first), v6.prefix_len() - 96).ok()
        }
    };
    allow.iter().flat_map(|net| [Some(net.trunc()), mapped(net)]).flatten().collect()
}

fn addresses(members: &Members) -> Vec<String> {
    members.iter().map(SocketAddr::to_string).collect()
}

/// Returns the errors that Nginx answers itself, as problem documents like those of the nodes.
fn errors(config: &Config) -> Vec<Value> {
    let too_large = format!("the body is larger than {} bytes (--max-body)", config.max_body);
    let sessions = config.sessions_per_address.map(|most| format!(", {most} sessions")).unwrap_or_default();
    let too_many = format!(
        "this address has more than {REQUESTS_PER_ADDRESS} requests in progress{sessions}, {} API calls a second, or {REFUSED_PER_ADDRESS} refused handshakes a second, or the proxy has the sessions that it can hold (--sessions {}); try again later",
        config.calls_per_address, config.sessions
    );
    let errors = [
        (413, "Payload Too Large", &*too_large),
        (414, "URI Too Long", "the URL is too long"),
        (429, "Too Many Requests", &*too_many),
        (500, "Internal Server Error", "the proxy failed; see the log of Nginx"),
        (502, "Bad Gateway", "no node answers; try again"),
        (504, "Gateway Timeout", "the node did not answer in time"),
    ];
    errors
        .map(|(status, title, detail)| value! { status: status, title: title, detail: detail, is_later: status == 429 })
        .into()
}

/// Fills a template. A value that the template names and `values` lacks is an error.
fn fill(template: &str, values: &Value) -> anyhow::Result<String> {
    let engine = Engine::new();
    Ok(engine.compile(template)?.render_from(&engine, values).to_string()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config::tests::config, nodes_conf::parse_nodes};

    fn files(flags: &[&str], members: &Members) -> GenerationFiles {
        files_by(None, flags, members)
    }

    fn files_by(resolver: Option<SocketAddr>, flags: &[&str], members: &Members) -> GenerationFiles {
        let dir = tempfile::tempdir().unwrap();
        let own = ["--dir", dir.path().to_str().unwrap()];
        let config = config(&[&own, flags].concat()).load_files().unwrap();
        let (listen, control) = (([127, 0, 0, 1], 8080).into(), ([127, 0, 0, 1], 8081).into());
        let ports = Ports { listen, control, resolver, errors: None };
        render(&config, ports, 7, members).unwrap()
    }

    fn members() -> Members {
        [([10, 0, 0, 6], 9001).into(), ([10, 0, 0, 5], 9000).into()].into()
    }

    #[test]
    fn the_upstream_parses_to_the_set_that_it_was_made_from() {
        let files = files(&[], &members());
        assert_eq!(parse_nodes(&files["nodes.conf"]), members());
        assert!(files["http.conf"].contains(r#"return 200 "7\n""#));
        assert!(!files["http.conf"].contains("ssl") && !files["http.conf"].contains("real_ip"));
    }

    #[test]
    fn tls_offers_no_http2_and_small_buffers() {
        let http = files(&["--tls-cert", "/c.pem", "--tls-key", "/k.pem"], &members()).remove("http.conf").unwrap();
        let listen = http.lines().find(|line| line.trim().starts_with("listen 127.0.0.1:8080")).unwrap();
        assert!(listen.contains(" ssl ") && !listen.contains("http2"));
        assert!(http.contains("ssl_protocols TLSv1.2 TLSv1.3;") && http.contains("ssl_buffer_size 4k;"));
    }

    #[test]
    fn a_clients_address_is_taken_from_named_proxies_only() {
        let http = files(&["--real-ip-from", "10.0.0.0/8"], &members()).remove("http.conf").unwrap();
        assert!(http.contains("set_real_ip_from 10.0.0.0/8;") && http.contains("real_ip_recursive on;"));
        assert!(http.contains("real_ip_header X-Forwarded-For;") && !http.contains("proxy_protocol"));
        let flags = ["--real-ip-from", "10.0.0.0/8", "--proxy-protocol"];
        let http = files(&flags, &members()).remove("http.conf").unwrap();
        assert!(
            http.contains("listen 127.0.0.1:8080 proxy_protocol ") && http.contains("real_ip_header proxy_protocol;")
        );
    }

    /// Returns the block of a location of the server.
    fn location(http: &str, name: &str) -> String {
        let (_, rest) = http.split_once(&format!("  location {name} {{\n")).expect(name);
        rest.split_once("\n  }").expect(name).0.to_owned()
    }

    #[test]
    fn handshakes_of_an_address_have_no_body_and_no_limit_unless_they_are_refused_or_a_flag_sets_one() {
        let http = files(&[], &members()).remove("http.conf").unwrap();
        let (handshake, api) = (location(&http, "= /ws"), location(&http, "/v1/"));
        assert!(
            handshake.contains("client_max_body_size 1;") && handshake.matches("limit_").count() == 1,
            "{handshake}"
        );
        assert!(handshake.contains("limit_conn muster_worker_sessions 4500;"), "{handshake}");
        assert!(api.contains("limit_conn muster_in_progress 100;") && !api.contains("client_max_body_size"), "{api}");
        assert!(api.contains("limit_req zone=muster_calls burst=1000 nodelay;"), "{api}");
        assert_eq!(http.matches("limit_req zone=muster_refused ").count(), 1);
        let system = files(&["--signal", "/run/nginx.pid"], &members()).remove("http.conf").unwrap();
        assert!(!location(&system, "= /ws").contains("limit_"), "its connections are not the sidecar's");

        let flags = ["--sessions-per-address", "7", "--calls-per-address", "5"];
        let http = files(&flags, &members()).remove("http.conf").unwrap();
        assert!(location(&http, "= /ws").contains("limit_conn muster_sessions 7;"));
        assert!(
            location(&http, "/v1/").contains("burst=5 nodelay;") && http.contains("zone=muster_calls:10m rate=5r/s;")
        );
    }

    #[test]
    fn limits_are_where_a_server_snippet_can_set_others_and_no_other_program_has_set_them() {
        let own = files(&["--max-body", "1000"], &members());
        assert!(own["nginx.conf"].contains("client_max_body_size 1000;"));
        assert!(!own["http.conf"].contains("client_max_body_size 1000;") && !own["http.conf"].contains("error_log"));
        let system = files(&["--max-body", "1000", "--signal", "/run/nginx.pid"], &members());
        assert!(system["http.conf"].contains("client_max_body_size 1000;"));
        assert!(system["http.conf"].contains("error_log /dev/null emerg;"));
    }

    #[test]
    fn an_unspecified_ipv6_address_takes_both_families() {
        let listens = |ip: &str| {
            let ports = Ports {
                listen: SocketAddr::new(ip.parse().unwrap(), 8080),
                control: ([127, 0, 0, 1], 8081).into(),
                resolver: None,
                errors: None,
            };
            let http = render(&config(&[]), ports, 7, &members()).unwrap().remove("http.conf").unwrap();
            http.lines().filter(|line| line.contains("listen ") && line.contains("ipv6only=off")).count()
        };
        assert_eq!([listens("::"), listens("::1"), listens("0.0.0.0")], [1, 0, 0]);
    }

    #[test]
    fn errors_are_told_to_a_sidecar_that_hears_them() {
        let told = |errors| {
            let (listen, control) = (([127, 0, 0, 1], 8080).into(), ([127, 0, 0, 1], 8081).into());
            let ports = Ports { listen, control, resolver: None, errors };
            let http = render(&config(&[]), ports, 7, &members()).unwrap().remove("http.conf").unwrap();
            http.matches("muster_error").count()
        };
        assert_eq!([told(None), told(Some(([127, 0, 0, 1], 514).into()))], [0, 2]);
    }

    #[test]
    fn networks_of_mapped_addresses_are_told_to_nginx_as_ipv4() {
        let told =
            |net: &str| networks(&[net.parse().unwrap()]).iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        assert_eq!(told("10.1.2.3/8"), "10.0.0.0/8");
        assert_eq!(told("::ffff:10.0.0.0/104"), "10.0.0.0/8 ::ffff:10.0.0.0/104");
        assert_eq!(told("::/0"), "0.0.0.0/0 ::/0");
        assert_eq!(told("fd00::/8"), "fd00::/8");
        let http = files(&["--allow", "10.0.0.0/8,fd00::/8"], &members()).remove("http.conf").unwrap();
        let (_, geo) = http.split_once("geo $muster_node_ip").unwrap();
        assert!(geo.split_once('}').unwrap().0.ends_with("default 0;\n  10.0.0.0/8 1;\n  fd00::/8 1;\n"), "{geo}");
    }

    #[test]
    fn servers_of_another_kind_get_every_path_and_nothing_that_is_for_nodes() {
        let flags = ["--nodes-from", "file:/nodes", "--probe", "tcp"];
        let files = files(&flags, &members());
        let http = &files["http.conf"];
        assert!(
            files["nodes.conf"].contains("least_conn;")
                && location(http, "/").contains("proxy_pass http://muster_nodes;")
        );
        assert!(
            !http.contains("muster_handshake") && !http.contains("$muster_node") && !http.contains("X-Edge"),
            "{http}"
        );
        // Nginx refuses a limit whose zone it does not know.
        let zones = http.lines().filter_map(|line| line.trim().strip_prefix("limit_conn ")?.split(' ').next());
        assert!(
            zones.clone().count() > 0 && zones.clone().all(|zone| http.contains(&format!(" zone={zone}:"))),
            "{http}"
        );
        assert!(!http.contains("http_503") && http.contains("proxy_next_upstream error timeout;"));
        assert!(!super::nodes(&members(), None, false).unwrap().contains("least_conn"));
        let none = files_by(None, &flags, &Members::new()).remove("http.conf").unwrap();
        assert!(none.contains("return 503") && !none.contains("muster_nodes"));
    }

    #[test]
    fn without_nodes_there_is_no_upstream_and_the_answer_is_503() {
        let http = files(&[], &Members::new()).remove("http.conf").unwrap();
        assert!(!http.contains("nodes.conf") && http.contains("return 503"));
        // The locations that make these variables are missing, and Nginx refuses a map of a variable that it does not
        // know.
        assert!(!http.contains("$muster_node") && !http.contains("$muster_handshake"), "{http}");
    }

    #[test]
    fn with_a_resolver_the_nodes_in_the_file_are_the_backup() {
        let resolver = Some(([127, 0, 0, 1], 5353).into());
        let nodes = files_by(resolver, &[], &members()).remove("nodes.conf").unwrap();
        assert_eq!(parse_nodes(&nodes), members());
        assert!(nodes.contains("resolver 127.0.0.1:5353 valid=1s;") && nodes.contains(" service=_ws._tcp resolve "));
        assert_eq!(nodes.matches(" backup;").count(), 2);
        let none = files_by(resolver, &[], &Members::new());
        assert!(none["http.conf"].contains("nodes.conf") && none["nodes.conf"].contains(" resolve "));
    }

    #[test]
    fn no_file_holds_a_tag_of_the_templates() {
        let with_tls = ["--tls-cert", "/c.pem", "--tls-key", "/k.pem", "--max-body", "1000"];
        for (name, text) in files_by(Some(([127, 0, 0, 1], 5353).into()), &with_tls, &members()) {
            assert!(!text.contains("{{") && !text.contains("{%") && !text.contains("{#"), "{name}:\n{text}");
        }
        assert!(files(&["--max-body", "1000"], &members())["http.conf"].contains("larger than 1000 bytes"));
    }
}
