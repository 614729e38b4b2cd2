//! Completion in a shell: what is offered for a word, and what is not.

use std::{process::Command, time::Instant};

use muster_protocol::api::Protocol;
use muster_testkit::TestNode;
use tokio::net::TcpListener;

use crate::call::{muster, output, run};

/// Has bash complete the last of these words, as it does at the tab key. `part` is the part of the word that bash completes.
const TAB: &str = r#"
source <("$MUSTER" completions bash)
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMP_TYPE=9
_muster muster "$PART" "${COMP_WORDS[COMP_CWORD - 1]}"
printf '%s\n' "${COMPREPLY[@]}"
"#;

/// What bash puts in place of `part`, the end of the last word.
async fn completed(url: &str, words: &[&str], part: &str) -> Vec<String> {
    let mut bash = Command::new("bash");
    bash.args(["-c", TAB, "bash"]).args(words);
    bash.env("MUSTER", env!("CARGO_BIN_EXE_muster")).env("MUSTER_API_URL", url).env("PART", part).env("HOME", "/");
    let (code, said) = output(bash).await;
    assert_eq!(code, 0, "{words:?}: {said}");
    said.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

#[tokio::test]
async fn a_shell_is_offered_what_the_cluster_knows() {
    let node = TestNode::start(&["--insecure"]).await;
    let _terminals = [
        node.terminal("kiosk-1", Protocol::V1, &[("site", "bj")]).await,
        node.terminal("kiosk:2", Protocol::V1, &[("site", "$(reboot)")]).await,
        node.terminal("box-1", Protocol::V1, &[("self.x", "`reboot`")]).await,
    ];
    assert_eq!(run(&node, "send show --to box-1").await.0, 0);
    assert_eq!(run(&node, "selector set beijing site=bj").await.0, 0);
    assert_eq!(run(&node, "notices set ops https://1.1.1.1/ --on node.lost").await.0, 0);
    let url = format!("http://{}", node.address);
    let cases: [(&[&str], &str, &[&str]); 10] = [
        (&["muster", "show", "kio"], "kio", &["kiosk-1", "kiosk:2"]),
        (&["muster", "show", "kiosk", ":", "2"], "2", &["2"]),
        (&["muster", "send", "show", "--to", "b"], "b", &["box-1"]),
        (&["muster", "ls", "-l", "si"], "si", &["site=bj"]),
        (&["muster", "ls", "-l", "site", "=", ""], "", &["bj"]),
        (&["muster", "ls", "-l", "site", "="], "", &["bj"]),
        (&["muster", "selector", "rm", ""], "", &["beijing"]),
        (&["muster", "notices", "attempts", "o"], "o", &["ops"]),
        (&["muster", "quicks"], "quicks", &["quickstart"]),
        (&["muster", "show", "nobody"], "nobody", &[]),
    ];
    for (words, part, expected) in cases {
        let offered = completed(&url, words, part).await;
        let offered: Vec<_> = offered.iter().filter(|word| !word.starts_with('-')).collect();
        assert_eq!(offered, expected, "{words:?}");
    }
    let commands = completed(&url, &["muster", "watch", "0"], "0").await;
    assert!(commands.len() == 1 && commands[0].len() == 36, "{commands:?}");
    let flag = completed("http://127.0.0.1:1", &["muster", "--url", &url, "show", "kiosk-"], "kiosk-").await;
    assert_eq!(flag, ["kiosk-1"], "the URL of the line is not asked");
    node.stop().await;
}

#[tokio::test]
async fn a_cluster_that_does_not_answer_holds_no_shell_up_and_says_nothing() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let began = Instant::now();
    assert!(completed(&url, &["muster", "show", "kiosk-"], "kiosk-").await.is_empty());
    assert!(began.elapsed().as_secs() < 10, "{:?}", began.elapsed());
    for url in ["http://127.0.0.1:1", "no url"] {
        assert!(completed(url, &["muster", "show", "kiosk-"], "kiosk-").await.is_empty(), "{url}");
    }
}

#[tokio::test]
async fn each_shell_has_its_script() {
    let node = TestNode::start(&["--insecure"]).await;
    for (shell, says) in
        [("bash", "complete "), ("zsh", "#compdef muster"), ("fish", "complete --"), ("elvish", "edit:")]
    {
        let (code, said) = run(&node, &format!("completions {shell}")).await;
        assert!(code == 0 && said.contains(says) && said.contains("MUSTER_COMPLETE"), "{shell}: {said}");
    }
    let (code, said) = output(muster(&node, "completions tcsh")).await;
    assert!(code == 1 && said.contains("bash"), "{said}");
    node.stop().await;
}
