//! Makes the text of Nginx's configuration, from the templates and from typed values only.

use std::{collections::BTreeMap, net::SocketAddr};

use upon::{Engine, Value, value};

use crate::{
    config::Config,
    dns::answer::{SERVICE, ZONE},
    membership::Members,
    own_files::{CERTIFICATE, FOLDER, KEY},
    ports::Ports,
};

/// The text of a generation's files, by file name.
pub type GenerationFiles = BTreeMap<&'static str, String>;

/// How many requests one client address may have in progress. Streams of events count, WebSocket sessions do not. Nginx
/// answers 429 to more. Clients behind a proxy that `--real-ip-from` does not name share one address.
const REQUESTS_PER_ADDRESS: u32 = 100;

/// Returns the files of one generation.
pub fn render(config: &Config, ports: Ports, generation: u64, members: &Members) -> anyhow::Result<GenerationFiles> {
    let connections = config.connections();
    let dir = config.dir.display().to_string();
    let values = value! {
        generation: generation,
        workers: config.workers,
        connections: connections,
        // Each worker also needs descriptors for its logs and listeners.
        descriptors: connections + 64,
        own: format!("{dir}/gen/{generation}/{FOLDER}"),
        dir: dir,
        access_log: config.access_log.clone(),
        snippets: config.snippets.clone(),
        listen: ports.listen.to_string(),
        control: ports.control.to_string(),
        resolver: ports.resolver.map(|resolver| resolver.to_string()),
        certificate: config.tls_cert.as_ref().map(|_| CERTIFICATE),
        certificate_key: KEY,
        real_ip_from: config.real_ip_from.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ws_path: config.ws_path.clone(),
        edge: config.edge.clone(),
        max_body: config.max_body,
        requests_per_address: REQUESTS_PER_ADDRESS,
        errors: errors(config),
        has_upstream: !members.is_empty() || ports.resolver.is_some(),
    };
    Ok(GenerationFiles::from([
        ("nginx.conf", fill(include_str!("../templates/nginx.conf"), &values)?),
        ("http.conf", fill(include_str!("../templates/http.conf"), &values)?),
        ("nodes.conf", nodes(members, ports.resolver)?),
    ]))
}

/// Returns the upstream, which depends only on the set of nodes and on the resolver.
pub fn nodes(members: &Members, resolver: Option<SocketAddr>) -> anyhow::Result<String> {
    let values = value! {
        nodes: addresses(members),
        resolver: resolver.map(|resolver| resolver.to_string()),
        zone: ZONE,
        service: SERVICE,
    };
    fill(include_str!("../templates/nodes.conf"), &values)
}

/// Returns the set that an upstream was made from. Anything in it that is no address is skipped.
pub fn parse_nodes(text: &str) -> Members {
    let servers = text.lines().filter_map(|line| line.trim().strip_prefix("server "));
    servers.filter_map(|server| server.split(' ').next()?.parse().ok()).collect()
}

fn addresses(members: &Members) -> Vec<String> {
    members.iter().map(SocketAddr::to_string).collect()
}

/// The errors that Nginx answers itself, as problem documents like those of the nodes.
fn errors(config: &Config) -> Vec<Value> {
    let too_large = format!("the body is larger than {} bytes (--max-body)", config.max_body);
    let too_many = format!("this address has {REQUESTS_PER_ADDRESS} requests in progress; wait for answers");
    let errors = [
        (413, "Payload Too Large", &*too_large),
        (414, "URI Too Long", "the URL is too long"),
        (429, "Too Many Requests", &*too_many),
        (500, "Internal Server Error", "the proxy failed; see the log of Nginx"),
        (502, "Bad Gateway", "no node answers; try again"),
        (504, "Gateway Timeout", "the node did not answer in time"),
    ];
    errors.map(|(status, title, detail)| value! { status: status, title: title, detail: detail }).into()
}

/// Fills a template. A value that the template names and `values` lacks is an error.
fn fill(template: &str, values: &Value) -> anyhow::Result<String> {
    let engine = Engine::new();
    Ok(engine.compile(template)?.render_from(&engine, values).to_string()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tests::config;

    fn files(flags: &[&str], members: &Members) -> GenerationFiles {
        files_by(None, flags, members)
    }

    fn files_by(resolver: Option<SocketAddr>, flags: &[&str], members: &Members) -> GenerationFiles {
        let dir = tempfile::tempdir().unwrap();
        let own = ["--dir", dir.path().to_str().unwrap()];
        let config = config(&[&own, flags].concat()).load_files().unwrap();
        let ports = Ports { listen: ([127, 0, 0, 1], 8080).into(), control: ([127, 0, 0, 1], 8081).into(), resolver };
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
    }

    #[test]
    fn handshakes_have_no_limit_of_requests_and_no_body() {
        let http = files(&["--max-body", "1000"], &members()).remove("http.conf").unwrap();
        let location = |name: &str| {
            let (_, rest) = http.split_once(&format!("  location {name} {{\n")).expect(name);
            rest.split_once("\n  }").expect(name).0.to_owned()
        };
        let (handshake, api) = (location("= /ws"), location("/v1/"));
        assert!(
            handshake.contains("client_max_body_size 1;") && !handshake.contains("limit_conn muster_requests"),
            "{handshake}"
        );
        assert!(api.contains("limit_conn muster_requests 100;") && !api.contains("client_max_body_size"), "{api}");
        assert!(http.contains("client_max_body_size 1000;"));
    }

    #[test]
    fn without_nodes_there_is_no_upstream_and_the_answer_is_503() {
        let http = files(&[], &Members::new()).remove("http.conf").unwrap();
        assert!(!http.contains("nodes.conf") && http.contains("return 503"));
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
