//! What a sidecar says to the service manager, and its pid file.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, time::Duration};

use muster_testkit::TestManager;
use rustix::process::Signal;
use tokio::time;

use crate::proxy::Proxy;

/// Starts a sidecar with a service manager that expects a beat in each time of `watchdog_us` microseconds.
async fn supervised(manager: &TestManager, watchdog_us: u64, flags: &[&str]) -> Proxy {
    Proxy::start_with(flags, |command, _| manager.supervise(command, watchdog_us)).await
}

#[tokio::test]
async fn the_service_manager_hears_of_start_reload_beats_and_end() {
    let (mut manager, folder) = (TestManager::start(), tempfile::tempdir().unwrap());
    let pid_file = folder.path().join("sidecar.pid");
    let mut proxy = supervised(&manager, 200_000, &["--pid-file", pid_file.to_str().unwrap()]).await;
    manager.until_said("READY=1\nSTATUS=Nginx serves 0 nodes", 1).await;
    assert_eq!(fs::read_to_string(&pid_file).unwrap(), format!("{}\n", proxy.sidecar.process.child.id()));
    manager.until_said("WATCHDOG=1", 3).await;

    proxy.sidecar.process.signal(Signal::HUP);
    manager.until_said("RELOADING=1\nMONOTONIC_USEC=", 1).await;
    manager.until_said("READY=1", 2).await;

    proxy.sidecar.process.signal(Signal::TERM);
    manager.until_said("STOPPING=1", 1).await;
    assert!(proxy.ends().await.0.success());
    assert!(!pid_file.exists());
}

/// A program in place of Nginx, whose check of a configuration does not end while the file `hang` is beside it.
fn hanging_nginx(folder: &Path) -> String {
    let program = folder.join("hanging-nginx");
    let text = format!(
        "#!/bin/sh\ncase \" $* \" in *' -t '*) while [ -e {}/hang ]; do sleep 0.05; done ;; esac\nexec nginx \"$@\"\n",
        folder.display()
    );
    fs::write(&program, text).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    program.display().to_string()
}

#[tokio::test]
async fn a_loop_that_hangs_sends_no_beat() {
    let (mut manager, folder) = (TestManager::start(), tempfile::tempdir().unwrap());
    let nginx = hanging_nginx(folder.path());
    let proxy = supervised(&manager, 100_000, &["--nginx", &nginx]).await;
    manager.until_said("WATCHDOG=1", 3).await;
    fs::write(folder.path().join("hang"), "").unwrap();
    proxy.write_snippet("location = /own { return 204; }\n");
    proxy.sidecar.process.signal(Signal::HUP);
    manager.until_said("RELOADING=1", 1).await;
    let beats = manager.count("WATCHDOG=1");
    time::sleep(Duration::from_millis(500)).await;
    assert_eq!(manager.count("WATCHDOG=1"), beats);
    fs::remove_file(folder.path().join("hang")).unwrap();
    manager.until_said("WATCHDOG=1", beats + 2).await;
}
