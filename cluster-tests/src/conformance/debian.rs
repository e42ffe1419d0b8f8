//! Redis' Tcl suite from Debian's source package, and the programs it calls from Debian's binary packages.
//!
//! A machine seldom has source entries in its package lists, so they are derived from the binary ones into a list of our
//! own; the machine's lists are not touched.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::programs::run;
use super::{Setup, Trouble};

/// The programs that the suite expects beside its sources, each from Debian's packages.
const PROGRAMS: [&str; 3] = ["redis-server", "redis-cli", "redis-benchmark"];

/// The folder of Redis' sources with its `tests`, fetched if it is not there yet.
pub fn redis_source(setup: &Setup) -> Result<PathBuf, Trouble> {
    let home = setup.work.join("redis");
    if !home.join("tests/test_helper.tcl").exists() {
        install(&["redis-server", "redis-tools", "tcl", "dpkg-dev"])?;
        fetch(&setup.work, &home)?;
    }
    for program in PROGRAMS {
        let link = home.join("src").join(program);
        if !link.exists() {
            symlink(found(program)?, &link).map_err(Trouble::when(format!("linking {program}")))?;
        }
    }
    Ok(home)
}

/// Where a program lies on this machine.
fn found(program: &str) -> Result<PathBuf, Trouble> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places = std::env::split_paths(&path).map(|folder| folder.join(program));
    places.find(|file| file.is_file()).ok_or_else(|| Trouble(format!("{program} is not installed")))
}

fn install(packages: &[&str]) -> Result<(), Trouble> {
    let missing = [("redis-server", "redis-server"), ("redis-cli", "redis-tools"), ("tclsh", "tcl")]
        .into_iter()
        .any(|(program, package)| packages.contains(&package) && found(program).is_err());
    if !missing && found("dpkg-source").is_ok() {
        return Ok(());
    }
    run(Command::new("apt-get").args(["update", "-qq"]))?;
    let mut command = Command::new("apt-get");
    // Debian's package would start a server of its own.
    command.env("RUNLEVEL", "1").env("DEBIAN_FRONTEND", "noninteractive");
    run(command.args(["install", "-y", "-qq"]).args(packages))
}

fn fetch(work: &Path, home: &Path) -> Result<(), Trouble> {
    let lists = work.join("sources.list.d");
    fs::create_dir_all(&lists).map_err(Trouble::when("making a folder for package lists"))?;
    fs::write(lists.join("source.sources"), source_entries()?)
        .map_err(Trouble::when("writing package lists"))?;
    let state = work.join("apt-lists");
    fs::create_dir_all(state.join("partial")).map_err(Trouble::when("making a folder for package lists"))?;
    let options = [
        format!("Dir::Etc::sourceparts={}", lists.display()),
        "Dir::Etc::sourcelist=/dev/null".to_owned(),
        format!("Dir::State::lists={}", state.display()),
    ];
    let apt = |words: &[&str]| {
        let mut command = Command::new("apt-get");
        command.current_dir(work);
        for option in &options {
            command.args(["-o", option]);
        }
        run(command.args(words))
    };
    apt(&["update", "-qq"])?;
    apt(&["source", "-qq", "redis"])?;
    let entries = fs::read_dir(work).map_err(Trouble::when("looking for the sources"))?;
    let unpacked =
        entries.flatten().map(|entry| entry.path()).find(|path| path.join("tests/test_helper.tcl").exists());
    let unpacked = unpacked.ok_or_else(|| Trouble("the package redis has no tests".to_owned()))?;
    fs::rename(unpacked, home).map_err(Trouble::when("moving the sources"))
}

/// The machine's entries for binary packages of Debian itself, said of sources.
fn source_entries() -> Result<String, Trouble> {
    let mut text = String::new();
    for folder in ["/etc/apt/sources.list", "/etc/apt/sources.list.d"] {
        let files = fs::read_dir(folder).map(|entries| entries.flatten().map(|entry| entry.path()).collect());
        for file in files.unwrap_or_else(|_| vec![PathBuf::from(folder)]) {
            let Ok(content) = fs::read_to_string(&file) else { continue };
            if file.extension().is_some_and(|ending| ending == "sources") {
                text.push_str(&stanzas(&content));
            } else {
                text.push_str(&content.lines().filter_map(one_line).collect::<String>());
            }
        }
    }
    if text.is_empty() { Err(Trouble("no package list of Debian was found".to_owned())) } else { Ok(text) }
}

/// A file of stanzas: those of Debian's own packages, as sources.
fn stanzas(content: &str) -> String {
    let of_debian = content
        .split("\n\n")
        .filter(|stanza| stanza.contains("/debian\n") && stanza.contains("Types: deb\n"));
    of_debian.map(|stanza| stanza.replace("Types: deb\n", "Types: deb-src\n") + "\n\n").collect()
}

/// A line of the older form, as a stanza.
fn one_line(line: &str) -> Option<String> {
    let mut words = line.split_whitespace();
    let (kind, address, suite) = (words.next()?, words.next()?, words.next()?);
    let components: Vec<_> = words.collect();
    (kind == "deb" && address.trim_end_matches('/').ends_with("/debian")).then(|| {
        format!("Types: deb-src\nURIs: {address}\nSuites: {suite}\nComponents: {}\n\n", components.join(" "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_for_binary_packages_become_entries_for_sources() {
        let file = "Types: deb\nURIs: http://mirror/debian\nSuites: s\n\nTypes: deb\nURIs: http://other/x\nSuites: s\n";
        assert_eq!(stanzas(file), "Types: deb-src\nURIs: http://mirror/debian\nSuites: s\n\n");
        let line = one_line("deb http://mirror/debian/ stable main contrib").expect("an entry of Debian");
        assert_eq!(
            line,
            "Types: deb-src\nURIs: http://mirror/debian/\nSuites: stable\nComponents: main contrib\n\n"
        );
        assert_eq!(one_line("deb http://other/x stable main"), None);
        assert_eq!(one_line("# deb http://mirror/debian stable main"), None);
    }
}
