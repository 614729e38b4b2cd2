//! The files that a run leaves, and its report on stdout. Each is tried before the run, and written at its end whatever
//! became of the others.

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

/// Checks before the run that each output can be written: half an hour later it is too late.
pub fn check(config: &Config) -> anyhow::Result<()> {
    for (flag, file) in [("--json", &config.json), ("--html", &config.html), ("--junit", &config.junit)] {
        if let Some(file) = file {
            try_file(file).with_context(|| format!("{flag} {}", file.display()))?;
        }
    }
    for (flag, folder) in [("--hgrm", &config.hgrm), ("--logs", &config.logs)] {
        if let Some(folder) = folder {
            try_folder(folder).with_context(|| format!("{flag} {}", folder.display()))?;
        }
    }
    Ok(())
}

fn try_file(file: &Path) -> anyhow::Result<()> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !folder.is_dir() {
        bail!("there is no folder {}: make it first, or write elsewhere", folder.display());
    }
    match fs::metadata(file) {
        Ok(there) if there.is_dir() => bail!("it is a folder: name a file in it"),
        // A pipe or a device would block, or take what is written.
        Ok(there) if !there.is_file() => {}
        Ok(_) => drop(OpenOptions::new().append(true).open(file).context("it can't be written")?),
        Err(_) => {
            File::create_new(file).context("it can't be written")?;
            fs::remove_file(file).context("it can't be removed again")?;
        }
    }
    Ok(())
}

fn try_folder(folder: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(folder).context("the folder can't be made")?;
    let file = folder.join(format!(".muster-loadgen-{}", std::process::id()));
    File::create_new(&file).context("no file can be made in the folder")?;
    fs::remove_file(&file).context("no file can be removed from the folder")
}

/// Writes every output that was asked for, and says on stderr which failed. `logs` writes those of `--logs`. Returns
/// whether all are complete.
pub fn write(config: &Config, report: &Report, tally: &Tally, logs: impl FnOnce(&Path) -> anyhow::Result<()>) -> bool {
    let mut failures = Vec::new();
    let mut output = |flag: &str, path: &Option<PathBuf>, write: &mut dyn FnMut(&Path) -> anyhow::Result<()>| {
        if let Some(path) = path
            && let Err(error) = write(path)
        {
            failures.push(format!("{flag} {}: {error:#}", path.display()));
        }
    };
    output("--json", &config.json, &mut |file| {
        let json = serde_json::to_string_pretty(report)? + "\n";
        Ok(fs::write(file, json)?)
    });
    output("--html", &config.html, &mut |file| Ok(fs::write(file, report::page::render(report)?)?));
    output("--junit", &config.junit, &mut |file| Ok(fs::write(file, report::junit::render(report))?));
    output("--hgrm", &config.hgrm, &mut |folder| report::hgrm::write(folder, tally, report));
    let mut logs = Some(logs);
    output("--logs", &config.logs, &mut |folder| logs.take().map_or(Ok(()), |logs| logs(folder)));
    // Last, since whoever reads it may be slow.
    if let Err(error) = print(report) {
        failures.push(format!("the report on stdout: {error}"));
    }
    failures.iter().for_each(|failure| note(format!("muster-loadgen: an output is missing: {failure}")));
    failures.is_empty()
}

fn print(report: &Report) -> io::Result<()> {
    let mut out = io::stdout().lock();
    write!(out, "{report}")?;
    out.flush()
}
