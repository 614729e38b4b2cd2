//! Tests of the checks on flags.

use clap::Parser;

use super::*;

#[derive(Parser)]
#[command(args_override_self = true)]
struct Cli {
    #[command(flatten)]
    config: Config,
}

/// Parses flags into a configuration with a default `--url` and `--api`.
pub fn config(flags: &str) -> Config {
    let target = "x --url ws://h/ws --api http://h ".to_owned() + flags;
    Cli::parse_from(target.split_whitespace()).config
}

#[test]
fn each_target_accepts_only_its_own_flags_for_sending() {
    assert!(config("").validate().is_ok());
    assert!(config("--target raw").validate().unwrap_err().to_string().contains("--post"));
    assert!(config("--metrics ftp://h/metrics").validate().unwrap_err().to_string().contains("http://"));
    assert!(config("--payload 1000001").validate().unwrap_err().to_string().contains("--payload"));
}

/// Checks flags of a run against a server that is not Muster.
fn foreign(flags: &str) -> Result<(), String> {
    let line = format!("x --url ws://h/ws {flags}");
    let config = Cli::try_parse_from(line.split_whitespace()).map_err(|error| error.to_string())?.config;
    config.validate().map_err(|error| error.to_string())
}

#[test]
fn each_adapter_accepts_only_its_own_flags() {
    for right in [
        "--adapter socket.io --channel news --publish-ack --token {credential} --credentials /dev/null",
        "--adapter mqtt --qos 1 --login u{n}:p --leave twin",
        "--adapter stomp --unconfirmed --send-by socket",
        "--target raw --first-message a --first-message b --ping 1s --answer a=b --header A=1 --header B={n}",
        "--target raw --ready-when *welcome* --payload-at /data --answer p*=q{match}",
        "--adapter centrifugo --send-by socket",
        "--adapter-cmd python3 --token x --leave twin",
    ] {
        assert_eq!(foreign(right), Ok(()), "{right}");
    }
    for (wrong, named) in [
        ("--target raw --channel x", "--channel"),
        ("--adapter stomp --qos 1", "--qos"),
        ("--adapter mqtt --qos 2", "--qos"),
        ("--adapter mqtt --first-message x", "--first-message"),
        ("--adapter pusher --leave twin", "--leave twin"),
        ("--target raw --header {credential}", "NAME=TEMPLATE"),
        ("--target raw --header Sec-WebSocket-Key=x", "--subprotocol"),
        ("--target raw --header A={credential}", "--credentials"),
        ("--target raw --cookie a={x}", "{x}"),
        ("--target raw --login user", "USER:PASSWORD"),
        ("--target raw --ping-message x", "--ping"),
        ("--target raw --ping 0s", "--ping"),
        ("--target raw --payload-at data", "--payload-at"),
        ("--adapter stomp --ready-when x", "--ready-when"),
        ("--adapter mqtt --payload-at /x", "--payload-at"),
        ("--adapter-cmd python3 --adapter mqtt", "--adapter"),
        ("--adapter-cmd python3 --channel x", "--channel"),
        ("--adapter-cmd python3 --ready-when x", "--ready-when"),
        ("--target raw --post http://h/ --send-by socket", "--send-by"),
        ("--target raw --send-header a=b", "--send-by"),
        ("--adapter mqtt --commands 1", "--commands"),
        ("--target raw --url ws://u:p@h/", "--login"),
        ("--api http://h --send-by socket", "--api"),
        ("--api http://h --token x", "--secret"),
    ] {
        let told = foreign(wrong).expect_err(wrong);
        assert!(told.contains(named) && !told.contains("u:p@"), "{wrong}: {told}");
    }
}
