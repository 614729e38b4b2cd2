//! A program that speaks the protocol for all terminals, and what becomes of a run whose program fails.

use crate::{
    null_server::NullServer,
    report::{gate, report_of},
};

/// A program for bare messages, in the language of the shell. `fault` is what it does in the place of its 1,000th answer, when
/// 20 of the 40 messages of a run have come to all 40 terminals.
fn program(fault: &str) -> String {
    r#"n=0
while read -r line; do
  n=$((n + 1))
  [ $n -ne 1000 ] || { FAULT; }
  id=${line#*:}
  id=${id%%,*}
  case $line in
    *'"event":"open"'*) echo "{\"id\":$id,\"do\":[{\"ready\":{}}]}" ;;
    *'"event":"text"'*) text=${line##*:}; echo "{\"id\":$id,\"do\":[{\"message\":${text%?}}]}" ;;
    *'"event":"close"'*) ;;
    *) echo "{\"id\":$id}" ;;
  esac
done"#
        .replace("FAULT", fault)
}

fn flags<'a>(post: &'a str, program: &'a str) -> [&'a str; 6] {
    ["--post", post, "--adapter-cmd", program, "--for", "3s"]
}

#[test]
fn a_program_is_asked_what_frames_mean_and_the_report_says_that_times_include_the_pipe() {
    let server = NullServer::start(&[]);
    let (post, program) = (format!("http://{}/", server.address), program(":"));
    // A busy machine is slow to run the shell, and no loss of it is the server's.
    let patient = [&flags(&post, &program)[..], &["--grace", "5s"]].concat();
    let (report, code) = report_of(server.foreign(&patient));
    assert_eq!((code, report["faults"].as_object().unwrap().len()), (0, 0), "{}", report["verdict"]);
    assert!(report["ledger"]["steady"]["expected"].as_u64() > Some(0), "{}", report["ledger"]);
    assert_eq!((&report["promise"]["adapter"], &report["promise"]["pipe"]), (&"adapter-cmd".into(), &true.into()));
    let output = server.foreign(&patient).output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(told.contains("times include the pipe to the program of --adapter-cmd"), "{told}");
}

#[test]
fn a_program_that_fails_ends_the_run_with_a_report_that_accuses_no_server() {
    for (fault, why) in [
        ("echo out of luck >&2; exit 3", "it ended (exit status: 3); it said: out of luck"),
        ("echo hello", "it answered what is not understood"),
        (r#"echo '{"id":77777}'"#, "it answered a request that is not open"),
        ("tr '\\0' x </dev/zero", "it answered with a line of more than 8388608 bytes"),
        ("sleep 60", "it has not answered within 5s"),
    ] {
        let server = NullServer::start(&[]);
        let (post, program) = (format!("http://{}/", server.address), program(fault));
        let mut command = server.foreign(&flags(&post, &program));
        // Without the fault the run takes longer than a test may.
        command.args(["--for", "200s"]);
        let (report, code) = report_of(command);
        let gate = gate(&report, "the generator");
        assert_eq!((code, &gate["ok"]), (12, &false.into()), "{fault}: {}", report["verdict"]);
        let reasons = report["reasons"].as_object().unwrap();
        assert!(
            reasons.keys().any(|found| found.starts_with(&format!("--adapter-cmd: {why}"))),
            "{fault}: {reasons:?}"
        );
        assert!(report["messages"]["planned"].as_u64().unwrap() < 2000, "{fault}: the run ends early");
    }
}

#[test]
fn a_program_that_does_not_start_keeps_a_run_from_beginning() {
    let server = NullServer::start(&[]);
    for (program, why) in [
        ("exit 3", "--adapter-cmd: it ended (exit status: 3)"),
        ("no-such-program", "--adapter-cmd: it ended (exit status: 127); it said: "),
        ("echo hello; cat >/dev/null", "--adapter-cmd: it answered what is not understood"),
    ] {
        let output = server.foreign(&["--adapter-cmd", program]).output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(2) && told.contains(why), "{program}: {told}");
    }
}
