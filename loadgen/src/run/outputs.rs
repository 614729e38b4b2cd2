//! The output files of a run and its report on stdout. Each output is tested before the run, and written after it even
//! if another output fails.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};

use crate::{
    config::Config,
    console::note,
    measure::Tally,
    report::{self, Report},
};

/// Tests whether each output can be written, before the run. The error names the flag.
pub fn check(config: &Config) -> anyhow::Result<()> {
    let asked = &config.outputs;
    for (flag, file) in [("--json", &asked.json), ("--html", &asked.html), ("--junit", &asked.junit)] {
        if let Some(file) = file {
            try_file(file).with_context(|| format!("{flag} {}", file.display()))?;
        }
    }
    for (flag, folder) in [("--hgrm", &asked.hgrm), ("--logs", &asked.logs)] {
        if let Some(folder) = folder {
            try_folder(folder).with_context(|| format!("{flag} {}", folder.display()))?;
        }
    }
    Ok(())
}

fn try_file(file: &Path) -> anyhow::Result<()> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !folder.is_dir() {
        bail!("the folder {} does not exist: create it, or choose another path", folder.display());
    }
    match fs::metadata(file) {
        Ok(there) if there.is_dir() => bail!("this is a folder: give a file name in it"),
        // To open a pipe would block, and a device would accept what is written.
        Ok(there) if !there.is_file() => {}
        Ok(_) => drop(OpenOptions::new().append(true).open(file).context("the file can't be written")?),
        Err(_) => {
            File::create_new(file).context("the file can't be created")?;
            fs::remove_file(file).context("the test file can't be removed")?;
        }
    }
    Ok(())
}

fn try_folder(folder: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(folder).context("the folder can't be created")?;
    let file = folder.join(format!(".muster-loadgen-{}", std::process::id()));
    File::create_new(&file).context("a file in the folder can't be created")?;
    fs::remove_file(&file).context("a file in the folder can't be removed")
}

/// Writes each requested output, and a line on stderr for each one that failed. `logs` writes the files of `--logs`.
/// Returns true if all outputs were written.
pub fn write(config: &Config, report: &Report, tally: &Tally, logs: impl FnOnce(&Path) -> anyhow::Result<()>) -> bool {
    let (asked, mut failures) = (&config.outputs, Vec::new());
    let mut output = |flag: &str, path: &Option<PathBuf>, write: &mut dyn FnMut(&Path) -> anyhow::Result<()>| {
        if let Some(path) = path
            && let Err(error) = write(path)
        {
            failures.push(format!("{flag} {}: {error:#}", path.display()));
        }
    };
    output("--json", &asked.json, &mut |file| {
        let json = serde_json::to_string_pretty(report)? + "\n";
        Ok(fs::write(file, json)?)
    });
    output("--html", &asked.html, &mut |file| Ok(fs::write(file, report::page::render(report)?)?));
    output("--junit", &asked.junit, &mut |file| Ok(fs::write(file, report::junit::render(report))?));
    output("--hgrm", &asked.hgrm, &mut |folder| report::hgrm::write(folder, tally, report));
    let mut logs = Some(logs);
    output("--logs", &asked.logs, &mut |folder| logs.take().map_or(Ok(()), |logs| logs(folder)));
    // Last, since the reader of a pipe may be slow.
    if let Err(error) = print(report) {
        failures.push(format!("the report on stdout: {error}"));
    }
    failures.iter().for_each(|failure| note(format!("muster-loadgen: this output could not be written: {failure}")));
    failures.is_empty()
}

fn print(report: &Report) -> io::Result<()> {
    let mut out = io::stdout().lock();
    write!(out, "{report}")?;
    out.flush()
}
