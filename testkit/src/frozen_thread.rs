//! One thread of a program that stands still, as a bug would make it, while the others go on.

use std::fs;

use nix::{
    sys::{
        ptrace,
        wait::{WaitPidFlag, waitpid},
    },
    unistd::Pid,
};

use crate::TestProcess;

/// A stopped thread of a program that the test runs. It goes on when this is dropped, by the thread of the test that stopped it.
pub struct FrozenThread(Pid);

impl FrozenThread {
    /// Stops the thread with this name.
    ///
    /// # Panics
    /// If there is none, or the test may not trace its own child (ptrace).
    pub fn of(process: &TestProcess, name: &str) -> Self {
        let tasks =
            fs::read_dir(format!("/proc/{}/task", process.child.id())).unwrap().map(|task| task.unwrap().path());
        let is_named = |comm: std::io::Result<String>| comm.is_ok_and(|comm| comm.trim() == name);
        let task = tasks.into_iter().find(|task| is_named(fs::read_to_string(task.join("comm"))));
        let id = task.and_then(|task| task.file_name()?.to_str()?.parse().ok());
        let thread = Pid::from_raw(id.unwrap_or_else(|| panic!("no thread {name}")));
        ptrace::seize(thread, ptrace::Options::empty()).expect("a test may trace its own child");
        ptrace::interrupt(thread).unwrap();
        waitpid(thread, Some(WaitPidFlag::__WALL)).unwrap();
        Self(thread)
    }
}

impl Drop for FrozenThread {
    fn drop(&mut self) {
        let _ = ptrace::detach(self.0, None);
    }
}
